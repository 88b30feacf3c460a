"""`neurorules deploy`: a trained net on a device, with what it loses counted by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from neurorules.cli import app
from neurorules.language.config import TrainConfig
from neurorules.language.errors import UserError
from neurorules.runner.constraints import Spared
from neurorules.runner.deploy import deploy_run
from neurorules.runner.deployed_case import without_headroom
from neurorules.torch_path.training.evaluate import evaluate
from neurorules.torch_path.training.on_device import folded, on_device
from neurorules.torch_path.training.restore import restore
from neurorules.torch_path.training.trainer import train


def trained(folder: Path, **settings: Any) -> Path:
    config = TrainConfig(**{"data": "digits", "net": "24-16", "epochs": 2, "device": "cpu", "threads": 1, **settings})
    train(config, folder, quiet=True)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield trained(tmp_path_factory.mktemp("deployed") / "run", epochs=8, batch_size=32)


@cache
def report_of(run: Path, hardware: str) -> dict[str, Any]:
    """A report, made once for all tests that read it."""
    return deploy_run(run, hardware)


@pytest.mark.parametrize("net", ["24-16", "c6k3-p2-16"])
def test_a_folded_net_computes_what_the_trained_one_does(net: str, tmp_path: Path) -> None:
    restored = restore(trained(tmp_path / "run", net=net, precision="float64"))
    learner, drive = restored.learner, torch.rand(7, 1, 8, 8, dtype=torch.float64)
    settings = restored.config.learner_settings()
    bare = folded(learner, settings)
    assert all(layer.normalisation is None for layer in bare.model.network.layers)
    spikes = drive.expand(8, *drive.shape)
    assert torch.allclose(bare.scores(spikes), learner.scores(spikes), rtol=0, atol=1e-9)
    for a, b in zip(bare.respond(spikes).activity, learner.respond(spikes).activity, strict=True):
        assert torch.allclose(a.v.values, b.v.values, rtol=0, atol=1e-9)


def test_a_fine_device_loses_nothing_and_a_coarse_one_does(run: Path) -> None:
    fine, coarse = (report_of(run, f"fixed_point:cv=0:bits={bits}") for bits in (16, 2))
    stored = json.loads((run / "result.json").read_text())
    assert fine["float_accuracy"] == stored["test_accuracy"]
    assert abs(fine["test_accuracy"] - fine["float_accuracy"]) <= 1 / fine["samples"]
    assert coarse["test_accuracy"] < fine["test_accuracy"] - 0.05
    assert coarse["float_accuracy"] == fine["float_accuracy"]


def test_loihi_keeps_the_accuracy_of_a_net(run: Path) -> None:
    report = report_of(run, "loihi")
    assert report["float_accuracy"] > 0.8 and report["test_accuracy"] >= report["float_accuracy"] - 0.02
    assert report["hardware"] == "loihi:headroom=1"


def test_what_each_connection_loses_is_what_its_weights_say(run: Path) -> None:
    restored = restore(run)
    bare = folded(restored.learner, restored.config.learner_settings())
    exact = {name: w.clone() for name, w in bare.learned.parameters.items() if name.endswith(".w")}
    deployed = on_device(bare, "loihi:bits=5:headroom=1")
    told = report_of(run, "loihi:bits=5")["quantisation"]
    assert set(told) == set(exact)
    for name, w in exact.items():
        stored = deployed.read()[name]
        error, row = (stored - w).double(), told[name]
        assert row["relative_error"] == pytest.approx(float(error.norm() / w.double().norm()), rel=1e-5)
        assert row["largest_error"] == pytest.approx(float(error.abs().max() / w.abs().max()), rel=1e-5)
        assert (row["values"], row["weights"]) == (len(stored.unique()), w.numel())
        assert row["lowest"] == -256 and row["highest"] == 240
        at_the_ends = (stored / row["step"]).round()
        assert row["at_the_ends"] == pytest.approx(float(((at_the_ends == -256) | (at_the_ends == 240)).float().mean()))


def test_the_error_of_a_weight_is_that_of_what_the_network_reads(run: Path) -> None:
    """Synapses that differ from each other store what they are asked to, and are read otherwise."""
    restored = restore(run)
    bare = folded(restored.learner, restored.config.learner_settings())
    exact = {name: w.clone() for name, w in bare.learned.parameters.items() if name.endswith(".w")}
    reading = on_device(bare, "dynapse:chip=3:headroom=1").read()
    told = report_of(run, "dynapse:chip=3")["quantisation"]
    for name, w in exact.items():
        error = (reading[name] - w).double()
        assert told[name]["relative_error"] == pytest.approx(float(error.norm() / w.double().norm()), rel=1e-5)
        assert told[name]["relative_error"] > 0.05


def test_energy_is_the_counts_times_the_constants_of_running_and_of_learning(run: Path) -> None:
    from neurorules.torch_path.training.evaluate import evaluate

    restored = restore(run)
    deployed = on_device(folded(restored.learner, restored.config.learner_settings()), "loihi:headroom=1")
    there = evaluate(deployed, restored.data.test, restored.config.seed)
    energy = report_of(run, "loihi")["energy"]
    updates, weights = 8 * (24 + 16 + 10), 64 * 24 + 24 * 16 + 16 * 10
    assert energy["synapses"] == pytest.approx(23.6 * there.synops_per_sample)
    assert energy["routing"] == pytest.approx(1.7 * there.spikes_per_sample)
    assert energy["neurons"] == pytest.approx(52 * updates + 29 * there.spikes_per_sample)
    assert energy["total"] == pytest.approx(sum(energy[term] for term in ("synapses", "routing", "neurons")))
    assert energy["learning"] == pytest.approx({"updates": 120 * weights, "total": 120 * weights})
    assert energy["left_out"] == ["learning: memory"]  # counted, and no figure is published
    for term in energy["terms"]:
        assert term["source"] and (term["pJ"] is None or term["pJ"] == pytest.approx(term["times"] * term["each_pJ"]))
    moved = energy["learning_bytes"]
    assert 0 < moved["rule"]["stored"] < moved["backward"]["stored"]
    metered = report_of(run, "fixed_point")["energy"]
    assert metered["total"] == metered["synapses"] and metered["learning"]["memory"] > 0
    assert report_of(run, "xylo")["energy"]["total"] is None


def test_input_that_spikes_is_counted_and_a_constant_one_is_summed_beside_the_chip(run: Path, tmp_path: Path) -> None:
    spiking = deploy_run(trained(tmp_path / "run", encode="poisson", epochs=1), "loihi")["energy"]
    assert spiking["input"] > 0 and "input" not in report_of(run, "loihi")["energy"]


def test_each_constraint_is_lifted_alone_and_the_dearest_comes_first(run: Path) -> None:
    report = report_of(run, "fixed_point:bits=2:cv=0.3")
    rows = {row["constraint"]: row for row in report["constraints"]}
    costs = [row["cost"] for row in report["constraints"]]
    assert costs == sorted(costs, reverse=True) and costs[0] > 0.05
    assert set(rows) == {f"weights of {name}" for name in report["quantisation"]} | {"bits of weights", "mismatch"}
    for row in rows.values():
        assert row["cost"] == pytest.approx(row["accuracy"] - report["test_accuracy"])
    fine = report_of(run, "fixed_point:bits=16:cv=0.3")  # what lifting the bits leaves
    assert rows["bits of weights"]["accuracy"] == fine["test_accuracy"]
    assert "bits of weights" not in {row["constraint"] for row in fine["constraints"]}


def test_all_constraints_lifted_give_the_net_as_it_was(run: Path) -> None:
    restored = restore(run)
    bare = folded(restored.learner, restored.config.learner_settings())
    exact = {name: w.clone() for name, w in bare.learned.parameters.items()}
    drive = torch.rand(8, 5, 1, 8, 8)
    plain = bare.scores(drive)
    deployed = on_device(bare, "loihi:bits=1:headroom=1")
    assert deployed.store.hardware is not None and not torch.equal(deployed.scores(drive), plain)
    weights = {name: w for name, w in exact.items() if name.endswith(".w")}
    layers = frozenset(layer.name for layer in bare.model.network.layers)
    deployed.store.hardware = Spared(deployed.store.hardware, weights, layers)
    torch.testing.assert_close(deployed.scores(drive), plain)  # a device sums the read-out's output step by step


def test_the_command_prints_one_object_or_a_report(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for flags in ([], ["--json"]):
        with pytest.raises(SystemExit) as ended:
            app(["deploy", str(run), "--hardware", "loihi", *flags])
        assert ended.value.code in (0, None)
    printed = capsys.readouterr().out
    lines, report = printed[: printed.index("{")], json.loads(printed[printed.index("{") :])
    assert {"test_accuracy", "float_accuracy", "energy", "quantisation"} <= set(report)
    assert f"{100 * report['test_accuracy']:.2f} % on the device" in lines and "hidden2.ff.w" in lines
    assert "Davies et al. 2018" in lines and "learning by its rule stores" in lines
    assert "costs most: " in lines or "no constraint alone" in lines


@pytest.mark.parametrize(
    ("text", "completed"),
    [
        ("loihi", "loihi:headroom=1"),
        ("loihi:headroom=2", "loihi:headroom=2"),
        ("fixed_point ", "fixed_point:headroom=1"),
    ],
)
def test_weights_that_no_longer_grow_need_no_room(text: str, completed: str) -> None:
    assert without_headroom(text) == completed


def test_an_unknown_device_is_refused_with_the_nearest(run: Path) -> None:
    with pytest.raises(UserError, match="loihi"):
        deploy_run(run, "loihy")
    for none in ("none", "loihi+none"):
        with pytest.raises(UserError, match="none is plain memory"):
            deploy_run(run, none)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"hardware": "fixed_point"}, "learned on a device"),
        ({"rule": "sigprop:predict=prototypes"}, "more than one pass"),
        ({"net": "16-r12"}, "recurrent"),
        ({"neuron": "alif"}, "no neuron like"),
    ],
)
def test_a_run_that_cannot_be_deployed_is_refused_in_one_line(
    settings: dict[str, str], said: str, tmp_path: Path
) -> None:
    folder = trained(tmp_path / "run", **{"epochs": 1, **settings})
    with pytest.raises(UserError, match=said) as refused:
        deploy_run(folder, "loihi")
    assert "\n" not in str(refused.value)


def test_a_run_that_learned_on_a_chip_is_tested_on_that_chip_and_ages(tmp_path: Path) -> None:
    run = trained(tmp_path / "run", net="16", hardware="pcm:reading=0", epochs=3)
    stored = json.loads((run / "result.json").read_text())
    now, later = deploy_run(run), deploy_run(run, after_s=86400.0)
    assert now["hardware"] == "pcm:reading=0" and now["folded_accuracy"] is None
    assert now["test_accuracy"] == stored["test_accuracy"]  # the chip as training left it
    restored = restore(run)
    store, part = restored.learner.store, restored.data.test
    store.hardware_state = {**store.hardware_state, "clock": store.hardware_state["clock"] + 86400.0}
    aged = evaluate(restored.learner, part)
    assert aged.accuracy == later["test_accuracy"] and aged.mean_rates == of_rates(later, "device")
    assert of_rates(now, "device") != aged.mean_rates
    store.hardware = None
    plain = evaluate(restored.learner, part)
    for report in (now, later):  # of the weights as programmed, which no drift reaches
        assert report["float_accuracy"] == plain.accuracy and of_rates(report, "float") == plain.mean_rates
    assert plain.mean_rates != of_rates(now, "device")
    assert deploy_run(run, "pcm:reading=0") == now
    with pytest.raises(UserError, match="Give a run with --hardware none"):
        deploy_run(run, "loihi")


def of_rates(report: dict[str, Any], machine: str) -> dict[str, float]:
    return {layer: rates[machine] for layer, rates in report["rates"].items()}


def test_a_net_is_programmed_and_left_alone_for_a_while(run: Path) -> None:
    chip = "pcm:drift=8:programming=0:reading=0:chip=0"
    aged, late = deploy_run(run, f"{chip}:age_s=1e8"), deploy_run(run, chip, after_s=1e8)
    assert aged["test_accuracy"] == late["test_accuracy"] < deploy_run(run, chip)["test_accuracy"]
    with pytest.raises(UserError, match="no clock in seconds. One that has is pcm"):
        deploy_run(run, "loihi", after_s=1.0)
    with pytest.raises(UserError, match="Name the device to put it on"):
        deploy_run(run)
