"""Presenting samples to a circuit, run after run: filling its tables, continuing with its weights, and reading its
scores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from neurorules.brian2_continuous.parts.circuit import LAST_SPIKE, Circuit, flat
from neurorules.brian2_continuous.parts.layers import INPUT_PHASE
from neurorules.brian2_continuous.parts.machine import Machine, Span
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
        machine: the machine that runs the circuit.
        circuit: the equations.
        settings: numbers that the equations read by name; they may change between runs.
        values: values of the variables that are learned, by "part.variable", flat. Those that are missing here
            begin with the circuit's initial values.
        passing: the values of all other variables, such as membranes, after the last run; empty at rest. Time goes on
            from run to run and from one order of presentations to the next. The time of a last spike counts in steps
            from the end of the run.
    """

    machine: Machine
    circuit: Circuit
    settings: dict[str, float]
    values: dict[str, float | np.ndarray] = field(default_factory=dict)
    passing: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.values = {**self.circuit.starts(), **self.values}

    def learn(self, order: Order, rows: Rows, eta: np.ndarray, begun: bool = False) -> Iterator[np.ndarray]:
        """Present samples and learn from them.

        Args:
            order: the P presentations.
            rows: gives the currents of samples.
            eta: factor of all learning rates in each presentation, (P,), >= 0.
            begun: whether these presentations continue an order after a run that ended in its middle, and that included
                the first step of the next presentation.

        Returns:
            After each run of K presentations, the scores (n, C) of the samples that it showed in the input phase.

        Raises:
            Diverged: a number is no longer finite; `values` are those before the run in which that happened.
            RuntimeError: the compiled program failed.
            UserError: the disk or the memory is full.
        """
        whole = self.circuit.presentations
        for start in range(0, len(order.samples), whole):
            # A run includes the first step of the presentation after its last one.
            part = slice(start, start + whole + 1)
            here = Order(*(column[part] for column in order))
            span = Span(min(whole, len(order.samples) - start), begun or start > 0)
            begins, ends = span.times_ms(self.circuit.period_ms, self.circuit.dt_ms)
            values = {**self.values, **self.passing, **self.settings}
            for name in filter(_is_time, self.passing):
                values[name] = (self.passing[name] * self.circuit.dt_ms + begins) / 1000
            try:
                self.machine.run(values, self._tables(here, rows, eta[part]), span)
            except KeyboardInterrupt:
                self._carry({})  # A machine that was interrupted, unlike one that failed, has written its variables.
                raise
            shown = ((here.phases == INPUT_PHASE) & (here.samples >= 0))[: span.presentations]
            scores = self.machine.recorded(self.circuit.scored, "seen")[: len(shown)][shown]
            self._carry({"scores": scores}, ends)
            yield scores

    def scores(self, samples: int, rows: Rows) -> Iterator[np.ndarray]:
        """Compute the scores of samples without learning; the state of the circuit is as before afterwards.

        Args:
            samples: number of samples N; their indices are 0 to N - 1.
            rows: gives the currents of samples.

        Returns:
            After each run of K presentations, the scores (n, C) of its samples.
        """
        order = samples_only(np.zeros(samples, dtype=np.int64), 1)
        with self.aside():
            yield from self.learn(order, rows, np.zeros(samples))

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Inside the block, the circuit begins at rest with its learned values; its state is restored afterwards."""
        before, passing = dict(self.values), self.passing
        self.passing = {}
        try:
            yield
        finally:
            self.values, self.passing = before, passing

    def load(self, parameters: Mapping[str, np.ndarray]) -> None:
        """Replace parameters by stored ones, with the names and shapes of `parameters`.

        Raises:
            UserError: a parameter is missing, has another shape, or is not finite.
        """
        self.values |= values_of(self.circuit, self.values, parameters)

    def state(self) -> dict[str, np.ndarray]:
        """The values of all variables that are carried from run to run, by "part.variable", as flat copies."""
        return state_of(self.circuit, self.values) | {name: value.copy() for name, value in self.passing.items()}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go back to a state.

        Args:
            state: as `state` gave it, maybe by a version that kept no more than what is learned. The circuit then
                begins at rest.

        Raises:
            UserError: a variable is missing, has another shape, or is not finite.
        """
        expected, sizes = state_of(self.circuit, self.values), _sizes(self.circuit)
        passing = {f"{part.name}.{name}": np.zeros(sizes[part.name]) for part, name in self.circuit.passing()}
        if passing.keys() & state.keys():
            expected |= passing
        check_arrays(state, expected, "checkpoint's numbers")
        self.passing = {name: values for name, values in state.items() if name in passing}
        self.values |= {name: values for name, values in state.items() if name not in passing}

    def parameters(self) -> dict[str, np.ndarray]:
        """The state by the names of a network's parameters, such as "hidden1.ff.w" (O, I) and "hidden1.b" (O,)."""
        return parameters_of(self.circuit, self.values)

    def _tables(self, order: Order, rows: Rows, eta: np.ndarray) -> dict[str, np.ndarray]:
        x = np.zeros((len(order.samples), self.circuit.tables["x"]))
        shown = order.samples >= 0
        x[shown] = rows(order.samples[shown])
        return {"x": x, "label": order.labels, "phase": order.phases, "eta": eta}

    def _carry(self, beside: Mapping[str, np.ndarray], ends_ms: float | None = None) -> None:
        """Keep what the last run left, unless it, or a number `beside` it, is not finite.

        Args:
            beside: further numbers that are checked, by name.
            ends_ms: end of the run in ms; None for one that was interrupted, of which only what was learned is kept.
        """
        left = {f"{part.name}.{name}": self.machine.read(f"{part.name}.{name}") for part, name in self.circuit.state()}
        passing = {}
        if ends_ms is not None:
            names = [f"{part.name}.{name}" for part, name in self.circuit.passing()]
            passing = {name: self.machine.read(name) for name in names}
            for name in filter(_is_time, names):
                passing[name] = np.rint((passing[name] * 1000 - ends_ms) / self.circuit.dt_ms)
        for name, values in {**left, **beside, **passing}.items():
            if not np.isfinite(values).all():
                raise Diverged(f"a number in {name} is no longer finite. Use a smaller --lr or --readout-lr")
        self.values |= left
        self.passing |= passing


def _is_time(name: str) -> bool:
    return name.endswith(f".{LAST_SPIKE}")


def state_of(circuit: Circuit, values: Mapping[str, float | np.ndarray]) -> dict[str, np.ndarray]:
    """List the variables that a circuit carries from run to run.

    Args:
        circuit: the equations.
        values: values of these variables, and maybe of others, by "part.variable".

    Returns:
        Flat copies by "part.variable", one number for each unit or wire.
    """
    sizes, state = _sizes(circuit), {}
    for part, variable in circuit.state():
        name = f"{part.name}.{variable}"
        state[name] = np.broadcast_to(np.asarray(values[name], np.float64).reshape(-1), (sizes[part.name],)).copy()
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
                f"the {what} belong to another run: '{name}' has shape {stored} there, and {own} here. Restore the "
                f"file, or train again with --force"
            )
    for name, values in arrays.items():
        if values.dtype.kind != "f" or not np.isfinite(values).all():
            raise UserError(
                f"the {what} are damaged: '{name}' holds a value that is not a finite number. Restore the file"
            )


def _sizes(circuit: Circuit) -> dict[str, int]:
    """The number of units of each population, and of wires of each connection, by name."""
    sizes = {units.name: units.size for units in circuit.units}
    return sizes | {
        one.name: sizes[one.source] * sizes[one.target] if one.pairs is None else len(one.pairs)
        for one in circuit.wires
    }
