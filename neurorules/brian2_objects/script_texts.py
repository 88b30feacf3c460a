"""The parts of a script as lines: clocks, tables, groups, synapses and monitors as calls of Brian2."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from neurorules.brian2_objects.exact import EXACT
from neurorules.brian2_objects.specs import (
    GroupSpec,
    ModelSpec,
    MonitorSpec,
    RegularSpec,
    SynapsesSpec,
    TableSpec,
)

IMPORTED = (
    "Clock", "Network", "NeuronGroup", "SpikeMonitor", "StateMonitor", "Synapses", "TimedArray", "ms", "prefs", "seed",
)  # fmt: skip
"""What a script imports from brian2."""
OWN = (
    "np", "Path", "stored", "network", "learned", "carried", "exact", "exponential", "pre", "post", "copy", "total",
    "variable", "when", "order", "clock", "parameters", "kept", "update", "start", "gradient", "samples", "shown",
    "label", "phase", "eta", "x", "seen", "scores", "right", "none", "sgd", "momentum", "adam", "step", "presentation",
)  # fmt: skip
"""Further names of a script, which objects of a model must not have."""
WIDTH = 48
"""Column at which the comments of equations begin."""
FEW = 8
"""Largest number of values that are written into the text; more go into the file beside it."""
_DECLARED = re.compile(r"\s*(?:d(\w+)/dt\s*=|(\w+)\s*[:=])")


def number(value: float) -> str:
    """A number in its shortest form: without a fraction if it is a whole number."""
    return repr(int(value)) if float(value).is_integer() and abs(value) < 1e9 else repr(float(value))


def _string(text: str) -> str:
    return f'"{text}"' if '"' not in text and "\\" not in text else repr(text)


def symbol_of(name: str) -> str:
    """The variable of a script that holds the Brian2 object of a name."""
    taken = keyword.iskeyword(name) or hasattr(builtins, name) or name in (*IMPORTED, *OWN)
    return f"{name}_" if taken else name


@dataclass
class Parts:
    """Writes the objects of a model, and collects the arrays that are too large for the text.

    Args:
        model: the objects as data.
        notes: descriptions of variables, by name, for a reader.
        sources: expressions that replace values, by name of a table, or by "part.variable".
        arrays: arrays of the file beside the script, by name.
    """

    model: ModelSpec
    notes: Mapping[str, str]
    sources: Mapping[str, str]
    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    def clock(self, key: str) -> Iterator[str]:
        """The lines that make a clock of the model."""
        spec = self.model.clocks[key]
        name = "" if spec.name is None else f', name="{spec.name}"'
        yield f"{key} = Clock({number(spec.dt_ms)}*ms{name})"

    def table(self, spec: TableSpec) -> Iterator[str]:
        """The lines that make a table of the model, a `TimedArray`."""
        values = self.sources.get(spec.name) or self._stored(spec.name, spec.values)
        yield f'{symbol_of(spec.name)} = TimedArray({values}, dt={number(spec.dt_ms)}*ms, name="{spec.name}")'

    def group(self, spec: GroupSpec) -> Iterator[str]:
        """Write a group with what runs in it and its initial values."""
        symbol = symbol_of(spec.name)
        yield f"{symbol} = NeuronGroup("
        yield f"    {spec.size},"
        yield from self._equations(spec.equations)
        yield from self._method(spec)
        if spec.threshold is not None:
            yield f"    threshold={_string(spec.threshold)},"
            yield from _argument("reset", spec.reset)
        if spec.refractory_ms:
            yield f"    refractory={number(spec.refractory_ms)}*ms,"
        if spec.refractory_while is not None:
            yield f"    refractory={_string(spec.refractory_while)},"
        yield from self._last(spec)
        if spec.spikes_in is not None:
            yield f'{symbol}.set_event_schedule("spike", when="{spec.spikes_in}")'
        yield from self._inside(symbol, spec)

    def synapses(self, spec: SynapsesSpec) -> Iterator[str]:
        """Write synapses with what runs in them, the pairs that they join and their initial values."""
        symbol = symbol_of(spec.name)
        yield f"{symbol} = Synapses("
        yield f"    {symbol_of(spec.source)},"
        yield f"    {symbol_of(spec.target)},"
        yield from self._equations(spec.equations)
        yield from self._method(spec)
        for event in ("pre", "post"):
            paths = [one for one in spec.pathways if one.event == event]
            if paths:
                yield f"    on_{event}={{"
                for one in paths:
                    yield from (f"    {line}" for line in _argument(one.name, one.lines, key=True))
                yield "    },"
        if spec.delay_ms:
            late = ", ".join(f'"{one.name}": {number(spec.delay_ms)}*ms' for one in spec.pathways if one.event == "pre")
            yield f"    delay={{{late}}},"
        yield from self._last(spec)
        for one in spec.pathways:
            if one.when is not None:
                path = f"{symbol}.{one.name}"
                yield f'{path}.when, {path}.order = "{one.when}", {one.order}'
        if spec.sums:
            yield "for variable, when, order, clock in ("
            yield from (f'    ("{one.variable}", "{one.when}", {one.order}, {one.clock}),' for one in spec.sums)
            yield "):"
            yield f"    total = {symbol}.summed_updaters[variable]"
            yield "    total.when, total.order, total._clock = when, order, clock"
        yield from self._connected(symbol, spec)
        yield from self._inside(symbol, spec)

    def monitor(self, spec: MonitorSpec) -> Iterator[str]:
        """The lines that make a monitor of the model."""
        symbol, source = symbol_of(spec.name), symbol_of(spec.source)
        if not spec.variables:
            yield f'{symbol} = SpikeMonitor({source}, name="{spec.name}")'
            return
        names = ", ".join(f'"{name}"' for name in spec.variables)
        yield f"{symbol} = StateMonitor("
        yield f"    {source}, [{names}], record=True,"
        yield f'    clock={spec.clock}, when="{spec.when}", order={spec.order}, name="{spec.name}",'
        yield ")"

    def _equations(self, equations: Sequence[str]) -> Iterator[str]:
        lines = [line.strip() for line in equations]
        width = min(WIDTH, max(map(len, lines), default=0))
        yield '    """'
        for line in lines:
            match = _DECLARED.match(line)
            note = self.notes.get(match[1] or match[2], "") if match else ""
            yield f"    {line:<{width}}  # {note}" if note else f"    {line}"
        yield '    """,'

    def _method(self, spec: GroupSpec | SynapsesSpec) -> Iterator[str]:
        # Synapses that integrate nothing need no method.
        if spec.method is not None and any("/dt" in line for line in spec.equations):
            yield f"    method={'exact' if spec.method == EXACT else _string(spec.method)},"

    def _last(self, spec: GroupSpec | SynapsesSpec) -> Iterator[str]:
        """The arguments that all objects have: what equations read by name, the clock and the name."""
        texts = str((spec.equations, spec.regular))
        if isinstance(spec, SynapsesSpec):  # They also read subexpressions of the groups at their two ends.
            ends = [one.equations for one in self.model.groups if one.name in (spec.source, spec.target)]
            texts += str((spec.pathways, ends))
        tables = [table for name in spec.tables if (table := self.model.table(name)).symbol in texts]
        if tables:
            read = ", ".join(f'"{table.symbol}": {symbol_of(table.name)}' for table in tables)
            yield f"    namespace={{{read}}},"
        yield f"    clock={spec.clock},"
        yield f'    name="{spec.name}",'
        yield ")"

    def _inside(self, symbol: str, spec: GroupSpec | SynapsesSpec) -> Iterator[str]:
        for one in spec.regular:
            yield from self._regular(symbol, one)
        for name, value in spec.values.items():
            text = self.sources.get(f"{spec.name}.{name}") or self.value(f"{spec.name}_{name}", value, spec.copies)
            yield f"{symbol}.{name} = {text}"

    def _regular(self, symbol: str, spec: RegularSpec) -> Iterator[str]:
        pace = f"clock={spec.clock}" if spec.every == 1 else f"dt={spec.every}*{spec.clock}.dt"
        text = _quoted(spec.lines, "    ")
        yield f"{symbol}.run_regularly("
        yield from text[:-1]
        yield f"{text[-1]},"
        yield f'    when="{spec.when}", order={spec.order}, {pace}, name="{spec.name}",'
        yield ")"

    def value(self, name: str, value: float | np.ndarray, copies: int = 1) -> str:
        """Write initial values as an expression.

        Args:
            name: the name for values that are stored in the file beside the script.
            value: a number, or values of any shape.
            copies: the number of samples, each of which has a copy of the values, >= 1.

        Returns:
            A number, a list of a few numbers, or an expression that reads a stored array.
        """
        array = np.asarray(value, dtype=np.float64).reshape(-1)
        if np.ndim(value) == 0 or (len(array) and (array == array[0]).all()):
            return repr(float(array[0]))
        if len(array) <= FEW:
            return repr(array.tolist())
        each = len(array) // copies
        if copies > 1 and each * copies == len(array) and (array.reshape(copies, each) == array[:each]).all():
            return f"np.tile({self.value(name, array[:each])}, {copies})"
        return self._stored(name, array)

    def _stored(self, name: str, values: np.ndarray) -> str:
        self.arrays[name] = values
        return f'stored["{name}"]'

    def _connected(self, symbol: str, spec: SynapsesSpec) -> Iterator[str]:
        if spec.pairs is None:
            yield f"{symbol}.connect()"
            return
        copies, sizes = spec.copies, {one.name: one.size for one in self.model.groups}
        source, target = sizes[spec.source] // copies, sizes[spec.target] // copies
        copy, post, pre = np.indices((copies, target, source)).reshape(3, -1)
        if _same(spec.pairs, (copy * source + pre, copy * target + post)):
            yield f"copy, post, pre = np.indices(({copies}, {target}, {source})).reshape(3, -1)"
            if copies == 1:
                yield f"{symbol}.connect(i=pre, j=post)"
            else:
                yield f"{symbol}.connect(i=copy*{source} + pre, j=copy*{target} + post)  # within each copy"
            return
        i, j = (self._stored(f"{spec.name}_{end}", ends) for end, ends in zip("ij", spec.pairs, strict=True))
        yield f"{symbol}.connect(i={i}, j={j})"


def _same(left: tuple[np.ndarray, np.ndarray], right: tuple[np.ndarray, np.ndarray]) -> bool:
    return all(np.array_equal(one, other) for one, other in zip(left, right, strict=True))


def _argument(name: str, lines: Sequence[str], key: bool = False) -> Iterator[str]:
    """Statements as an argument of a call, or as an entry of a dictionary."""
    head = f'    "{name}": ' if key else f"    {name}="
    if len(lines) <= 1:
        yield f"{head}{_string(''.join(lines))},"
        return
    yield f'{head}"""'
    yield from (f"        {line}" for line in lines)
    yield '    """,'


def _quoted(lines: Sequence[str], indent: str) -> list[str]:
    """Statements as a string of Python, on lines of their own where there are several."""
    if len(lines) == 1:
        return [f"{indent}{_string(lines[0])}"]
    return [f'{indent}"""', *(f"{indent}{line}" for line in lines), f'{indent}"""']
