"""The network of a run as nodes and edges of SONATA, read back by h5py and by libsonata."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import h5py
import libsonata
import numpy as np
import pytest
import torch

from neurorules.brian2_steps.trained import numbers_of
from neurorules.cli import run
from neurorules.exchange.sonata import Edges, Nodes, write_network
from neurorules.runner.sonata_network import edges_of, nodes_of
from neurorules.torch_path.training.learner import Learner

NET = [
    "--data",
    "digits",
    "--limit",
    "40",
    "--epochs",
    "1",
    "--steps",
    "4",
    "--net",
    "6-r5",
    "--neuron",
    "lif:beta=0.8",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, its trace `t.h5`, and the export of both, `t.sonata`."""
    at = tmp_path_factory.mktemp("sonata")
    assert run(["train", "--rule", "dfa", *NET, "--readout", "all", "--out", str(at / "run")]) == 0
    assert run(["record", str(at / "run"), "--samples", "2", "--out", str(at / "t.h5"), "--dt-ms", "2"]) == 0
    assert run(["export", str(at / "t.h5"), "--to", "sonata", "--network", str(at / "run")]) == 0
    return at


def test_nodes_and_edges_are_laid_out_as_sonata_says(folder: Path) -> None:
    at = folder / "t.sonata"
    with (
        h5py.File(at / "nodes.h5") as nodes,
        h5py.File(at / "edges.h5") as edges,
        h5py.File(at / "spikes.h5") as spikes,
    ):
        assert nodes.attrs["magic"] == edges.attrs["magic"] == 0x0A7A
        assert set(nodes["nodes"]) == {"input", "hidden1", "hidden2", "readout"}
        assert set(spikes["spikes"]) <= set(nodes["nodes"])
        for name, size in (("input", 64), ("hidden1", 6), ("hidden2", 5), ("readout", 10)):
            one = nodes[f"nodes/{name}"]
            assert {len(one[part]) for part in ("node_type_id", "node_group_id", "node_group_index")} == {size}
            assert list(one["node_group_index"][:]) == list(range(size)) and not one["node_group_id"][:].any()
        assert set(edges["edges"]) == {"hidden1_ff", "hidden2_ff", "hidden2_rec", "readout_hidden1", "readout_hidden2"}
        loop = edges["edges/hidden2_rec"]
        assert loop["source_node_id"].attrs["node_population"] == "hidden2"
        assert loop["target_node_id"].attrs["node_population"] == "hidden2"
        assert len(loop["edge_group_index"]) == len(loop["edge_type_id"]) == len(loop["0/syn_weight"]) == 25
    types = {}
    for kind in ("node", "edge"):
        with (at / f"{kind}_types.csv").open(encoding="utf-8") as file:
            types[kind] = {row["population"]: row for row in csv.DictReader(file, delimiter=" ")}
    assert types["node"]["input"]["model_type"] == "virtual"
    assert types["node"]["hidden2"]["model_template"] == "neurorules:lif"
    assert types["edge"]["readout_hidden1"]["source_population"] == "hidden1"


def test_libsonata_finds_the_net_of_the_run(folder: Path) -> None:
    from neurorules.torch_path.training.restore import restore

    config = libsonata.CircuitConfig.from_file(folder / "t.sonata" / "circuit_config.json")
    assert config.node_populations == {"input", "hidden1", "hidden2", "readout"}
    learner = restore(folder / "run", precision="float64", device="cpu").learner
    parameters, norms = numbers_of(learner.model, learner.trial_state())
    for name, steps in (("hidden1.ff", 1), ("hidden2.ff", 1), ("hidden2.rec", 1), ("readout.hidden1", 2)):
        layer = name.partition(".")[0]
        edges = config.edge_population(name.replace(".", "_"))
        everything = edges.select_all()
        weights = np.zeros(parameters[f"{name}.w"].shape)
        where = edges.target_nodes(everything), edges.source_nodes(everything)
        weights[where] = edges.get_attribute("syn_weight", everything)
        gain = norms[layer].gain[:, None] if layer in norms else 1.0
        np.testing.assert_allclose(weights, parameters[f"{name}.w"] * gain, rtol=1e-15, err_msg=name)
        assert set(edges.get_attribute("delay", everything)) == {2.0 * steps}
        assert len(np.unique(np.stack(where), axis=1).T) == edges.size == weights.size
    edges = config.edge_population("hidden1_ff")
    assert list(edges.source_nodes(edges.afferent_edges([3]))) == list(range(64))
    assert list(edges.target_nodes(edges.efferent_edges([7]))) == list(range(6))
    neurons = config.node_population("hidden1")
    assert set(neurons.get_dynamics_attribute("beta", neurons.select_all())) == {0.8}


def test_a_convolution_has_its_own_edges_and_indices_are_those_of_libsonata(tmp_path: Path) -> None:
    learner = Learner(
        "c2k3-a2", "dfa", input_shape=(1, 6, 6), classes=3, norm="none", precision="float64", device="cpu"
    )
    parameters, norms = numbers_of(learner.model, learner.trial_state())
    network = learner.model.network
    write_network(nodes_of(network, parameters, norms, "lif"), edges_of(network, parameters, norms, 1.0), tmp_path)
    x = torch.rand(1, 1, 6, 6, dtype=torch.float64)
    [afferent] = network.layers[0].inputs
    there = np.zeros(2 * 6 * 6)
    with h5py.File(tmp_path / "edges.h5", "r+") as file:
        one = file["edges/hidden1_ff"]
        rows = one["0/syn_weight"][:] * x.numpy().reshape(-1)[one["source_node_id"][:]]
        np.add.at(there, one["target_node_id"][:], rows)
        ours = {
            f"{way}/{part}": one[f"indices/{way}/{part}"][:] for way in one["indices"] for part in one[f"indices/{way}"]
        }
        del one["indices"]
    weights = learner.learned.parameters["hidden1.ff.w"]
    current = afferent.connection.current(weights, x)
    np.testing.assert_allclose(there, current.numpy().reshape(-1), rtol=0, atol=1e-12)
    libsonata.EdgePopulation.write_indices(str(tmp_path / "edges.h5"), "hidden1_ff", 36, 72, False)
    with h5py.File(tmp_path / "edges.h5") as file:
        for name, values in ours.items():
            assert np.array_equal(file[f"edges/hidden1_ff/indices/{name}"][:], values), name


def test_edges_in_any_order_keep_their_weights(tmp_path: Path) -> None:
    pre, post, weights = np.array([2, 0, 1, 1]), np.array([1, 1, 0, 1]), np.array([0.1, 0.2, 0.3, 0.4])
    edges = Edges("a_b", "a", "b", pre, post, weights, 1.0)
    write_network([Nodes("a", 3), Nodes("b", 2, "neurorules:lif")], [edges], tmp_path)
    there = libsonata.EdgeStorage(str(tmp_path / "edges.h5")).open_population("a_b")
    everything = there.select_all()
    ends = zip(there.source_nodes(everything), there.target_nodes(everything), strict=True)
    found = dict(zip(ends, there.get_attribute("syn_weight", everything), strict=True))
    assert found == dict(zip(zip(pre, post, strict=True), weights, strict=True))


@pytest.mark.parametrize(
    ("to", "net", "said"),
    [("npz", "run", "--network is for --to sonata"), ("sonata", "other", "Name the run that it was recorded from")],
)
def test_a_network_that_does_not_belong_there_is_refused(
    folder: Path, to: str, net: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if net == "other":
        given = ["--data", "digits", "--limit", "20", "--epochs", "1", "--net", "3", "--steps", "2"]
        assert run(["train", "--rule", "shallow", *given, "--out", str(folder / "other")]) == 0
    capsys.readouterr()
    out = tmp_path / "new"
    assert run(["export", str(folder / "t.h5"), "--to", to, "--out", str(out), "--network", str(folder / net)]) == 2
    assert said in capsys.readouterr().err
    assert not out.exists()
    assert json.loads((folder / "t.sonata" / "trace.json").read_text(encoding="utf-8"))["dt_ms"] == 2.0
