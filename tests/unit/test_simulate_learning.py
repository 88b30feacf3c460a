"""`simulate RUN --learn N`: the same updates in torch and in stepped Brian2, and what is refused."""

from __future__ import annotations

import json
import signal
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch

from neurorules.api import train
from neurorules.cli import run
from neurorules.contracts.series import Series
from neurorules.runner import side_by_side
from neurorules.runner.side_by_side import Update, check_can_learn, compare_updates
from neurorules.torch_path.training.learner import Learner

pytest.importorskip("brian2")

STEPS, SAMPLES, SHAPE = 5, 4, (9,)


def learner(rule: str, **settings: Any) -> Learner:
    given = {"neuron": "lif:beta=0.8", "precision": "float64", "device": "cpu", **settings}
    return Learner("8-6", rule, input_shape=SHAPE, classes=3, **given)


def in_256ths(one: Learner) -> None:
    """Weights that are multiples of 1/256, so that sums of them are exact in any order."""
    for value in one.learned.parameters.values():
        value.copy_((value * 256).round() / 256)


def batches(updates: int) -> list[tuple[Series, torch.Tensor]]:
    generator = torch.Generator().manual_seed(1)
    labels = torch.arange(SAMPLES) % 3
    return [
        (Series(4 * (torch.rand(STEPS, SAMPLES, *SHAPE, generator=generator) < 0.5).double(), False), labels)
        for _ in range(updates)
    ]


def updates_of(here: Learner, there: Learner, updates: int = 1) -> list[Update]:
    return list(compare_updates(here, there, batches(updates)))


@pytest.mark.parametrize(
    ("rule", "updates"),
    [("sigprop", 3), ("sigprop:form=voltage", 3), ("dfa", 3), ("pepita", 3), ("local_readout", 3), ("stdp", 3)],
)
def test_both_sides_learn_the_same(rule: str, updates: int) -> None:
    here, there = learner(rule), learner(rule)
    before = {name: value.clone() for name, value in here.learned.parameters.items()}
    compared = updates_of(here, there, updates)
    assert [update.number for update in compared] == list(range(1, updates + 1))
    assert all(update.equal and update.spikes_compared > 0 for update in compared)
    assert max(update.change_difference for update in compared) < 1e-12
    moved = [name for name, value in there.learned.parameters.items() if not torch.equal(value, before[name])]
    assert "readout.ff.w" in moved and any(name.startswith("hidden") for name in moved)


def test_weights_that_are_multiples_of_a_256th_are_equal_to_the_last_bit() -> None:
    rule = "stdp:a_plus=0.125:a_minus=0.25:decay=0.5"
    settings = {"neuron": "lif:beta=0.5", "norm": "none", "optimizer": "none", "readout_optimizer": "none"}
    here, there = learner(rule, **settings), learner(rule, **settings)
    for one in (here, there):
        in_256ths(one)
    [update] = updates_of(here, there)
    hidden = [name for name in here.learned.parameters if name.startswith("hidden")]
    assert update.spikes_equal and all(
        torch.equal(here.learned.parameters[name], there.learned.parameters[name]) for name in hidden
    )


def test_a_text_that_brian2_runs_otherwise_is_caught() -> None:
    text = "-m_post * psi(v_post) * S_pre"
    for optimizer in ("sgd", "adam"):
        settings = {"norm": "none", "optimizer": optimizer}
        [update] = updates_of(learner("dfa", dw=text, **settings), learner("dfa", dw=f"{text} * 1.5", **settings))
        assert update.spikes_equal and not update.changes_equal and not update.equal
        assert optimizer == "adam" or (not update.weights_equal and update.parameter.endswith(".ff.w"))
    faster = learner("dfa", dw=text, norm="none", neuron="lif:beta=0.3")
    [update] = updates_of(learner("dfa", dw=text, norm="none"), faster)
    assert not update.spikes_equal and update.first_difference is not None


@pytest.mark.parametrize(
    ("rule", "settings", "says"),
    [
        ("bptt", {}, "goes back through all steps"),
        ("pepita:form=dendritic", {}, "linearised net"),
        ("pepita:form=time_local", {}, "changes weights before the next phase runs"),
        ("dfa", {"norm": "batch"}, "batch normalisation"),
        ("dfa", {"hardware": "fixed_point:bits=8"}, "device model"),
    ],
)
def test_what_brian2_cannot_learn_is_refused_in_one_line(rule: str, settings: dict[str, str], says: str) -> None:
    with pytest.raises(Exception, match=says) as caught:
        check_can_learn(learner(rule, **settings), SAMPLES)
    assert "\n" not in str(caught.value) and ("Give a run" in str(caught.value) or "give a run" in str(caught.value))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "r"
    train(rule="dfa", net="6", steps=3, epochs=1, limit=60, validation=10, out=path)
    return path


class Dropped:
    """An object that can be referred to weakly."""


def test_an_interrupt_inside_a_callback_between_two_updates_stops_the_command_in_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = side_by_side.run_together

    def interrupted(*arguments: Any) -> Any:
        outcomes, dropped = plain(*arguments), Dropped()
        reference = weakref.ref(dropped, lambda _: signal.raise_signal(signal.SIGINT))
        del dropped
        assert reference() is None
        return outcomes

    monkeypatch.setattr(side_by_side, "run_together", interrupted)
    assert run(["simulate", str(folder), "--learn", "3", "--samples", "3"]) == 130
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "neurorules: stopped\n")


def test_the_command_prints_a_line_an_update_and_a_summary(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate", str(folder), "--learn", "2", "--samples", "3"]) == 0
    *lines, summary = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["update 1", "update 2"]
    assert summary == "dfa, 2 updates of 3 samples: the same in torch and in Brian2"


def test_the_command_gives_one_json_object(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate", str(folder), "--learn", "1", "--samples", "3", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["spikes_equal"] and told["weights_equal"] and len(told["updates"]) == 1
    assert told["updates"][0]["first_difference"] is None


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--learn", "0"], "--learn is 0"),
        (["--learn", "100"], "Ask for fewer"),
        (["--path", "continuous"], "not a stepped simulator"),
        (["--learn", "1", "--show-model"], "--show-model prints the model of a net that does not learn"),
        (["--learn", "1", "--samples", "0"], "--samples is 0"),
        (["--samples", "0"], "--samples is 0"),
    ],
)
def test_mistakes_are_told_in_one_line(
    options: list[str], says: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["simulate", str(folder), *options]) == 2
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1
