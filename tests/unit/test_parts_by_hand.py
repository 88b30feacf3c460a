"""Parts that nothing else pins down: a few numbers each, worked out beside the product."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from neurorules.connections.conv2d import Conv2d
from neurorules.neurons.rate import Rate
from neurorules.rules import RULES
from neurorules.runs import checkpoint
from neurorules.signals._features import feature_count, from_features, to_features
from neurorules.torch_path.forward import run_layer
from neurorules.torch_path.recording.recorder import Recorder
from neurorules.torch_path.training.learner import Learner
from neurorules.traces.header import TraceHeader
from neurorules.traces.store import TraceReader
from neurorules.traces.writer import TraceWriter


def test_the_slope_of_a_population_of_length_1_holds_its_length_fixed() -> None:
    v = torch.tensor([[3.0, -1.0, 4.0], [0.5, 0.0, -2.0]], dtype=torch.float64)
    neuron = Rate(unit=True)
    torch.testing.assert_close(neuron.primitive(v)[0], torch.tensor([0.6, 0.0, 0.8]).double(), rtol=1e-6, atol=0)
    torch.testing.assert_close(neuron.psi(v)[0], torch.tensor([0.2, 0.0, 0.2]).double(), rtol=1e-6, atol=0)
    torch.testing.assert_close(neuron.psi(v)[1], torch.tensor([2.0, 0.0, 0.0]).double(), rtol=1e-5, atol=0)


def test_the_newest_whole_checkpoint_is_read_wherever_its_process_was_stopped(tmp_path: Path) -> None:
    for epoch in (1, 2, 3):
        checkpoint.save(tmp_path, {"w": torch.full((2,), float(epoch))}, {"epoch": epoch})
    # Stopped when 4 was whole and nothing had its new name yet.
    checkpoint.save(tmp_path / ".", {"w": torch.full((2,), 4.0)}, {"epoch": 4})
    os.replace(tmp_path / checkpoint.CURRENT, tmp_path / "checkpoint.incoming.safetensors")
    os.replace(tmp_path / checkpoint.PREVIOUS, tmp_path / checkpoint.CURRENT)
    found = checkpoint.load(tmp_path)
    assert found is not None and found.state == {"epoch": 4} and found.tensors["w"].tolist() == [4.0, 4.0]


def test_grades_of_a_batch_come_back_with_their_own_samples_and_steps(tmp_path: Path) -> None:
    steps, samples, neurons = 3, 4, 5
    grades = np.arange(1, steps * samples * neurons + 1, dtype=np.float32).reshape(steps, samples, neurons)
    grades[1, 2, 3], grades[2] = 0, -grades[2]
    values = grades / 7
    with TraceWriter(tmp_path / "t.h5", TraceHeader("x", {"a": (neurons,)})) as writer:
        writer.append_batch([10, 11, 12, 13], [0, 1, 2, 3], {"a": {"S": grades, "v": values}})
        writer.append_batch([14, 15], [4, 5], {"a": {"S": grades[:, :2] / 3, "v": values[:, :2]}})
    with TraceReader(tmp_path / "t.h5") as reader:
        assert [(sample.data_index, sample.label) for sample in reader] == [(10 + n, n) for n in range(6)]
        for sample in range(samples):
            np.testing.assert_array_equal(reader.dense(sample, "a", "S"), grades[:, sample])
            np.testing.assert_array_equal(reader.dense(sample, "a", "v"), values[:, sample])
            events = reader.events(sample, "a")
            places = np.argwhere(grades[:, sample])
            assert np.stack([events.t, events.neuron], axis=1).tolist() == places.tolist()
        np.testing.assert_array_equal(reader.dense(5, "a", "S"), grades[:, 1] / 3)
        assert reader.count("a") == 6 * steps * neurons - 1


@pytest.mark.parametrize(("kernel", "channels", "maps"), [(3, 2, 64), (5, 1, 40)])
def test_fresh_kernels_have_the_deviation_of_what_they_read(kernel: int, channels: int, maps: int) -> None:
    connection = Conv2d(maps, kernel)
    w = connection.initial((channels, 9, 9), torch.Generator().manual_seed(0), 1.0)
    fan_in = channels * kernel**2
    assert float(w.std()) == pytest.approx(fan_in**-0.5, rel=0.05) and abs(float(w.mean())) < 0.1 * fan_in**-0.5
    assert float(w.abs().max()) <= (3 / fan_in) ** 0.5


@pytest.mark.parametrize("scanned", [True, False])
def test_a_recurrent_current_comes_a_step_late_and_shares_the_gain(
    scanned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps, rows = 6, 4
    if not scanned:
        monkeypatch.setattr(run_layer, "run_fused", lambda *call: None)
    learner = Learner("r5", "dfa", input_shape=(7,), classes=3, neuron="if", norm="streaming", precision="float64")
    drive = torch.rand(steps, rows, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(2)) * 6
    for _ in range(4):
        learner.step(drive, torch.tensor([0, 1, 2, 0]))
    state = {name: value.numpy() for name, value in learner.state().items()}
    mean, square = (state[f"current/input.hidden1/{kind}/value"] for kind in ("mean", "square"))
    gain = 1 / np.sqrt(square - mean**2 + 1e-3)
    own, loop, b = (state[f"parameters/hidden1.{name}"] for name in ("ff.w", "rec.w", "b"))
    arrived = drive.numpy() - state["pre/input.hidden1.ff/value"]
    u, spikes, expected = np.zeros((rows, 5)), np.zeros((rows, 5)), []
    for step in range(steps):
        v = u + (arrived[step] @ own.T - mean) * gain + spikes @ loop.T * gain + b
        expected.append(v)
        spikes = (v > 1).astype(float)
        u = np.where(v > 1, 0.0, v)
    seen = learner.respond(drive).activity[0]
    np.testing.assert_allclose(seen.v.values.numpy(), np.stack(expected), rtol=1e-9, atol=1e-12)
    assert 0 < float(seen.S.values.mean()) < 1 and abs(gain - 1).max() > 0.1


def batch_for(learner: Learner, rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    steps = RULES.make(learner.model.rule.name).defaults.steps
    drive = torch.rand(steps, rows, 6, generator=torch.Generator().manual_seed(3)) * 3
    return drive, torch.arange(rows) % 3


def recorded(path: Path, layer: str, variable: str) -> list[np.ndarray]:
    with TraceReader(path) as reader:
        return [reader.dense(sample.position, layer, variable) for sample in reader]


def test_what_a_synapse_is_moved_by_is_its_third_factor_times_what_arrives(tmp_path: Path) -> None:
    learner = Learner("4", "dfa", input_shape=(6,), classes=3)
    drive, labels = batch_for(learner, 2)
    with Recorder(learner, tmp_path / "t.h5", ["m", "G1", "S"], layers=["hidden1", "input", "hidden1.ff"]) as recorder:
        for _ in range(2):
            recorder.record(drive, labels)
    with TraceReader(tmp_path / "t.h5") as reader:
        assert [(sample.data_index, sample.label) for sample in reader] == [(0, 0), (1, 1), (2, 0), (3, 1)]
    both = zip(
        recorded(tmp_path / "t.h5", "hidden1", "m"), recorded(tmp_path / "t.h5", "hidden1.ff", "G1"), strict=True
    )
    for sample, (m, moved) in enumerate(both):
        arrived = drive[:, sample % 2].numpy()
        expected = m[:, :, None] * arrived[:, None, :]
        np.testing.assert_allclose(moved.reshape(expected.shape), expected, rtol=1e-5, atol=1e-9)
        assert np.abs(m).max() > 1e-4


def test_a_recorded_step_shows_what_moved_its_weights_and_not_what_they_became(tmp_path: Path) -> None:
    # Through rings, what moves a weight depends on the weight.
    seen = []
    for name in ("before", "step"):
        learner = Learner("4", "bsp:method=fixed_points", input_shape=(6,), classes=3, lr=0.5)
        drive, labels = batch_for(learner, 2)
        with Recorder(learner, tmp_path / f"{name}.h5", ["G1"], layers=["hidden1.ff"]) as recorder:
            if name == "before":
                recorder.record(drive, labels)
            else:
                recorder.step(drive, labels)
        seen.append(np.stack(recorded(tmp_path / f"{name}.h5", "hidden1.ff", "G1")))
    np.testing.assert_allclose(seen[1], seen[0], rtol=1e-5, atol=1e-9)
    assert np.abs(seen[0]).max() > 1e-5


@pytest.mark.parametrize("shape", [(2, 7, 9), (3, 4, 2), (5,)])
def test_what_comes_back_from_features_is_the_adjoint_of_what_went_there(shape: tuple[int, ...]) -> None:
    x = torch.randn(3, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    g = torch.randn(3, feature_count(shape), dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    there, back = (to_features(x) * g).sum(), (x * from_features(g, shape)).sum()
    torch.testing.assert_close(there, back, rtol=1e-12, atol=1e-12)
