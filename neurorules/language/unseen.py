"""Advice for the error message about a name that a rule text may not use."""

from __future__ import annotations

from collections.abc import Collection

from neurorules.language.errors import nearest

RATES = frozenset({"lr", "eta", "rate", "learning_rate"})
DECLARED = "constants={'alpha': 0.5}"


def hint_for(name: str, legal: Collection[str], synapse: str, declared: Collection[str]) -> str:
    """Say what to do about a name that is not in the vocabulary. Names that need a declaration are explained first, and
    a name with similar spelling is suggested only after that.

    Args:
        name: the name in the text.
        legal: the names that the text may use.
        synapse: the parameter's own name.
        declared: constants and eligibilities, which do not belong to either neuron.

    Returns:
        One or two sentences for the message.
    """
    stem, _, side = name.rpartition("_")
    if name in ("x", "x_pre", "x_post") and "x_pre" not in legal:
        return (
            "It is a low-pass trace of the spikes, and this rule declares none. Declare it with the rule, "
            "trace_decay=0.9, or read S_pre or S_post"
        )
    if name == "v_pre":
        return "Connections carry spikes and no membranes. Read v_post, S_pre, or a trace of the spikes"
    if (name in ("p", "y") or (stem in ("p", "y") and side == "post")) and "p_post" not in legal:
        return "Prediction and target belong to the read-out's own text, role='readout'. Read m_post, the third factor"
    if name.lower() in RATES:
        return "A text holds no learning rate: the optimiser does. Leave it out, and use --lr"
    sides = [suffix for suffix in ("pre", "post") if f"{name}_{suffix}" in legal]
    if sides:
        return f"Say where it lives: {' or '.join(f'`{name}_{suffix}`' for suffix in sides)}"
    if name == "b" or (side == "b" and not stem):
        return f"A text sees its own parameter alone, here `{synapse}`"
    if side in ("pre", "post") and stem in (*declared, synapse):
        return f"It belongs to no neuron. Read `{stem}`"
    close = nearest(name, legal)
    if close is not None:
        return f"Did you mean `{close}`?"
    visible = ", ".join(sorted(legal))
    return f"It sees {visible}; a number of its own is declared with the rule, {DECLARED}"
