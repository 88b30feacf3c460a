"""Layers on ranks learn what one process learns, to the bit, and only forward activity goes from one to the next.

Threads stand for processes, as in `test_ranks`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from test_ranks import side_by_side
from torch import Tensor

from neurorules.contracts.series import Series
from neurorules.contracts.signal import ThirdFactor
from neurorules.contracts.view import View
from neurorules.language.config import TrainConfig
from neurorules.language.errors import OwnRankError, UserError
from neurorules.rules import RULES
from neurorules.runs.folder import RunFolder
from neurorules.runs.interrupt import Interrupted
from neurorules.signals.prototypes import Prototypes
from neurorules.torch_path.process.neighbours import Link
from neurorules.torch_path.process.ranks import RankLost, Ranks
from neurorules.torch_path.training import training_run
from neurorules.torch_path.training.checks import Diverged
from neurorules.torch_path.training.learner import Learner
from neurorules.torch_path.training.rank_pipe import RankPipe
from neurorules.torch_path.training.trainer import train
from neurorules.torch_path.trial.division import divided
from neurorules.torch_path.trial.parcel_message import facts_of

STEPS, CLASSES, BATCHES = 4, 3, 5
FORMS = (
    "sigprop:form=voltage", "sigprop:embedding=class_means", "sigprop:generator=target_input", "sigprop:loss=max_all",
    "sigprop:loss=top_k:k=2", "sigprop:predict=neutral", "sigprop:predict=prototypes", "sigprop:predict=subset",
    "forward_forward:predict=readout",
)  # fmt: skip
NETS = {"dense": ("13-d0.2-11-9", (6,)), "conv": ("c4k3-p2-9", (1, 6, 6)), "recurrent": ("r10-8", (6,))}
CONFIG = TrainConfig(
    "sigprop", data="digits", net="12-d0.2-10-8", steps=5, encode="poisson", limit=90, validation=12, epochs=2,
    batch_size=16, precision="float64", device="cpu", threads=1,
)  # fmt: skip
PIPED = replace(CONFIG, schedule="pipelined")


def make(rule: str, schedule: str, net: str = "dense", **options: Any) -> Learner:
    text, shape = NETS[net]
    given = {"input_shape": shape, "classes": CLASSES, "device": "cpu", "precision": "float64", "seed": 3} | options
    return Learner(text, rule=rule, schedule=schedule, steps=STEPS, **given)


def batch(number: int, shape: tuple[int, ...]) -> tuple[Series, Tensor]:
    """Spikes of an odd number, a constant current of an even one; sizes differ."""
    generator = torch.Generator().manual_seed(number)
    rows = 6 + number % 3
    labels = torch.randint(CLASSES, (rows,), generator=generator)
    if number % 2 == 0:
        return Series(torch.rand(rows, *shape, generator=generator, dtype=torch.float64) * 2, True), labels
    spikes = torch.rand(STEPS, rows, *shape, generator=generator, dtype=torch.float64) < 0.4
    return Series(spikes.double() * 2, False), labels


def learned(rule: str, schedule: str, net: str = "dense", **options: Any) -> tuple[dict[str, Tensor], list[Any]]:
    """The state after all batches, at falling rates, and the figures of each. A flush comes in between."""
    learner, rows = make(rule, schedule, net, **options), []
    for number in range(BATCHES):
        rows.append(learner.push(*batch(number, NETS[net][1]), 1 - 0.1 * number))
        if number == 2:
            rows += learner.flush()
    rows += learner.flush()
    return learner.state(), [row for row in rows if row is not None]


def assert_same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert torch.equal(value, other[name]), name


def can_be_piped(rule: str) -> bool:
    try:
        make(rule, "pipelined")
    except UserError:
        return False
    return True


@pytest.mark.parametrize("rule", [*RULES.names(), *FORMS])
def test_layers_on_two_ranks_learn_the_same_bits_as_in_one_process(rule: str) -> None:
    if not can_be_piped(rule):
        refusals = side_by_side(2, lambda ranks: learned(rule, "pipelined"))
        assert all("cannot learn pipelined" in str(refusal) for refusal in refusals)
        return
    check_layers_learn_alike(rule, 2, "dense", {})


@pytest.mark.parametrize("options", [{"readout": "all"}, {"norm": "batch"}, {"neuron": "lif:beta=0.8"}], ids=str)
@pytest.mark.parametrize("net", NETS)
def test_so_they_do_on_three_ranks_and_every_kind_of_net(net: str, options: dict[str, Any]) -> None:
    check_layers_learn_alike("sigprop", 3, net, options)


@pytest.mark.parametrize("rule", ["sigprop:predict=prototypes", "forward_forward", "traces_propagation", "drtp"])
def test_and_with_a_layer_on_each_rank(rule: str) -> None:
    check_layers_learn_alike(rule, 4, "dense", {"optimizer": "adam"})


def check_layers_learn_alike(rule: str, count: int, net: str, options: dict[str, Any]) -> None:
    state, rows = learned(rule, "by_layer", net, **options)
    for answer in side_by_side(count, lambda ranks: learned(rule, "pipelined", net, **options)):
        assert not isinstance(answer, BaseException), answer
        assert_same(state, answer[0])
        assert answer[1] == rows


@pytest.mark.parametrize("rule", ["sigprop", "local_readout"])
def test_so_they_do_where_products_follow_spikes_and_membranes_are_not_stored(rule: str) -> None:
    draws = torch.Generator().manual_seed(0)
    spikes = torch.rand(10, 64, 100, generator=draws, dtype=torch.float64) < 0.1
    labels = torch.randint(CLASSES, (64,), generator=draws)

    def work(schedule: str) -> tuple[dict[str, Tensor], list[Any]]:
        learner = Learner(
            "512-450", rule=rule, input_shape=(100,), classes=CLASSES, steps=10, schedule=schedule, device="cpu",
            precision="float64",
        )  # fmt: skip
        rows = [learner.push(Series(spikes.double(), False), labels) for _ in range(2)]
        rows += learner.flush()
        return learner.state(), [row for row in rows if row is not None]

    state, rows = work("by_layer")
    for count in (2, 3):
        for answer in side_by_side(count, lambda ranks: work("pipelined")):
            assert_same(state, answer[0])
            assert answer[1] == rows


@pytest.mark.parametrize(("loss", "reads"), [("label", False), ("max_all", True)])
def test_a_signal_is_shown_the_layer_below_only_if_it_reads_it(
    loss: str, reads: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    views: list[View] = []
    third_factor = Prototypes.third_factor

    def looking(signal: Prototypes, state: Any, parameters: Any, view: View) -> ThirdFactor:
        views.append(view)
        return third_factor(signal, state, parameters, view)

    monkeypatch.setattr(Prototypes, "third_factor", looking)
    make(f"sigprop:loss={loss}", "by_layer").step(*batch(0, (6,)))
    shown = {view.layer.name: bool(view.source) for view in views}
    assert shown == {"hidden1": False, "hidden2": reads, "hidden3": reads}


def test_only_forward_activity_goes_up_and_spikes_are_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    messages: list[tuple[int, bytes]] = []
    send = Link.send

    def listening(link: Link, message: bytes) -> None:
        messages.append((link.ranks.rank, message))
        send(link, message)

    monkeypatch.setattr(Link, "send", listening)
    side_by_side(4, lambda ranks: learned("sigprop", "pipelined"))
    assert len(messages) == 3 * BATCHES
    for rank, message in messages:
        facts = facts_of(message)
        assert set(facts) == {"word", "steps", "items"}
        assert {(item[1], item[2], item[3]) for item in facts["items"]} == {(rank, "S", "bits")}
        bits = sum(-(-torch.Size(item[4]).numel() // 8) for item in facts["items"])
        described = 8 + int.from_bytes(message[:8], "little")
        assert len(message) == described + bits


def test_a_rank_changes_its_own_layers_alone_before_a_flush() -> None:
    def work(ranks: Ranks) -> tuple[set[str], set[str]]:
        learner = make("sigprop", "pipelined")
        before = {name: value.clone() for name, value in learner.learned.parameters.items()}
        learner.push(*batch(0, (6,)))
        now = learner.learned.parameters
        changed = {name.split(".")[0] for name, value in now.items() if not torch.equal(value, before[name])}
        assert isinstance(learner.pipe, RankPipe)
        own = {learner.model.network.layers[index].name for index in learner.pipe.section}
        with pytest.raises(UserError, match="flush"):
            learner.state()
        with pytest.raises(UserError, match="flush"):
            learner.discard()
        learner.flush()
        return changed, own

    for changed, own in side_by_side(2, work):
        assert changed == own


def test_a_step_goes_through_all_ranks_and_a_whole_trial_is_refused() -> None:
    straight = make("sigprop", "by_layer")
    rows = [straight.step(*batch(number, (6,))) for number in range(2)]

    def work(ranks: Ranks) -> list[dict[str, float]]:
        learner = make("sigprop", "pipelined")
        steps = [learner.step(*batch(number, (6,))) for number in range(2)]
        assert learner.flush() == [] and learner.discard() == 0
        with pytest.raises(UserError, match="layers are on several ranks"):
            learner.learn(*batch(2, (6,)))
        return steps

    assert side_by_side(2, work) == [rows, rows]


@pytest.mark.parametrize(
    ("costs", "ranks", "layers"),
    [
        ([1, 1, 1, 1], 2, [2, 2]),
        ([5, 1, 1, 1], 2, [1, 3]),
        ([1, 1, 1, 5], 2, [3, 1]),
        ([2, 3, 4, 1, 2], 3, [2, 1, 2]),
        ([1, 9, 1], 3, [1, 1, 1]),
        ([0, 0, 0], 2, [1, 2]),
        ([4, 2], 1, [2]),
    ],
)
def test_layers_are_divided_so_that_the_slowest_rank_is_as_fast_as_can_be(
    costs: list[float], ranks: int, layers: list[int]
) -> None:
    sections = divided(costs, ranks)
    assert [len(section) for section in sections] == layers
    assert [index for section in sections for index in section] == list(range(len(costs)))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"net": "8"}, "3 ranks cannot divide 2 layers"),
        ({"schedule": "pipelined_threads"}, "divides the layers over threads"),
        ({"rule": "dfa"}, "cannot learn pipelined: its layers wait for"),
        ({"hardware": "fixed_point"}, "hardware model"),
    ],
    ids=str,
)
def test_what_cannot_be_divided_is_refused_in_one_line_and_leaves_nothing(
    options: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    config = replace(PIPED, **options)
    answers = side_by_side(3, lambda ranks: train(config, tmp_path / "run", quiet=True))
    assert isinstance(answers[0], UserError) and reason in str(answers[0]) and "\n" not in str(answers[0])
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("options", [{}, {"encode": "constant", "net": "c4k3-p2-9", "rule": "local_readout"}], ids=str)
@pytest.mark.parametrize("count", [2, 3])
def test_a_run_on_ranks_writes_what_one_process_writes(count: int, options: dict[str, Any], tmp_path: Path) -> None:
    alone = train(replace(CONFIG, **options), tmp_path / "alone", quiet=True)
    config = replace(PIPED, **options)
    results = side_by_side(count, lambda ranks: train(config, tmp_path / "ranks", quiet=True))
    check_same_runs(tmp_path, alone, results[-1])
    facts = results[0]["pipeline"]
    assert results[0]["ranks"] == len(facts["layers"]) == count
    assert [name for names in facts["layers"] for name in names] == list(facts["layer_ms"])
    assert facts["idle_ticks"] == pytest.approx((count - 1) / (5 + count - 1))
    assert all(0 <= share <= 1 for share in facts["waiting"])
    assert [sent > 0 for sent in facts["sent_bytes_per_batch"]] == [True] * (count - 1) + [False]


def check_same_runs(folder: Path, alone: dict[str, Any], shared: dict[str, Any]) -> None:
    one, other = (RunFolder(folder / name) for name in ("alone", "ranks"))
    assert_same(one.load_weights(), other.load_weights())
    for row, same in zip(one.read_metrics(), other.read_metrics(), strict=True):
        for name in ("train_loss", "train_accuracy", "validation_accuracy", "spikes_per_sample", "mean_rates"):
            assert same[name] == pytest.approx(row[name], rel=1e-12), name
    for name in ("test_accuracy", "mean_rates", "spikes_per_sample", "synops_per_sample", "measures", "needs"):
        assert shared[name] == pytest.approx(alone[name]), name


@pytest.mark.parametrize("asked", [0, 1, 2])
def test_a_run_that_is_stopped_goes_on_with_another_number_of_ranks_to_the_same_bits(
    asked: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = train(CONFIG, tmp_path / "alone", quiet=True)
    learn, most = training_run.Run._learn, 7
    batches = [0, 0, 0]

    def stopping(run: training_run.Run, *batch: Any) -> None:
        ranks = run.learner.ranks
        if ranks is not None and ranks.count == 3:
            batches[ranks.rank] += 1
            if ranks.rank == asked and batches[asked] == 3:
                ranks.stop.request()
        learn(run, *batch)

    with monkeypatch.context() as patch:
        patch.setattr(training_run.Run, "_learn", stopping)
        stopped = side_by_side(3, lambda ranks: train(PIPED, tmp_path / "ranks", quiet=True))
    assert all(isinstance(answer, Interrupted) for answer in stopped), stopped
    assert len(set(batches)) == 1 and batches[0] <= most, "all ranks stop after the same batch"
    side_by_side(2, lambda ranks: stopped_after(3, tmp_path, monkeypatch))
    result = train(PIPED, tmp_path / "ranks", quiet=True, resume=True)
    check_same_runs(tmp_path, alone, result)


def stopped_after(batches: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Go on with a run, and stop it again after some batches."""
    push = RankPipe.receive

    def receive(pipe: RankPipe, *given: Any) -> None:
        if pipe.use.batches + pipe.under_way >= batches:
            pipe.ranks.stop.request()
        push(pipe, *given)

    monkeypatch.setattr(RankPipe, "receive", receive)
    try:
        train(PIPED, folder / "ranks", quiet=True, resume=True)
    except Interrupted as end:
        return end
    raise AssertionError("the run did not stop")


def test_every_rank_empties_the_pipeline_for_a_checkpoint_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = train(CONFIG, tmp_path / "alone", quiet=True)
    monkeypatch.setattr(training_run, "CHECKPOINT_SECONDS", -1)
    results = side_by_side(3, lambda ranks: train(PIPED, tmp_path / "ranks", quiet=True))
    check_same_runs(tmp_path, alone, results[0])
    assert results[0]["pipeline"]["idle_ticks"] == pytest.approx(2 / 3)


def test_numbers_that_diverge_on_one_rank_are_told_by_that_rank() -> None:
    def work(ranks: Ranks) -> None:
        learner = make("local_readout", "pipelined")
        learner.push(*batch(0, (6,)))
        if not ranks.first:
            learner.learned.parameters["readout.ff.w"].fill_(float("nan"))
        with pytest.raises(UserError) as raised:
            for number in range(1, 20):
                learner.push(*batch(number, (6,)))
        for further in (learner.flush, learner.state, lambda: learner.push(*batch(0, (6,)))):
            with pytest.raises(UserError, match="Start the ranks again"):
                further()
        raise raised.value

    first, second = side_by_side(2, work)
    assert isinstance(second, Diverged) and isinstance(second, OwnRankError), second
    assert "rank 1 of 2" in str(second)
    assert isinstance(first, RankLost), first


def test_a_tensor_that_layers_of_two_ranks_change_is_refused() -> None:
    def work(ranks: Ranks) -> None:
        learner = make("sigprop", "pipelined")
        learner.push(*batch(0, (6,)))
        assert isinstance(learner.pipe, RankPipe)
        learner.pipe.changes.add("parameters/hidden1.ff.w")
        learner.flush()

    for answer in side_by_side(2, work):
        assert isinstance(answer, UserError) and "ranks 0 and 1 both change 'parameters/hidden1.ff.w'" in str(answer)


def test_a_result_can_be_written() -> None:
    results = side_by_side(2, lambda ranks: train(PIPED, None, quiet=True))
    json.dumps(results[0])
