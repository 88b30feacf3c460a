"""The variables of a circuit that are recorded: which there are, in which units they count, and how they are read."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from neurorules.brian2_continuous.parts.circuit import Circuit, Units, Wires
from neurorules.brian2_continuous.parts.machine import Machine
from neurorules.language.errors import UserError, unknown

PARAMETERS = ("w", "b")
"""Variables that are written once, as parameters, and not at each step."""
THIRD_FACTOR = "m"
"""A variable that is computed once, after a presentation: a sample's is read at the step after its last one."""
_DECLARED = re.compile(r"(?:d(\w+)/dt\s*=|(\w+)\s*[:=])")
_UNIT = re.compile(r" : (\w+)(?: \(.*\))?$")
CHARGE = "Q_w"
"""A variable that wires have where a spike brings their weight as a charge."""
POTENTIALS = ("v", "u", "theta")
"""Variables of a population that count in units of the threshold where its equations have a membrane in volt, `V_m`."""


@dataclass(frozen=True)
class Watched:
    """A population with its recorded variables.

    Args:
        units: the population.
        variables: variables of its equations, by name in the trace; "" stands for its spikes.
    """

    units: Units
    variables: dict[str, str]


def declared(part: Units | Wires) -> list[str]:
    """List the variables that the equations of a population, or of its wires, declare."""
    matches = (_DECLARED.match(line.strip()) for line in part.equations)
    return [match[1] or match[2] for match in matches if match is not None]


def units_of(units: Units) -> dict[str, str]:
    """Give the units of a population's variables.

    Args:
        units: the population.

    Returns:
        By variable "volt", "amp" or "coulomb", or "threshold" for a potential that counts in units of the threshold. A
        variable that is missing here is a pure number.
    """
    matches = {name: _UNIT.search(line.strip()) for name, line in zip(declared(units), units.equations, strict=True)}
    unit_names = {name: match[1] for name, match in matches.items() if match is not None and match[1] != "1"}
    return unit_names | {name: "threshold" for name in POTENTIALS if name in matches and "V_m" in matches}


def watched_of(circuit: Circuit, variables: Sequence[str], layers: Collection[str] | None) -> list[Watched]:
    """Find the populations and variables that a user asks to record.

    Args:
        circuit: the equations.
        variables: names of variables, "S" for spikes, or names of parameters.
        layers: names of populations; None for all.

    Returns:
        The populations that have at least one of the variables, other than parameters.

    Raises:
        UserError: a variable or a population is unknown, and the message offers the nearest one; or no population that
            is asked for has any of the variables.
    """
    names = [units.name for units in circuit.units]
    for layer in layers or ():
        if layer not in names:
            raise unknown("layer", layer, names)
    full = [f"{part.name.replace('_ff', '.ff')}.{variable}" for part, variable in circuit.state()]
    legal = {"S", *PARAMETERS, *full, *(v for units in circuit.units for v in declared(units))}
    for variable in variables:
        if variable not in legal:
            raise unknown("variable", variable, legal)
    watched = []
    for units in circuit.units:
        if layers is not None and units.name not in layers:
            continue
        own = {v: v for v in variables if v in declared(units) and v not in PARAMETERS}
        if "S" in variables and (units.threshold is not None or {"a", "v"} <= set(declared(units))):
            own["S"] = "" if units.threshold is not None else "a"
        if own:
            watched.append(Watched(units, own))
    if not watched and not {*PARAMETERS, *full} & set(variables):
        raise UserError(
            f"none of the chosen populations has a variable {', '.join(variables)}. Name other variables, or leave "
            f"--layers out"
        )
    return watched


def watching(circuit: Circuit, watched: list[Watched]) -> Circuit:
    """Give the circuit with monitors of the watched variables added.

    Args:
        circuit: the equations.
        watched: populations with their recorded variables.

    Returns:
        The same equations, in which these populations are monitored and no other.
    """
    own = {one.units.name: one.variables.values() for one in watched}
    units = tuple(
        replace(u, watch=tuple(dict.fromkeys(v for v in own[u.name] if v)), spikes="" in own[u.name])
        if u.name in own
        else u
        for u in circuit.units
    )
    return replace(circuit, units=units)


class WatchedReader:
    """Reads what runs that follow one another have recorded, population by population.

    Args:
        watched: populations with their recorded variables.
        steps: number of steps T of a sample.
        dt_ms: length of a step in ms, > 0.
    """

    def __init__(self, watched: list[Watched], steps: int, dt_ms: float) -> None:
        self.watched, self.steps, self.dt_ms = watched, steps, dt_ms
        self._ahead: dict[tuple[str, str], np.ndarray] = {}

    def read(self, machine: Machine, samples: int) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
        """Read the last run, whose first step may lie in the run before, and whose last one belongs to the next sample.

        Args:
            machine: what ran the circuit.
            samples: number of samples of the run.

        Returns:
            The name of each population, and its arrays (T, samples, N) by the variable's name in the trace.
        """
        many = samples * self.steps
        for one in self.watched:
            name, arrays = one.units.name, {}
            for shown, variable in one.variables.items():
                place = (name, shown)
                begun = len(self._ahead.get(place, ()))
                if variable:
                    values = machine.watched(name, variable)
                else:
                    values, spikes = np.zeros((many + 1, one.units.size), dtype=bool), machine.spikes(name)
                    values[np.rint(spikes.times_ms / self.dt_ms).astype(np.int64), spikes.units] = True
                    values = values[begun:]
                values = np.concatenate([self._ahead[place], values]) if begun else values
                self._ahead[place] = values[many:]
                if variable == THIRD_FACTOR:
                    values = np.repeat(values[self.steps :: self.steps], self.steps, axis=0)
                arrays[shown] = values[:many].reshape(samples, self.steps, -1).transpose(1, 0, 2)
            yield name, arrays
