"""Present samples to a circuit, run after run: fill its tables, carry its weights on, and read its scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from neurorules.brian2_continuous.parts.circuit import Circuit, Units, Wires, flat
from neurorules.brian2_continuous.parts.layers import INPUT_PHASE
from neurorules.brian2_continuous.parts.machine import Machine
from neurorules.brian2_continuous.parts.plan import Order, samples_only
from neurorules.language.errors import UserError
from neurorules.torch_path.training.checks import Diverged

AFFERENTS = ("ff", "rec")
"""Names of the connections that bring input to a layer; the name of their wires ends in one of them."""
Rows = Callable[[np.ndarray], np.ndarray]
"""A function from indices of samples, (N,), to their currents, (N, I)."""


@dataclass
class Stream:
    """A circuit that runs, with the state that it carries from run to run.

    Args:
        machine: what runs the circuit.
        circuit: the equations.
        settings: numbers that the equations read by name; they may change between runs.
        values: values of the variables that are carried on, by "part.variable", flat. Those that are missing here
            begin with the circuit's initial values.
    """

    machine: Machine
    circuit: Circuit
    settings: dict[str, float]
    values: dict[str, float | np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.values = {**self.circuit.starts(), **self.values}

    def learn(self, order: Order, rows: Rows, eta: np.ndarray) -> Iterator[np.ndarray]:
        """Present samples and learn from them.

        Args:
            order: the P presentations.
            rows: gives the currents of samples.
            eta: factor of all learning rates in each presentation, (P,), >= 0.

        Returns:
            After each run of K presentations, the scores (n, C) of the samples that it showed in the input phase.

        Raises:
            Diverged: a number is no longer finite; `values` are those before the run in which that happened.
            RuntimeError: the compiled program failed.
            UserError: the disk or the memory is full.
        """
        whole = self.circuit.presentations
        for start in range(0, len(order.samples), whole):
            here = Order(*(column[start : start + whole] for column in order))
            try:
                self.machine.run({**self.values, **self.settings}, self._tables(here, rows, eta[start : start + whole]))
            except KeyboardInterrupt:
                self._carry({})  # A machine that was interrupted, unlike one that failed, has its variables written.
                raise
            shown = (here.phases == INPUT_PHASE) & (here.samples >= 0)
            scores = self.machine.recorded(self.circuit.scored, "seen")[: len(shown)][shown]
            self._carry({"scores": scores})
            yield scores

    def scores(self, samples: int, rows: Rows) -> Iterator[np.ndarray]:
        """Compute the scores of samples without learning; the state of the circuit is as before afterwards.

        Args:
            samples: number of samples N; their indices are 0 to N - 1.
            rows: gives the currents of samples.

        Returns:
            After each run of K presentations, the scores (n, C) of its samples.
        """
        before = dict(self.values)
        order = samples_only(np.zeros(samples, dtype=np.int64), 1)
        yield from self.learn(order, rows, np.zeros(samples))
        self.values = before

    def load(self, parameters: Mapping[str, np.ndarray]) -> None:
        """Replace parameters by stored ones, with the names and shapes of `parameters`.

        Raises:
            UserError: a parameter is missing, has another shape, or is not finite.
        """
        self.values |= values_of(self.circuit, self.values, parameters)

    def state(self) -> dict[str, np.ndarray]:
        """The values of all variables that are carried from run to run, by "part.variable", as flat copies."""
        return state_of(self.circuit, self.values)

    def parameters(self) -> dict[str, np.ndarray]:
        """The state by the names of a network's parameters, such as "hidden1.ff.w" (O, I) and "hidden1.b" (O,)."""
        return parameters_of(self.circuit, self.values)

    def _tables(self, order: Order, rows: Rows, eta: np.ndarray) -> dict[str, np.ndarray]:
        whole, width = self.circuit.presentations, self.circuit.tables["x"]
        x = np.zeros((whole, width))
        shown = order.samples >= 0
        x[: len(shown)][shown] = rows(order.samples[shown])
        return {
            "x": x,
            "label": _filled(order.labels, whole),
            "phase": _filled(order.phases, whole),
            "eta": _filled(eta, whole),
        }

    def _carry(self, beside: Mapping[str, np.ndarray]) -> None:
        """Keep what the last run left, unless it, or a number `beside` it, is not finite."""
        names = [f"{part.name}.{variable}" for part, variable in self.circuit.state()]
        left = {name: self.machine.read(name) for name in names}
        for name, values in {**left, **beside}.items():
            if not np.isfinite(values).all():
                raise Diverged(f"a number in {name} is no longer finite. Use a smaller --lr or --readout-lr")
        self.values |= left


def state_of(circuit: Circuit, values: Mapping[str, float | np.ndarray]) -> dict[str, np.ndarray]:
    """List the variables that a circuit carries from run to run.

    Args:
        circuit: the equations.
        values: values of these variables, and maybe of others, by "part.variable".

    Returns:
        Flat copies by "part.variable", one number for each unit or wire.
    """
    sizes = {units.name: units.size for units in circuit.units}
    state = {}
    for part, variable in circuit.state():
        size = part.size if isinstance(part, Units) else _wires_of(part, sizes)
        name = f"{part.name}.{variable}"
        state[name] = np.broadcast_to(np.asarray(values[name], dtype=np.float64).reshape(-1), (size,)).copy()
    return state


def parameters_of(circuit: Circuit, values: Mapping[str, float | np.ndarray]) -> dict[str, np.ndarray]:
    """Give a circuit's variables the names and shapes of a network's parameters.

    Args:
        circuit: the equations.
        values: as for `state_of`.

    Returns:
        Copies by name, such as "hidden1.ff.w" (O, I) and "hidden1.b" (O,).
    """
    sizes = {units.name: units.size for units in circuit.units}
    shapes = {wires.name: (sizes[wires.source], sizes[wires.target]) for wires in circuit.wires if wires.pairs is None}
    parameters = {}
    for name, flat_values in state_of(circuit, values).items():
        part, variable = name.split(".")
        shaped = flat_values.reshape(shapes[part]).T.copy() if part in shapes else flat_values
        layer, _, afferent = part.rpartition("_")
        parameters[f"{layer}.{afferent}.{variable}" if afferent in AFFERENTS else name] = shaped
    return parameters


def values_of(
    circuit: Circuit, values: Mapping[str, float | np.ndarray], parameters: Mapping[str, np.ndarray]
) -> dict[str, float | np.ndarray]:
    """Give a network's parameters the names and the order of a circuit's variables.

    Args:
        circuit: the equations.
        values: as for `state_of`; only their shapes are read.
        parameters: by name, as `parameters_of` gives them.

    Returns:
        Flat values by "part.variable".

    Raises:
        UserError: a parameter is missing, has another shape, or is not finite.
    """
    check_arrays(parameters, parameters_of(circuit, values), "weights")
    own: dict[str, float | np.ndarray] = {}
    for name, value in parameters.items():
        part, variable = name.rsplit(".", 1)
        own[f"{part.replace('.', '_')}.{variable}"] = flat(value) if value.ndim > 1 else value
    return own


def check_arrays(arrays: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray], what: str) -> None:
    """Check that stored arrays fit a circuit.

    Args:
        arrays: the stored arrays by name.
        expected: arrays of the circuit by name, of which only shapes are read.
        what: names the stored arrays in a message, such as "weights".

    Raises:
        UserError: an array is missing, is unknown to the circuit, has another shape, or is not finite everywhere.
    """
    for name in {**expected, **arrays}:
        stored, own = (str(one[name].shape) if name in one else "none" for one in (arrays, expected))
        if stored != own:
            raise UserError(
                f"the {what} are of another run: '{name}' has shape {stored}, this one has {own}. Restore the file, or "
                f"train again with --force"
            )
    for name, values in arrays.items():
        if values.dtype.kind != "f" or not np.isfinite(values).all():
            raise UserError(f"the {what} are damaged: '{name}' holds what is no finite number. Restore the file")


def _wires_of(wires: Wires, sizes: Mapping[str, int]) -> int:
    return sizes[wires.source] * sizes[wires.target] if wires.pairs is None else len(wires.pairs)


def _filled(values: np.ndarray, length: int) -> np.ndarray:
    """The values in float64, followed by zeros: a run is K presentations long, and those left over teach nothing."""
    return np.concatenate([np.asarray(values, dtype=np.float64), np.zeros(length - len(values))])
