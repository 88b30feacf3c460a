"""Pair-based spike-timing-dependent plasticity, which uses neither labels nor a learning signal."""

from __future__ import annotations

import math
from typing import Literal

from neurorules.language.ranges import BelowOne, NonNegative, ranged
from neurorules.language.rules import DELTA_RULE, Defaults, Plasticity, Rule, Source

SAME_STEP = {"both": "both windows", "neither": "neither window"}
"""The description of the option same_step in the rule's deviations."""


@ranged("rule 'stdp'")
def stdp(
    *,
    a_plus: NonNegative = 0.01,
    a_minus: NonNegative = 0.012,
    decay: BelowOne = 0.8,
    same_step: Literal["both", "neither"] = "both",
) -> Rule:
    """STDP: a weight changes by A+ x_pre at a postsynaptic spike, and by -A- x_post at a presynaptic one.

    Args:
        a_plus: potentiation by one pair of spikes, >= 0.
        a_minus: depression by one pair of spikes, >= 0.
        decay: decay of both traces per step, in [0, 1).
        same_step: how two spikes in the same step count. `both` adds a_plus - a_minus to the weight, and `neither` adds
            nothing.

    Returns:
        The rule with its texts, traces, bounds, default settings and source.
    """
    pre, post = ("x_pre", "x_post") if same_step == "both" else ("before(x_pre)", "before(x_post)")
    return Rule(
        name="stdp",
        plasticity=(
            Plasticity("w", f"a_plus * {pre} * S_post - a_minus * S_pre * {post}"),
            *DELTA_RULE,
        ),
        signal=None,
        constants={"a_plus": a_plus, "a_minus": a_minus},
        trace_decay=decay,
        bounds=(-1.0, 1.0),
        defaults=Defaults(lr=0.01, optimizer="sgd"),
        source=Source(
            "S. Song, K. D. Miller, L. F. Abbott",
            2000,
            "Competitive Hebbian learning through spike-timing-dependent synaptic plasticity",
            (
                "weights may have either sign, within -1 and 1; the paper's conductances lie within 0 and a maximum",
                f"a pair within one step counts for {SAME_STEP[same_step]}",
                f"a_plus is {a_plus:g} and a_minus {a_minus:g}; the paper has 0.005 and 1.05 times as much",
                f"traces decay by {decay:g} in a step{_time_constant(decay)}; the paper has 20 ms for both",
                "neurons, input and read-out are those of a classifier; the paper's neuron hears Poisson trains",
                "a trial's change is the sum over its steps, averaged over the batch",
            ),
            link="https://doi.org/10.1038/78829",
            constants={"a_plus": "0.005", "a_minus": "0.00525", "x": "20 ms"},
        ),
    )


def _time_constant(decay: float) -> str:
    """The time constant of a decay at steps of 1 ms, as a phrase; "" for a decay of 0, which has none."""
    return f", {-1 / math.log(decay):.3g} ms at steps of 1 ms" if decay else ""


ENTRY = stdp
