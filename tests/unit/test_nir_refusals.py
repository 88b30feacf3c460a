"""What is no graph of NIR, or says what a net here cannot be, is refused in one line that names it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import snntorch
from torch import nn

from neurorules import Learner
from neurorules.exchange.nir.file import write_graph
from neurorules.exchange.nir.options import NirOptions
from neurorules.exchange.nir.read import net_of_graph, net_of_text
from neurorules.language.errors import UserError

nir = pytest.importorskip("nir")

ONES = np.ones(3)


def lif(**changed: Any) -> Any:
    numbers = {"tau": 1e-3 * ONES, "r": 10 * ONES, "v_leak": 0 * ONES, "v_threshold": ONES, "v_reset": 0 * ONES}
    metadata = changed.pop("metadata", {})
    return nir.LIF(**{**numbers, **changed}, metadata=metadata)


def graph(middle: dict[str, Any], edges: list[tuple[str, str]] | None = None, **changed: Any) -> Any:
    """Input, an affine map, what is asked for, Output; joined in this order where no edges are given."""
    nodes = {"in": nir.Input(np.array([2])), "fc": nir.Affine(np.ones((3, 2)), 0 * ONES), **middle,
             "out": nir.Output(np.array([3]))}  # fmt: skip
    joined = list(zip(nodes, list(nodes)[1:], strict=False)) if edges is None else edges
    return nir.NIRGraph(nodes, joined, type_check=False, **changed)


def loop(*more: tuple[str, str]) -> list[tuple[str, str]]:
    return [("in", "fc"), ("fc", "a"), ("a", "out"), *more]


SQUARE = nir.Linear(np.ones((3, 3)))
GRAPHS: dict[str, tuple[Any, list[str]]] = {
    "a convolution of neurons that are no maps": (
        graph({"c": nir.Conv2d((3, 1), np.ones((1, 1, 1, 1)), 1, 0, 1, 1, np.zeros(1)), "lif": lif()}),
        ["'c' (Conv2d)", "(1, height, width)", "(3,)"],
    ),
    "a circle of maps": (
        graph({"a": lif(), "x": SQUARE, "y": SQUARE}, loop(("fc", "x"), ("x", "y"), ("y", "x"), ("y", "a"))),
        ["cycle", "x", "y", "no delay"],
    ),
    "feedback between layers": (
        graph({"a": lif(), "up": SQUARE, "b": lif(), "down": SQUARE},
              [("in", "fc"), ("fc", "a"), ("a", "up"), ("up", "b"), ("b", "down"), ("down", "a"), ("b", "out")]),
        ["a, b", "leads from a later population back"],
    ),
    "feedback between layers with a delay": (
        graph({"a": lif(), "up": SQUARE, "b": lif(), "down": nir.Delay(2e-4 * ONES)},
              [("in", "fc"), ("fc", "a"), ("a", "up"), ("up", "b"), ("b", "down"), ("down", "a"), ("b", "out")]),
        ["a, b", "leads from a later population back"],
    ),
    "a loop with a delay of two steps": (
        graph({"a": lif(), "late": nir.Delay(2e-4 * ONES)}, loop(("a", "late"), ("late", "a"))),
        ["'late' (Delay)", "2 steps", "one step later"],
    ),
    "a loop that no connection holds": (
        nir.NIRGraph(
            {"in": nir.Input(np.array([1, 5, 5])), "a": nir.IF(np.full((1, 5, 5), 1e4), np.ones((1, 5, 5))),
             "r": nir.Conv2d((5, 5), np.ones((1, 1, 3, 3)), 1, 1, 1, 1, np.zeros(1)),
             "q": nir.Conv2d((5, 5), np.ones((1, 1, 3, 3)), 1, 1, 1, 1, np.zeros(1)),
             "out": nir.Output(np.array([1, 5, 5]))},
            [("in", "a"), ("a", "r"), ("r", "q"), ("q", "a"), ("a", "out")], type_check=False,
        ),
        ["'a'", "feeds itself through 'r'"],
    ),
    "a loop with a stride": (
        nir.NIRGraph(
            {"in": nir.Input(np.array([1, 5, 5])), "a": nir.IF(np.full((1, 5, 5), 1e4), np.ones((1, 5, 5))),
             "r": nir.Conv2d((5, 5), np.ones((1, 1, 3, 3)), 2, 1, 1, 1, np.zeros(1)),
             "out": nir.Output(np.array([1, 5, 5]))},
            [("in", "a"), ("a", "r"), ("r", "a"), ("a", "out")], type_check=False,
        ),
        ["'r' (Conv2d)", "stride 1"],
    ),
    **{
        name: (graph({"late": nir.Delay(delay), "lif": lif()}), ["'late' (Delay)", words])
        for name, delay, words in (
            ("a delay of half a step", 1.5e-4 * ONES, "1.5 steps"),
            ("a delay that is no time", np.nan * ONES, "not a time"),
            ("a delay before its cause", -1e-4 * ONES, "not a time"),
            ("a delay without end", 5.0 * ONES, "50000 steps"),
            ("delays of another shape", 1e-4 * np.ones(4), "(4,)"),
        )
    },
    "a pool of a row": (
        graph({"p": nir.AvgPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])), "lif": lif()}),
        ["'p' (AvgPool2d)", "(3,)"],
    ),
    "a window of nothing": (
        graph({"p": nir.SumPool2d(np.array([0, 2]), np.array([2, 2]), np.array([0, 0])), "lif": lif()}),
        ["'p' (SumPool2d)", "(0, 2)"],
    ),
    "a convolution in time": (
        graph({"c": nir.Conv1d(3, np.ones((1, 1, 1)), 1, 0, 1, 1, np.zeros(1)), "lif": lif()}), ["'c' (Conv1d)"]
    ),
    "an edge to nowhere": (graph({"lif": lif()}, [("in", "fc"), ("fc", "lif"), ("lif", "oot")]), ["'oot'"]),
    "an edge twice": (graph({"a": lif()}, loop(("fc", "a"))), ["fc -> a twice"]),
    "no way to the output": (graph({"lif": lif()}, [("in", "fc"), ("fc", "lif")]), ["Output 'out'"]),
    "a neuron that nothing reads": (graph({"a": lif(), "b": lif()}, loop(("fc", "b"))), ["'b'"]),
    "a neuron that nothing drives": (graph({"a": lif(), "b": lif()}, loop(("b", "fc"))), ["'b'"]),
    "a neuron that drives itself alone": (
        graph({"a": lif(), "b": lif(), "x": SQUARE, "y": SQUARE}, loop(("b", "x"), ("x", "b"), ("b", "y"), ("y", "a"))),
        ["'b'", "itself alone"],
    ),
    "a time constant of 0": (graph({"lif": lif(tau=0 * ONES)}), ["'lif' (LIF)", "tau"]),
    "a time constant below the step": (graph({"lif": lif(tau=1e-5 * ONES)}), ["'lif' (LIF)", "1e-05", "dt="]),
    "a number that is none": (graph({"lif": lif(r=np.nan * ONES)}), ["'lif' (LIF)", "r "]),
    "a weight that is infinite": (graph({"x": nir.Scale(np.inf * ONES), "lif": lif()}), ["'x' (Scale)", "finite"]),
    "a threshold at the reset": (graph({"lif": lif(v_reset=ONES)}), ["'lif' (LIF)", "v_reset"]),
    "a threshold below the leak": (graph({"lif": lif(v_leak=2 * ONES)}), ["'lif' (LIF)", "threshold"]),
    "numbers of another shape": (
        graph({"lif": nir.LIF(*([np.ones(4)] * 4), 0 * np.ones(4))}), ["'lif' (LIF)", "(4,)", "(3,)"]
    ),
    "an output that is no row": (graph({"lif": lif(), "x": nir.Scale(np.ones(2))}), ["'x' (Scale)", "(2,)"]),
    "a reset of its own": (graph({"lif": lif(metadata={"reset": "bounce"})}), ["'lif' (LIF)", "bounce"]),
    "a unit of a node": (graph({"lif": lif(metadata={"unit": "furlong"})}), ["'lif' (LIF)", "furlong"]),
    "a unit of the graph": (graph({"lif": lif()}, metadata={"time_unit": "fortnight"}), ["fortnight", "ms"]),
    "a step of nothing": (graph({"lif": lif()}, metadata={"dt": 0.0}), ["0.0 seconds"]),
    "a discretisation of its own": (graph({"lif": lif()}, metadata={"discretisation": "rk4"}), ["rk4", "euler"]),
    "two inputs": (graph({"in2": nir.Input(np.array([2])), "lif": lif()}), ["2 Input nodes", "in2"]),
}  # fmt: skip


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_that_cannot_run_here_is_refused_by_name(name: str, tmp_path: Path) -> None:
    given, words = GRAPHS[name]
    with pytest.raises(UserError) as refused:
        net_of_graph(given)
    for word in words:
        assert word in str(refused.value), str(refused.value)
    assert "\n" not in str(refused.value)


def unknown_node(file: h5py.File) -> None:
    del file["node/nodes/lif/type"]
    file["node/nodes/lif/type"] = "Izhikevich"


def no_type(file: h5py.File) -> None:
    del file["node/nodes/lif/type"]


def half_a_node(file: h5py.File) -> None:
    del file["node/nodes/lif/v_threshold"]


def one_too_many(file: h5py.File) -> None:
    file["node/nodes/lif/colour"] = 3


def uneven(file: h5py.File) -> None:
    del file["node/nodes/lif/tau"]
    file["node/nodes/lif/tau"] = np.ones(7)


def empty(file: h5py.File) -> None:
    del file["node/nodes"]
    file.create_group("node/nodes")


def single(file: h5py.File) -> None:
    del file["node"]
    file["node/type"] = "LIF"


def other(file: h5py.File) -> None:
    del file["node"]
    file["data"] = 3


DAMAGES: list[tuple[Callable[[h5py.File], None], list[str]]] = [
    (unknown_node, ["'lif'", "Izhikevich"]), (no_type, ["'lif'"]), (half_a_node, ["'lif' (LIF)", "v_threshold"]),
    (one_too_many, ["'lif' (LIF)", "colour"]), (uneven, ["'lif' (LIF)"]), (empty, ["without nodes"]),
    (single, ["a single LIF"]), (other, ["no NIR graph"]),
]  # fmt: skip


@pytest.mark.parametrize(("damage", "words"), DAMAGES, ids=lambda one: getattr(one, "__name__", ""))
def test_a_file_that_was_changed_is_refused_by_name(
    damage: Callable[[h5py.File], None], words: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "net.nir"
    write_graph(path, graph({"lif": lif()}))
    with h5py.File(path, "r+") as file:
        damage(file)
    with pytest.raises(UserError) as refused:
        net_of_text(str(path))
    for word in [str(path), *words]:
        assert word in str(refused.value), str(refused.value)


@pytest.mark.parametrize("kept", [0, 7, 8, 100, 0.5, 0.9, 0.99])
def test_a_truncated_file_is_refused(kept: float, tmp_path: Path) -> None:
    path = tmp_path / "net.nir"
    write_graph(path, graph({"lif": lif()}))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept if kept >= 1 or kept == 0 else kept * len(whole))])
    with pytest.raises(UserError, match="truncated"):
        net_of_text(str(path))


def test_what_is_no_file_of_nir_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.nir").write_text("nodes: LIF")
    (tmp_path / "folder.nir").mkdir()
    for name, word in {"text.nir": "no NIR", "folder.nir": "is a folder", "absent.nir": "there is no file"}.items():
        with pytest.raises(UserError, match=word):
            net_of_text(str(tmp_path / name))


@pytest.mark.parametrize(("text", "words"), [
    ("net.nir:step=3", ["'step'", "dt"]), ("net.nir:unit=min", ["min", "ms"]), ("net.nir:dt=-1", ["dt", "above 0"]),
    ("net.nir:dt", ["'dt'"]), ("net.nir:surrogate=atam", ["atam", "atan"]), ("net.nir:method=exakt", ["exact"]),
])  # fmt: skip
def test_an_option_that_there_is_not_is_refused(text: str, words: list[str], tmp_path: Path) -> None:
    write_graph(tmp_path / "net.nir", graph({"lif": lif()}))
    with pytest.raises(UserError) as refused:
        net_of_text(str(tmp_path / text))
    for word in words:
        assert word in str(refused.value), str(refused.value)


PLAIN: dict[str, Any] = {"init_hidden": True, "reset_mechanism": "zero", "reset_delay": False}
SMALL: dict[str, Any] = {"input_shape": (8,), "classes": 3, "steps": 4, "norm": "none"}


@pytest.mark.parametrize(("net", "settings", "words"), [
    ("9", {"neuron": "lif"}, ["hidden1", "subtract", "reset=zero", "metadata"]),
    ("9", {"neuron": "cuba_lif:reset=zero:reset_delay=true"}, ["hidden1", "wipes"]),
    ("9", {"neuron": "lif:reset=zero:refractory=2"}, ["hidden1", "refractory=2"]),
    ("9", {"neuron": "alif"}, ["hidden1", "alif"]),
    ("9", {"neuron": "cuba_lif:alpha=1:reset=zero"}, ["hidden1", "alpha=1"]),
    ("9", {"readout_neuron": "lif"}, ["readout", "subtract"]),
    ("9", {"connection": "dynamic", "rule": "sigprop"}, ["hidden1", "Dynamic"]),
    ("c3k3-p2", {"input_shape": (1, 8, 8)}, ["readout", "maximum"]),
])  # fmt: skip
def test_a_net_that_nir_cannot_say_is_refused_by_its_layer(
    net: str, settings: dict[str, Any], words: list[str]
) -> None:
    learner = Learner(net, **{"rule": "bptt", **SMALL, **settings})
    with pytest.raises(UserError) as refused:
        learner.to_nir()
    for word in words:
        assert word in str(refused.value), str(refused.value)


@pytest.mark.parametrize(("modules", "shape", "words"), [
    ((nn.Conv1d(2, 4, 3), snntorch.Leaky(0.9, **PLAIN), nn.MaxPool1d(2), nn.Flatten(), nn.Linear(8, 3)), (2, 7),
     ["readout", "maximum"]),
    ((nn.Conv1d(2, 4, 3), snntorch.Leaky(0.9, **PLAIN), nn.AvgPool1d(2), nn.Flatten(), nn.Linear(8, 3)), (2, 7),
     ["readout", "average along lines"]),
    ((nn.Conv1d(2, 4, 3), nn.AvgPool1d(2), snntorch.Leaky(0.9, **PLAIN), nn.Flatten(), nn.Linear(8, 3)), (2, 7),
     ["hidden1", "average along lines"]),
    ((nn.Conv2d(2, 4, (3, 1)), nn.MaxPool2d(2), snntorch.Leaky(0.9, **PLAIN), nn.Flatten(), nn.Linear(8, 3)), (2, 5, 4),
     ["hidden1", "maximum"]),
    ((nn.Linear(8, 4), snntorch.Alpha(0.9, 0.8, init_hidden=True, reset_mechanism="zero"), nn.Linear(4, 3)), (8,),
     ["hidden1", "Alpha"]),
])  # fmt: skip
def test_a_module_that_nir_cannot_say_is_refused_by_its_layer(
    modules: tuple[nn.Module, ...], shape: tuple[int, ...], words: list[str]
) -> None:
    learner = Learner(nn.Sequential(*modules), "bptt", input_shape=shape, steps=4)
    with pytest.raises(UserError) as refused:
        learner.to_nir()
    for word in words:
        assert word in str(refused.value), str(refused.value)


def test_a_net_of_another_input_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"\(2,\), and samples have shape \(1, 3\)"):
        net_of_graph(graph({"lif": lif()}), None, (1, 3))
    assert net_of_graph(graph({"lif": lif()}), NirOptions(), (1, 2)).network.input_shape == (1, 2)
