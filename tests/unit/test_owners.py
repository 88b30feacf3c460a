"""One writer at a time: a folder or file that is being written is refused to others, until its writer ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from places import SMALL, content, done, refused, small_trace

from neurorules.cli import run
from neurorules.compare.comparison import plan
from neurorules.compare.many_runs import run_one
from neurorules.disk.lock import LOCK, owned_file, owned_folder, waiting_for
from neurorules.language.config import TrainConfig
from neurorules.language.errors import UserError
from neurorules.runs import checkpoint
from neurorules.runs.folder import RunFolder
from neurorules.traces.exporters._folder import staged
from neurorules.traces.header import TraceHeader
from neurorules.traces.writer import TraceWriter

CONTROL = "shallow@readout_lr=0.003"
"""The folder of the frozen row, whose read-out learns at the default rate."""
HOLDER = """
import sys, time
from pathlib import Path
from neurorules.disk.lock import owned_file, owned_folder
with {"folder": owned_folder, "file": owned_file}[sys.argv[1]](Path(sys.argv[2])):
    print("owned", flush=True)
    time.sleep(60)
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A comparison with one finished run."""
    out = tmp_path_factory.mktemp("owned") / "c"
    done("compare", *SMALL, "--rules", "shallow", "--controls", "none", "--out", out, "--json")
    return out


def held_by(kind: str, path: Path) -> subprocess.Popen[str]:
    """Another process that owns a place."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, kind, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "owned\n"
    return process


def killed(process: subprocess.Popen[str]) -> None:
    """The end of a process that could not clean up."""
    process.kill()
    process.communicate()


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_the_holder_is_named_and_what_a_killed_one_leaves_behind_stops_nobody(kind: str, tmp_path: Path) -> None:
    place, owned = tmp_path / "deep" / "place", {"folder": owned_folder, "file": owned_file}[kind]
    process = held_by(kind, place)
    told = rf"is being written by process {process.pid} on {re.escape(socket.gethostname())} since 20\d\d-.*Wait"
    with pytest.raises(UserError, match=told), owned(place):
        pass
    killed(process)
    left = [path.name for path in place.parent.rglob("*") if path.is_file()]
    assert left == [LOCK if kind == "folder" else f".place{LOCK}"]
    with owned(place), pytest.raises(UserError, match=f"process {os.getpid()} on"), owned(place):
        pass
    with owned(place):
        pass
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_lock_left_behind_does_not_make_a_folder_hold_something(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / LOCK).write_text("{")
    RunFolder.create(tmp_path / "run", {"rule": "x"})
    (tmp_path / f".export{LOCK}").touch()
    with staged(tmp_path / "export") as new:
        new.mkdir()
    assert (tmp_path / "export").is_dir()


def test_what_was_made_for_an_owner_who_wrote_nothing_goes_again(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    with pytest.raises(RuntimeError), owned_folder(tmp_path / "old" / "a" / "b"):
        raise RuntimeError
    with owned_folder(tmp_path / "old" / "c"):
        (tmp_path / "old" / "c" / "kept").touch()
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")} == {"old", "old/c", "old/c/kept"}
    with pytest.raises(RuntimeError), owned_folder(tmp_path / "old"):
        raise RuntimeError
    assert (tmp_path / "old").is_dir()


def test_a_place_has_one_owner_by_whatever_name_it_is_called(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    for owned, below in ((owned_folder, "."), (owned_file, "t.h5")):
        with owned(tmp_path / "real" / below), pytest.raises(UserError), owned(tmp_path / "link" / below):
            pass


@pytest.mark.parametrize(
    "more", [["--resume"], ["--force"], ["--force", "--seed", "7"], []], ids=["resume", "force", "other", "new"]
)
def test_a_run_that_is_being_written_is_refused(
    more: list[str], finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = finished / CONTROL / "seed0"
    with owned_folder(folder):
        before = content(folder)
        line = refused(capsys, "train", *SMALL, "--rule", "shallow", "--out", folder, *more)
        assert f"is being written by process {os.getpid()}" in line
        assert content(folder) == before


@pytest.mark.parametrize(("where", "more"), [(".", "--resume"), (".", "--force"), (f"{CONTROL}/seed0", "--force")])
def test_a_comparison_beside_another_or_beside_one_of_its_runs_is_refused(
    where: str, more: str, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["compare", *SMALL, "--rules", "shallow", "--controls", "none", "--out", finished, more]
    with owned_folder(finished / where):
        before = content(finished)
        assert "is being written by process" in refused(capsys, *arguments)
        assert content(finished) == before


def test_a_worker_owns_the_folder_of_its_run(tmp_path: Path) -> None:
    ((_, config),) = plan(TrainConfig(net="4", steps=2, epochs=1, limit=40), "shallow", 1)
    with owned_folder(tmp_path / "seed0"), pytest.raises(UserError, match="is being written by process"):
        run_one(config, tmp_path / "seed0", None, quiet=True)


@pytest.mark.parametrize("command", ["report", "compare", "reproduce"])
def test_whatever_else_writes_into_a_folder_asks_for_it(
    command: str, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = finished if command == "report" else tmp_path / "out"
    arguments = {
        "report": [out],
        "compare": ["--runs", finished / CONTROL / "seed0", "--out", out],
        "reproduce": ["bsp", "--quick", "--limit", "10", "--out", out],
    }[command]
    with owned_folder(out):
        assert "is being written by process" in refused(capsys, command, *arguments)


@pytest.mark.parametrize("command", ["record", "export", "plot"])
def test_an_output_that_is_being_written_is_refused(
    command: str, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / {"record": "t.h5", "export": "t.npz", "plot": "t.png"}[command]
    given = finished / CONTROL / "seed0" if command == "record" else small_trace(tmp_path / "given.h5")
    with owned_file(out):
        assert "is being written by process" in refused(capsys, command, given, "--out", out)
    assert not out.exists()
    done(command, given, "--out", out)
    assert out.exists() and not list(tmp_path.glob(f".*{LOCK}"))


def test_two_writers_of_one_trace_are_one_too_many(tmp_path: Path) -> None:
    header = TraceHeader("x", {"a": (2,)})
    with TraceWriter(tmp_path / "t.h5", header), pytest.raises(UserError, match="is being written by process"):
        TraceWriter(tmp_path / "t.h5", header)
    TraceWriter(tmp_path / "t.h5", header).close()


@pytest.fixture
def training(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that trains into the folder `run`, for longer than anybody waits."""
    command = [sys.executable, "-m", "neurorules", "train", *SMALL, "--epochs", "100000"]
    with subprocess.Popen([*command, "--out", str(tmp_path / "run")], stderr=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def test_a_run_killed_while_it_trains_can_be_resumed_at_once_and_not_before(
    training: subprocess.Popen[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, patience = tmp_path / "run", time.monotonic() + 60
    while not (folder / "checkpoint.safetensors").exists() and time.monotonic() < patience:
        time.sleep(0.05)
    again = ["train", *SMALL, "--epochs", "100000", "--out", folder, "--resume"]
    assert f"is being written by process {training.pid} on" in refused(capsys, *again)
    training.send_signal(signal.SIGKILL)
    training.wait()
    assert (folder / LOCK).exists()
    rows = len(RunFolder(folder).read_metrics())
    begun_with = RunFolder(folder).config()
    begun, shorter = checkpoint.load(folder, begun_with), {**begun_with, "epochs": rows + 1}
    assert begun is not None
    checkpoint.save(folder, *begun, shorter)
    (folder / "config.json").write_text(json.dumps(shorter))
    assert run(["train", *SMALL, "--epochs", str(rows + 1), "--out", str(folder), "--resume", "--json"]) == 0
    assert len(RunFolder(folder).read_metrics()) == rows + 1 and not (folder / LOCK).exists()


PARENT = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1], str(os.getpid()), sys.argv[2]], stdout=subprocess.PIPE)
child.stdout.readline()
os._exit(0)
"""
WORKER = """
import sys, time
from pathlib import Path
from neurorules.disk.lock import owned_folder
from neurorules.runs.interrupt import polite_stop
from neurorules.runs.orphans import stopped_without_parent
with owned_folder(Path(sys.argv[2])), polite_stop() as stop, stopped_without_parent(int(sys.argv[1])):
    print("works", flush=True)
    patience = time.monotonic() + 30
    while not stop.requested and time.monotonic() < patience:
        time.sleep(0.02)
Path(sys.argv[2], "end").write_text(str(stop.requested))
"""


def test_a_worker_whose_comparison_was_killed_stops_and_lets_go_of_its_run(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", PARENT, WORKER, str(tmp_path)], check=True, timeout=30)
    patience = time.monotonic() + 20
    while not (tmp_path / "end").exists() and time.monotonic() < patience:
        time.sleep(0.05)
    assert (tmp_path / "end").read_text() == "True"
    with owned_folder(tmp_path):
        pass


def test_whoever_waited_for_a_lock_holds_the_one_that_others_see(tmp_path: Path) -> None:
    lock = tmp_path / "lock"

    def waits() -> bool:
        with waiting_for(lock):
            return lock.exists()

    with ThreadPoolExecutor(1) as pool:
        with waiting_for(lock):
            waiting = pool.submit(waits)
            time.sleep(0.2)
        assert waiting.result(timeout=10)
