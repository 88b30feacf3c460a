"""Write the pseudo-derivatives psi as Brian2 expressions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from neurorules.contracts.surrogate import Surrogate
from neurorules.language.errors import UserError
from neurorules.surrogates import Atan, Boxcar, Comparator, FastSigmoid, PiecewiseLinear, PowerOfTwo, Table, Triangle


def _boxcar(s: Boxcar, x: str) -> str:
    return f"int(abs({x}) <= {s.width!r})/{2 * s.width!r}"


def _triangle(s: Triangle, x: str) -> str:
    return f"{s.height!r}*clip(1.0 - abs({x})/{s.width!r}, 0.0, 1.0)"


def _piecewise_linear(s: PiecewiseLinear, x: str) -> str:
    inside, outside = f"int(abs({x}) <= {s.width!r})", f"int(abs({x}) > {s.width!r})"
    return f"({inside}/{2 * s.width!r} + {outside}*{s.leak!r})"


def _fast_sigmoid(s: FastSigmoid, x: str) -> str:
    return f"1.0/(1.0 + {s.k!r}*abs({x}))**2"


def _atan(s: Atan, x: str) -> str:
    return f"{s.alpha / 2!r}/(1.0 + ({math.pi / 2 * s.alpha!r}*{x})**2)"


def _comparator(s: Comparator, x: str) -> str:
    return f"int({x} >= {-s.below!r})"


def _table(s: Table | PowerOfTwo, x: str) -> str:
    return " + ".join(f"{value!r}*int({x} >= {low!r})*int({x} < {high!r})" for low, high, value in s.segments())


def _power_of_two(s: PowerOfTwo, x: str) -> str:
    return _table(s, f"abs({x})")


SURROGATE_TEXTS: Mapping[type[Surrogate], Callable[[Any, str], str]] = {
    Boxcar: _boxcar,
    Triangle: _triangle,
    PiecewiseLinear: _piecewise_linear,
    FastSigmoid: _fast_sigmoid,
    Atan: _atan,
    Comparator: _comparator,
    Table: _table,
    PowerOfTwo: _power_of_two,
}
"""Functions that write psi(x), by type of the surrogate; x is a name or an expression in brackets."""


def psi_text(surrogate: Surrogate, x: str) -> str:
    """Write psi as an expression.

    Args:
        surrogate: the surrogate whose slope psi is.
        x: distance of the membrane from the threshold, as a name or an expression in brackets.

    Returns:
        An expression in brackets.

    Raises:
        UserError: the surrogate has no expression here.
    """
    if type(surrogate) not in SURROGATE_TEXTS:
        names = ", ".join(kind.__name__ for kind in SURROGATE_TEXTS)
        raise UserError(f"surrogate '{type(surrogate).__name__}' has no Brian2 text. Use one of {names}")
    return f"({SURROGATE_TEXTS[type(surrogate)](surrogate, x)})"
