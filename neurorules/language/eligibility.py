"""Declared eligibilities: a trace of every synapse, which remembers for a while what its two neurons did together."""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from neurorules.language.errors import UserError
from neurorules.language.expressions import FUNCTIONS
from neurorules.language.ranges import Fraction, check_ranges


@dataclass(frozen=True)
class Eligibility:
    """e[t] = decay e[t-1] + text[t] at every synapse of a layer, from 0 when a trial begins.

    A weight's text reads it by its name, times postsynaptic factors and factors of the weight: `-m_post * e`.
    With a window of all steps, decay runs backwards over the postsynaptic factor, and nothing is kept per synapse. In
    shorter windows B x O x I numbers are kept per layer, or B x I where the text has no postsynaptic factor.

    Args:
        name: lower-case, such as "e" or "tag".
        decay: per step, in [0, 1].
        text: presynaptic and postsynaptic factors, such as "psi(v_post) * S_pre".

    Raises:
        UserError: a name that is none, or a decay out of range.
    """

    name: str
    decay: Fraction
    text: str

    def __post_init__(self) -> None:
        word = re.fullmatch(r"[a-z][a-z0-9_]*", self.name) is not None and not keyword.iskeyword(self.name)
        if not word or self.name.endswith(("_pre", "_post")) or self.name in FUNCTIONS:
            raise UserError(
                f"eligibility '{self.name}' has no name that a text can read. Use lower-case letters, without _pre or "
                f"_post at the end, and no function's name"
            )
        check_ranges(f"eligibility '{self.name}'", Eligibility, vars(self))

    def show(self) -> str:
        """Its recursion, as a person reads it."""
        return f"{self.name}[t] = {self.decay:g} {self.name}[t-1] + {self.text}"


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
