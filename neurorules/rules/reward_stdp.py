"""Reward-modulated STDP: pairs of spikes leave a tag at a synapse, and a reward turns tags into weight changes."""

from __future__ import annotations

import math
from typing import Literal

from neurorules.language.eligibility import Eligibility
from neurorules.language.neuron_trace import Trace
from neurorules.language.ranges import NonNegative, Number, Positive, ranged
from neurorules.language.rules import DELTA_RULE, Defaults, Plasticity, Rule, Source
from neurorules.language.signal_spec import SignalSpec


@ranged("rule 'reward_stdp'")
def reward_stdp(
    *,
    a_plus: NonNegative = 1.0,
    a_minus: NonNegative = 1.5,
    tau_plus_ms: Positive = 20.0,
    tau_minus_ms: Positive = 20.0,
    tau_c_ms: Positive = 1000.0,
    tau_d_ms: Positive = 200.0,
    wrong: Number = -1.0,
    baseline: Literal["class", "all", "none"] = "class",
    dt_ms: Positive = 1.0,
) -> Rule:
    """Reward-modulated STDP: dc/dt = -c / tau_c + STDP, dw/dt = c d, where d rises with rewards and decays with tau_d.

    Two spikes in the same step do not count as a pair.

    Args:
        a_plus: factor of the presynaptic trace, which a postsynaptic spike adds to the tag, >= 0.
        a_minus: factor of the postsynaptic trace, which a presynaptic spike subtracts from the tag, >= 0.
        tau_plus_ms: time constant of the presynaptic trace, in ms, above 0.
        tau_minus_ms: time constant of the postsynaptic trace, in ms, above 0.
        tau_c_ms: time constant of the tag c, in ms, above 0.
        tau_d_ms: time constant of the reward signal d, in ms, above 0.
        wrong: reward for a wrong classification; the reward for a correct one is 1.
        baseline: the average that is subtracted from a reward: over samples of the same class, over all samples, or
            none.
        dt_ms: duration of one step in ms, above 0.

    Returns:
        The rule with its texts, traces, eligibility, signal, bounds, default settings and source.
    """
    tag = "a_plus * before(plus_pre) * S_post - a_minus * S_pre * before(minus_post)"
    return Rule(
        name="reward_stdp",
        plasticity=(Plasticity("w", "-m_post * c"), *DELTA_RULE),
        signal=SignalSpec("reward", {"wrong": wrong, "baseline": baseline, "decay": math.exp(-dt_ms / tau_d_ms)}),
        errors="step",
        constants={"a_plus": a_plus, "a_minus": a_minus},
        traces=(Trace("plus", math.exp(-dt_ms / tau_plus_ms)), Trace("minus", math.exp(-dt_ms / tau_minus_ms))),
        eligibilities=(Eligibility("c", math.exp(-dt_ms / tau_c_ms), tag),),
        bounds=(-1.0, 1.0),
        defaults=Defaults(lr=1e-4, optimizer="sgd"),
        source=SOURCE,
    )


SOURCE = Source(
    "E. M. Izhikevich",
    2007,
    "Solving the distal reward problem through linkage of STDP and dopamine signaling",
    (
        "each step of a trial earns a reward for its own prediction; the paper's rewards come seconds later",
        "what samples of its class earn on average is taken from a reward; the paper has no baseline",
        "the reward is 1 where the largest output is that of the class; the paper rewards one spike order",
        "weights may have either sign, within -1 and 1; the paper's lie within 0 and 4 mV",
        "a pair within one step counts for neither term",
        "neurons, input and read-out are those of a classifier, whose read-out learns by the delta rule",
        "a trial's change is the sum over its steps, averaged over the batch",
    ),
    link="https://doi.org/10.1093/cercor/bhl152",
    constants={
        "a_plus": "1, of NEST's stdp_dopamine_synapse",
        "a_minus": "1.5, of NEST's stdp_dopamine_synapse",
        "plus": "20 ms, of NEST's stdp_dopamine_synapse",
        "minus": "20 ms, of NEST's iaf_psc_alpha",
    },
)

ENTRY = reward_stdp
