"""Graphs that others wrote give the spikes that their equations give; snnTorch's give snnTorch's, and it reads ours."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import snntorch
import snntorch.utils
import torch
from nir_by_hand import run
from torch import Tensor, nn

from neurorules import Learner
from neurorules.exchange.nir.file import read_graph, write_graph
from neurorules.exchange.nir.options import NirOptions
from neurorules.exchange.nir.read import net_of_graph, net_of_text
from neurorules.language.errors import UserError

nir = pytest.importorskip("nir")
pytestmark = pytest.mark.filterwarnings("ignore:nirtorch.extract_nir_graph:DeprecationWarning")

STEPS = 25
GOLDEN = Path(__file__).parent / "golden"


class Draw:
    """Numbers of nodes at random, of a fixed seed."""

    def __init__(self, seed: int, shape: tuple[int, ...]) -> None:
        self.random, self.shape = np.random.default_rng(seed), shape

    def between(self, low: float, high: float) -> np.ndarray:
        return self.random.uniform(low, high, self.shape)

    def node(self, kind: str) -> Any:
        """A node of a kind, with numbers of each neuron's own."""
        r, leak, reset = self.between(20, 60), self.between(-0.2, 0.2), self.between(-0.5, 0.1)
        theta, tau, fast = self.between(0.3, 0.9), self.between(2e-4, 5e-3), self.between(1e-4, 2e-3)
        match kind:
            case "LIF":
                return nir.LIF(tau, r, leak, theta, reset)
            case "CubaLIF":
                return nir.CubaLIF(fast, tau, r, leak, theta, reset, self.between(1, 4))
            case "LI":
                return nir.LI(tau, r, leak)
            case "CubaLI":
                return nir.CubaLI(fast, tau, r, leak, self.between(1, 4))
            case "IF":
                return nir.IF(r * 100, theta, reset)
        return nir.I(r * 100)


def by_equations(graph: Any, drive: np.ndarray) -> np.ndarray:
    """What the graph's output is, (T, N)."""
    return run(graph, drive)["output"]


def ours(graph: Any, drive: np.ndarray, options: NirOptions | None = None) -> Tensor:
    """What the read-out sends of one sample, (T, N): spikes, or the membrane of one that leaks alone."""
    net = net_of_graph(graph, options)
    learner = Learner(net, "bptt", steps=len(drive), precision="float64")
    read = learner.respond(torch.from_numpy(drive)[:, None]).activity[-1]
    silent = getattr(learner.model.network.readout.neuron, "reset", "none") == "none"
    return (read.v if silent else read.S).values[:, 0]


def spikes(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    return (np.random.default_rng(seed).random((STEPS, *shape)) < 0.4).astype(np.float64)


@pytest.mark.parametrize("kind", ["LIF", "CubaLIF", "IF", "LI", "CubaLI", "I"])
@pytest.mark.parametrize("seed", range(8))
def test_every_neuron_of_nir_does_what_its_equations_say(kind: str, seed: int) -> None:
    draw = Draw(seed, (6,))
    hidden = nir.LIF(np.full(9, 1e-3), np.full(9, 30.0), np.zeros(9), np.full(9, 0.5), np.zeros(9))
    nodes = {
        "input": nir.Input(np.array([7])), "a": nir.Affine(Draw(seed + 50, (9, 7)).between(-0.2, 0.4), np.zeros(9)),
        "lif": hidden, "b": nir.Linear(Draw(seed + 70, (6, 9)).between(-0.2, 0.4)), "last": draw.node(kind),
        "output": nir.Output(np.array([6])),
    }  # fmt: skip
    graph = nir.NIRGraph(nodes, list(zip(nodes, list(nodes)[1:], strict=False)), metadata={"dt": 1e-4})
    drive = spikes(seed, (7,))
    expected = by_equations(graph, drive)
    np.testing.assert_allclose(ours(graph, drive), expected, atol=1e-9)
    assert np.ptp(expected) > 0


@pytest.mark.parametrize("kind", ["LIF", "CubaLIF", "IF", "LI", "CubaLI"])
@pytest.mark.parametrize("seed", range(4))
def test_hidden_neurons_recurrence_and_a_skip_do_what_their_equations_say(kind: str, seed: int) -> None:
    draw = Draw(seed, (9,))
    nodes = {
        "input": nir.Input(np.array([7])), "ff": nir.Affine(Draw(seed + 1, (9, 7)).between(-0.2, 0.4), np.zeros(9)),
        "cell": draw.node(kind), "up": nir.Affine(Draw(seed + 2, (5, 9)).between(-0.3, 0.4), np.full(5, 0.01)),
        "skip": nir.Linear(Draw(seed + 4, (5, 7)).between(-0.3, 0.4)), "last": Draw(seed, (5,)).node("LIF"),
        "loop": nir.Affine(Draw(seed + 3, (9, 9)).between(-0.2, 0.2), np.full(9, 0.02)),
        "output": nir.Output(np.array([5])),
    }  # fmt: skip
    sends = "cell"
    if kind in ("LI", "CubaLI"):
        nodes["spike"], sends = nir.Threshold(draw.between(0.2, 0.6)), "spike"
    edges = [("input", "ff"), ("ff", "cell"), (sends, "up"), ("input", "skip"), ("skip", "last"), ("up", "last"),
             (sends, "loop"), ("loop", "cell"), ("last", "output")]  # fmt: skip
    edges += [("cell", "spike")] if sends == "spike" else []
    graph = nir.NIRGraph(nodes, edges, metadata={"dt": 1e-4}, type_check=False)
    drive = spikes(seed, (7,))
    everything = run(graph, drive)
    assert 0 < everything[sends].mean() < 1
    np.testing.assert_allclose(ours(graph, drive), everything["output"], atol=1e-9)


@pytest.mark.parametrize(("side", "stride", "around", "pool"), [(5, 2, 1, "SumPool2d"), (3, 1, 1, "AvgPool2d"),
                                                                (3, 1, "same", "SumPool2d"), (4, 1, 2, "AvgPool2d"),
                                                                (2, 2, "valid", "SumPool2d")])  # fmt: skip
def test_maps_of_any_border_pools_and_scales_do_what_their_equations_say(
    side: int, stride: int, around: Any, pool: str, tmp_path: Path
) -> None:
    def conv(maps: int, below: int, side: int, stride: int, around: Any, seed: int) -> Any:
        weights = Draw(seed, (maps, below, side, side)).between(-0.2, 0.4)
        return nir.Conv2d((12, 10), weights, stride, around, 1, 1, np.full(maps, 0.01))

    first = conv(4, 2, side, stride, around, 1)
    border = {"same": side // 2, "valid": 0}.get(around, around)
    high, wide = ((n + 2 * border - side) // stride + 1 for n in (12, 10))
    maps = (4, high, wide)
    pooled = (4, high // 2, wide // 2)
    flat = math.prod(pooled)
    nodes = {
        "input": nir.Input(np.array([2, 12, 10])), "conv": first, "if": nir.IF(np.full(maps, 1e4), np.full(maps, 0.7)),
        "pool": getattr(nir, pool)(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        "scale": nir.Scale(Draw(3, pooled).between(0.5, 1.5)), "flat": nir.Flatten({"input": np.array(pooled)}, 0, -1),
        "fc": nir.Linear(Draw(4, (6, flat)).between(-1, 1) / flat**0.5),
        "gain": nir.Scale(Draw(6, (6,)).between(0.5, 1.5)),
        "lif": Draw(5, (6,)).node("LIF"), "output": nir.Output(np.array([6])),
    }  # fmt: skip
    graph = nir.NIRGraph(nodes, list(zip(nodes, list(nodes)[1:], strict=False)), {"dt": 1e-4}, type_check=False)
    write_graph(tmp_path / "net.nir", graph)
    drive = spikes(1, (2, 12, 10))
    expected = by_equations(graph, drive)
    np.testing.assert_allclose(ours(read_graph(tmp_path / "net.nir"), drive), expected, atol=1e-9)
    assert 0 < expected.mean() < 1


def chain(*nodes: Any, metadata: dict[str, Any] | None = None) -> Any:
    named = {"output" if node is nodes[-1] else f"{number}": node for number, node in enumerate(nodes)}
    return nir.NIRGraph(named, list(zip(named, list(named)[1:], strict=False)), metadata=metadata or {})


def one_lif(tau: float, metadata: dict[str, Any] | None = None, own: dict[str, Any] | None = None) -> Any:
    ones = np.ones(3)
    lif = nir.LIF(tau * ones, 10 * ones, 0 * ones, ones, 0 * ones, metadata=own or {})
    weights = np.array([[0.3], [0.5], [0.9]])
    return chain(nir.Input(np.array([1])), nir.Linear(weights), lif, nir.Output(np.array([3])), metadata=metadata)


@pytest.mark.parametrize(
    ("tau", "metadata", "own", "options"),
    [
        (2e-3, {}, {}, {}), (2e-2, {}, {}, {"dt": 1e-3}), (2e-2, {"dt": 1e-3}, {}, {}),
        (20.0, {}, {}, {"unit": "steps"}),
        (2.0, {}, {}, {"unit": "ms"}), (2.0, {"time_unit": "ms", "dt": 1e-4}, {}, {}), (2000.0, {"unit": "us"}, {}, {}),
        (20.0, {"time_unit": "ms"}, {}, {"dt": 1e-3}), (2.0, {}, {"time_unit": "ms"}, {}),
        (2.0, {"time_unit": "furlong"}, {}, {"unit": "ms"}),
    ],
)  # fmt: skip
def test_every_unit_of_time_gives_the_same_spikes(
    tau: float, metadata: dict[str, Any], own: dict[str, Any], options: dict[str, Any]
) -> None:
    drive = np.ones((STEPS, 1))
    expected = by_equations(one_lif(2e-3), drive)
    assert 0 < expected.mean() < 1
    np.testing.assert_array_equal(ours(one_lif(tau, metadata, own), drive, NirOptions(**options)), expected)


def test_the_exact_method_is_the_solution_of_the_equation_for_a_current_that_is_constant() -> None:
    tau, drive = 2e-3, np.ones((STEPS, 1))
    ones = np.ones(3)
    graph = chain(nir.Input(np.array([1])), nir.Linear(np.array([[0.3], [0.5], [0.9]])),
                  nir.LI(tau * ones, 2 * ones, 0 * ones), nir.Output(np.array([3])))  # fmt: skip
    time = np.arange(1, STEPS + 1)[:, None] * 1e-4
    expected = 2 * np.array([0.3, 0.5, 0.9]) * (1 - np.exp(-time / tau))
    np.testing.assert_allclose(ours(graph, drive, NirOptions(method="exact")), expected, rtol=1e-12)


def test_an_if_without_a_step_adds_r_at_once_as_other_programs_have_it() -> None:
    weights, ones = np.array([[0.25], [0.5], [1.0]]), np.ones(3)
    graph = chain(nir.Input(np.array([1])), nir.Linear(weights), nir.IF(ones, ones), nir.Output(np.array([3])))
    sums = ours(graph, np.ones((20, 1))).sum(0)
    assert sums.tolist() == [20 // 5, 20 // 3, 20 // 2]
    slow = ours(graph, np.ones((20, 1)), NirOptions(dt=1e-3))
    assert slow.sum() == 0


def test_membranes_begin_where_they_leak_to_or_at_zero() -> None:
    ones = np.ones(1)
    graph = chain(nir.Input(np.array([1])), nir.Linear(np.zeros((1, 1))), nir.LI(1e-3 * ones, ones, 0.5 * ones),
                  nir.Output(np.array([1])))  # fmt: skip
    drive = np.zeros((STEPS, 1))
    assert torch.equal(ours(graph, drive), torch.full((STEPS, 1), 0.5, dtype=torch.float64))
    decay = 0.9 ** np.arange(1, STEPS + 1)[:, None]
    np.testing.assert_allclose(ours(graph, drive, NirOptions(start="zero")), 0.5 * (1 - decay), rtol=1e-12)


def test_a_graph_inside_a_graph_is_joined_to_it() -> None:
    ones = np.ones(4)
    inner = nir.NIRGraph(
        {"in": nir.Input(np.array([4])), "lif": nir.LIF(1e-3 * ones, 10 * ones, 0 * ones, ones, 0 * ones),
         "w_rec": nir.Affine(Draw(1, (4, 4)).between(-0.3, 0.3), 0.1 * ones), "out": nir.Output(np.array([4]))},
        [("in", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "out")],
    )  # fmt: skip
    fc = nir.Affine(Draw(2, (4, 3)).between(0, 0.6), 0 * ones)
    head = nir.Linear(Draw(3, (2, 4)).between(0, 0.9))
    last = nir.LIF(1e-3 * ones[:2], 10 * ones[:2], 0 * ones[:2], ones[:2])
    outer = chain(nir.Input(np.array([3])), fc, inner, head, last, nir.Output(np.array([2])))
    flat = nir.NIRGraph(
        {"input": nir.Input(np.array([3])), "fc": fc, "lif": inner.nodes["lif"], "w_rec": inner.nodes["w_rec"],
         "head": head, "last": last, "output": nir.Output(np.array([2]))},
        [("input", "fc"), ("fc", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "head"), ("head", "last"),
         ("last", "output")],
    )  # fmt: skip
    drive = spikes(5, (3,))
    expected = by_equations(flat, drive)
    assert 0 < expected.mean() < 1
    np.testing.assert_array_equal(ours(outer, drive), expected)


def affine(rows: int, columns: int, seed: int, bias: float = 0.1) -> Any:
    return nir.Affine(Draw(seed, (rows, columns)).between(-0.3, 0.5), np.full(rows, bias))


@pytest.mark.parametrize("seed", range(3))
def test_a_map_that_several_nodes_drive_adds_its_bias_once(seed: int) -> None:
    nodes = {
        "input": nir.Input(np.array([5])), "first": affine(5, 5, seed), "cell": Draw(seed, (5,)).node("LIF"),
        "shared": affine(4, 5, seed + 9), "last": Draw(seed, (4,)).node("LI"), "output": nir.Output(np.array([4])),
    }  # fmt: skip
    edges = [("input", "first"), ("first", "cell"), ("cell", "shared"), ("input", "shared"), ("shared", "last"),
             ("last", "output")]  # fmt: skip
    graph = nir.NIRGraph(nodes, edges, metadata={"dt": 1e-4}, type_check=False)
    drive = spikes(seed, (5,))
    np.testing.assert_allclose(ours(graph, drive), by_equations(graph, drive), atol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_a_recurrent_layer_as_spyx_writes_it_is_driven_through_its_recurrent_weights(seed: int) -> None:
    beta, ones = np.full(6, 0.9), np.ones(6)
    inner = nir.NIRGraph(
        {"1.lif": nir.LIF(1 / (1 - beta), beta * 5, 0 * ones, 0.3 * ones), "1.w_rec": affine(6, 6, seed),
         "1.input": nir.Input({"input": np.array([6])}), "1.output": nir.Output({"output": np.array([6])})},
        [("1.input", "1.w_rec"), ("1.w_rec", "1.lif"), ("1.lif", "1.w_rec"), ("1.lif", "1.output")],
    )  # fmt: skip
    ends = {"input": nir.Input({"input": np.array([5])}), "output": nir.Output({"output": np.array([2])})}
    maps = {"0": affine(6, 5, seed + 1), "2": affine(2, 6, seed + 2)}
    last = nir.LIF(1 / (1 - beta[:2]), beta[:2], 0 * ones[:2], 0.01 * ones[:2])
    outer = nir.NIRGraph({**ends, **maps, "1": inner, "3": last},
                         [("input", "0"), ("0", "1"), ("1", "2"), ("2", "3"), ("3", "output")])  # fmt: skip
    flat = nir.NIRGraph({**ends, **maps, "lif": inner.nodes["1.lif"], "w_rec": inner.nodes["1.w_rec"], "3": last},
                        [("input", "0"), ("0", "w_rec"), ("w_rec", "lif"), ("lif", "w_rec"), ("lif", "2"), ("2", "3"),
                         ("3", "output")])  # fmt: skip
    drive = spikes(seed, (5,))
    expected = run(flat, drive, dt=1.0)
    assert 0 < expected["lif"].mean() < 1 and expected["output"].any()
    np.testing.assert_array_equal(ours(outer, drive, NirOptions(unit="steps")), expected["output"])


class Classes(nn.Module):
    """A class-based net of snnTorch, whose forward computes one step."""

    def __init__(self) -> None:
        super().__init__()
        wide: dict[str, Any] = {"init_hidden": True, "reset_mechanism": "zero", "reset_delay": False}
        self.fc1, self.lif1 = (
            nn.Linear(8, 12),
            snntorch.Leaky(torch.linspace(0.5, 0.95, 12), torch.full((12,), 0.4), **wide),
        )
        self.fc2 = nn.Linear(12, 5)
        self.lif2 = snntorch.Synaptic(torch.full((5,), 0.6), torch.full((5,), 0.8), torch.full((5,), 0.5), **wide)

    def forward(self, x: Tensor) -> Tensor:
        return self.lif2(self.fc2(self.lif1(self.fc1(x))))


def test_a_class_of_snntorch_comes_in_by_its_own_export_with_its_spikes(tmp_path: Path) -> None:
    pytest.importorskip("nirtorch")
    from snntorch.export_nir import export_to_nir

    torch.manual_seed(3)
    module = Classes()
    graph = export_to_nir(module, torch.zeros(8))
    write_graph(tmp_path / "snntorch.nir", graph)
    drive = (torch.rand(STEPS, 3, 8) < 0.5).float()
    snntorch.utils.reset(module)
    expected = torch.stack([module(row) for row in drive])
    assert 0 < expected.mean() < 1
    for net in (graph, str(tmp_path / "snntorch.nir")):
        sent = Learner(net, "bptt", steps=STEPS).respond(drive).activity[-1].S.values
        assert torch.equal(sent, expected)


@pytest.mark.parametrize("neuron", ["lif:beta=0.9:v_threshold=0.5", "cuba_lif:alpha=0.7:beta=0.9:v_threshold=0.5"])
def test_snntorch_reads_what_is_written_and_gives_the_same_spikes(neuron: str, tmp_path: Path) -> None:
    pytest.importorskip("nirtorch")
    from snntorch.import_nir import import_from_nir

    learner = Learner("20-15", "bptt", input_shape=(8,), classes=5, steps=STEPS, norm="none",
                      neuron=f"{neuron}:reset=zero",
                      readout_neuron="lif:beta=0.8:reset=zero:v_threshold=0.4")  # fmt: skip
    write_graph(tmp_path / "net.nir", learner.to_nir())
    module = import_from_nir(nir.read(tmp_path / "net.nir"))
    drive = (torch.rand(STEPS, 3, 8, generator=torch.Generator().manual_seed(1)) < 0.5).float()
    state, sent = None, []
    for row in drive:
        out, state = module(row, state)
        sent.append(out.detach())
    expected = learner.respond(drive).activity[-1].S.values
    assert 0 < expected.mean() < 1
    assert torch.equal(torch.stack(sent), expected)


def test_a_recurrent_layer_of_snntorch_comes_in_with_its_spikes() -> None:
    pytest.importorskip("nirtorch")
    from snntorch.export_nir import export_to_nir

    torch.manual_seed(5)
    wide: dict[str, Any] = {"init_hidden": True, "reset_mechanism": "zero", "reset_delay": False}
    lif = snntorch.RLeaky(torch.full((9,), 0.9), linear_features=9, threshold=torch.full((9,), 0.4), **wide)
    module = nn.Sequential(nn.Linear(8, 9), lif)
    graph = export_to_nir(module, torch.zeros(8))
    drive = (torch.rand(STEPS, 3, 8) < 0.5).float()
    snntorch.utils.reset(module)
    expected = torch.stack([module(row) for row in drive]).detach()
    assert 0 < expected.mean() < 1
    assert torch.equal(Learner(graph, "bptt", steps=STEPS).respond(drive).activity[-1].S.values, expected)


def test_decays_of_all_integers_of_loihi_come_back_to_the_last_bit(tmp_path: Path) -> None:
    kept = np.arange(1, 4096) / 4096
    learner = Learner("4095", "bptt", input_shape=(1,), classes=2, steps=2, norm="none", neuron="lif:reset=zero",
                      precision="float64")  # fmt: skip
    from dataclasses import replace

    network = learner.model.network
    hidden = network.layers[0]
    neuron = replace(hidden.neuron, beta=torch.from_numpy(kept))  # type: ignore[type-var]
    own = replace(network, layers=(replace(hidden, neuron=neuron), *network.layers[1:]))
    graph = Learner(own, "bptt", steps=2, precision="float64").to_nir()
    tau = graph.nodes["hidden1"].tau
    assert np.abs(1 - 1e-4 / tau - kept).max() < 1e-12
    write_graph(tmp_path / "net.nir", graph)
    back = net_of_text(str(tmp_path / "net.nir")).network.layers[0].neuron
    np.testing.assert_array_equal(back.beta.numpy(), kept)  # type: ignore[attr-defined]
    graph.nodes["hidden1"].metadata = {}
    plain = net_of_graph(graph).network.layers[0].neuron
    np.testing.assert_array_equal(np.round(plain.beta.numpy() * 4096), kept * 4096)  # type: ignore[attr-defined]


def test_a_convolution_of_an_older_file_says_no_shape_and_comes_in(tmp_path: Path) -> None:
    weights = Draw(1, (3, 1, 3, 3)).between(-0.2, 0.5)
    lif = nir.LIF(*(np.full((3, 6, 5), value) for value in (1e-3, 10.0, 0.0, 1.0, 0.0)))
    flat = nir.Flatten({"input": np.array([3, 6, 5])}, 0, -1)
    head = nir.Linear(Draw(2, (4, 90)).between(-0.1, 0.1))
    graph = chain(nir.Input(np.array([1, 6, 5])), nir.Conv2d((6, 5), weights, 1, 1, 1, 1, np.zeros(3)), lif, flat, head,
                  nir.LI(*(np.full(4, value) for value in (1e-3, 1.0, 0.0))), nir.Output(np.array([4])))  # fmt: skip
    write_graph(tmp_path / "net.nir", graph)
    with h5py.File(tmp_path / "net.nir", "r+") as file:
        del file["node/nodes/1/input_shape"]
    drive = spikes(2, (1, 6, 5))
    expected = by_equations(graph, drive)
    assert np.ptp(expected) > 0
    np.testing.assert_allclose(ours(read_graph(tmp_path / "net.nir"), drive), expected, atol=1e-9)


def test_a_file_that_norse_wrote_gives_the_spikes_of_norse() -> None:
    stored = np.load(GOLDEN / "norse_lif_box.npz")
    spikes = torch.from_numpy(stored["x"])[:, None, None]
    file = GOLDEN / "norse_lif_box.nir"
    learner = Learner(f"{file}:dt=0.000001", input_shape=(1, 4), rule="dfa", device="cpu")
    sent = learner.respond(spikes).activity[-1].S.values[:, 0]
    assert sent.sum() == 19 and np.array_equal(sent.numpy(), stored["y"])


@pytest.mark.parametrize(
    ("name", "options", "sums"), [("li_box", "dt=0.000001", -8), ("iaf", "", 27), ("iaf", "dt=0.001:input=charge", 27)]
)
def test_files_of_other_cells_of_norse_give_what_norse_gives(name: str, options: str, sums: int) -> None:
    stored = np.load(GOLDEN / "norse_cells.npz")
    learner = Learner(f"{GOLDEN / f'norse_{name}.nir'}{':' if options else ''}{options}", "bptt", device="cpu")
    assert learner.model.network.input_shape == (4,)  # the file's (1, 4) has a batch
    read = learner.respond(torch.from_numpy(stored["x"])[:, None]).activity[-1]
    sent = (read.v if name == "li_box" else read.S).values[:, 0]
    np.testing.assert_allclose(sent.numpy(), stored[name], atol=1e-6)
    assert int(stored[name].sum()) == sums


@pytest.mark.parametrize(
    ("name", "options"), [("li_box", NirOptions(dt=1e-6)), ("cuba", NirOptions(dt=1e-6)), ("iaf", NirOptions(dt=0.25))]
)
def test_files_of_norse_give_what_their_equations_give(name: str, options: NirOptions) -> None:
    graph = read_graph(GOLDEN / f"norse_{name}.nir")
    drive = 4.0 * np.load(GOLDEN / "norse_cells.npz")["x"].astype(np.float64)
    expected = run(graph, drive, options.dt or 0.0)["output"]
    assert np.ptp(expected) > 0
    np.testing.assert_allclose(ours(graph, drive, options), expected, atol=1e-6)


def test_cells_of_norse_whose_numbers_have_no_axis_come_in_from_memory() -> None:
    """Norse's newest exporter writes tau in seconds, and the defaults of its cells as numbers without an axis."""
    one = np.ones((), np.float32)
    nodes = {"input_tensor": nir.Input(np.array([4])), "_0": affine(6, 4, 1),
             "_1": nir.LIF(one / 100, one, 0 * one, 0.1 * one, 0 * one), "_2": affine(2, 6, 2),
             "_3": nir.CubaLIF(one / 200, one / 100, one, 0 * one, 0.01 * one, 0 * one, one),
             "output": nir.Output(None)}  # fmt: skip
    graph = nir.NIRGraph(nodes, list(zip(nodes, list(nodes)[1:], strict=False)), type_check=False)
    drive = spikes(4, (4,))
    expected = run(graph, drive, 1e-3)["output"]
    assert 0 < expected.mean() < 1
    np.testing.assert_array_equal(ours(graph, drive, NirOptions(dt=1e-3)), expected)


def test_the_step_that_norse_had_in_mind_is_refused_since_its_file_has_it_in_tau_already() -> None:
    with pytest.raises(UserError, match="tau of 5e-06"):
        net_of_text(f"{GOLDEN / 'norse_lif_box.nir'}:dt=0.001")
