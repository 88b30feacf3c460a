"""Files of NIR written with h5py alone, as older versions and other programs write them, give their spikes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from neurorules import Learner
from neurorules.exchange.nir.read import net_of_text
from neurorules.language.errors import UserError

pytest.importorskip("nir")

STEPS = 25
ONE = np.ones(3)
WEIGHT = np.array([[0.2, 0.3], [0.5, 0.1], [0.3, 0.3]])
NODES: dict[str, dict[str, Any]] = {
    "input": {"type": "Input", "shape": np.array([2])},
    "fc": {"type": "Linear", "weight": WEIGHT},
    "lif": {"type": "LIF", "tau": 1e-3 * ONE, "r": 20 * ONE, "v_leak": 0 * ONE, "v_threshold": 0.4 * ONE},
    "output": {"type": "Output", "shape": np.array([3])},
}
EDGES = [("input", "fc"), ("fc", "lif"), ("lif", "output")]
DRIVE = (np.random.default_rng(4).random((STEPS, 2)) < 0.5).astype(np.float64)


def changed(node: str, **numbers: Any) -> dict[str, dict[str, Any]]:
    """The nodes with other numbers of one of them; None takes one away."""
    own = {key: value for key, value in (NODES[node] | numbers).items() if value is not None}
    return NODES | {node: own}


def renamed(old: str, new: str) -> tuple[dict[str, dict[str, Any]], list[tuple[str, str]]]:
    nodes = {new if name == old else name: numbers for name, numbers in NODES.items()}
    return nodes, [(new if a == old else a, new if b == old else b) for a, b in EDGES]


def write(
    path: Path, nodes: dict[str, dict[str, Any]] = NODES, edges: Any = EDGES, version: str | None = "0.2"
) -> Path:
    with h5py.File(path, "w") as file:
        if version is not None:
            file["version"] = version
        graph = file.create_group("node")
        graph["type"] = "NIRGraph"
        graph["edges"] = np.array(edges, dtype=h5py.string_dtype()) if isinstance(edges, list) else edges
        for name, numbers in nodes.items():
            for key, value in numbers.items():
                graph[f"nodes/{name}/{key}"] = value
    return path


def by_equations(reset: float = 0.0, weight: np.ndarray = WEIGHT) -> np.ndarray:
    """Spikes of tau v' = -v + r I, by steps of 0.1 ms."""
    v, spikes = np.zeros(3), []
    for x in DRIVE:
        v = v + 0.1 * (-v + 20 * (weight @ x))
        spikes.append(v > 0.4)
        v = np.where(v > 0.4, reset, v)
    return np.array(spikes, np.float64)


FORMS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "without a version": {"version": None},
    "edges of fixed length": {"edges": np.array(EDGES, dtype="S")},
    "edges in another order": {"edges": EDGES[::-1]},
    "names with dots": dict(zip(("nodes", "edges"), renamed("fc", "net.0.fc"), strict=True)),
    "names beyond ASCII": dict(zip(("nodes", "edges"), renamed("fc", "größe"), strict=True)),
    "numbers without an axis": {"nodes": changed("lif", tau=1e-3, r=20.0, v_leak=0.0, v_threshold=0.4)},
    "whole numbers": {"nodes": changed("lif", r=np.full(3, 20), v_leak=np.zeros(3, int), v_reset=np.zeros(3, int))},
    "arrays of one number among others": {"nodes": changed("lif", tau=np.array([1e-3]), v_leak=0, v_reset=0)},
    "single precision": {"nodes": changed("lif", v_leak=np.zeros(3, "f4"), v_reset=np.zeros(3, "f4"))},
    "numbers of the other byte order": {"nodes": changed("lif", tau=(1e-3 * ONE).astype(">f8"))},
    "types of its ends beside the shape": {"nodes": changed("input", input_type=np.array([2]))},
    "types of a node's ends": {"nodes": changed("lif", input_type=np.array([3]), output_type=np.array([3]))},
    "an input type in place of a shape": {
        "nodes": changed("input", **{"shape": None, "input_type/input": np.array([2])})
    },
    "a shape of one number": {"nodes": changed("input", shape=2)},
    "a shape with a batch": {"nodes": changed("input", shape=np.array([1, 2]))},
    "an output without a shape": {"nodes": changed("output", shape=None)},
    "a type of fixed length": {"nodes": changed("lif", type=np.bytes_("LIF"))},
    "a type in an array": {"nodes": changed("lif", type=np.array([b"LIF"]))},
    "metadata of its own": {"nodes": changed("lif", **{"metadata/layer": 3, "metadata/by": "hand"})},
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_a_file_in_any_form_gives_the_spikes_of_its_equations(form: str, tmp_path: Path) -> None:
    path = write(tmp_path / "net.nir", **FORMS[form])
    np.testing.assert_array_equal(spikes_of(path), by_equations())
    assert 0 < by_equations().mean() < 1


def spikes_of(path: Path) -> np.ndarray:
    learner = Learner(str(path), "bptt", steps=STEPS, precision="float64")
    return learner.respond(torch.from_numpy(DRIVE)[:, None]).activity[-1].S.values[:, 0].numpy()


def test_a_reset_and_weights_of_true_and_false_count(tmp_path: Path) -> None:
    path = write(tmp_path / "net.nir", changed("lif", v_reset=-0.5))
    np.testing.assert_array_equal(spikes_of(path), by_equations(reset=-0.5))
    ones = np.array([[True, False], [True, True], [False, True]])
    path = write(tmp_path / "net.nir", changed("fc", weight=ones))
    np.testing.assert_array_equal(spikes_of(path), by_equations(weight=ones.astype(float)))
    assert not np.array_equal(by_equations(), by_equations(reset=-0.5))


FAULTS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "a type in small letters": ({"nodes": changed("lif", type="lif")}, ["'lif'", "Did you mean LIF?"]),
    "a type that is a number": ({"nodes": changed("lif", type=3)}, ["'lif'", "'3'"]),
    "a time constant in words": ({"nodes": changed("lif", tau="1 ms")}, ["'lif' (LIF)", "tau"]),
    "weights in words": ({"nodes": changed("fc", weight="abc")}, ["'fc' (Linear)"]),
    "weights of one axis": ({"nodes": changed("fc", weight=np.ones(2))}, ["'fc' (Linear)"]),
    "weights of three axes": ({"nodes": changed("fc", weight=np.ones((3, 2, 1)))}, ["'fc' (Linear)", "(3, 2, 1)"]),
    "no weights": ({"nodes": changed("fc", weight=np.ones((0, 2)))}, ["'fc' (Linear)", "(0, 2)"]),
    "complex weights": ({"nodes": changed("fc", weight=np.ones((3, 2), complex))}, ["'fc' (Linear)", "real"]),
    "an input without a shape": ({"nodes": changed("input", shape=None)}, ["'input'", "no shape"]),
    "an input of less than nothing": ({"nodes": changed("input", shape=np.array([-2]))}, ["'input'", "shape"]),
    "a node without content": ({"nodes": NODES | {"bad": {"x": 1}}}, ["'bad'"]),
    "edges of three ends": ({"edges": np.array([[b"input", b"fc", b"lif"]])}, ["edge of 3 ends"]),
    "edges of numbers": ({"edges": np.array([[0, 1]])}, ["no node '0'"]),
    "no edges": ({"edges": np.zeros((0, 2), "S1")}, ["nothing reaches the Output 'output'"]),
    "not a number": ({"nodes": changed("lif", tau=np.nan * ONE)}, ["'lif' (LIF)", "tau"]),
    "no tau": ({"nodes": changed("lif", tau=None)}, ["'lif' (LIF)", "tau"]),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_with_a_fault_is_refused_in_one_line_that_names_it(fault: str, tmp_path: Path) -> None:
    form, words = FAULTS[fault]
    path = write(tmp_path / "net.nir", **form)
    with pytest.raises(UserError) as refused:
        net_of_text(str(path))
    for word in [str(path), *words]:
        assert word in str(refused.value), str(refused.value)
    assert "\n" not in str(refused.value)
