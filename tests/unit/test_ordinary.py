"""A trained net as an ordinary Brian2 network: torch's spikes, one step later for each layer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

import neurorules
from neurorules.brian2_steps import ordinary
from neurorules.brian2_steps.backend import runtime_device
from neurorules.brian2_steps.case import Case
from neurorules.brian2_steps.ordinary import simulate_ordinary
from neurorules.brian2_steps.trained import numbers_of
from neurorules.cli import run
from neurorules.contracts.series import Series
from neurorules.language.errors import UserError
from neurorules.runner import ordinary as of_runs
from neurorules.torch_path.training.learner import Learner
from tests.unit.test_scripts import learned_by

brian2 = pytest.importorskip("brian2")

STEPS, SAMPLES = 9, 6
TRAINED = ["--data", "digits", "--limit", "40", "--epochs", "1", "--steps", "6", "--net", "12-8", "--neuron", "lif"]


def drawn(
    net: str, neuron: str, shape: tuple[int, ...], constant: bool, more: dict[str, Any]
) -> tuple[Learner, Series]:
    """A net with running averages, large weights and random biases, and random samples."""
    learner = Learner(
        net, "dfa", input_shape=shape, classes=3, neuron=neuron, steps=STEPS, precision="float64", device="cpu", **more
    )
    generator = torch.Generator().manual_seed(1)
    values = torch.rand(*(() if constant else (STEPS,)), SAMPLES, *shape, generator=generator).double()
    series = Series(values if constant else (values < 0.5).double(), constant)
    learner.step(series, torch.arange(SAMPLES) % 3)
    for name, value in learner.learned.parameters.items():
        value.mul_(3.0)
        if name.endswith(".b"):
            value.add_(torch.randn(value.shape, generator=generator).double() * 0.3)
    return learner, series


@pytest.mark.parametrize(
    ("net", "neuron", "shape", "constant", "more"),
    [
        ("6-5", "lif:beta=0.8", (7,), False, {}),
        ("6-5", "lif:beta=0.8:v_threshold=0.7", (7,), True, {}),
        ("6-5", "lif:beta=0.8:reset=zero", (7,), False, {"norm": "none"}),
        ("6-5", "lif:beta=0.8:reset=none", (7,), False, {}),
        ("6-5", "lif:beta=0.8:reset_delay=true", (7,), False, {"readout_neuron": "leaky_readout:beta=0.7"}),
        ("r6-r5", "if:reset=subtract", (7,), False, {"norm": "none", "readout_neuron": "lif:beta=0.7"}),
        ("6-5-4", "lif:beta=0.9", (7,), False, {"readout": "all"}),
        ("c2k3-a2", "lif", (1, 6, 6), False, {}),
        ("6-5", "lif:beta=0.8:refractory=1", (7,), False, {}),
        ("r6-5-4", "lif:beta=0.9:refractory=3", (7,), False, {"readout": "all"}),
        ("6-5", "lif:beta=0.8:refractory=2:reset=zero:reset_delay=true", (7,), True, {}),
        ("6-5", "if:refractory=2:reset=subtract:reset_delay=true", (7,), False, {"norm": "none"}),
        ("6-5", "cuba_lif:alpha=0.6:beta=0.8", (7,), False, {}),
        ("r6-5-4", "cuba_lif:alpha=0.8:beta=0.8", (7,), True, {"readout": "all"}),
        ("6-5", "cuba_lif:alpha=0.7:beta=0.8:reset=zero", (7,), False, {"norm": "none"}),
        ("6-5", "cuba_lif:alpha=0.7:beta=1:reset_delay=true", (7,), False, {}),
        ("6-r5", "cuba_lif:alpha=0.7:refractory=2", (7,), False, {}),
        ("6-5", "cuba_lif:refractory=1:reset=zero:reset_delay=true", (7,), True, {}),
    ],
)
def test_spikes_and_membranes_are_those_of_torch(
    net: str, neuron: str, shape: tuple[int, ...], constant: bool, more: dict[str, Any]
) -> None:
    learner, series = drawn(net, neuron, shape, constant, more)
    parameters, norms = numbers_of(learner.model, learner.trial_state())
    case = Case(learner.model.network, parameters, series.values.numpy(), normalisation=norms)
    there = simulate_ordinary(case, STEPS)
    fired = False
    response = learner.respond(series)
    for layer, activity in zip(learner.model.network.layers, response.activity, strict=True):
        here = activity.S.over_time(STEPS).flatten(2).numpy()
        if layer.neuron.spiking:
            assert np.array_equal(there[layer.name].S, here), layer.name
            fired |= bool(here.any()) and bool((here == 0).any())
        else:
            np.testing.assert_allclose(there[layer.name].S, here, rtol=0, atol=1e-12, err_msg=layer.name)
    assert fired


def test_some_membranes_stay_above_the_threshold_after_their_reset() -> None:
    """The first of the cases above would not see a network that forgets this."""
    learner, series = drawn("6-5", "lif:beta=0.8", (7,), False, {})
    assert (learner.respond(series).activity[0].v.values > 2).any()


@pytest.mark.parametrize(
    ("neuron", "net", "said"),
    [
        ("alif", "5", "layer 'hidden1' has neurons of the kind alif"),
        ("cuba_lif:alpha=0", "5", "layer 'hidden1' has a synaptic current that vanishes"),
        ("cuba_lif:reset=zero:reset_delay=true", "5", "layer 'hidden1' has a reset to zero one step after"),
        ("lif:beta=0", "5", "layer 'hidden1' has a membrane that forgets all within a step"),
        ("lif", "c2k3-p2", "layer 'readout' has a pool that takes the maximum"),
    ],
)
def test_a_net_without_such_a_map_is_refused_by_name(neuron: str, net: str, said: str) -> None:
    learner, series = drawn(net, neuron, (1, 6, 6) if net.startswith("c") else (7,), False, {})
    parameters, norms = numbers_of(learner.model, learner.trial_state())
    case = Case(learner.model.network, parameters, series.values.numpy(), normalisation=norms)
    with pytest.raises(UserError, match=said):
        simulate_ordinary(case, STEPS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    at = tmp_path_factory.mktemp("ordinary") / "run"
    assert run(["train", "--rule", "dfa", *TRAINED, "--encode", "poisson", "--out", str(at)]) == 0
    return at


def in_torch(folder: Path, samples: int) -> dict[str, np.ndarray]:
    """What torch does with the first test samples of a run, by layer, (T, B, N)."""
    from neurorules.runner.trained_case import trained_case

    trained = trained_case(folder, samples)
    activity = trained.learner.respond(trained.drive).activity
    layers = trained.learner.model.network.layers
    return {layer.name: one.S.values.flatten(2).numpy() for layer, one in zip(layers, activity, strict=True)}


def test_the_command_compares_every_spike(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run(["simulate", str(folder), "--as", "ordinary", "--samples", "4", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    ours = in_torch(folder, 4)
    assert told["spikes_equal"] and told["samples"] == 4 and told["first_difference"] is None
    assert told["spikes_compared"] == ours["hidden1"].sum() + ours["hidden2"].sum() > 10
    assert told["membrane_difference"] < 1e-12
    assert run(["simulate", str(folder), "--as", "ordinary", "--samples", "2"]) == 0
    assert "one step later for each layer" in capsys.readouterr().out


def test_another_device_builds_after_the_run_and_the_users_stays(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A device that compiles nothing: `--brian2-device cpp_standalone` takes half a minute, and gives the same.
    class Device(type(runtime_device())):  # type: ignore[misc]
        builds: ClassVar[list[bool]] = []

        def build(self, directory: str, **_: Any) -> None:
            self.builds.append(brian2.get_device() is self and Path(directory).is_dir())

    monkeypatch.setattr(ordinary, "device_of", lambda name: Device())
    active = brian2.get_device()
    capsys.readouterr()
    monkeypatch.setattr(of_runs, "device_of", lambda name: None)
    given = ["--as", "ordinary", "--samples", "2", "--json", "--brian2-device", "genn"]
    assert run(["simulate", str(folder), *given]) == 0
    assert json.loads(capsys.readouterr().out)["spikes_equal"] and Device.builds == [True]
    assert brian2.get_device() is active


@pytest.mark.parametrize(
    ("free", "line"), [(10**9, "could not compile or run the model (make failed)"), (100, "no space left on device")]
)
def test_a_device_that_cannot_build_is_named_in_one_line(
    free: int, line: str, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Device(type(runtime_device())):  # type: ignore[misc]
        def build(self, directory: str, **_: Any) -> None:
            raise RuntimeError("make\nfailed")

    monkeypatch.setattr(ordinary, "device_of", lambda name: Device())
    monkeypatch.setattr(of_runs, "device_of", lambda name: None)
    monkeypatch.setattr(ordinary.shutil, "disk_usage", lambda folder: SimpleNamespace(free=free))
    capsys.readouterr()
    given = ["--as", "ordinary", "--samples", "2", "--brian2-device", "cpp_standalone"]
    assert run(["simulate", str(folder), *given]) == 2
    assert line in (told := capsys.readouterr().err) and told.count("\n") == 1


def test_a_machine_without_a_compiler_is_told_so_in_one_line(folder: Path, tmp_path: Path) -> None:
    """Brian2, which takes over warnings when it is imported, does not say it a second time."""
    command = [sys.executable, "-m", "neurorules", "simulate", str(folder), "--as", "ordinary", "--samples", "2"]
    bare = os.environ | {"PATH": str(tmp_path), "NEURORULES_CACHE": str(tmp_path / "cache")}
    ended = subprocess.run(command, env=bare, capture_output=True, text=True, timeout=120, check=True)
    (line,) = ended.stderr.splitlines()
    assert (
        line.startswith("neurorules: no C compiler was found, so neurons run in plain torch")
        and line.count("neurorules") == 1
    )


def test_a_script_stands_alone_and_sends_the_spikes_of_torch(folder: Path, tmp_path: Path) -> None:
    script = tmp_path / "net.py"
    given = ["simulate", str(folder), "--as", "ordinary", "--samples", "3", "--dt-ms", "0.5", "--script", str(script)]
    assert run(given) == 0
    text = script.read_text(encoding="utf-8")
    assert "dv/dt = (bias - v)/(tau*ms)" in text and '"deliver": "v_post += w"' in text
    learned, ours = learned_by(script), in_torch(folder, 3)
    for lag, name in enumerate(("hidden1", "hidden2"), 1):
        sample, step = np.divmod(learned[f"{name}.step"] - lag, 7)
        found = np.zeros((7, 4, ours[name].shape[2]))
        found[step, np.where(sample < 0, 3, sample), learned[f"{name}.neuron"]] = 1
        assert np.array_equal(found[:6, :3], ours[name]) and ours[name].any(), name
    assert learned["readout.v"].shape == (10, 3 * 7 + 3)


def test_objects_join_those_of_the_users_session(folder: Path) -> None:
    before, brian2.prefs.codegen.target = brian2.prefs.codegen.target, "numpy"
    try:
        net = neurorules.brian2_network(folder, samples=2, dt_ms=0.5, threshold_mV=15.0)
        assert net.network.schedule == brian2.Network().schedule
        watched = brian2.StateMonitor(net.groups["hidden1"], "V_m", record=True, clock=net.clock)
        net.network.add(watched)
        net.network.run(net.duration)
        ours = in_torch(folder, 2)
        for name in ("hidden1", "hidden2"):
            assert np.array_equal(net.spikes(name), ours[name]), name
        np.testing.assert_allclose(net.membranes("readout"), ours["readout"], rtol=0, atol=1e-12)
        assert watched.V_m.shape[0] == 12 and watched.t[1] == 0.5 * brian2.ms
        assert float(net.groups["hidden1"].V_m[0]) == pytest.approx(0.015 * net.groups["hidden1"].v[0], rel=1e-12)
    finally:
        brian2.prefs.codegen.target = before


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--as", "plain"], "--as plain is unknown"),
        (["--as", "ordinary", "--learn", "1"], "--as ordinary does not learn"),
        (["--as", "ordinary", "--show-model"], "--as ordinary --script"),
        (["--as", "ordinary", "--dt-ms", "2"], "Add --script FILE to a run, or leave it out"),
        (["--dt-ms", "2"], "Add --show-model or --script FILE to a run, or leave it out"),
        (["--brian2-device", "runtime"], "--brian2-device is for an ordinary network. Add --as ordinary"),
        (
            ["--as", "ordinary", "--brian2-device", "cuda"],
            "unknown Brian2 device 'cuda'. Known: cpp_standalone, cuda_standalone",
        ),
        (
            ["--as", "ordinary", "--brian2-device", "genn"],
            "genn needs the package brian2genn, which cannot be imported",
        ),
        (["--as", "ordinary", "--brian2-device", "runtime", "--script", "net.py"], "--script writes a program"),
    ],
)
def test_what_does_not_belong_together_is_refused(
    folder: Path, more: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "brian2genn", None)  # as where it is not installed
    capsys.readouterr()
    assert run(["simulate", str(folder), *more]) == 2
    assert said in capsys.readouterr().err
