"""Layers that learn a batch before the next layer has seen it: the same numbers as one layer after the other."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from neurorules import Learner, Series
from neurorules.language.config import TrainConfig
from neurorules.language.errors import UserError
from neurorules.rules import RULES
from neurorules.torch_path.training import training_run
from neurorules.torch_path.training.trainer import train
from neurorules.torch_path.trial.pipeline import LOCKING

STEPS, SAMPLES, CLASSES, BATCHES = 4, 6, 3, 5
UNLOCKED = (
    "sigprop", "sigprop:form=voltage", "sigprop:embedding=class_means", "sigprop:generator=target_input",
    "sigprop:loss=max_all", "sigprop:loss=top_k:k=2", "sigprop:predict=neutral", "sigprop:predict=prototypes",
    "sigprop:predict=subset", "traces_propagation", "local_readout", "drtp", "shallow", "stdp", "oja", "bcm",
    "clopath", "sdsp", "lls", "spela", "tess", "triplet_stdp", "weight_dependent_stdp", "etlp", "osttp", "espp",
    "stsf", "urbanczik_senn", "forward_forward", "forward_forward:predict=readout",
)  # fmt: skip
LOCKED = ("sigprop:generator=target_loop", "bptt", "fa", "dfa", "pepita")
NETS = {"dense": ("13-d0.2-11-9", (6,)), "conv": ("c4k3-p2-9", (1, 6, 6)), "recurrent": ("r10-8", (6,))}


def make(rule: str, schedule: str, net: str = "dense", **options: object) -> Learner:
    text, shape = NETS[net]
    given = {"input_shape": shape, "classes": CLASSES, "device": "cpu", "precision": "float64"} | options
    return Learner(text, rule=rule, schedule=schedule, steps=STEPS, **given)  # type: ignore[arg-type]


def batch(number: int, shape: tuple[int, ...]) -> tuple[Series, Tensor]:
    """Spikes of an odd number, a constant current of an even one; sizes differ."""
    generator = torch.Generator().manual_seed(number)
    rows = SAMPLES + number % 3
    labels = torch.randint(CLASSES, (rows,), generator=generator)
    if number % 2 == 0:
        return Series(torch.rand(rows, *shape, generator=generator, dtype=torch.float64) * 2, True), labels
    spikes = torch.rand(STEPS, rows, *shape, generator=generator, dtype=torch.float64) < 0.4
    return Series(spikes.double() * 2, False), labels


def run(learner: Learner, net: str = "dense", fractions: bool = True) -> list[dict[str, float]]:
    """Learn all batches at falling rates; the metrics of each."""
    found: list[dict[str, float] | None] = []
    for number in range(BATCHES):
        found.append(learner.push(*batch(number, NETS[net][1]), 1 - 0.1 * number if fractions else 1.0))
    return [metrics for metrics in (*found, *learner.flush()) if metrics is not None]


def assert_same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert torch.equal(value, other[name]), name


@pytest.mark.parametrize("schedule", ["pipelined", "pipelined_threads"])
@pytest.mark.parametrize("rule", UNLOCKED)
def test_a_pipeline_learns_the_same_bits_as_one_layer_after_the_other(rule: str, schedule: str) -> None:
    straight, piped = make(rule, "by_layer"), make(rule, schedule)
    expected, found = run(straight), run(piped)
    assert_same(straight.state(), piped.state())
    assert len(found) == BATCHES
    for one, other in zip(expected, found, strict=True):
        assert one.keys() == other.keys()
        assert other == pytest.approx(one, rel=1e-12)


@pytest.mark.parametrize("options", [{"readout": "all"}, {"norm": "batch"}, {"neuron": "lif:beta=0.8"}], ids=str)
@pytest.mark.parametrize("net", NETS)
def test_so_it_does_on_every_kind_of_net(net: str, options: dict[str, object]) -> None:
    straight, piped = make("sigprop", "by_layer", net, **options), make("sigprop", "pipelined", net, **options)
    assert run(straight, net) == run(piped, net)
    assert_same(straight.state(), piped.state())


def test_the_first_layer_has_changed_before_the_second_has_seen_the_sample() -> None:
    learner = make("sigprop", "pipelined")
    before = {name: value.clone() for name, value in learner.learned.parameters.items()}

    def changed() -> set[str]:
        now = learner.learned.parameters
        return {name.split(".")[0] for name, value in now.items() if not torch.equal(value, before[name])}

    assert learner.push(*batch(0, (6,))) is None
    parcel = learner.pipe.slots[1] if learner.pipe else None
    assert changed() == {"hidden1"}
    assert parcel is not None and len(parcel.records["input"].activity) == 1, "no other layer has run"
    learner.push(*batch(1, (6,)))
    assert changed() == {"hidden1", "hidden2"}
    assert learner.push(*batch(2, (6,))) is None
    assert learner.push(*batch(3, (6,))) is not None
    assert changed() == {"hidden1", "hidden2", "hidden3", "readout"}


@pytest.mark.parametrize("rule", LOCKED)
def test_a_rule_whose_layers_wait_for_each_other_is_refused_and_told_why(rule: str) -> None:
    with pytest.raises(UserError, match=r"cannot learn pipelined.*by_layer") as raised:
        make(rule, "pipelined")
    assert "\n" not in str(raised.value)


def test_every_rule_is_either_locked_by_what_it_needs_or_not() -> None:
    for name in RULES.names():
        rule = RULES.make(name)
        needs = rule.signal.make().needs if rule.signal else frozenset()
        waits = bool(needs & set(LOCKING)) or any(phase.applies or phase.linear for phase in rule.phases)
        if waits:
            with pytest.raises(UserError, match="cannot learn pipelined"):
                make(name, "pipelined")
        else:
            make(name, "pipelined")


def test_a_hardware_model_locks_the_layers() -> None:
    with pytest.raises(UserError, match="hardware model"):
        make("sigprop", "pipelined", hardware="fixed_point")


def test_batches_under_way_must_be_flushed_before_anything_is_read() -> None:
    learner = make("sigprop", "pipelined")
    learner.push(*batch(0, (6,)))
    for read in (learner.state, lambda: learner.scores(batch(1, (6,))[0])):
        with pytest.raises(UserError, match="flush"):
            read()
    assert len(learner.flush()) == 1
    assert learner.state() and learner.flush() == []


def test_a_step_goes_through_the_whole_pipe() -> None:
    straight, piped = make("sigprop", "by_layer"), make("sigprop", "pipelined")
    for number in range(3):
        assert straight.step(*batch(number, (6,))) == piped.step(*batch(number, (6,)))
    assert_same(straight.state(), piped.state())


class Killed(Exception):
    """What stops a run in the middle of an epoch."""


def weights(folder: Path) -> dict[str, Tensor]:
    return load_file(folder / "weights.safetensors")


def test_a_pipelined_run_killed_in_an_epoch_goes_on_to_the_same_bits_as_one_layer_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = TrainConfig(net="10-9-8", steps=3, epochs=2, batch_size=32, limit=200, validation=40)
    straight = train(config, tmp_path / "straight", quiet=True)
    piped = replace(config, schedule="pipelined")
    learned, push = 0, Learner.push

    def push_until_killed(self: Learner, *batch: object) -> dict[str, float] | None:
        nonlocal learned
        learned += 1
        if learned == 8:
            raise Killed
        return push(self, *batch)  # type: ignore[arg-type]

    monkeypatch.setattr(training_run, "CHECKPOINT_SECONDS", -1)
    monkeypatch.setattr(Learner, "push", push_until_killed)
    with pytest.raises(Killed):
        train(piped, tmp_path / "piped", quiet=True)
    monkeypatch.setattr(Learner, "push", push)
    monkeypatch.setattr(training_run, "CHECKPOINT_SECONDS", 30)
    result = train(piped, tmp_path / "piped", quiet=True, resume=True)
    assert_same(weights(tmp_path / "straight"), weights(tmp_path / "piped"))
    assert result["test_accuracy"] == straight["test_accuracy"]
    rows = [(tmp_path / name / "metrics.jsonl").read_text().splitlines() for name in ("straight", "piped")]
    for one, other in zip(*rows, strict=True):
        found, expected = json.loads(other), json.loads(one)
        for name in ("train_loss", "train_accuracy", "validation_accuracy"):
            assert found[name] == pytest.approx(expected[name], rel=1e-9)
