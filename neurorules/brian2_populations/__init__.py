"""Networks for neuroscience, made of ordinary Brian2 objects: receptors, wiring, Dale's law, input, learning."""

from neurorules.brian2_populations.dale import check_dale
from neurorules.brian2_populations.distributions import log_normal, truncated_normal
from neurorules.brian2_populations.firing import Firing, firing
from neurorules.brian2_populations.homeostasis import synaptic_scaling, weight_normalisation
from neurorules.brian2_populations.poisson import poisson_spikes
from neurorules.brian2_populations.projection import projection
from neurorules.brian2_populations.receptors import Receptor, conductance, current, jump, synaptic_equations
from neurorules.brian2_populations.wiring import Pairs, distance_pairs, indegree_pairs, random_pairs

__all__ = [
    "Firing", "Pairs", "Receptor", "check_dale", "conductance", "current", "distance_pairs", "firing", "indegree_pairs",
    "jump", "log_normal", "poisson_spikes", "projection", "random_pairs", "synaptic_equations", "synaptic_scaling",
    "truncated_normal", "weight_normalisation",
]  # fmt: skip
