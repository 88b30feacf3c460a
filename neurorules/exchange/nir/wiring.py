"""The wiring of a graph: its populations, the order in which they run, and the nodes that drive each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from neurorules.exchange.nir.file import check_edge
from neurorules.language.errors import UserError

INTEGRATORS = ("I", "LI", "CubaLI")
"""Nodes with a state that send their membrane, and spike where a Threshold follows."""
SPIKING = ("IF", "LIF", "CubaLIF")
BATCHED = (2, 4)
"""Numbers of axes of an Input's shape whose first axis of 1 is a batch: (1, N) or (1, C, H, W), as Norse 1.1 writes."""
INPUT = ""
"""Stands for the graph's input among the sources of a path."""


@dataclass(frozen=True)
class Path:
    """The nodes without a state by which spikes of one population reach another, in order.

    Args:
        source: name of the population that sends them; `INPUT` for the graph's input.
        nodes: names and nodes, from the source on.
    """

    source: str
    nodes: tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Cell:
    """A population of neurons in a graph of NIR, with what drives it.

    Args:
        name: of its node in the graph; of what ends in the graph's output without a population, that output's.
        node: an IF, LIF, CubaLIF, I, LI or CubaLI; None for a Threshold alone, or for no population.
        threshold: a Threshold that makes spikes of its membrane; None where there is none.
        paths: what drives it.
    """

    name: str
    node: Any
    threshold: Any
    paths: tuple[Path, ...]


@dataclass(frozen=True)
class Wiring:
    """A graph as populations in the order in which they run.

    Args:
        input_shape: of one sample at one step.
        cells: the last one is the read-out.
        metadata: of the graph.
    """

    input_shape: tuple[int, ...]
    cells: tuple[Cell, ...]
    metadata: dict[str, Any]


def kind_of(node: Any) -> str:
    """The name of a node's type."""
    return type(node).__name__


def wiring_of(graph: Any, where: str) -> Wiring:
    """Find the populations of a graph, and the nodes that drive each.

    Args:
        graph: a `nir.NIRGraph`, also with graphs inside.
        where: names it in messages.

    Returns:
        Its populations.

    Raises:
        UserError: it has no one input and output, or a cycle that cannot run; the nodes are named.
    """
    return _Walk(graph, where).run()


@dataclass
class _Walk:
    """The nodes and edges of a graph, with those of the graphs inside it joined to them."""

    graph: Any
    where: str
    nodes: dict[str, Any] = field(default_factory=dict)
    before: dict[str, list[str]] = field(default_factory=dict)

    def run(self) -> Wiring:
        """Join, then follow every population's drive back to where it comes from."""
        edges = list(self._joined(self.graph, "", self.where))
        self.before = {name: [] for name in self.nodes}
        for start, end in edges:
            if start in self.before[end]:
                raise UserError(f"{self.where} has the edge {start} -> {end} twice. Leave one out")
            self.before[end].append(start)
        start, end = self._end("Input"), self._end("Output")
        merged = dict(self._merged())
        behind = {threshold: name for name, threshold in merged.items()}
        names = [name for name in self.nodes if self._has_state(name) and name not in behind]
        cells = {
            name: Cell(name, self._integrator(name), self._threshold(name, merged),
                       tuple(self._paths(name, start, behind, (name,))))
            for name in names
        }  # fmt: skip
        paths = tuple(self._paths(end, start, behind, (end,)))
        return Wiring(self._shape(start), self._ordered(cells, end, paths), dict(self.graph.metadata))

    def _joined(self, graph: Any, prefix: str, where: str) -> Iterator[tuple[str, str]]:
        """Collect the nodes, and yield the edges; those to a graph inside lead to its input, and from its output."""
        for name, node in graph.nodes.items():
            if kind_of(node) == "NIRGraph":
                yield from self._joined(node, f"{prefix}{name}.", f"{where}: the graph '{prefix}{name}'")
            else:
                self.nodes[f"{prefix}{name}"] = node
        for edge in graph.edges:
            check_edge(tuple(edge), graph.nodes, where)
            yield self._door(graph, prefix, edge[0], "Output"), self._door(graph, prefix, edge[1], "Input")

    def _door(self, graph: Any, prefix: str, name: str, kind: str) -> str:
        inner = graph.nodes[name]
        if kind_of(inner) != "NIRGraph":
            return f"{prefix}{name}"
        doors = [one for one, node in inner.nodes.items() if kind_of(node) == kind]
        if len(doors) != 1:
            raise UserError(
                f"{self.where}: the graph '{prefix}{name}' inside has {len(doors)} {kind} nodes, and an edge to it "
                f"does not say which. Give it one"
            )
        return f"{prefix}{name}.{doors[0]}"

    def _end(self, kind: str) -> str:
        """The one input or output of the whole graph."""
        own = [name for name, node in self.graph.nodes.items() if kind_of(node) == kind]
        if len(own) != 1:
            listed = f" ({', '.join(own)})" if own else ""
            raise UserError(f"{self.where} has {len(own)} {kind} nodes{listed}, and a net here has one. Give it one")
        return own[0]

    def _shape(self, start: str) -> tuple[int, ...]:
        shape = self.nodes[start].input_type["input"]
        if shape is None or not len(shape) or min(shape) < 1:
            raise UserError(f"{self.where}: the Input '{start}' has no shape. Give it one, such as (784,)")
        sides = tuple(int(side) for side in shape)
        return sides[1:] if len(sides) in BATCHED and sides[0] == 1 else sides

    def _has_state(self, name: str) -> bool:
        return kind_of(self.nodes[name]) in (*INTEGRATORS, *SPIKING, "Threshold")

    def _merged(self) -> Iterator[tuple[str, str]]:
        """Every integrator whose membrane is read by one Threshold alone, with that Threshold."""
        after: dict[str, list[str]] = {name: [] for name in self.nodes}
        for end, starts in self.before.items():
            for start in starts:
                after[start].append(end)
        for name, node in self.nodes.items():
            readers = after[name]
            alone = len(readers) == 1 and self.before[readers[0]] == [name]
            if kind_of(node) in INTEGRATORS and alone and kind_of(self.nodes[readers[0]]) == "Threshold":
                yield name, readers[0]

    def _integrator(self, name: str) -> Any:
        return None if kind_of(self.nodes[name]) == "Threshold" else self.nodes[name]

    def _threshold(self, name: str, merged: dict[str, str]) -> Any:
        return self.nodes[name] if kind_of(self.nodes[name]) == "Threshold" else self.nodes.get(merged.get(name, ""))

    def _paths(self, end: str, start: str, behind: dict[str, str], trail: tuple[str, ...]) -> Iterator[Path]:
        """Every way by which something reaches a node, back to a population or the input."""
        for name in self.before[end]:
            if name == start:
                yield Path(INPUT, ())
            elif self._has_state(name):
                yield Path(behind.get(name, name), ())
            elif name in trail:
                cycle = " -> ".join(reversed(trail[trail.index(name) :]))
                raise UserError(
                    f"{self.where}: the cycle {name} -> {cycle} has no delay and no neuron, so that its values depend "
                    f"on themselves. Put a LIF or another neuron into it"
                )
            else:
                for path in self._paths(name, start, behind, (*trail, name)):
                    door = kind_of(self.nodes[name]) in ("Input", "Output")  # of a graph inside
                    yield path if door else Path(path.source, (*path.nodes, (name, self.nodes[name])))

    def _ordered(self, cells: dict[str, Cell], end: str, paths: tuple[Path, ...]) -> tuple[Cell, ...]:
        """The populations, each behind those that drive it, and what is read out last."""
        if not paths:
            raise UserError(f"{self.where}: nothing reaches the Output '{end}'. Join it to the last node")
        if len(paths) > 1:
            raise UserError(f"{self.where}: {len(paths)} paths reach the Output '{end}', and one is read out. Keep one")
        ordered: list[Cell] = []
        left = dict(cells)
        while left:
            done = {INPUT, *(cell.name for cell in ordered)}
            ready = [cell for cell in left.values() if {p.source for p in cell.paths} <= done | {cell.name}]
            if not ready:
                raise UserError(
                    f"{self.where}: the cycle through {', '.join(self._cycle(left))} leads back to an earlier layer "
                    f"without delay, and only a population that feeds itself runs here. Cut it"
                )
            for cell in ready:
                if not cell.paths:
                    raise UserError(f"{self.where}: nothing reaches the node '{cell.name}'. Join it, or leave it out")
                ordered.append(left.pop(cell.name))
        read = paths[0]
        if read.nodes or read.source == INPUT:
            ordered.append(Cell(end, None, None, paths))
            read = Path(INPUT, ())
        else:
            ordered.sort(key=lambda cell: cell.name == read.source)
        self._check_read(ordered)
        return tuple(ordered)

    def _cycle(self, left: dict[str, Cell]) -> list[str]:
        """Names of populations that drive each other in a circle."""
        name, trail = next(iter(left)), list[str]()
        while name not in trail:
            trail.append(name)
            name = next(p.source for p in left[name].paths if p.source in left and p.source != name)
        return trail[trail.index(name) :]

    def _check_read(self, ordered: list[Cell]) -> None:
        """Refuse populations that nothing reads, and a read-out that others read."""
        read = {path.source for cell in ordered for path in cell.paths if path.source != cell.name}
        for cell in ordered[:-1]:
            if cell.name not in read:
                raise UserError(f"{self.where}: nothing reads the node '{cell.name}'. Join it, or leave it out")
        last = ordered[-1].name
        if last in read:
            reader = next(c.name for c in ordered for p in c.paths if p.source == last and c.name != last)
            raise UserError(f"{self.where}: '{reader}' reads '{last}', which is the output. Read out the last one")
