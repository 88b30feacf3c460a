"""Integrate linear equations exactly: the state after one step is a matrix times the state before it, plus its inputs.

Brian2's own method of the name solves the equations symbolically. Its solution divides by differences of time
constants: with a refractory period it is 0/0 where two of them are equal, and it loses digits where two are close. The
matrix exponential of numbers has neither fault.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy.linalg import expm

EXACT: Final = "exact"
"""The name of the method in `Circuit.method` and in options of neurons."""
EXPONENTIAL_EULER: Final = "exponential_euler"
"""The name of Brian2's method that holds all other variables constant while one variable moves through a step."""
ACTIVE = "int(not_refractory)"
"""Brian2's factor of equations that are marked `(unless refractory)`: 1, or 0 for a unit that is refractory."""


def integrator(method: str, dt_ms: float) -> str | Callable[..., str]:
    """The value of Brian2's argument `method` of a group.

    Args:
        method: "exact", or a name of Brian2's.
        dt_ms: length of a step in ms, > 0.

    Returns:
        An `ExactStep` for "exact", else the name.
    """
    return ExactStep(dt_ms) if method == EXACT else method


@dataclass(frozen=True)
class ExactStep:
    """One step of linear equations dx/dt = M x + c as Brian2's abstract code.

    The inputs c are what the equations hold besides differential variables. They are constant during a step, and so is
    whether a unit is refractory. With A = exp(M dt) and B = the integral of exp(M s) over 0..dt,

        x(t + dt) = A x(t) + B c

    Args:
        dt_ms: length of the step in ms. Brian2 keeps the code of equal equations and methods for steps of all lengths,
            so that methods for other lengths must not be equal.
    """

    dt_ms: float

    def __call__(self, equations: Any, variables: Mapping[str, Any], method_options: Any = None) -> str:
        """Write the code of one exact integration step.

        Args:
            equations: Brian2's equations of a group.
            variables: the group's variables by name, which give the numbers of constants.
            method_options: not used; Brian2 passes it.

        Returns:
            One statement for each differential variable, which all read the state before the step.

        Raises:
            UnsupportedEquationsException: an equation is random or not linear, its matrix depends on variables, or an
                input changes during a step.
        """
        return _exact_step(equations, variables, self.dt_ms / 1000)


def _exact_step(equations: Any, variables: Mapping[str, Any], dt: float) -> str:
    """The statements of one step of `dt` seconds."""
    from brian2.core.variables import Constant
    from brian2.equations.codestrings import is_constant_over_dt
    from brian2.parsing.sympytools import str_to_sympy, sympy_to_str
    from brian2.stateupdaters.base import UnsupportedEquationsException
    from brian2.stateupdaters.exact import get_linear_system

    def refused(what: str) -> UnsupportedEquationsException:
        return UnsupportedEquationsException(
            f"{what}. Method '{EXACT}' takes linear equations; name another, such as {EXPONENTIAL_EULER} or rk4"
        )

    if equations.is_stochastic:
        raise refused("an equation holds noise (xi)")
    names, matrix, inputs = get_linear_system(equations, variables)
    if not names:
        return ""
    for entry in (*matrix, *inputs):
        if not is_constant_over_dt(entry, variables, dt):
            raise refused(f"'{sympy_to_str(entry)}' is not constant during a step")
    active = str_to_sympy(ACTIVE, variables)
    numbers = {
        symbol: float(variables[str(symbol)].get_value())
        for symbol in matrix.free_symbols
        if isinstance(variables.get(str(symbol)), Constant)
    }
    powers: dict[int, list[list[list[float]]]] = {}
    for value in (1, 0) if matrix.has(active) else (1,):
        entries = matrix.subs(active, value).subs(numbers)
        if entries.free_symbols:
            raise refused(f"the factor of a variable depends on {', '.join(sorted(map(str, entries.free_symbols)))}")
        powers[value] = [one.tolist() for one in propagators(np.array(entries.tolist(), dtype=np.float64), dt)]
    lines = []
    for row, name in enumerate(names):
        terms = [_term([powers[v][0][row][k] for v in powers], other) for k, other in enumerate(names)]
        terms += [
            _term([powers[v][1][row][k] for v in powers], f"({sympy_to_str(entry)})")
            for k, entry in enumerate(inputs)
            if entry != 0
        ]
        lines.append(f"_{name} = {' + '.join(term for term in terms if term) or '0'}")
    return "\n".join([*lines, *(f"{name} = _{name}" for name in names)])


def propagators(matrix: np.ndarray, dt: float) -> tuple[np.ndarray, np.ndarray]:
    """Compute the matrices that advance state and inputs of dx/dt = M x + c by one step.

    Args:
        matrix: M, (n, n), in 1/s; it may be singular.
        dt: length of the step in s, > 0.

    Returns:
        A = exp(M dt), and B = the integral of exp(M s) over s in 0..dt, in s; both (n, n).
    """
    size = len(matrix)
    whole = np.zeros((2 * size, 2 * size))
    whole[:size, :size], whole[:size, size:] = matrix * dt, np.eye(size)
    result = expm(whole)
    return result[:size, :size], result[:size, size:] * dt


def _term(factors: list[float], of: str) -> str:
    """A term: a variable times its factor, which may differ for refractory units."""
    first, *others = factors
    if not any(factors):
        return ""
    if not others or others[0] == first:
        return f"{first!r}*{of}"
    return f"({first!r}*{ACTIVE} + {others[0]!r}*(1 - {ACTIVE}))*{of}"
