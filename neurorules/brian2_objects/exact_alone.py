"""The method of `exact.py` for a script that stands alone: these two functions are copied into it as they are.

They need numpy and Brian2 and nothing else, and compute the same propagators to rounding, which a test checks.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def _exponential(matrix: np.ndarray) -> np.ndarray:
    """Compute exp(matrix) by its series, after the matrix has been halved until it is small."""
    halvings = max(0, int(np.ceil(np.log2(np.abs(matrix).sum() + 1e-9))) + 2)
    result = term = np.eye(len(matrix))
    for n in range(1, 20):
        term = term @ matrix / 2**halvings / n
        result = result + term
    for _ in range(halvings):
        result = result @ result
    return result


def _exact(equations: Any, variables: Any, method_options: Any = None) -> str:
    """Write one step of linear equations dx/dt = M x + c, of which c is constant during the step.

    It is x(t + dt) = A x(t) + B c, with A = exp(M dt) and B the integral of exp(M s) over 0..dt. Brian2's own method
    "exact" divides by differences of time constants, and so needs them to differ; this one does not.
    """
    from brian2.parsing.sympytools import str_to_sympy, sympy_to_str
    from brian2.stateupdaters.exact import get_linear_system

    names, matrix, inputs = get_linear_system(equations, variables)
    if not names:
        return ""
    dt, size = float(variables["dt"].get_value().item()), len(names)
    active = "int(not_refractory)"  # 1, or 0 for a refractory neuron, whose marked equations stand still
    whole = np.zeros((2, 2 * size, 2 * size))
    for value in (0, 1):
        entries = matrix.subs(str_to_sympy(active, variables), value)
        entries = entries.subs({one: float(variables[str(one)].get_value()) for one in entries.free_symbols})
        whole[value, :size, :size] = np.array(entries.tolist(), dtype=float) * dt
        whole[value, :size, size:] = np.eye(size)
    resting, moving = (_exponential(one)[:size].reshape(size, 2, size) * [[1], [dt]] for one in whole)
    lines = []
    for row, name in enumerate(names):
        terms = []
        for kind, texts in enumerate((names, [f"({sympy_to_str(one)})" for one in inputs])):
            for column, text in enumerate(texts):
                here, there = float(moving[row, kind, column]), float(resting[row, kind, column])
                factor = repr(here) if here == there else f"({here!r}*{active} + {there!r}*(1 - {active}))"
                terms += [f"{factor}*{text}"] if (here or there) and text != "(0)" else []
        lines.append(f"_{name} = {' + '.join(terms) or '0'}")
    return "\n".join([*lines, *(f"{name} = _{name}" for name in names)])


FUNCTIONS = (_exponential, _exact)
"""The functions that a script holds; there their names begin without an underscore."""
