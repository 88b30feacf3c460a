"""Samples through a circuit, run after run: tables in, weights carried on, scores out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from neurorules.brian2_continuous.parts.circuit import Circuit, Units, Wires, flat
from neurorules.brian2_continuous.parts.layers import SHOWN
from neurorules.brian2_continuous.parts.machine import Machine
from neurorules.brian2_continuous.parts.plan import Order, samples_only
from neurorules.language.errors import UserError
from neurorules.torch_path.training.checks import Diverged

ENTRIES = ("ff", "rec")
"""Names of a layer's inputs, at the end of their wires'."""
Rows = Callable[[np.ndarray], np.ndarray]
"""From positions of samples to their currents, (N,) -> (N, I)."""


@dataclass
class Stream:
    """A circuit that is being run.

    Args:
        machine: what runs it.
        circuit: its text.
        settings: numbers its equations read; they may change between runs.
        values: of all that is kept, by "part.variable", flat.
    """

    machine: Machine
    circuit: Circuit
    settings: dict[str, float]
    values: dict[str, float | np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.values = {**self.circuit.starts(), **self.values}

    def learn(self, order: Order, rows: Rows, eta: np.ndarray) -> Iterator[np.ndarray]:
        """Present everything in `order`; after each run, scores of the samples it showed, (n, C).

        Args:
            order: what is presented.
            rows: currents of samples.
            eta: factor of every rate, one a presentation.

        Raises:
            Diverged: a number is no longer finite; `values` are those before the run that found it.
        """
        whole = self.circuit.presentations
        for start in range(0, len(order.samples), whole):
            here = Order(*(column[start : start + whole] for column in order))
            try:
                self.machine.run({**self.values, **self.settings}, self._tables(here, rows, eta[start : start + whole]))
            except KeyboardInterrupt:
                self._carry({})  # a machine that is stopped says how far it came; one that failed does not
                raise
            shown = (here.phases == SHOWN) & (here.samples >= 0)
            scores = self.machine.recorded(self.circuit.scored, "seen")[: len(shown)][shown]
            self._carry({"scores": scores})
            yield scores

    def scores(self, samples: int, rows: Rows) -> Iterator[np.ndarray]:
        """Scores (n, C) of samples in their own order, run by run; nothing is learned, nothing kept."""
        before = dict(self.values)
        order = samples_only(np.zeros(samples, dtype=np.int64), 1)
        yield from self.learn(order, rows, np.zeros(samples))
        self.values = before

    def load(self, parameters: Mapping[str, np.ndarray]) -> None:
        """Begin with these parameters, named and shaped as `parameters` gives them.

        Raises:
            UserError: one is missing, of another shape, or not finite.
        """
        check_arrays(parameters, self.parameters(), "weights")
        for name, values in parameters.items():
            part, variable = name.rsplit(".", 1)
            wires = part.replace(".", "_")
            self.values[f"{wires}.{variable}"] = flat(values) if values.ndim > 1 else values

    def kept(self) -> dict[str, np.ndarray]:
        """Everything that is carried from run to run, by "part.variable", flat."""
        sizes = {units.name: units.size for units in self.circuit.units}
        found = {}
        for part, variable in self.circuit.kept():
            size = part.size if isinstance(part, Units) else _wires_of(part, sizes)
            name = f"{part.name}.{variable}"
            found[name] = np.broadcast_to(np.asarray(self.values[name], dtype=np.float64).reshape(-1), (size,)).copy()
        return found

    def parameters(self) -> dict[str, np.ndarray]:
        """The same by the names of a network's parameters: "hidden1.ff.w" (O, I), "hidden1.b" (O,)."""
        sizes = {units.name: units.size for units in self.circuit.units}
        shapes = {
            wires.name: (sizes[wires.source], sizes[wires.target])
            for wires in self.circuit.wires
            if wires.pairs is None
        }
        found = {}
        for name, values in self.kept().items():
            part, variable = name.split(".")
            whole = values.reshape(shapes[part]).T.copy() if part in shapes else values
            layer, _, entry = part.rpartition("_")
            found[f"{layer}.{entry}.{variable}" if entry in ENTRIES else name] = whole
        return found

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
        names = [f"{part.name}.{variable}" for part, variable in self.circuit.kept()]
        left = {name: self.machine.read(name) for name in names}
        for name, values in {**left, **beside}.items():
            if not np.isfinite(values).all():
                raise Diverged(f"a number in {name} is no longer finite. Use a smaller --lr or --readout-lr")
        self.values |= left


def check_arrays(given: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray], what: str) -> None:
    """Whether stored numbers fit a circuit.

    Args:
        given, expected: by name; only shapes of what is expected are read.
        what: they are, for the message.

    Raises:
        UserError: one is missing, of another shape, not finite, or not known to the circuit.
    """
    for name in {**expected, **given}:
        stored, own = (str(one[name].shape) if name in one else "none" for one in (given, expected))
        if stored != own:
            raise UserError(
                f"the {what} are of another run: '{name}' has shape {stored}, this one has {own}. Restore the file, or "
                f"train again with --force"
            )
    for name, values in given.items():
        if values.dtype.kind != "f" or not np.isfinite(values).all():
            raise UserError(f"the {what} are damaged: '{name}' holds what is no finite number. Restore the file")


def _wires_of(wires: Wires, sizes: Mapping[str, int]) -> int:
    return sizes[wires.source] * sizes[wires.target] if wires.pairs is None else len(wires.pairs)


def _filled(values: np.ndarray, length: int) -> np.ndarray:
    """As float64, with zeros behind: a run is always K presentations long, and learns nothing in those left over."""
    return np.concatenate([np.asarray(values, dtype=np.float64), np.zeros(length - len(values))])
