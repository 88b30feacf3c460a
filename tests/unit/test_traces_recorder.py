"""The recorder: what stands in a trace is what the network did, and nothing is changed by looking."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import snntorch
import torch

import neurorules
from neurorules import Learner, Recorder
from neurorules.cli import run
from neurorules.language.eligibility import Eligibility
from neurorules.language.errors import UserError
from neurorules.language.rules import Plasticity
from neurorules.network.texts import compile_rule
from neurorules.torch_path.recording.plan import record_plan
from neurorules.torch_path.recording.record import sample_places
from neurorules.torch_path.trial.learn import learn_trial
from neurorules.traces.store import TraceReader

STEPS, SAMPLES, INPUTS, CLASSES = 6, 5, 7, 3
RUN = ["--net", "10-d0.2-8", "--steps", "3", "--limit", "150", "--batch-size", "50", "--threads", "1"]


def make(rule: str = "dfa", net: object = "10-8", **options: object) -> Learner:
    given = {"input_shape": (INPUTS,), "classes": CLASSES, "device": "cpu", "neuron": "lif:beta=0.8", "norm": "none"}
    return Learner(net, rule=rule, precision="float64", **{**given, **options})  # type: ignore[arg-type]


def batch(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    spikes = (torch.rand(STEPS, SAMPLES, INPUTS, generator=generator) < 0.6).double()
    return spikes, torch.randint(0, CLASSES, (SAMPLES,), generator=generator)


def recorded(
    path: Path, learner: Learner, variables: Sequence[str], layers: Sequence[str] | None = None
) -> TraceReader:
    """One batch recorded."""
    with Recorder(learner, path, variables, layers) as recorder:
        recorder.record(*batch())
    return TraceReader(path)


def all_of(reader: TraceReader, layer: str, variable: str) -> np.ndarray:
    """(T, B, N)."""
    return np.stack([reader.dense(sample.position, layer, variable) for sample in reader], axis=1)


def test_population_variables_are_those_of_the_run(tmp_path: Path) -> None:
    learner = make()
    spikes, labels = batch()
    response = learner.respond(spikes)
    trial = learn_trial(
        learner.model, learner.trial_state(), neurorules.Series(spikes, False), STEPS, labels, learner.generator
    )
    with recorded(tmp_path / "t.h5", learner, ["S", "v", "m"]) as reader:
        assert reader.layers == ["input", "hidden1", "hidden2", "readout"]
        assert [sample.prediction for sample in reader] == response.scores.argmax(1).tolist()
        assert [sample.label for sample in reader] == labels.tolist()
        np.testing.assert_array_equal(all_of(reader, "input", "S"), spikes.numpy())
        for layer, activity in zip(learner.model.network.layers, response.activity, strict=True):
            if layer.role == "hidden":
                np.testing.assert_array_equal(all_of(reader, layer.name, "S"), activity.S.values.numpy())
            np.testing.assert_allclose(all_of(reader, layer.name, "v"), activity.v.values.numpy(), rtol=1e-6)
            m = trial.third_factors[layer.name].over_time(STEPS).numpy()
            np.testing.assert_allclose(all_of(reader, layer.name, "m"), m, rtol=1e-6)


@pytest.mark.parametrize("neuron", ["if", "lif:reset=zero", "alif", "cuba_lif", "rate"])
def test_spikes_of_any_neuron_come_back_with_their_grades(tmp_path: Path, neuron: str) -> None:
    drive = torch.rand(1 if neuron == "rate" else STEPS, SAMPLES, INPUTS, dtype=torch.float64)
    learner = make("shallow", neuron=neuron)
    with Recorder(learner, tmp_path / "t.h5", ["S"]) as recorder:
        recorder.record(drive)
    expected = learner.respond(drive).activity[0].S.values.float().numpy()
    with TraceReader(tmp_path / "t.h5") as reader:
        np.testing.assert_array_equal(all_of(reader, "hidden1", "S"), expected)


def test_a_trace_is_the_low_pass_of_the_spikes(tmp_path: Path) -> None:
    with recorded(tmp_path / "t.h5", make("stdp:decay=0.7"), ["S", "x"]) as reader:
        for layer in ("input", "hidden1"):
            spikes, x = (all_of(reader, layer, name) for name in ("S", "x"))
            expected = np.zeros_like(spikes[0])
            for t in range(STEPS):
                expected = 0.7 * expected + spikes[t]
                np.testing.assert_allclose(x[t], expected, rtol=1e-5)
    with pytest.raises(UserError, match="'dfa' declares no trace x"):
        recorded(tmp_path / "t.h5", make(), ["x"])


def test_eligibilities_times_third_factors_are_the_gradient(tmp_path: Path) -> None:
    learner = make("dfa", "10")
    texts = (Plasticity("w", "-m_post * tag"), *(p for p in learner.model.rule.plasticity if p.role == "readout"))
    tag = Eligibility("tag", 0.6, "psi(v_post) * S_pre")
    rule = replace(learner.model.rule, plasticity=texts, eligibilities=(tag,))
    learner.model = replace(learner.model, rule=rule, texts=compile_rule(rule))
    spikes, labels = batch()
    trial = learn_trial(
        learner.model, learner.trial_state(), neurorules.Series(spikes, False), STEPS, labels, learner.generator
    )
    with recorded(tmp_path / "t.h5", learner, ["m", "tag", "dv_dw", "G1"]) as reader:
        assert reader.variables("readout.ff") == ["G1", "dv_dw"] and reader.variables("hidden1") == ["m"]
        for layer, variable, sources in (("hidden1", "tag", INPUTS), ("readout", "dv_dw", 10)):
            e = all_of(reader, f"{layer}.ff", variable).reshape(STEPS, SAMPLES, -1, sources)
            total = np.einsum("tbo,tboi->oi", all_of(reader, layer, "m"), e) / SAMPLES
            np.testing.assert_allclose(total, trial.gradients[f"{layer}.ff.w"].numpy(), rtol=1e-4, atol=1e-7)


def test_dv_dw_runs_through_leak_reset_and_normalisation(tmp_path: Path) -> None:
    learner = make("bptt", "10", neuron="lif:beta=0.8:reset=zero:v_threshold=0.3", norm="streaming")
    for number in range(3):
        learner.step(*batch(number))
    activity = learner.respond(batch()[0]).activity[0]
    with recorded(tmp_path / "t.h5", learner, ["S", "dv_dw"], ["input", "hidden1"]) as reader:
        e = all_of(reader, "hidden1.ff", "dv_dw").reshape(STEPS, SAMPLES, 10, INPUTS)
        post = all_of(reader, "hidden1", "S")
    pre = activity.pre["ff"].values.numpy() - activity.pre_mean["ff"].numpy()
    assert activity.gain is not None and np.count_nonzero(post)
    expected = np.zeros((SAMPLES, 10, INPUTS))
    for t in range(STEPS):
        kept = 0.8 * (1 - post[t - 1]) if t else np.zeros_like(post[0])
        expected = kept[..., None] * expected + pre[t][:, None, :] * activity.gain.numpy()[:, None]
        np.testing.assert_allclose(e[t], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("neurons", "beta", "alpha"), [("float", 0.8, 0.0), ("xylo", 0.75, 0.5), ("learned", 0.5, 0.0)]
)
def test_dv_dw_is_that_of_the_neurons_that_ran(neurons: str, beta: float, alpha: float, tmp_path: Path) -> None:
    """A chip's decays are its own, and its synaptic current makes the membrane rise once more after a spike."""
    net: object = "4"
    if neurons == "learned":
        leaky = snntorch.Leaky(0.8, learn_beta=True, init_hidden=True)
        net = torch.nn.Sequential(torch.nn.Linear(INPUTS, 4), leaky, torch.nn.Linear(4, CLASSES))
    made = {"neuron": None, "norm": None} if neurons == "learned" else {"hardware": neurons}
    learner = make("bptt", net, **(made if neurons != "float" else {}))
    if neurons == "learned":
        learner.learned.parameters["hidden1.beta"].fill_(0.5)  # as learning might have left it
    spikes = torch.zeros(STEPS, 1, INPUTS).double()
    spikes[0, 0, 2] = 1.0
    with Recorder(learner, tmp_path / "t.h5", ["S", "v", "dv_dw"]) as recorder:
        recorder.record(spikes, torch.tensor([0]))
    with TraceReader(tmp_path / "t.h5") as reader:
        assert not reader.dense(0, "hidden1", "S").any()
        e = reader.dense(0, "hidden1.ff", "dv_dw").reshape(STEPS, 4, INPUTS)
        v = np.abs(reader.dense(0, "hidden1", "v")).max(1)
    expected = [sum(beta**i * alpha ** (t - i) for i in range(t + 1)) for t in range(STEPS)]
    np.testing.assert_allclose(e[:, :, 2], np.outer(expected, e[0, :, 2]), rtol=1e-5)
    assert e[0, :, 2].all() and (neurons == "learned" or (v[1] > v[0]) == (alpha > 0))
    assert not e[:, :, 3].any()


def test_layers_are_chosen_by_name_and_unknown_names_are_answered_with_the_nearest(tmp_path: Path) -> None:
    with recorded(tmp_path / "t.h5", make(), ["S", "v", "G1"], ["hidden2", "readout.ff"]) as reader:
        assert {layer: reader.variables(layer) for layer in reader.layers} == {
            "hidden2": ["S", "v"], "hidden2.ff": ["G1"], "readout.ff": ["G1"],
        }  # fmt: skip
    model, parameters = make().model, make().learned.parameters
    for wrong, layers, words in [
        (["S_post"], None, "unknown variable 'S_post'"),
        (["mem"], None, "unknown variable 'mem', which is snnTorch's name. Use 'v'"),
        (["hidden1.ff.W"], None, "Did you mean 'hidden1.ff.w'"),
        (["S"], ["hiden1"], "unknown layer 'hiden1'. Did you mean 'hidden1'"),
        ([], None, "no variable is asked for"),
        (["reverse"], None, "has no reverse circuit"),
        (["S", "v"], ["hidden1.ff"], "none of the layers hidden1.ff has a variable S, v. Name other variables"),
        (["v"], ["input"], "none of the layers input has a variable v"),
        (["b"], ["input"], "none of the layers input has a variable b"),
    ]:
        with pytest.raises(UserError, match=words):
            record_plan(model, parameters, wrong, layers)


@pytest.mark.parametrize("option", ["--record-samples", "--record-layers"])
def test_what_says_how_to_record_is_refused_where_nothing_is_recorded(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["train", *RUN, "--epochs", "1", "--out", str(tmp_path / "r"), option, "hidden1"]) == 2
    said = capsys.readouterr().err
    assert said == f"neurorules: {option} is hidden1, and nothing is recorded. Add --record S,v, or leave it out\n"
    assert not (tmp_path / "r").exists()


def test_what_is_too_large_is_refused_with_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    learner = make()
    plan = record_plan(learner.model, learner.learned.parameters, ["dv_dw", "v"])
    connections = 4 * STEPS * (7 * 10 + 10 * 8 + 8 * 3)
    assert plan.sample_bytes(learner.learned.parameters, STEPS) == connections + 4 * STEPS * (10 + 8 + 3)
    monkeypatch.setattr("neurorules.torch_path.recording.plan.LARGEST_SAMPLE", 1000)
    with pytest.raises(UserError, match=r"for 'hidden2\.ff' \(dv_dw at every synapse, 6 steps\); the limit is"):
        recorded(tmp_path / "t.h5", learner, ["dv_dw"])


def test_a_recorded_step_is_the_step(tmp_path: Path) -> None:
    with_recorder, without = make("sigprop"), make("sigprop")
    with Recorder(with_recorder, tmp_path / "t.h5", ["S", "m", "G1", "w"]) as recorder:
        for number in range(3):
            seen = with_recorder.respond(batch(number)[0]).activity[0].S.values.numpy()
            assert recorder.step(*batch(number)) == without.step(*batch(number))
            recorder.snapshot(number)
    for name, value in without.state().items():
        assert torch.equal(value, with_recorder.state()[name]), name
    with TraceReader(tmp_path / "t.h5") as reader:
        assert len(reader) == 3 * SAMPLES and [s.samples for s in reader.snapshots] == [5, 10, 15]
        last = without.learned.parameters["hidden1.ff.w"].float().numpy()
        np.testing.assert_array_equal(reader.parameter(2, "hidden1.ff.w"), last)
        np.testing.assert_array_equal(all_of(reader, "hidden1", "S")[:, -SAMPLES:], seen)
    with (
        Recorder(make("sigprop", schedule="by_step"), tmp_path / "s.h5") as recorder,
        pytest.raises(UserError, match="schedule 'by_step' forgets"),
    ):
        recorder.step(*batch())


@pytest.mark.parametrize(
    ("text", "expected"),
    [("3", [0, 1, 2]), ("3,", [3]), ("1-3", [1, 2, 3]), ("3, 7,9-11", [3, 7, 9, 10, 11]), ("5,5", [5, 5])],
)
def test_samples_are_a_number_or_places(text: str, expected: list[int]) -> None:
    assert sample_places(text, 12, "--samples", "test").tolist() == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [("0", "Ask for 1 to 12"), ("13", "the test set holds 12"), ("12,", "places from 0 to 11"), ("5-3", "5-3"),
     ("a", "'a' is not a place"), ("-4", "'-4' is not a place"), (",", "names no sample"), ("1.5", "not a place")],
)  # fmt: skip
def test_other_samples_are_refused(text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        sample_places(text, 12, "--samples", "test")


def test_watching_changes_no_bit_and_shows_each_epoch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for rule in ("sigprop", "pepita"):
        bare, watched = tmp_path / rule / "bare", tmp_path / rule / "watched"
        options = ["train", "--rule", rule, *RUN, "--epochs", "2"]
        assert run([*options, "--out", str(bare)]) == 0
        assert run([*options, "--record", "S,v,m,w,b", "--record-samples", "0-2,7", "--out", str(watched)]) == 0
        assert (bare / "weights.safetensors").read_bytes() == (watched / "weights.safetensors").read_bytes()
    capsys.readouterr()
    with TraceReader(watched / "traces.h5") as reader:
        assert [(s.data_index, s.epoch) for s in reader] == [(i, e) for e in range(3) for i in (0, 1, 2, 7)]
        assert reader.header.recording["part"] == "validation" and reader.header.config["net"] == "10-d0.2-8"
        assert len({reader.parameter(k, "hidden1.ff.w").tobytes() for k in range(3)}) == 3
    assert run(["record", str(watched), "--variables", "w,S,m", "--part", "validation", "--samples", "0-2,7",
                "--out", str(tmp_path / "t.h5"), "--json"]) == 0  # fmt: skip
    assert json.loads(capsys.readouterr().out)["samples"] == 4
    with TraceReader(tmp_path / "t.h5") as after, TraceReader(watched / "traces.h5") as reader:
        np.testing.assert_array_equal(after.parameter(0, "readout.ff.w"), reader.parameter(2, "readout.ff.w"))
        for position in range(4):
            again = after.dense(position, "hidden2", "S")
            np.testing.assert_array_equal(again, reader.dense(8 + position, "hidden2", "S"))


KILLED = """
import os, signal, sys
from neurorules.cli import run
from neurorules.torch_path.recording.while_training import RecordTraining
look = RecordTraining.look
def dies(self, learner, data, epoch, folder):
    look(self, learner, data, epoch, folder)
    if epoch == 2:
        os.kill(os.getpid(), signal.SIGKILL)
RecordTraining.look = dies
run(sys.argv[1:])
"""


def test_an_epoch_shown_twice_after_a_kill_is_written_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["train", "--rule", "dfa", *RUN, "--epochs", "3", "--record", "S,v,w", "--record-samples", "4"]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert run([*options, "--out", str(whole)]) == 0
    found = subprocess.run([sys.executable, "-c", KILLED, *options, "--out", str(killed)], check=False)
    assert found.returncode == -signal.SIGKILL
    with TraceReader(killed / "traces.h5") as reader:
        assert [s.epoch for s in reader.snapshots] == [0, 1, 2]
    capsys.readouterr()
    other = ["--record-samples", "5", "--out", str(killed), "--resume"]
    assert run([*options, *other]) == 2
    assert "samples 4, asked 5" in capsys.readouterr().err
    assert run([*options, "--out", str(killed), "--resume"]) == 0
    with TraceReader(whole / "traces.h5") as one, TraceReader(killed / "traces.h5") as other_reader:
        assert list(one) == list(other_reader) and one.snapshots == other_reader.snapshots
        for sample in one:
            for layer, name in (("hidden1", "S"), ("hidden2", "v")):
                np.testing.assert_array_equal(
                    one.dense(sample.position, layer, name), other_reader.dense(sample.position, layer, name)
                )
        for snapshot in one.snapshots:
            for name in one.header.parameters:
                np.testing.assert_array_equal(
                    one.parameter(snapshot.position, name), other_reader.parameter(snapshot.position, name)
                )
    assert not list(killed.glob(".*tmp*"))


def test_export_and_plot_use_what_was_flushed_of_a_trace_that_was_never_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neurorules.torch_path.recording.recorder.FLUSH_SECONDS", 1e9)  # however slow the machine is
    trace, left = tmp_path / "t.h5", tmp_path / "left.h5"
    with Recorder(make(), trace, ["S", "v"]) as recorder:
        for number in range(30):
            recorder.record(*batch(number))
            if number == 19:
                recorder.flush()
        left.write_bytes(trace.read_bytes())
    assert run(["export", str(left), "--to", "npz", "--out", str(tmp_path / "t.npz")]) == 0
    assert run(["plot", str(left), "--out", str(tmp_path / "t.png")]) == 0
    with np.load(tmp_path / "t.npz") as arrays, TraceReader(trace) as reader:
        assert len(arrays["samples/index"]) == 20 * SAMPLES and len(reader) == 30 * SAMPLES
        for sample in range(20 * SAMPLES):
            np.testing.assert_array_equal(arrays["hidden1/v"][sample], reader.dense(sample, "hidden1", "v"))


def test_export_and_plot_refuse_a_trace_that_is_cut_off_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = tmp_path / "t.h5"
    with Recorder(make(), trace, ["S", "v"]) as recorder:
        recorder.record(*batch())
    trace.write_bytes(trace.read_bytes()[:-1])
    for command in (["export", str(trace), "--to", "npz"], ["plot", str(trace)]):
        assert run([*command, "--out", str(tmp_path / "out.png")]) == 2
        told = capsys.readouterr().err
        assert "t.h5 is cut off" in told and told.count("\n") == 1
        assert sorted(path.name for path in tmp_path.iterdir()) == ["t.h5"]
