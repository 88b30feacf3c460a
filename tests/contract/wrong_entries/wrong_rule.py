"""Direct feedback alignment with faults."""

from __future__ import annotations

from neurorules.language.rules import DELTA_RULE, Defaults, Plasticity, Rule, Source

TEXT = "-through_norm(m_post * psi(v_post)) * (S_pre - mean_pre)"
FAULTY_TEXTS = {
    "unknown_word": "-m_post * psi(v_post) * S_next",
    "drift": f"{TEXT} - m_post * psi(v_post)",
    "square": "-m_post * m_post * psi(v_post) * S_pre",
    "still": "S_post * S_pre - S_post * S_pre",
}
FAULTY_SIGNALS = ("needs", "memory", "numbers", "batch")


def wrong_rule(fault: str = "none") -> Rule:
    """A rule that keeps its contract, unless there is a fault."""
    return Rule(
        name="another_name" if fault == "name" else "wrong_rule",
        plasticity=(
            Plasticity("w", FAULTY_TEXTS.get(fault, TEXT)),
            *(() if fault == "still" else (Plasticity("b", "-m_post * psi(v_post)"),)),
            *DELTA_RULE,
        ),
        signal=None if fault == "still" else f"wrong_signal:fault={fault if fault in FAULTY_SIGNALS else 'none'}",
        defaults=Defaults(
            norm="batch" if fault == "batch_norm" else "streaming", lr=0.0 if fault == "no_rate" else 3e-3
        ),
        source=Source("Nobody", 2020, "" if fault == "source" else "A title"),
    )


ENTRY = wrong_rule
