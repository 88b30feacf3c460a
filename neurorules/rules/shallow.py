"""A control: hidden layers keep their initial random weights; only the read-out learns."""

from __future__ import annotations

from typing import Literal

from neurorules.language.ranges import Number, ranged
from neurorules.language.rules import DELTA_RULE, Rule, Source


@ranged("rule 'shallow'")
def shallow(
    *, loss: Literal["cross_entropy", "squared"] = "cross_entropy", high: Number = 1.0, low: Number = 0.0
) -> Rule:
    """The control with frozen hidden layers. A rule that is not better than this one has not trained its hidden layers.

    Args:
        loss: loss of the read-out: cross_entropy of the softmax of the scores, or squared.
        high, low: targets of the squared loss, for the output of the label's class and for the other outputs.

    Returns:
        The rule, which has texts only for the read-out.
    """
    return Rule(
        name="shallow",
        plasticity=DELTA_RULE,
        signal=None,
        loss=loss,
        targets=(high, low),
        source=Source(
            "B. Widrow, M. E. Hoff",
            1960,
            "Adaptive switching circuits (the read-out's delta rule)",
            link="https://doi.org/10.21236/AD0241531",
        ),
        control=True,
    )


ENTRY = shallow
