"""Pair-based spike-timing-dependent plasticity: no learning signal, no label."""

from __future__ import annotations

from neurorules.language.rules import DELTA_RULE, Defaults, Plasticity, Rule, Source


def stdp(*, a_plus: float = 0.01, a_minus: float = 0.012, decay: float = 0.8) -> Rule:
    """dw = A+ x_pre at a postsynaptic spike, -A- x_post at a presynaptic one.

    Args:
        a_plus: potentiation a pair, >= 0.
        a_minus: depression a pair, >= 0.
        decay: of both traces, a step, in [0, 1).
    """
    return Rule(
        name="stdp",
        plasticity=(
            Plasticity("w", "a_plus * x_pre * S_post - a_minus * S_pre * x_post"),
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
            ("weights may have either sign", "a pair within one step counts for both windows"),
        ),
    )


ENTRY = stdp
