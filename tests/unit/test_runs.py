"""The run folder, checkpoints that survive a kill, a polite stop, the progress bar."""

from __future__ import annotations

import contextlib
import json
import math
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from neurorules.cli import run
from neurorules.language.config import TrainConfig
from neurorules.language.errors import UserError
from neurorules.runs import checkpoint
from neurorules.runs.atomic import replacing, write_text
from neurorules.runs.folder import RESULT_KEYS, RUN_FILES, RunFolder
from neurorules.runs.interrupt import StopFlag, polite_stop
from neurorules.runs.plain_json import plain, to_json
from neurorules.runs.progress import progress, track
from neurorules.torch_path.training.batches import Data
from neurorules.torch_path.training.learner import Learner
from neurorules.torch_path.training.trainer import train
from neurorules.torch_path.training.watch import Watcher

CONFIG = {"rule": "sigprop", "lr": 0.01, "net": [64, 64], "epochs": 3}


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    target = tmp_path / "result.json"
    write_text(target, "old")
    with pytest.raises(RuntimeError), replacing(target) as temporary:
        temporary.write_text("half of the n")
        raise RuntimeError
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["result.json"]


def test_a_written_file_has_the_permissions_of_an_ordinary_one(tmp_path: Path) -> None:
    (tmp_path / "ordinary").write_text("")
    write_text(tmp_path / "ours", "")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "ordinary").stat().st_mode


def test_json_holds_only_what_every_reader_knows() -> None:
    value = {"loss": math.nan, "net": (1, 2), "n": np.int64(3), "a": np.array([1.5, math.inf]), "p": Path("x")}
    assert json.loads(to_json(value)) == {"loss": None, "net": [1, 2], "n": 3, "a": [1.5, None], "p": "x"}
    with pytest.raises(TypeError, match="Tensor has no form in JSON"):
        plain({"w": torch.zeros(1)})


def test_a_new_run_refuses_a_folder_that_holds_one(tmp_path: Path) -> None:
    RunFolder.create(tmp_path, CONFIG)
    with pytest.raises(UserError, match="holds another run. Add --force"):
        RunFolder.create(tmp_path, CONFIG)


def test_force_removes_the_files_of_the_run_and_no_others(tmp_path: Path) -> None:
    for name in (*RUN_FILES, "notes.txt", ".result.abc.tmp.json"):
        (tmp_path / name).write_text("x")
    RunFolder.create(tmp_path, CONFIG, force=True)
    assert sorted(os.listdir(tmp_path)) == ["config.json", "notes.txt"]


def test_a_file_is_no_run_folder(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(UserError, match="is a file, a run needs a folder"):
        RunFolder.create(tmp_path / "run", CONFIG)


def test_resume_names_each_key_that_differs_with_both_values(tmp_path: Path) -> None:
    RunFolder.create(tmp_path, CONFIG)
    other = {**CONFIG, "lr": 0.1, "net": [32], "epochs": 9}
    with pytest.raises(UserError, match=r"lr is 0.01, asked 0.1; net is \[64, 64\], asked \[32\]") as caught:
        RunFolder.resume(tmp_path, other, may_differ={"epochs"})
    assert "epochs" not in str(caught.value)


def test_resume_stores_the_keys_that_may_differ(tmp_path: Path) -> None:
    RunFolder.create(tmp_path, {**CONFIG, "net": (64, 64)})
    assert RunFolder.resume(tmp_path, {**CONFIG, "epochs": 9}, may_differ={"epochs"}).config()["epochs"] == 9


def test_a_folder_without_a_run_says_where_runs_are(tmp_path: Path) -> None:
    RunFolder.create(tmp_path / "sigprop", CONFIG)
    with pytest.raises(UserError, match=r"there is no run in .*Runs below it: .*sigprop"):
        RunFolder.finished(tmp_path)


def test_a_run_is_finished_once_its_result_is_written(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, CONFIG)
    weights = {"hidden1.w": torch.randn(3, 4).T, "theta": torch.tensor(1.0, dtype=torch.float64)}
    folder.save_weights(weights)
    with pytest.raises(UserError, match="has not finished"):
        RunFolder.finished(tmp_path)
    folder.write_result(dict.fromkeys(RESULT_KEYS, 1) | folder.config())
    loaded = RunFolder.finished(tmp_path).load_weights()
    assert all(torch.equal(loaded[name], weights[name]) for name in weights)
    assert folder.read_result()["test_accuracy"] == 1


def test_a_result_with_a_missing_key_is_refused_by_name(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, CONFIG)
    with pytest.raises(ValueError, match="the result lacks test_accuracy, needs"):
        folder.write_result({key: 1 for key in RESULT_KEYS if key not in ("needs", "test_accuracy")})
    with pytest.raises(ValueError, match="the result lacks test_mae, validation_mse"):
        values = {"test_mse": 1, "test_r2": 1, "validation_mae": 1, "validation_r2": 1}
        folder.write_result({**dict.fromkeys(RESULT_KEYS, 1), **values, "task": "regression"})


def test_a_metrics_line_cut_short_is_forgotten_and_the_next_one_is_whole(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, CONFIG)
    assert folder.read_metrics() == []
    for epoch in (1, 2, 3):
        folder.append_metrics({"epoch": epoch, "loss": math.nan})
    path = tmp_path / "metrics.jsonl"
    path.write_text(path.read_text()[:-5])
    assert [row["epoch"] for row in folder.read_metrics()] == [1, 2]
    folder.append_metrics({"epoch": 3})
    assert [row["epoch"] for row in folder.read_metrics()] == [1, 2, 3]
    folder.truncate_metrics(1)
    assert folder.read_metrics() == [{"epoch": 1, "loss": None}]


def test_a_damaged_weights_file_is_told_in_one_line(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, CONFIG)
    folder.save_weights({"w": torch.zeros(100)})
    whole = (tmp_path / "weights.safetensors").read_bytes()
    (tmp_path / "weights.safetensors").write_bytes(whole[:-50])
    with pytest.raises(UserError, match="is damaged"):
        folder.load_weights()


def _tensors(value: float) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(int(value))
    half = torch.full((2, 3), value, dtype=torch.bfloat16)
    return {"w": torch.full((50, 40), value), "half": half, "generator": generator.get_state(), "step": torch.tensor(7)}


def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path) -> None:
    assert checkpoint.load(tmp_path) is None
    checkpoint.save(tmp_path, _tensors(5.0), {"epoch": 5, "rng": [1, 2]})
    loaded = checkpoint.load(tmp_path)
    assert loaded is not None and loaded.state == {"epoch": 5, "rng": [1, 2]}
    assert all(torch.equal(loaded.tensors[name], tensor) for name, tensor in _tensors(5.0).items())
    again = torch.Generator()
    again.set_state(loaded.tensors["generator"])
    assert torch.equal(torch.rand(3, generator=again), torch.rand(3, generator=torch.Generator().manual_seed(5)))


@pytest.mark.parametrize("damage", ["cut", "flip", "empty"])
def test_a_damaged_checkpoint_falls_back_on_the_one_before(tmp_path: Path, caplog, damage: str) -> None:
    for epoch in (1, 2):
        checkpoint.save(tmp_path, _tensors(epoch), {"epoch": epoch})
    current = tmp_path / checkpoint.CURRENT
    data = bytearray(current.read_bytes())
    data[-100] ^= 1
    current.write_bytes({"cut": bytes(data[:-500]), "flip": bytes(data), "empty": b""}[damage])
    loaded = checkpoint.load(tmp_path)
    assert loaded is not None and loaded.state == {"epoch": 1}
    assert len(caplog.messages) == 1 and "is damaged" in caplog.messages[0]
    assert (tmp_path / checkpoint.DAMAGED).exists()
    # The damaged file never becomes the one to fall back on.
    checkpoint.save(tmp_path, _tensors(3), {"epoch": 3})
    (tmp_path / checkpoint.CURRENT).unlink()
    loaded = checkpoint.load(tmp_path)
    assert loaded is not None and loaded.state == {"epoch": 1}


def test_two_damaged_checkpoints_count_as_none(tmp_path: Path, caplog) -> None:
    for name in (checkpoint.CURRENT, checkpoint.PREVIOUS):
        (tmp_path / name).write_bytes(b"not a checkpoint")
    assert checkpoint.load(tmp_path) is None
    assert len(caplog.messages) == 2


SAVE_FOREVER = """
import sys, torch
from pathlib import Path
from neurorules.runs import checkpoint
folder, first = Path(sys.argv[1]), int(sys.argv[2])
print("ready", flush=True)
for epoch in range(first, 100_000):
    checkpoint.save(folder, {"w": torch.full((100, 100), float(epoch))}, {"epoch": epoch})
    print(epoch, flush=True)
"""


def test_a_process_killed_at_any_instant_leaves_a_checkpoint_to_load(tmp_path: Path, caplog) -> None:
    moments, first = random.Random(0), 1
    for _ in range(4):
        command = [sys.executable, "-c", SAVE_FOREVER, str(tmp_path), str(first)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
            time.sleep(moments.uniform(0.05, 0.4))
            process.send_signal(signal.SIGKILL)
            reported = [int(line) for line in process.stdout.read().split("\n")[:-1]]
        loaded = checkpoint.load(tmp_path)
        assert loaded is not None
        # Nothing that was reported as saved is lost, and the tensors belong to the state.
        assert loaded.state["epoch"] >= max(reported, default=first - 1)
        assert torch.equal(loaded.tensors["w"], torch.full((100, 100), float(loaded.state["epoch"])))
        first = loaded.state["epoch"] + 1
    assert first > 10 and not caplog.messages


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_raises_a_flag_and_the_second_one_ends_the_work(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with polite_stop() as flag:
        assert not flag.requested
        os.kill(os.getpid(), number)
        assert flag.requested
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before


def test_a_thread_other_than_the_main_one_sets_no_handlers() -> None:
    seen = []

    def work() -> None:
        with polite_stop() as flag:
            seen.append(flag.requested)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]


def test_no_bar_is_drawn_where_stderr_is_no_terminal(capfd, monkeypatch) -> None:
    monkeypatch.setattr("neurorules.runs.progress.DELAY_S", 0.0)
    assert list(track([1, 2, 3], "epoch")) == [1, 2, 3]
    assert capfd.readouterr() == ("", "")


def test_a_bar_appears_on_a_terminal_when_the_work_is_long(monkeypatch, capfd) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    with progress("quick", total=2) as bar:
        bar.advance(2)
    assert capfd.readouterr() == ("", "")
    monkeypatch.setattr("neurorules.runs.progress.DELAY_S", 0.0)
    with progress("silent", total=2, quiet=True) as bar:
        bar.advance(2)
    assert capfd.readouterr() == ("", "")
    with progress("runs", total=2) as outer:
        for item in track(range(3), "epoch"):
            outer.advance(note=f"accuracy {item}")
    out, err = capfd.readouterr()
    assert out == "" and "runs" in err and "accuracy" in err and "epoch" in err


class StopsAtOnce(Watcher):
    """Presses Ctrl-C as soon as the run begins."""

    def look(self, learner: Learner, data: Data, epoch: int, folder: Path | None) -> None:
        os.kill(os.getpid(), signal.SIGINT)


def test_a_loop_over_runs_that_goes_on_after_errors_ends_where_the_user_stops_it() -> None:
    seen = []
    with pytest.raises(KeyboardInterrupt, match="stopped in epoch 1"):
        for seed in range(3):
            seen.append(seed)
            with contextlib.suppress(Exception):  # as a notebook that must get through the night
                train(
                    TrainConfig(net="4", steps=2, epochs=1, limit=40, seed=seed), watchers=[StopsAtOnce()], quiet=True
                )
    assert seen == [0]


@pytest.mark.parametrize("command", ["train", "compare"])
def test_a_stop_prints_the_line_that_goes_on_with_it(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @contextlib.contextmanager
    def stopped() -> Iterator[StopFlag]:
        flag = StopFlag()
        flag.request()
        yield flag

    monkeypatch.setattr("neurorules.torch_path.training.trainer.polite_stop", stopped)
    more = ["--rules", "shallow", "--controls", "none"] if command == "compare" else ["--rule", "shallow"]
    small = ["--net", "4", "--steps", "2", "--epochs", "1", "--limit", "40", "--batch-size", "8"]
    assert run([command, *small, *more, "--out", str(tmp_path / "out")]) == 130
    assert f"neurorules {command} --out {tmp_path / 'out'} --resume" in capsys.readouterr().err
