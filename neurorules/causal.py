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
from jaxtyping import Float, Float64

from neurorules.language.errors import UserError, unknown
from neurorules.language.ranges import Number, Positive, Range, check_range

Layers = Annotated[int, Range("[1, 100]")]
"""Range of the number of rings in a chain: its matrices are full, so that memory grows with the square of it."""


@dataclass(frozen=True)
class CoupledSystem:
    """Named variables, their couplings, and parameters by where they enter.

    Args:
        variables: names of the n variables.
        coupling: C (n, n); C[i, j] is the effect of variable j on the rate of variable i.
        parameters: by name, the effect b (n,) of a parameter on the rates of all variables.

    Raises:
        UserError: an array has a shape that does not fit, or holds numbers that are not finite.
    """

    variables: tuple[str, ...]
    coupling: np.ndarray
    parameters: dict[str, np.ndarray]

    def __post_init__(self) -> None:
        n = len(self.variables)
        arrays = {"coupling": (self.coupling, (n, n))} | {k: (v, (n,)) for k, v in self.parameters.items()}
        for name, (value, shape) in arrays.items():
            if value.shape != shape or not np.isfinite(value).all():
                raise UserError(
                    f"'{name}' has shape {value.shape}, and a system of {n} variables needs finite numbers of shape "
                    f"{shape}. Correct it"
                )

    def place(self, variable: str) -> int:
        """The index of a variable in `variables`.

        Raises:
            UserError: there is no variable of this name.
        """
        if variable not in self.variables:
            raise unknown("variable", variable, self.variables)
        return self.variables.index(variable)

    def reversed(self) -> CoupledSystem:
        """The system whose graph has the same variables, and every edge turned round: C transposed."""
        return CoupledSystem(self.variables, self.coupling.T.copy(), self.parameters)


class Influence(NamedTuple):
    """The influence of a parameter on a variable.

    Args:
        source: name of the parameter.
        target: name of the variable.
        distance: causal distance, at least 1; None where the parameter never reaches the variable.
        coefficient: [C^(d-1) b] at the variable. It is 0 where paths of the shortest length cancel: the effect is then
            of a higher order.
        strength: |coefficient| t^d / d!, the size of the leading term after the time t.
    """

    source: str
    target: str
    distance: int | None
    coefficient: float
    strength: float


def distances_to(system: CoupledSystem, target: str) -> dict[str, int]:
    """Count the edges from each variable to one of them along a shortest path.

    Args:
        system: whose graph is searched.
        target: name of the variable where all paths end.

    Returns:
        By name, the number of edges, 0 for the target itself. Variables that never reach it are left out.

    Raises:
        UserError: there is no variable of this name.
    """
    lengths = {system.place(target): 0}
    waiting = deque(lengths)
    while waiting:
        here = waiting.popleft()
        for before in np.flatnonzero(system.coupling[here]):
            if int(before) not in lengths:
                lengths[int(before)] = lengths[here] + 1
                waiting.append(int(before))
    return {system.variables[place]: length for place, length in lengths.items()}


def influence(system: CoupledSystem, parameter: str, target: str, time: float) -> Influence:
    """A parameter's influence on a variable, a short time after a step of that parameter.

    Args:
        system: holds both.
        parameter, target: names of the parameter and of the variable.
        time: t, above 0, in the unit of time of the system's rates.

    Returns:
        Distance, leading coefficient and strength; None, 0 and 0 where the parameter never reaches the variable.

    Raises:
        UserError: there is no parameter, or no variable, of this name.
    """
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

    Args:
        system: whose parameters are ranked.
        target: name of the variable.
        time: t, above 0, in the unit of time of the system's rates.

    Returns:
        One influence for each parameter. Those that never reach the variable come last.

    Raises:
        UserError: an unknown variable, or a time that is not positive.
    """
    check_range("--time", time, Positive)
    influences = [influence(system, name, target, time) for name in system.parameters]
    return sorted(influences, key=lambda a: (a.distance is None, a.distance, -a.strength, a.source))


def ring_chain(
    k2: float, k3: float, rest: Float[np.ndarray, " 5"], layers: int = 1, weight: float = 1.0
) -> CoupledSystem:
    """Five-element rings in a row, around their fixed points; S of one drives J of the next with `weight`.

    Args:
        k2, k3: rate constants of every ring.
        rest: the fixed point x* (5,) of every ring, above 0.
        layers: number of rings, 1 to 100.
        weight: of the connections between neighbouring rings.

    Returns:
        The linearised system of 5 x `layers` variables. Each ring has parameters k1, k2 and k3 of every element, and
        `u` is the input to J of the first ring.

    Raises:
        UserError: a number is out of range.
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


def _entering(size: int, place: int, gain: float) -> Float64[np.ndarray, " size"]:
    """The vector b (size,) of a parameter that acts with `gain` on the variable at one place alone."""
    enters = np.zeros(size)
    enters[place] = gain
    return enters
