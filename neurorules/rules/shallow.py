"""Control: hidden layers stay as they were drawn; only the read-out learns."""

from __future__ import annotations

from neurorules.language.rules import DELTA_RULE, Rule, Source


def shallow() -> Rule:
    """Frozen hidden layers. A rule that does not beat this does not learn."""
    return Rule(
        name="shallow",
        plasticity=DELTA_RULE,
        signal=None,
        source=Source("B. Widrow, M. E. Hoff", 1960, "Adaptive switching circuits (the read-out's delta rule)"),
        control=True,
    )


ENTRY = shallow
