"""Causal distance: how many integrations lie between a cause and a variable of a coupled system, and how strong it is.

Around a point at rest dx/dt = C x + b p: C couples variables, b says where a parameter enters. A step of p moves x_i by
    [C^(d-1) b]_i t^d / d! + O(t^(d+1)),
d being the causal distance: the order of the first derivative that does not vanish, which is a path's length in the
graph of C. Transposing the graph keeps lengths and products, so reverse signals meet forward ones at equal distances;
along a layered path distances add and leading coefficients multiply, a generalised chain rule. Source: the statements
of Algorithms 18(10):594 on causal distance; the formula, which is not public, is ours.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import factorial
from typing import Annotated, NamedTuple

import numpy as np

from neurorules.language.errors import UserError, unknown
from neurorules.language.ranges import Number, Positive, Range, check_range

Layers = Annotated[int, Range("[1, 100]")]
"""Of a chain of rings: its matrices are full."""


@dataclass(frozen=True)
class CoupledSystem:
    """Named variables, their couplings, and parameters by where they enter.

    Args:
        variables: names.
        coupling: C (n, n); C[i, j] is the effect of variable j on the rate of variable i.
        parameters: name -> b (n,), its effect on the rates.

    Raises:
        UserError: shapes that do not fit, or numbers that are not finite.
    """

    variables: tuple[str, ...]
    coupling: np.ndarray
    parameters: dict[str, np.ndarray]

    def __post_init__(self) -> None:
        n = len(self.variables)
        found = {"coupling": (self.coupling, (n, n))} | {k: (v, (n,)) for k, v in self.parameters.items()}
        for name, (value, shape) in found.items():
            if value.shape != shape or not np.isfinite(value).all():
                raise UserError(f"'{name}' has shape {value.shape}: {n} variables need finite numbers of shape {shape}")

    def place(self, variable: str) -> int:
        """Index of a variable.

        Raises:
            UserError: there is none of this name.
        """
        if variable not in self.variables:
            raise unknown("variable", variable, self.variables)
        return self.variables.index(variable)

    def reversed(self) -> CoupledSystem:
        """The same graph with every edge turned round."""
        return CoupledSystem(self.variables, self.coupling.T.copy(), self.parameters)


class Influence(NamedTuple):
    """How a source acts on a variable: distance, leading coefficient, and size after a time; None where it never does.

    The coefficient is 0 where paths of the shortest length cancel: the effect is then of a higher order.
    """

    source: str
    target: str
    distance: int | None
    coefficient: float
    strength: float


def distances_to(system: CoupledSystem, target: str) -> dict[str, int]:
    """Edges from each variable to `target` along a shortest path; variables that never reach it are left out."""
    found = {system.place(target): 0}
    waiting = deque(found)
    while waiting:
        here = waiting.popleft()
        for before in np.flatnonzero(system.coupling[here]):
            if int(before) not in found:
                found[int(before)] = found[here] + 1
                waiting.append(int(before))
    return {system.variables[place]: length for place, length in found.items()}


def influence(system: CoupledSystem, parameter: str, target: str, time: float) -> Influence:
    """A parameter's influence on a variable, a short time after a step of it."""
    if parameter not in system.parameters:
        raise unknown("parameter", parameter, system.parameters)
    enters, lengths = system.parameters[parameter], distances_to(system, target)
    reached = [lengths[v] for v, b in zip(system.variables, enters, strict=True) if b and v in lengths]
    if not reached:
        return Influence(parameter, target, None, 0.0, 0.0)
    distance = 1 + min(reached)
    moved = np.linalg.matrix_power(system.coupling, distance - 1) @ enters
    coefficient = float(moved[system.place(target)])
    return Influence(parameter, target, distance, coefficient, abs(coefficient) * time**distance / factorial(distance))


def ranking(system: CoupledSystem, target: str, time: float) -> list[Influence]:
    """All parameters by their influence on a variable: nearest first, then strongest.

    Raises:
        UserError: an unknown variable, or a time that is not positive.
    """
    check_range("--time", time, Positive)
    found = [influence(system, name, target, time) for name in system.parameters]
    return sorted(found, key=lambda a: (a.distance is None, a.distance, -a.strength, a.source))


def ring_chain(k2: float, k3: float, rest: np.ndarray, layers: int = 1, weight: float = 1.0) -> CoupledSystem:
    """Five-element rings in a row, around their fixed points; S of one drives J of the next with `weight`.

    Args:
        k2, k3: of every ring.
        rest: x* (5,), > 0, of every ring.
        layers: how many, 1 to 100.
        weight: of the connections between them.

    Raises:
        UserError: a number out of range.
    """
    check_range("--layers", layers, Layers)
    check_range("--weight", weight, Number)
    names = [f"{element}{'' if layers == 1 else number}" for number in range(1, layers + 1) for element in "JSMHT"]
    size = 5 * layers
    coupling, parameters = np.zeros((size, size)), {}
    for start in range(0, size, 5):
        for i in range(5):
            here, mother = start + i, start + (i - 1) % 5
            coupling[here, here] = -rest[i] * k2
            coupling[here, mother] += rest[i] * k3
            coupling[mother, here] -= rest[(i - 1) % 5] * k3
            parameters[f"k1_{names[here]}"] = _entering(size, here, rest[i])
            parameters[f"k2_{names[here]}"] = _entering(size, here, -(rest[i] ** 2))
            both = rest[i] * rest[i - 1]
            parameters[f"k3_{names[here]}"] = _entering(size, here, both) - _entering(size, mother, both)
        if start:
            coupling[start, start - 4] = rest[0] * weight
    parameters["u"] = _entering(size, 0, rest[0])
    return CoupledSystem(tuple(names), coupling, parameters)


def _entering(size: int, place: int, gain: float) -> np.ndarray:
    enters = np.zeros(size)
    enters[place] = gain
    return enters
