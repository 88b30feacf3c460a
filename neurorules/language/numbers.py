"""The check that the constant parts of a rule text, which contain no variable, are finite numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from neurorules.language.errors import UserError
from neurorules.language.expressions import LARGEST_NUMBER, Expression, evaluate, show

FUNCTIONS: Mapping[str, Callable[..., float]] = {
    "relu": lambda a: max(a, 0.0),
    "abs": abs,
    "exp": math.exp,
    "tanh": math.tanh,
    "sqrt": math.sqrt,
    "sign": lambda a: float((a > 0) - (a < 0)),
    "clip": lambda a, low, high: min(max(a, low), high),
    "min": min,
    "max": max,
    ">": lambda a, b: float(a > b),
    ">=": lambda a, b: float(a >= b),
    "<": lambda a, b: float(a < b),
    "<=": lambda a, b: float(a <= b),
}
"""The functions of rule texts on plain numbers. `psi` and `through_norm` are missing: they take no number alone
(`neuron_functions`)."""


def check_number(owner: str, text: str, expression: Expression, constants: Mapping[str, float]) -> None:
    """Refuse a constant expression that is not a finite number.

    Args:
        owner: how the error names the rule.
        text: the rule text that contains the expression.
        expression: an expression whose only names are constants.
        constants: their values.

    Raises:
        UserError: the value is infinite, NaN or complex.
    """
    try:
        value: Any = evaluate(expression, constants, FUNCTIONS)
        finite = isinstance(value, int | float) and abs(value) <= LARGEST_NUMBER
    except (ArithmeticError, ValueError):
        finite = False
    if not finite:
        raise UserError(
            f"{owner}: `{show(expression)}` in the text '{text:.80}' is no number of single precision. Use one below "
            f"{LARGEST_NUMBER:.2g}"
        )
