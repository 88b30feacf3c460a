"""The check that numbers which a rule text computes from numbers alone, before it meets a neuron, are finite."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from neurorules.language.errors import UserError
from neurorules.language.expressions import LARGEST_NUMBER, Expression, calls_in, evaluate, show

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
"""The functions of rule texts on plain numbers; `psi` and `through_norm` are a neuron's own."""


def check_number(owner: str, text: str, expression: Expression, constants: Mapping[str, float]) -> None:
    """Refuse an expression without variables that is no finite number; one that asks a neuron is left to it.

    Args:
        owner: how the error names the rule.
        text: the rule text it stands in.
        expression: reads constants alone.
        constants: their values.

    Raises:
        UserError: it is infinite, not a number, or no real one.
    """
    if any(call.function not in FUNCTIONS for call in calls_in(expression)):
        return
    try:
        value: Any = evaluate(expression, constants, FUNCTIONS)
        finite = isinstance(value, int | float) and abs(value) <= LARGEST_NUMBER
    except (ArithmeticError, ValueError):
        finite = False
    if not finite:
        raise UserError(f"{owner}: `{show(expression)}` in the text '{text:.80}' is no finite number. Use a finite one")
