"""A run has the thread count that it was begun with, and no more threads than cores that it may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from neurorules.cli import run
from neurorules.language.config import TrainConfig
from neurorules.language.errors import UserError
from neurorules.torch_path.process import threads
from neurorules.torch_path.process.threads import check_threads, running_on, usable_cores
from neurorules.torch_path.training.trainer import train
from neurorules.torch_path.training.watch import Watcher

CONFIG = TrainConfig(rule="dfa", net="8", epochs=3, limit=60, steps=2)
two_cores = pytest.mark.skipif(usable_cores() < 2, reason="needs two cores")


class Looking(Watcher):
    """Notes the thread count at each look, and stops the run at one of them."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.stop_at = stop_at
        self.seen: list[int] = []

    def look(self, learner: Any, data: Any, epoch: int, folder: Path | None) -> None:
        self.seen.append(torch.get_num_threads())
        if epoch == self.stop_at:
            raise KeyboardInterrupt


@pytest.fixture
def every_net_repays(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(threads, "WORK_FOR_THREADS", 1)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def one_core() -> Iterator[None]:
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("this system has no affinity")
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    yield
    os.sched_setaffinity(0, before)


def test_more_threads_than_cores_are_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cores = usable_cores()
    for asked in (cores + 1, 100_000):
        arguments = ["train", "--net", "8", "--threads", str(asked), "--out", str(tmp_path / "run")]
        assert run(arguments) == 2
        line = capsys.readouterr().err
        assert f"--threads is {asked}" in line and f"Give at most {cores}" in line and line.count("\n") == 1
    assert not list(tmp_path.iterdir())
    check_threads(cores)
    check_threads(None)


def test_cores_are_those_of_the_process_affinity(one_core: None) -> None:
    assert usable_cores() == 1
    with pytest.raises(UserError, match="--threads is 2, and this process may use 1 core. Give at most 1"):
        train(replace(CONFIG, threads=2), quiet=True)
    assert train(replace(CONFIG, threads=1, epochs=1), quiet=True)["threads"] == 1


@two_cores
def test_a_run_goes_on_with_the_thread_count_that_it_was_begun_with(tmp_path: Path, every_net_repays: None) -> None:
    torch.set_num_threads(2)
    with pytest.raises(KeyboardInterrupt):
        train(CONFIG, tmp_path / "run", quiet=True, watchers=[Looking(stop_at=2)])
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)
    looking = Looking()
    result = train(CONFIG, tmp_path / "run", quiet=True, resume=True, watchers=[looking])
    assert looking.seen == [2, 2] and result["threads"] == 2
    assert torch.get_num_threads() == 1


@two_cores
@pytest.mark.parametrize("asked", [None, 2])
def test_a_run_that_goes_on_with_fewer_cores_says_that_its_numbers_round_differently(
    tmp_path: Path, every_net_repays: None, caplog: pytest.LogCaptureFixture, asked: int | None
) -> None:
    config = replace(CONFIG, threads=asked)
    torch.set_num_threads(2)
    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path / "run", quiet=True, watchers=[Looking(stop_at=2)])
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        result = train(config, tmp_path / "run", quiet=True, resume=True)
    finally:
        os.sched_setaffinity(0, before)
    assert result["threads"] == 1
    assert "begun on 2 threads, and this process may use 1 core" in caplog.text and "round differently" in caplog.text


def test_a_block_runs_on_its_threads_and_leaves_the_count_as_it_was() -> None:
    before = torch.get_num_threads()
    with pytest.raises(ValueError), running_on(before + 1):
        assert torch.get_num_threads() == before + 1
        raise ValueError
    assert torch.get_num_threads() == before
