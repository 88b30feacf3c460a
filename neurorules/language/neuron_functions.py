"""The functions of a rule text that belong to the postsynaptic neuron, and what they take."""

from __future__ import annotations

from neurorules.language.errors import UserError
from neurorules.language.expressions import Call, names_in, show
from neurorules.language.vocabulary import Side, Vocabulary

INSTEAD = {"psi": "psi(v_post)", "through_norm": "through_norm(m_post * psi(v_post))"}
"""The functions of the postsynaptic neuron, its pseudo-derivative and the way back through its normalisation, each with
what a message offers."""


def check_of_neuron(owner: str, text: str, call: Call, vocabulary: Vocabulary) -> None:
    """Refuse `psi` or `through_norm` of something other than a postsynaptic factor.

    Args:
        owner: how the message names the rule.
        text: the text that contains the call.
        call: one of its calls; calls of other functions are accepted.
        vocabulary: the names that the text may use, with their sides.

    Raises:
        UserError: the argument reads no variable, or one that does not belong to the postsynaptic neuron.
    """
    if call.function not in INSTEAD:
        return
    sides = {side for name in names_in(call) if (side := vocabulary.side(name)) is not None}
    if sides == {Side.POST}:
        return
    read = " and ".join(sorted(side.value for side in sides)) or "constants alone"
    raise UserError(
        f"{owner}: `{show(call)}` in the text '{text:.80}' takes a postsynaptic factor, and here reads {read}. "
        f"Write {INSTEAD[call.function]}"
    )
