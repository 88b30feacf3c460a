"""Burst-dependent plasticity: a synapse learns from the bursts that its neuron's dendrite, told from above, causes."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from neurorules.language.neuron_trace import Trace
from neurorules.language.ranges import Positive, Range, ranged
from neurorules.language.rules import DELTA_RULE, SENT, Defaults, Plasticity, Rule, Source
from neurorules.language.signal_spec import SignalSpec

EVENT_HZ = 5.0
"""The rate of events that a neuron expects of itself before the first trial."""


@ranged("rule 'bdsp'")
def burst_dependent_plasticity(
    *,
    bursts: Literal["drawn", "expected"] = "drawn",
    gain: Positive = 4.0,
    rest: Annotated[float, Range("(0, 1)")] = 0.5,
    tau_ms: Positive = 20.0,
    tau_average_ms: Positive = 15_000.0,
    dt_ms: Positive = 5.0,
) -> Rule:
    """dw = (B - Pbar E) Etilde: E is a spike, B an event that became a burst, and Etilde a trace of presynaptic events.

    Args:
        bursts: drawn, each event with its probability; or expected, the mean of many neurons with the same events.
        gain: change of a burst's log-odds by a dendritic potential of the usual size, above 0.
        rest: the probability of a burst without feedback, within 0 and 1. At 1/2 feedback of either sign changes it by
            as much, so that a neuron that hears nothing from above bursts as often as it expects, and learns nothing.
        tau_ms: time constant of the presynaptic trace, in ms, above 0.
        tau_average_ms: time constant of the averages of events and bursts, in ms, above 0.
        dt_ms: duration of one step in ms, above 0.

    Returns:
        The rule with its texts, trace, signal and source.
    """
    decay = math.exp(-dt_ms / tau_average_ms)
    averages = {"events": EVENT_HZ * dt_ms / 1000, "decay": decay}
    return Rule(
        name="bdsp",
        plasticity=(
            Plasticity("w", "-through_norm(m_post * S_post) * before(ev_pre)"),
            Plasticity("b", "-m_post * S_post"),
            Plasticity(SENT, "-m_post * S_post"),
            *DELTA_RULE,
        ),
        signal=SignalSpec("bursts", {"bursts": bursts, "gain": gain, "rest": rest, **averages}),
        errors="step",
        traces=(Trace("ev", math.exp(-dt_ms / tau_ms)),),
        defaults=Defaults(lr=0.01),
        source=SOURCE,
    )


SOURCE = Source(
    "A. Payeur, J. Guerguiev, F. Zenke, B. A. Richards, R. Naud",
    2021,
    "Burst-dependent synaptic plasticity can coordinate learning in hierarchical circuits",
    (
        "the ensemble form: a spike of the net is an event, and whether it is a burst is drawn, with the probability "
        "that the dendrite sets; in the paper the second spike within 16 ms is the burst",
        "events alone drive the layers above; in the paper short-term depression of forward synapses sees to that",
        "feedback is fixed and random, and reads bursts minus those expected; in the paper it reads bursts alone",
        "a potential is divided by its own running size, with a gain of 4; both are ours, chosen on validation samples",
        "without feedback half of all events are bursts, as in the paper's nets of rates; the averages of its spiking "
        "neurons begin at 0.15",
        "the read-out has no bursts: the error of each step teaches the last layer's dendrites",
        "averages of events and bursts are over earlier trials, and stand still within a trial",
        "a trace of events begins at 0 with each trial; steps last 5 ms",
        "firing rates are not regulated (in the paper between 2 and 12 Hz)",
        "weights change once a trial, by the sum over its steps; biases learn too, and the read-out by the delta rule",
        "Adam and streaming normalisation, which centres and decorrelates the update (norm none: neither)",
    ),
    link="https://doi.org/10.1038/s41593-021-00857-x",
    constants={"ev": "20 to 50 ms; here 20 ms at steps of 5 ms"},
)

ENTRY = burst_dependent_plasticity
