"""Ranks that share batches learn what one process learns from the whole batch. Threads stand for processes here: each
has a gloo group of its own, through which they speak as processes do."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as distributed
from torch import Tensor

from neurorules.compare.comparison import compare
from neurorules.compare.tuning.search import tune
from neurorules.contracts.series import Series
from neurorules.language.config import TrainConfig
from neurorules.language.errors import OwnRankError, UserError
from neurorules.runs.folder import RunFolder
from neurorules.runs.interrupt import Interrupted
from neurorules.runs.launch import after_restart, launch
from neurorules.torch_path.process import ranks as ranks_of_process
from neurorules.torch_path.process.ranks import OtherRankFailed, RankLost, Ranks, over_ranks
from neurorules.torch_path.training import training_run
from neurorules.torch_path.training.checks import Diverged
from neurorules.torch_path.training.learner import Learner
from neurorules.torch_path.training.trainer import train
from neurorules.torch_path.update.figures import Scoring, Tally

Batch = tuple[Tensor, Tensor]
DRAWS = torch.Generator().manual_seed(1)
BATCHES: list[Batch] = [
    (torch.rand(7, 12, generator=DRAWS, dtype=torch.float64), torch.randint(0, 3, (7,), generator=DRAWS))
    for _ in range(3)
]
CONFIG = TrainConfig(
    "sigprop", data="digits", net="12-d0.2", steps=5, encode="poisson", limit=60, validation=9, epochs=2, batch_size=16,
    precision="float64", device="cpu", threads=1,
)  # fmt: skip


def side_by_side(count: int, work: Callable[[Ranks], Any]) -> list[Any]:
    """What the work gives on each rank, or the user's error that it raises there."""
    store, answers = distributed.HashStore(), [None] * count

    def one(rank: int) -> None:
        group = distributed.ProcessGroupGloo(store, rank, count, timedelta(seconds=20))
        ranks = Ranks(rank, count, group, store=store)
        with over_ranks(ranks):
            try:
                answers[rank] = work(ranks)
            except (UserError, Interrupted) as error:
                answers[rank] = error  # type: ignore[call-overload]

    threads = [threading.Thread(target=one, args=(rank,)) for rank in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return answers


def learned(rule: str, batches: list[Batch] = BATCHES, **settings: Any) -> tuple[dict[str, Tensor], list[Any]]:
    settings = {"net": "10-d0.2-8", "steps": 6, **settings}
    learner = Learner(rule=rule, input_shape=(12,), classes=3, precision="float64", seed=3, device="cpu", **settings)
    rows = [learner.step(Series(samples, True), labels) for samples, labels in batches]
    return learner.state(), rows


def check_same(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert set(one) == set(other)
    for name, value in one.items():
        close = torch.allclose(other[name], value, 1e-9, 1e-11) if value.is_floating_point() else None
        assert torch.equal(other[name], value) if close is None else close, name


@pytest.mark.parametrize(
    ("rule", "count", "settings"),
    [
        ("sigprop", 2, {}),
        ("sigprop", 3, {"schedule": "4"}),
        ("sigprop:predict=neutral", 2, {"norm": "none", "optimizer": "momentum"}),
        ("traces_propagation", 2, {}),
        ("bptt", 2, {"net": "r10-d0.5", "neuron": "alif"}),
        ("local_readout", 2, {}),
        ("pepita", 2, {}),
        ("pepita:form=time_local", 2, {}),
        ("triplet_stdp", 2, {}),
        ("reward_stdp", 2, {}),
        ("spiking_bsp", 2, {}),
        ("lls:gains=class", 2, {"net": "30"}),
    ],
    ids=str,
)
def test_ranks_learn_what_one_process_learns_from_the_whole_batch(rule: str, count: int, settings: Any) -> None:
    check_ranks_learn_alike(rule, count, settings, BATCHES)


def test_fewer_samples_than_ranks_are_learned_by_all_and_count_once() -> None:
    check_ranks_learn_alike("sigprop", 3, {}, [(samples[:2], labels[:2]) for samples, labels in BATCHES[:2]])


def check_ranks_learn_alike(rule: str, count: int, settings: Any, batches: list[Batch]) -> None:
    state, rows = learned(rule, batches, **settings)
    answers = side_by_side(count, lambda ranks: learned(rule, batches, **settings))
    for other, figures in answers:
        check_same(state, other)
        assert figures == [pytest.approx(row, abs=1e-6) for row in rows]
    assert all(torch.equal(answers[0][0][name], answers[-1][0][name]) for name in state)


@pytest.mark.parametrize(
    ("rule", "settings", "reason"),
    [
        ("dfa", {"norm": "batch"}, "batch normalisation"),
        ("dfa", {"targets": "shuffled"}, "shuffled targets"),
        ("dfa", {"hardware": "fixed_point"}, "hardware model"),
        ("sigprop:generator=target_input", {}, "other samples"),
        ("pepita:mirror=running", {}, "noise of its own"),
        ("bdsp", {}, "noise of its own"),
    ],
)
def test_what_ranks_cannot_share_is_refused_by_name(rule: str, settings: Any, reason: str) -> None:
    for answer in side_by_side(2, lambda ranks: learned(rule, **settings)):
        assert isinstance(answer, UserError) and reason in str(answer)


def test_ranks_that_are_given_different_batches_are_refused() -> None:
    answers = side_by_side(2, lambda ranks: learned("dfa", BATCHES[ranks.rank :]))
    assert isinstance(answers[1], OwnRankError) and "whole batch" in str(answers[1])
    assert isinstance(answers[0], OtherRankFailed)


def test_ranks_begin_with_the_weights_of_the_first() -> None:
    def work(ranks: Ranks) -> Tensor:
        learner = Learner("10", rule="dfa", input_shape=(12,), classes=3, precision="float64", device="cpu")
        learner.learned.parameters["hidden1.ff.w"] *= 1 + ranks.rank
        learner.step(Series(BATCHES[0][0], True), BATCHES[0][1])
        return learner.learned.parameters["hidden1.ff.w"]

    first, second = side_by_side(2, work)
    assert torch.equal(first, second)


def test_where_one_share_diverges_no_rank_changes_anything() -> None:
    def work(ranks: Ranks) -> Any:
        learner = Learner(
            "10", rule="dfa", input_shape=(12,), classes=3, norm="none", neuron="rate", steps=1, precision="float64",
            device="cpu",
        )  # fmt: skip
        before = learner.learned.parameters["hidden1.ff.w"].clone()
        samples = BATCHES[0][0].clone()
        samples[-1] = 1e308  # of the second rank's share
        with pytest.raises(Diverged, match="no longer finite"):
            learner.step(Series(samples, True), BATCHES[0][1])
        return torch.equal(before, learner.learned.parameters["hidden1.ff.w"])

    assert side_by_side(2, work) == [True, True]


def test_a_run_that_is_stopped_on_one_rank_stops_on_all_and_goes_on_with_another_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = train(CONFIG, tmp_path / "alone", quiet=True)
    batches, learn = [0, 0], training_run.Run._learn

    def stopping(run: training_run.Run, *batch: Any) -> None:
        ranks = run.learner.ranks
        if ranks is not None and ranks.count == 2:
            batches[ranks.rank] += 1
            if ranks.rank == 1 and batches[1] == 5:
                ranks.stop.request()
        learn(run, *batch)

    monkeypatch.setattr(training_run.Run, "_learn", stopping)
    stopped = side_by_side(2, lambda ranks: train(CONFIG, tmp_path / "shared", quiet=True))
    assert batches == [5, 5] and all(isinstance(answer, Interrupted) for answer in stopped)
    result = side_by_side(3, lambda ranks: train(CONFIG, tmp_path / "shared", quiet=True, resume=True))
    assert [r["ranks"] for r in result] == [3, 3, 3]
    check_same(RunFolder(tmp_path / "alone").load_weights(), RunFolder(tmp_path / "shared").load_weights())
    for name in ("test_accuracy", "validation_accuracy", "mean_rates", "spikes_per_sample", "synops_per_sample"):
        assert result[2][name] == pytest.approx(alone[name]), name


def test_a_mistake_is_told_by_the_rank_that_sees_it() -> None:
    def work(ranks: Ranks) -> None:
        with ranks.together():
            if ranks.rank == 1:
                raise UserError("the data are not here")

    first, second = side_by_side(3, work)[:2]
    assert isinstance(first, OtherRankFailed) and "rank 1 of 3" in str(first)
    assert isinstance(second, OwnRankError) and str(second) == "rank 1 of 3: the data are not here"


def test_a_rank_that_has_ended_is_told_in_one_line() -> None:
    def work(ranks: Ranks) -> None:
        if ranks.rank == 0:
            ranks.sums([torch.ones(3)])
            ranks.sums([torch.ones(3)])
        else:
            ranks.sums([torch.ones(3)])
            ranks.group = None

    lost = side_by_side(2, work)[0]
    assert isinstance(lost, RankLost) and "rank 0 of 2 stops: another rank has ended" in str(lost)


def in_the_environment(monkeypatch: pytest.MonkeyPatch, rank: int, count: int) -> int:
    """What torchrun would say to a rank; the free port at which ranks are to meet."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port: int = free.getsockname()[1]
    said = {"RANK": rank, "WORLD_SIZE": count, "MASTER_ADDR": "localhost", "MASTER_PORT": port, "LOCAL_RANK": rank}
    for name, value in said.items():
        monkeypatch.setenv(name, str(value))
    return port


@pytest.mark.parametrize("dies", ["before it meets the others", "once it has met them"])
def test_a_rank_that_ends_while_ranks_meet_is_waited_for_less_than_a_minute(
    dies: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ranks_of_process.MEETING.total_seconds() < 60
    monkeypatch.setattr(ranks_of_process, "MEETING", timedelta(seconds=1))
    port = in_the_environment(monkeypatch, 0, 2)
    if dies == "once it has met them":
        store = ("localhost", port, 2, False, timedelta(seconds=20))
        threading.Thread(target=lambda: distributed.TCPStore(*store)).start()
    began = time.monotonic()
    with pytest.raises(OwnRankError, match="rank 0 of 2 cannot reach the others .* has ended") as raised, over_ranks():
        pass
    assert time.monotonic() - began < 15 and "\n" not in str(raised.value)


def test_a_rank_that_is_busy_is_waited_for_longer_than_ranks_wait_to_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    store = distributed.HashStore()

    def one(rank: int) -> None:
        ranks = Ranks(rank, 2, distributed.ProcessGroupGloo(store, rank, 2, timedelta(seconds=0.2)))
        time.sleep(0.5 * rank)
        sums[rank] = float(ranks.sums([torch.ones(1)])[0])

    sums = [0.0, 0.0]
    threads = [threading.Thread(target=one, args=(rank,)) for rank in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sums == [2.0, 2.0]


def test_a_rank_that_is_to_stop_does_not_wait_for_one_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks_of_process, "LOOK", timedelta(seconds=0.05))
    monkeypatch.setattr(ranks_of_process, "LAST_WAIT", timedelta(seconds=0.1))
    monkeypatch.setattr(ranks_of_process, "PATIENCE", timedelta(seconds=3))
    store = distributed.HashStore()
    with ThreadPool(2) as both:
        groups = both.map(lambda rank: distributed.ProcessGroupGloo(store, rank, 2, timedelta(seconds=20)), (0, 1))
    ranks = Ranks(0, 2, groups[0])
    threading.Timer(0.2, ranks.stop.request).start()
    with pytest.raises(RankLost, match="rank 0 of 2 stops: .* does not answer .asked to stop"):
        ranks.sums([torch.ones(1)])


def test_errors_of_values_are_summed_over_ranks() -> None:
    targets = torch.randn(9, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    scores = targets + 0.1 * targets.flip(0)
    whole = Tally(Scoring("regression"))
    whole.add(scores, targets)

    def work(ranks: Ranks) -> dict[str, float]:
        tally, rows = Tally(Scoring("regression")), slice(0, 4) if ranks.first else slice(4, 9)
        tally.begin(targets)
        tally.add(scores[rows], targets[rows])
        tally.join(ranks)
        return tally.figures()

    assert side_by_side(2, work)[1] == pytest.approx(whole.figures(), rel=1e-12)


def test_what_torchrun_says_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert launch().ranks == 1 and after_restart(None, False, True) == (False, True)
    said = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "LOCAL_RANK": "1",
            "TORCHELASTIC_RESTART_COUNT": "1", "TORCHELASTIC_MAX_RESTARTS": "2"}  # fmt: skip
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    assert launch() == (1, 2, 1, 1, 2)
    with pytest.raises(UserError, match="compare works in one process, and torchrun has started 2"):
        compare([], tmp_path / "comparison")
    with pytest.raises(UserError, match="a search for settings works in one process"):
        tune(TrainConfig(), "dfa", tmp_path / "search")
    assert not list(tmp_path.iterdir())
    with pytest.raises(UserError, match="Give --out DIR"):
        after_restart(None, False, False)
    assert after_restart(tmp_path, False, True) == (False, True)
    (tmp_path / "config.json").write_text("{}")
    assert after_restart(tmp_path, False, True) == (True, False)
    monkeypatch.setenv("WORLD_SIZE", "two")
    with pytest.raises(UserError, match="not whole numbers"):
        launch()
