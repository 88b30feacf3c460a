"""The watcher of a comparison: it changes nothing, sees no test sample, and survives a kill."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from neurorules.compare.measures import watch
from neurorules.compare.measures.layers import weight_change
from neurorules.compare.measures.probe_samples import MEASURE_SAMPLES, probe_of
from neurorules.compare.measures.watch import LINES, Measures, read_features, read_rows
from neurorules.language.config import SettledConfig, TrainConfig
from neurorules.network.network import build_network
from neurorules.rules import RULES
from neurorules.runs.tensors import load_tensors
from neurorules.torch_path.training.batches import Data, Part, load_data
from neurorules.torch_path.training.learner import Learner
from neurorules.torch_path.training.trainer import make_learner, train

ODD = ["sigprop", "pepita:form=time_local", "pepita:form=dendritic:mirror=running", "local_readout", "bsp", "stdp"]


def settled(rule: str, **settings: Any) -> SettledConfig:
    given = {"net": "6-5", "epochs": 2, "limit": 80, "batch_size": 16, "threads": 1} | settings
    return RULES.make(rule).settle(TrainConfig(rule=rule, **given))


def few(data: Data, samples: int = 40) -> Data:
    """Less to look at: checks of every call make tests slow."""

    def cut(part: Part) -> Part:
        return replace(part, samples=part.samples[:samples], labels=part.labels[:samples])

    return replace(data, test=cut(data.test))


@pytest.mark.parametrize("rule", ["sigprop", "pepita:form=time_local", "pepita:form=dendritic:mirror=running"])
def test_watched_or_not_a_run_learns_the_same_bits(rule: str, tmp_path: Path) -> None:
    config = settled(rule, net="6-d0.2-5")  # dropout: a draw too many would show
    data = few(load_data(config, None))
    plain = train(config, tmp_path / "plain", quiet=True, data=data)
    watched = train(config, tmp_path / "watched", quiet=True, data=data, watchers=[Measures(16)])
    assert watched["test_accuracy"] == plain["test_accuracy"]
    mine, theirs = (load_tensors(tmp_path / name / "weights.safetensors")[0] for name in ("plain", "watched"))
    assert mine.keys() == theirs.keys() and all(torch.equal(value, theirs[name]) for name, value in mine.items())
    assert [row["epoch"] for row in read_rows(tmp_path / "watched" / watch.FOLDER)] == [0, 1, 2]


@pytest.mark.parametrize("rule", ODD)
def test_every_kind_of_rule_can_be_watched(rule: str) -> None:
    config = settled(rule, limit=40)
    data = load_data(config, None)
    learner, watcher = make_learner(config, data), Measures(16)
    watcher.look(learner, data, 0, None)
    learner.step(*data.train.batch(np.arange(8), torch.Generator()))
    watcher.look(learner, data, 1, None)
    assert [row["epoch"] for row in watcher.rows] == [0, 1]
    last = watcher.rows[1]
    assert set(last["layers"]) == {"hidden1", "hidden2", "readout"}
    for layer, measures in last["layers"].items():
        assert 0 <= measures["probe_accuracy"] <= 1 and measures["weight_change"] >= 0
        assert (measures["firing_rate"] is None) == (layer == "readout")
    assert last["layers"]["readout"]["weight_change"] > 0
    assert watcher.rows[0]["layers"]["readout"]["weight_change"] is None
    assert last["alignment"]["readout"]["cosine"] > 0.3
    json.dumps(watcher.rows, allow_nan=False)


def test_a_rule_whose_net_carries_nothing_back_is_watched_without_an_angle() -> None:
    config = settled("sigprop", connection="dynamic", limit=40)
    data = load_data(config, None)
    watcher = Measures()
    watcher.look(make_learner(config, data), data, 0, None)
    assert watcher.rows[0]["alignment"] == {} and watcher.rows[0]["layers"]["hidden1"]["probe_accuracy"] is not None


class Killed(Measures):
    """Stored its epoch, and was killed before the checkpoint of that epoch was written."""

    def look(self, learner: Learner, data: Data, epoch: int, folder: Path | None) -> None:
        super().look(learner, data, epoch, folder)
        if epoch == 2:
            raise RuntimeError("killed")


def test_a_killed_run_goes_on_with_no_line_lost_or_doubled(tmp_path: Path) -> None:
    config = settled("sigprop", epochs=3)
    data = few(load_data(config, None))
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    train(config, whole, quiet=True, data=data, watchers=[Measures(16)])
    with pytest.raises(RuntimeError, match="killed"):
        train(config, stopped, quiet=True, data=data, watchers=[Killed(16)])
    assert [row["epoch"] for row in read_rows(stopped / watch.FOLDER)] == [0, 1, 2]
    train(config, stopped, quiet=True, data=data, resume=True, watchers=[Measures(16)])
    lines = [(folder / watch.FOLDER / LINES).read_text() for folder in (whole, stopped)]
    assert lines[0] == lines[1] and lines[0].count("\n") == 4
    for epoch in range(4):
        mine, theirs = (read_features(folder / watch.FOLDER, epoch) for folder in (whole, stopped))
        assert set(mine) == {"hidden1", "hidden2", "readout"}
        assert all(np.array_equal(value, theirs[name]) for name, value in mine.items())
    watch.close(stopped)
    assert not list((stopped / watch.FOLDER).glob("weights*")) and read_features(stopped / watch.FOLDER, 3)
    watch.remove(stopped)
    assert read_rows(stopped / watch.FOLDER) == [] and read_features(stopped / watch.FOLDER, 0) == {}


class Forbidden:
    """Samples that nobody may take."""

    def __getitem__(self, positions: Any) -> Any:
        raise AssertionError("the test set was read")


@pytest.mark.parametrize("validation", [20, 0])
def test_probes_are_the_same_for_every_rule_and_seed_and_never_of_the_test_set(validation: int) -> None:
    probes = []
    for rule, seed in (("sigprop", 0), ("bptt", 3)):
        config = settled(rule, seed=seed, validation=validation)
        data = load_data(config, None)
        guarded = replace(data, test=replace(data.test, samples=Forbidden()))
        Measures().look(make_learner(config, guarded), guarded, 0, None)
        probes.append(probe_of(guarded))
    assert np.array_equal(probes[0].measure_positions, probes[1].measure_positions) and np.array_equal(
        probes[0].fit_positions, probes[1].fit_positions
    )
    first = probes[0]
    assert len(first.measure_positions) <= MEASURE_SAMPLES and len(set(first.measure_positions)) == len(
        first.measure_positions
    )
    if validation:
        assert first.part is not first.train and len(first.measure_positions) == 20
    else:
        assert first.part is first.train and not set(first.measure_positions) & set(first.fit_positions)


def test_weight_change_is_relative_to_the_epoch_before() -> None:
    network = build_network("3-2", (4,), 2)
    before = {name: torch.full((3, 4), 2.0) for name in ("hidden1.ff.w",)}
    now = {name: torch.ones(tuple(before.get(name, torch.ones(2, 2)).shape)) for _, _, name in network.weights()}
    assert weight_change(network, before, now) == {"hidden1": 0.5, "hidden2": None, "readout": None}
