"""The error that a rule which learns in torch has no equations in continuous time."""

from __future__ import annotations

from neurorules.language.errors import UserError
from neurorules.language.rules import Rule


class NoCircuit(UserError):
    """A rule has no equations in continuous time, where it was asked to learn.

    Args:
        rule: the rule.
        why: the reason, as a clause.
    """

    def __init__(self, rule: Rule, why: str) -> None:
        self.reason = f"rule '{rule.name}' has no equations in continuous time: {why}"
        super().__init__(f"{self.reason}. Use --path torch")
