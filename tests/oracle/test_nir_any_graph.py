"""Every kind of graph that NIR can hold gives the spikes that its equations give, from memory and from a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from nir_by_hand import run

from neurorules import Learner
from neurorules.exchange.nir.file import read_graph, write_graph
from neurorules.exchange.nir.options import NirOptions
from neurorules.exchange.nir.read import net_of_graph

nir = pytest.importorskip("nir")

STEPS = 25
RANDOM = [np.random.default_rng(0)]
"""What the numbers of nodes are drawn from; each graph starts it anew."""
Made = tuple[Any, tuple[int, ...]]
"""A graph, and the shape of one sample at one step."""


def between(low: float, high: float, *shape: int) -> np.ndarray:
    return RANDOM[0].uniform(low, high, shape)


def sides(*numbers: int) -> np.ndarray:
    return np.array(numbers)


def lif(*shape: int) -> Any:
    numbers = (between(2e-4, 4e-3, *shape), between(5, 20, *shape), between(-0.1, 0.1, *shape))
    return nir.LIF(*numbers, between(0.3, 0.9, *shape), between(-0.3, 0.05, *shape))


def alike(*shape: int) -> Any:
    """Neurons that share their numbers, as those of a map must where its current is scaled."""
    return nir.LIF(*(np.full(shape, value) for value in (1e-3, 8.0, 0.0, 0.6, -0.1)))


def affine(outputs: int, inputs: int) -> Any:
    return nir.Affine(between(-0.4, 0.5, outputs, inputs) * 2 / inputs**0.5, between(0, 0.05, outputs))


def conv(maps: int, below: int, kernel: tuple[int, ...], *rest: Any, seen: Any = (8, 8)) -> Any:
    """A Conv1d or Conv2d of stride, padding, dilation and groups."""
    stride, padding, dilation, groups = (*rest, *(1, 0, 1, 1)[len(rest) :])
    kind = nir.Conv1d if len(kernel) == 1 else nir.Conv2d
    weights = between(-0.3, 0.4, maps, below // groups, *kernel)
    return kind(seen if len(kernel) == 2 else 12, weights, stride, padding, dilation, groups, between(0, 0.05, maps))


def flat(*shape: int) -> Any:
    return nir.Flatten({"input": np.array(shape)}, 0, -1)


def graph(nodes: dict[str, Any], edges: list[tuple[str, str]], **metadata: Any) -> Any:
    return nir.NIRGraph(nodes, edges, metadata={"dt": 1e-4, **metadata}, type_check=False)


def chain(shape: tuple[int, ...], *middle: Any, end: tuple[int, ...] = (3,)) -> Made:
    nodes = [nir.Input({"input": np.array(shape)}), *middle, nir.Output({"output": np.array(end)})]
    named = {f"{number}.node" if number < len(nodes) - 1 else "output": node for number, node in enumerate(nodes)}
    return graph(named, list(zip(named, list(named)[1:], strict=False))), shape


def head(*shape: int) -> list[Any]:
    size = int(np.prod(shape))
    return [flat(*shape), affine(3, size), lif(3)]


LINES: dict[str, Callable[[], Made]] = {
    "lines with a stride": lambda: chain((2, 12), conv(4, 2, (3,), 2, 1), alike(4, 6), *head(4, 6)),
    "one line, dilated": lambda: chain((1, 12), conv(4, 1, (3,), 1, "same", 2), lif(4, 12), *head(4, 12)),
    "lines in groups, twice": lambda: chain(
        (2, 12), conv(4, 2, (3,), 1, 1, 1, 2), lif(4, 12), conv(4, 4, (3,)), lif(4, 10), *head(4, 10)
    ),
    "lines into neurons at once": lambda: chain((4, 12), lif(4, 12), conv(2, 4, (3,)), lif(2, 10), *head(2, 10)),
}
MAPS: dict[str, Callable[[], Made]] = {
    "an oblong kernel and stride": lambda: chain(
        (2, 8, 9), conv(4, 2, (3, 5), (1, 2), (1, 2)), lif(4, 8, 5), *head(4, 8, 5)
    ),
    "groups, dilated": lambda: chain(
        (2, 8, 9), conv(4, 2, (3, 3), sides(1, 1), sides(2, 2), sides(2, 2), 2), lif(4, 8, 9), *head(4, 8, 9)
    ),
    "depth-wise": lambda: chain((3, 8, 8), conv(3, 3, (3, 3), 1, 1, 1, 3), lif(3, 8, 8), *head(3, 8, 8)),
    "two convolutions in a row": lambda: chain(
        (2, 8, 8), conv(4, 2, (3, 3)), conv(3, 4, (3, 3)), lif(3, 4, 4), *head(3, 4, 4)
    ),
    "a convolution, flattened, a matrix": lambda: chain((2, 8, 8), conv(4, 2, (3, 3)), *head(4, 6, 6)),
    "a convolution, flattened, neurons": lambda: chain(
        (2, 5, 5), conv(4, 2, (3, 3)), flat(4, 3, 3), lif(36), affine(3, 36), lif(3)
    ),
    "pools that overlap and meet a border": lambda: chain(
        (2, 8, 8), nir.SumPool2d(sides(3, 3), sides(2, 2), sides(1, 1)),
        nir.AvgPool2d(sides(2, 2), sides(1, 1), sides(1, 1)), conv(4, 2, (3, 3)),
        nir.SumPool2d(sides(2, 2), sides(2, 2), sides(0, 0)), alike(4, 1, 1), *head(4, 1, 1),
    ),
    "an oblong pool of spikes": lambda: chain(
        (2, 8, 8), conv(4, 2, (3, 3)), lif(4, 6, 6), nir.AvgPool2d(sides(1, 3), sides(1, 3), sides(0, 0)),
        *head(4, 6, 2),
    ),
    "an oblong pool of a current": lambda: chain(
        (2, 8, 8), conv(4, 2, (3, 3)), nir.SumPool2d(sides(2, 3), sides(2, 3), sides(0, 0)), alike(4, 3, 2),
        *head(4, 3, 2),
    ),
    "a pool of plain numbers": lambda: chain(
        (2, 8, 8), conv(4, 2, (3, 3)), lif(4, 6, 6), nir.SumPool2d(2, 2, 0), *head(4, 3, 3)
    ),
    "a scale of maps before groups": lambda: chain(
        (4, 6, 6), nir.Scale(np.broadcast_to(between(0.5, 2, 4)[:, None, None], (4, 6, 6)).copy()),
        conv(4, 4, (3, 3), 1, 0, 1, 2), alike(4, 4, 4), *head(4, 4, 4),
    ),
    "maps that are read out": lambda: chain((2, 6, 6), conv(4, 2, (6, 6)), lif(4, 1, 1), end=(4, 1, 1)),
    "numbers of each map": lambda: chain(
        (2, 6, 6), conv(4, 2, (3, 3)), nir.LIF(*(np.full((4, 1, 1), v) for v in (1e-3, 8.0, 0.0, 0.5, 0.0))),
        *head(4, 4, 4),
    ),
    "a batch in every shape": lambda: (
        chain((1, 2, 6, 6), conv(4, 2, (3, 3)),
              nir.LIF(*(np.full((1, 4, 4, 4), v) for v in (1e-3, 8.0, 0.0, 0.5, 0.0))),
              nir.Flatten({"input": sides(1, 4, 4, 4)}, 1, -1), affine(3, 64), lif(3), end=(1, 3))[0], (2, 6, 6)
    ),
}  # fmt: skip
DELAYS: dict[str, Callable[[], Made]] = {
    "of each input its own": lambda: chain(
        (5,), nir.Delay(np.array([0, 1e-4, 2e-4, 3e-4, 5e-4])), affine(3, 5), lif(3)
    ),
    "of a current with a bias": lambda: chain(
        (5,), affine(4, 5), nir.Delay(np.full(4, 3e-4)), lif(4), affine(3, 4), lif(3)
    ),
    "of spikes, one for all": lambda: chain(
        (5,), affine(4, 5), lif(4), nir.Delay(np.float64(2e-4)), affine(3, 4), lif(3)
    ),
    "at the end": lambda: chain((5,), affine(3, 5), lif(3), nir.Delay(np.array([2e-4, 0, 1e-4]))),
    "of each map its own": lambda: chain(
        (2, 6, 6), nir.Delay(np.broadcast_to(np.array([1e-4, 3e-4])[:, None, None], (2, 6, 6)).copy()),
        conv(4, 2, (3, 3)), lif(4, 4, 4), *head(4, 4, 4),
    ),
    "one behind the other": lambda: chain(
        (5,), nir.Delay(np.full(5, 1e-4)), nir.Delay(np.full(5, 2e-4)), affine(3, 5), lif(3)
    ),
}  # fmt: skip
ENDS = {"input": nir.Input({"input": sides(4)}), "output": nir.Output({"output": sides(3)})}
TREES: dict[str, Callable[[], Made]] = {
    "two populations that are read out": lambda: (graph(
        {**ENDS, "a": affine(3, 4), "b": affine(3, 4), "l": lif(3), "m": lif(3)},
        [("input", "a"), ("a", "l"), ("input", "b"), ("b", "m"), ("l", "output"), ("m", "output")],
    ), (4,)),
    "a population that is read out and read": lambda: (graph(
        {**ENDS, "a": affine(3, 4), "b": affine(3, 3), "l": lif(3), "m": lif(3)},
        [("input", "a"), ("a", "l"), ("l", "b"), ("b", "m"), ("l", "output"), ("m", "output")],
    ), (4,)),
    "neurons that feed themselves alone": lambda: (graph(
        {**ENDS, "a": affine(3, 4), "l": alike(3), "s": nir.Scale(between(-0.5, 0.5, 3))},
        [("input", "a"), ("a", "l"), ("l", "s"), ("s", "l"), ("l", "output")],
    ), (4,)),
    "an edge from neurons to themselves": lambda: (graph(
        {**ENDS, "a": affine(3, 4), "l": alike(3)}, [("input", "a"), ("a", "l"), ("l", "l"), ("l", "output")],
    ), (4,)),
    "maps that feed themselves": lambda: (graph(
        {"input": nir.Input({"input": sides(2, 5, 5)}), "a": conv(3, 2, (3, 3), 1, 1, seen=(5, 5)),
         "l": alike(3, 5, 5), "r": conv(3, 3, (3, 3), 1, 1, seen=(5, 5)), "f": flat(3, 5, 5), "o": affine(3, 75),
         "m": lif(3), "output": ENDS["output"]},
        [("input", "a"), ("a", "l"), ("l", "r"), ("r", "l"), ("l", "f"), ("f", "o"), ("o", "m"), ("m", "output")],
    ), (2, 5, 5)),
    "branches with a pool in common": lambda: (graph(
        {"input": nir.Input({"input": sides(2, 6, 6)}), "a": conv(3, 2, (3, 3)), "b": conv(3, 2, (3, 3)),
         "p": nir.SumPool2d(sides(2, 2), sides(2, 2), sides(0, 0)), "l": alike(3, 2, 2), "f": flat(3, 2, 2),
         "o": affine(3, 12), "m": lif(3), "output": ENDS["output"]},
        [("input", "a"), ("input", "b"), ("a", "p"), ("b", "p"), ("p", "l"), ("l", "f"), ("f", "o"), ("o", "m"),
         ("m", "output")],
    ), (2, 6, 6)),
    "thresholds alone": lambda: chain((4,), affine(3, 4), nir.Threshold(np.full(3, 0.1)), affine(3, 3), lif(3)),
    "nothing but a matrix": lambda: chain((4,), affine(3, 4)),
}  # fmt: skip
NUMBERS: dict[str, Callable[[], Made]] = {
    kind: (lambda kind=kind: chain(
        (4,), nir.Affine(between(-0.2, 0.6, 3, 4).astype(kind), between(0, 0.1, 3).astype(kind)),
        nir.LIF(*(np.full(3, value).astype(kind) for value in (1e-3, 8.0, 0.0, 0.5, 0.0))),
    ))
    for kind in ("f2", "f4", "f8", ">f8")
}  # fmt: skip
CASES = {
    f"{kind}: {name}": made
    for kind, cases in (("lines", LINES), ("maps", MAPS), ("delays", DELAYS), ("ways", TREES), ("numbers", NUMBERS))
    for name, made in cases.items()
}


def ours(net: Any, drive: np.ndarray) -> np.ndarray:
    """What the read-out sends of one sample, (T, N)."""
    learner = Learner(net, "bptt", steps=len(drive), precision="float64")
    read = learner.respond(torch.from_numpy(drive)[:, None]).activity[-1]
    silent = getattr(learner.model.network.readout.neuron, "reset", "none") == "none"
    return (read.v if silent else read.S).values[:, 0].numpy()


def lively(make: Callable[[], Made]) -> tuple[Any, np.ndarray, np.ndarray]:
    """The first graph of a kind whose output changes, with a drive and what its equations make of it."""
    for seed in range(20):
        RANDOM[0] = np.random.default_rng(seed)
        made, shape = make()
        drive = (RANDOM[0].random((STEPS, *shape)) < 0.4).astype(np.float64)
        expected = run(made, drive)["output"].reshape(STEPS, -1)
        if np.ptp(expected) > 0:
            return made, drive, expected
    raise AssertionError("no graph of this kind says anything")


@pytest.mark.parametrize("name", CASES)
def test_a_graph_gives_what_its_equations_give_and_goes_out_again(name: str, tmp_path: Path) -> None:
    made, drive, expected = lively(CASES[name])
    write_graph(tmp_path / "net.nir", made)
    net = net_of_graph(read_graph(tmp_path / "net.nir"))
    here = ours(net, drive)
    np.testing.assert_allclose(here, expected, atol=1e-9)
    np.testing.assert_array_equal(ours(net_of_graph(made), drive), here)
    again = Learner(net, "bptt", steps=STEPS, precision="float64").to_nir()
    np.testing.assert_array_equal(ours(again, drive), here)


def test_a_delay_is_in_the_units_of_the_graph_and_learns_nothing() -> None:
    RANDOM[0] = np.random.default_rng(1)
    neurons = nir.LIF(*(np.full(3, value) for value in (1.0, 8.0, 0.0, 0.4, 0.0)))
    ends = {"input": nir.Input({"input": sides(3)}), "output": ENDS["output"]}
    late = graph({**ends, "d": nir.Delay(np.array([0.1, 0.2, 0.3])), "a": affine(3, 3), "l": neurons},
                 [("input", "d"), ("d", "a"), ("a", "l"), ("l", "output")], time_unit="ms")  # fmt: skip
    drive = (np.random.default_rng(2).random((STEPS, 3)) < 0.5).astype(np.float64)
    expected = run(late, drive, 0.1)["output"]
    assert 0 < expected.mean() < 1
    np.testing.assert_array_equal(ours(net_of_graph(late), drive), expected)
    late.metadata = {}
    options = NirOptions(unit="ms", dt=1e-4)
    np.testing.assert_array_equal(ours(net_of_graph(late, options), drive), expected)
    learner = Learner(net_of_graph(late, options), "bptt", steps=STEPS)
    before = {name: value.clone() for name, value in learner.learned.parameters.items()}
    learner.step(torch.from_numpy(drive)[:, None].float(), torch.tensor([1]))
    moved = {name for name, value in learner.learned.parameters.items() if not torch.equal(value, before[name])}
    assert moved == {"readout.ff.w", "readout.b"}


def test_a_delay_of_one_step_in_a_loop_is_the_step_that_a_loop_takes() -> None:
    RANDOM[0] = np.random.default_rng(1)
    nodes = {**ENDS, "a": affine(3, 4), "l": alike(3), "r": affine(3, 3), "d": nir.Delay(np.full(3, 1e-4))}
    start = [("input", "a"), ("a", "l"), ("l", "r"), ("l", "output")]
    late = graph(nodes, [*start, ("r", "d"), ("d", "l")])
    at_once = graph({name: node for name, node in nodes.items() if name != "d"}, [*start, ("r", "l")])
    drive = (np.random.default_rng(2).random((STEPS, 4)) < 0.5).astype(np.float64)
    expected = run(at_once, drive)["output"]
    assert 0 < expected.mean() < 1
    for one in (late, at_once):
        np.testing.assert_array_equal(ours(net_of_graph(one), drive), expected)
