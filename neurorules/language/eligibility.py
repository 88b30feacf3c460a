"""Declared eligibilities: a trace of every synapse, which remembers for a while what its two neurons did together."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from neurorules.language.errors import UserError
from neurorules.language.expressions import is_readable
from neurorules.language.ranges import Fraction, check_range


@dataclass(frozen=True)
class Eligibility:
    """e[t] = decay[t] e[t-1] + text[t] at every synapse of a layer, from 0 when a trial begins.

    A weight's text reads it by its name, times postsynaptic factors and factors of the weight: `-m_post * e`, and by
    `delay(e, 1)` as it was one step before. So does the text of an eligibility that is declared after it.
    With a window of all steps, decay runs backwards over the postsynaptic factor, and nothing is kept per synapse. In
    shorter windows B x O x I numbers are kept per layer, or B x I where the text has no postsynaptic factor.

    Args:
        name: lower-case, such as "e" or "tag".
        decay: per step: a number in [0, 1], or a text of postsynaptic factors and constants, such as
            "rho - b * psi(v_post)" of neurons whose threshold adapts. What such a text gives is not held to a range.
        text: presynaptic and postsynaptic factors, such as "psi(v_post) * S_pre"; each product may have one earlier
            eligibility in place of the presynaptic factor.

    Raises:
        UserError: a name that is none, or a decay out of range.
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
        """Its recursion, as a person reads it."""
        decay = f"({self.decay})" if isinstance(self.decay, str) else f"{self.decay:g}"
        return f"{self.name}[t] = {decay} {self.name}[t-1] + {self.text}"


def check_distinct(owner: str, eligibilities: Iterable[Eligibility], taken: Collection[str]) -> None:
    """Refuse eligibilities of a rule that share a name, or have the name of something else.

    Args:
        owner: how the message names the rule.
        eligibilities: of the rule.
        taken: names that stand for other things.

    Raises:
        UserError: a name stands for two things.
    """
    names = set(taken)
    for eligibility in eligibilities:
        if eligibility.name in names:
            raise UserError(
                f"{owner} declares the eligibility '{eligibility.name}', but that name is taken. Choose another one"
            )
        names.add(eligibility.name)
