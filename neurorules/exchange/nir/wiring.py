"""The wiring of a graph: its populations, the order in which they run, and the nodes that drive each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from neurorules.exchange.nir.file import check_edge
from neurorules.exchange.nir.kinds import CONVOLUTIONS, DELAY, INTEGRATORS, SPIKING, kind_of
from neurorules.exchange.nir.segments import cut_of
from neurorules.language.errors import UserError

BATCHED = (2, 4)
"""Numbers of axes of an Input's shape whose first axis of 1 is a batch: (1, N) or (1, C, H, W), as Norse 1.1 writes. A
graph with a Conv1d reads lines, of which (1, L) has one channel."""
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
        name: name of its node in the graph. What a node without a state gives may become a population that hands it on,
            whose name is that node's; so may what reaches the graph's output.
        node: an IF, LIF, CubaLIF, I, LI, CubaLI or Delay; None for a Threshold alone, or for neurons that hand on.
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
        input_shape: shape of one sample at one step.
        cells: the last one is the read-out.
        metadata: metadata of the graph.
    """

    input_shape: tuple[int, ...]
    cells: tuple[Cell, ...]
    metadata: dict[str, Any]


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
    """Walks through the nodes and edges of a graph, with those of the graphs inside it joined to them."""

    graph: Any
    where: str
    nodes: dict[str, Any] = field(default_factory=dict)
    before: dict[str, list[str]] = field(default_factory=dict)
    handing: set[str] = field(default_factory=set)
    """Nodes whose values get neurons of their own, which hand them on."""

    def run(self) -> Wiring:
        """Join, then follow every population's drive back to where it comes from."""
        edges = list(self._joined(self.graph, "", self.where))
        self.before = {name: [] for name in self.nodes}
        for start, end in edges:
            if start in self.before[end]:
                raise UserError(f"{self.where} has the edge {start} -> {end} twice. Leave one out")
            self.before[end].append(start)
        start, end = self._end("Input"), self._end("Output")
        self.handing = {name for name, node in self.nodes.items() if kind_of(node) == DELAY and not self._loops(name)}
        merged = dict(self._merged())
        while True:
            cells, paths = self._cells(start, end, merged)
            ways = [*paths, *(path for cell in cells.values() for path in cell.paths if path.source != cell.name)]
            cuts = {cut_of(path.nodes, self.where) for path in ways}
            if not cuts - {None} - self.handing:
                break
            self.handing |= {cut for cut in cuts if cut is not None}
        return Wiring(self._shape(start), self._ordered(cells, end, paths), dict(getattr(self.graph, "metadata", {})))

    def _cells(self, start: str, end: str, merged: dict[str, str]) -> tuple[dict[str, Cell], tuple[Path, ...]]:
        """Every population with what drives it, and what reaches the output."""
        behind = {threshold: name for name, threshold in merged.items()}
        cells: dict[str, Cell] = {}
        for name, node in self.nodes.items():
            if name in behind or not (self._has_state(name) or name in self.handing):
                continue
            paths = tuple(self._paths(name, start, behind, (name,)))
            if self._has_state(name):
                cells[name] = Cell(name, self._integrator(name), self._threshold(name, merged), paths)
            elif kind_of(node) == DELAY:
                cells[name] = Cell(name, node, None, paths)
            else:
                cells[name] = Cell(name, None, None, tuple(replace(p, nodes=(*p.nodes, (name, node))) for p in paths))
        return cells, tuple(self._paths(end, start, behind, ()))

    def _loops(self, name: str) -> bool:
        """Whether a node reaches itself."""
        reached, left = set[str](), list(self.before[name])
        while left:
            one = left.pop()
            if one not in reached:
                reached.add(one)
                left += self.before[one]
        return name in reached

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
        lines = len(sides) == 2 and any(kind_of(node) == CONVOLUTIONS[0] for node in self.nodes.values())
        return sides[1:] if len(sides) in BATCHED and sides[0] == 1 and not lines else sides

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
            elif self._has_state(name) or name in self.handing:
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
        ordered: list[Cell] = []
        left = dict(cells)
        while left:
            done = {INPUT, *(cell.name for cell in ordered)}
            ready = [cell for cell in left.values() if {p.source for p in cell.paths} <= done | {cell.name}]
            if not ready:
                raise UserError(
                    f"{self.where}: the cycle through {', '.join(self._cycle(left))} leads from a later population "
                    f"back to an earlier one, and a population here feeds itself and later ones alone. Cut one edge, "
                    f"or make one population of them"
                )
            for cell in ready:
                if not cell.paths:
                    raise UserError(f"{self.where}: nothing reaches the node '{cell.name}'. Join it, or leave it out")
                ordered.append(left.pop(cell.name))
        read = {path.source for cell in ordered for path in cell.paths if path.source != cell.name}
        sender = cells.get(paths[0].source)
        alone = len(paths) == 1 and not paths[0].nodes and paths[0].source not in read
        if alone and sender is not None and kind_of(sender.node) != DELAY:
            ordered.sort(key=lambda cell: cell.name == paths[0].source)
        else:  # what is read out is a sum, a map of spikes, or spikes that go on to other populations too
            ordered.append(Cell(end, None, None, paths))
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
        """Refuse populations that nothing reads."""
        read = {path.source for cell in ordered for path in cell.paths if path.source != cell.name}
        for cell in ordered[:-1]:
            if cell.name not in read:
                raise UserError(f"{self.where}: nothing reads the node '{cell.name}'. Join it, or leave it out")
