"""Oja's rule: Hebbian learning with weights of constant length, which finds the principal component of the input."""

from __future__ import annotations

from neurorules.language.ranges import BelowOne, ranged
from neurorules.language.rules import DELTA_RULE, Defaults, Plasticity, Rule, Source


@ranged("rule 'oja'")
def oja(*, decay: BelowOne = 0.8) -> Rule:
    """dw = y x - y^2 w, where x and y are traces of the spikes at both ends of the synapse.

    Args:
        decay: decay of both traces per step, in [0, 1).

    Returns:
        The rule with its texts, trace, default settings and source.
    """
    return Rule(
        name="oja",
        plasticity=(Plasticity("w", "x_post * x_pre - x_post ** 2 * w"), *DELTA_RULE),
        signal=None,
        trace_decay=decay,
        defaults=Defaults(lr=1e-4, optimizer="sgd"),
        source=Source(
            "E. Oja",
            1982,
            "Simplified neuron model as a principal component analyzer",
            (
                "activities are traces of spikes, which are never negative; the paper's neuron is linear",
                "all neurons of a layer learn the same component unless their initial weights keep them apart",
                "neurons, input and read-out are those of a classifier",
                "a trial's change is the sum over its steps, averaged over the batch",
            ),
            link="https://doi.org/10.1007/BF00275687",
            constants={"x": "none: an activity is a number, and not a trace"},
        ),
    )


ENTRY = oja
