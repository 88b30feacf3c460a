"""Declared eligibilities: decaying traces in every synapse, which accumulate the joint activity of two neurons."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from neurorules.language.errors import UserError
from neurorules.language.expressions import is_readable
from neurorules.language.ranges import Fraction, check_range


@dataclass(frozen=True)
class Eligibility:
    """e[t] = decay[t] e[t-1] + text[t] at every synapse of a layer, from 0 when a trial begins.

    The text of a weight reads an eligibility by its name, multiplied by factors of the postsynaptic neuron and of the
    weight, as in `-m_post * e`; `delay(e, 1)` is its value at the previous step. The text of an eligibility that is
    declared later may read it too.


    If one window holds all steps, the recursion is computed backwards over the postsynaptic factor, and nothing is
    stored per synapse. With shorter windows a layer stores B x O x I numbers, or B x I if the text has no postsynaptic
    factor.

    Args:
        name: a lower-case word, such as "e" or "tag".
        decay: the decay per step: a number in [0, 1], or a text of postsynaptic factors and constants, such as "rho - b
            * psi(v_post)" for neurons with an adaptive threshold. The value of such a text is not checked against a
            range.
        text: a sum of products of presynaptic and postsynaptic factors, such as "psi(v_post) * S_pre"; one eligibility
            that is declared earlier may take the place of the presynaptic factor.

    Raises:
        UserError: the name cannot be used in texts, or the decay is out of range.
    """

    name: str
    decay: Fraction | str
    text: str

    def __post_init__(self) -> None:
        if not is_readable(self.name):
            raise UserError(
                f"eligibility '{self.name}' has no name that a text can read. Use lower-case letters, without _pre or "
                f"_post at the end, and no function's name"
            )
        if not isinstance(self.decay, str):
            check_range(f"eligibility '{self.name}': decay", self.decay, Fraction)

    def show(self) -> str:
        """The recursion as an equation, for display."""
        decay = f"({self.decay})" if isinstance(self.decay, str) else f"{self.decay:g}"
        return f"{self.name}[t] = {decay} {self.name}[t-1] + {self.text}"


def check_distinct(owner: str, eligibilities: Iterable[Eligibility], taken: Collection[str]) -> None:
    """Refuse eligibilities of a rule that share a name, or whose name has another meaning.

    Args:
        owner: how the message names the rule.
        eligibilities: the eligibilities of the rule.
        taken: names that have another meaning.

    Raises:
        UserError: a name would have two meanings.
    """
    names = set(taken)
    for eligibility in eligibilities:
        if eligibility.name in names:
            raise UserError(
                f"{owner} declares the eligibility '{eligibility.name}', but that name is taken. Choose another one"
            )
        names.add(eligibility.name)
