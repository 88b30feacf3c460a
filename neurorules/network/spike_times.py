"""The check that a network and a rule fit a signal that takes derivatives by the times of spikes."""

from __future__ import annotations

from neurorules.contracts.signal import Signal
from neurorules.language.errors import UserError
from neurorules.language.rules import Rule
from neurorules.language.settings import Scores
from neurorules.network.network import Network


def check_times(network: Network, rule: Rule, signal: Signal | None, scores: Scores) -> None:
    """Refuse networks in which the times of spikes have no derivative, or none that reaches the loss.

    Args:
        network: the network.
        rule: the rule.
        signal: its learning signal, or the one that replaces it; others than those by spike times pass.
        scores: the source of class scores.

    Raises:
        UserError: a neuron, a normalisation or the read-out does not fit; the message says which and what to do.
    """
    if signal is None or signal.least_rise is None:
        return
    for layer in network.hidden:
        layer.neuron.crossing()
        if layer.normalisation is None:
            continue
        if layer.normalisation.reads_batch:
            raise UserError(
                f"layer '{layer.name}' is normalised by its batch, whose mean counts spikes, and rule '{rule.name}' "
                f"learns by their times. Use --norm none or streaming"
            )
        moving = [p for p in rule.plasticity if (p.role, p.parameter, p.statistics) == ("hidden", "w", "moving")]
        if moving:
            raise UserError(
                f"layer '{layer.name}' is normalised, and rule '{rule.name}' decorrelates what it sends down from the "
                f"current, which jumps at spikes and leaves no derivative by their times. Use --rule eventprop, which "
                f"does not, or --norm none"
            )
    if scores != "membrane":
        raise UserError(
            f"scores={scores} counts the spikes of the read-out, and a count does not change with their times, by "
            f"which rule '{rule.name}' learns. Use scores=membrane"
        )
    dynamics = network.readout.neuron.dynamics()
    if dynamics is not None and isinstance(dynamics.beta, float) and dynamics.beta == 0:
        raise UserError(
            f"the read-out keeps nothing from step to step, so that its score counts spikes and does not change with "
            f"their times, by which rule '{rule.name}' learns. Give it a memory: --readout-neuron leaky_readout:beta=1"
        )
