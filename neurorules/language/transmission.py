"""The transmission of a synapse: its weight, or a text of its weight, such as one of two efficacies."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from neurorules.language.equations import Equation
from neurorules.language.errors import UserError
from neurorules.language.expressions import calls_in, names_in
from neurorules.language.vocabulary import ELIGIBILITY, Vocabulary

OF_NEURONS = ("psi", "through_norm", "before", "delay")
"""The functions that read neurons, which the text of a synapse alone does not have."""


def transmission_of(rule: str, text: str | None, constants: Mapping[str, float]) -> Equation | None:
    """The text of what a synapse of a hidden layer transmits, with its names checked.

    Args:
        rule: the name of the rule.
        text: what a synapse transmits; None for its weight.
        constants: the constants of the rule.

    Returns:
        The text; None if a synapse transmits its weight.

    Raises:
        UserError: the text reads more than the weight and constants, or does not read the weight.
    """
    return None if text is None else _checked(rule, text, tuple(constants.items()))


@lru_cache(maxsize=64)  # layers ask at each trial
def _checked(rule: str, text: str, values: tuple[tuple[str, float], ...]) -> Equation:
    constants = dict(values)
    names = Vocabulary(frozenset(), frozenset(), frozenset(), constants=constants)
    equation = Equation(text, names, f"rule '{rule}', transmits")
    read = set(names_in(equation.expression))
    called = sorted({call.function for call in calls_in(equation.expression)} & {*OF_NEURONS})
    if called or ELIGIBILITY in read or names.synapse not in read:
        raise UserError(
            f"rule '{rule}' transmits '{text}', which is {'more' if called or read else 'less'} than a text of the "
            f"weight. Read w and constants alone, as in w > 0.5"
        )
    return equation
