"""Processes that torchrun starts: one is killed while they learn, and torchrun lets the run go on to its end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from neurorules.runs.folder import RunFolder

SETTINGS = "--data digits --net 24 --steps 4 --limit 300 --epochs 12 --batch-size 8 --precision float64 --device cpu"
WORDS = ["train", *SETTINGS.split(), "--threads", "1"]


PARTS_SLOWLY = """
import time
import torch.distributed

parting = torch.distributed.destroy_process_group

def late_parting() -> None:
    time.sleep(1)
    parting()

torch.distributed.destroy_process_group = late_parting
"""
"""Ranks that part so slowly that the launcher's signal comes while they do."""
START = "from neurorules.cli import main\n\nmain()\n"


@pytest.mark.parametrize(
    ("how", "before"),
    [
        ("--rule dfa", ""),
        ("--rule sigprop --net 24-16 --batch-size 12 --schedule pipelined", ""),
        ("--rule dfa", PARTS_SLOWLY),
    ],
    ids=["shares", "layers", "parts-slowly"],
)
def test_a_killed_rank_is_told_in_a_line_and_the_run_goes_on_to_its_end(how: str, before: str, tmp_path: Path) -> None:
    out, program = tmp_path / "shared", tmp_path / "program.py"
    program.write_text(before + START)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--max-restarts", "1"]
    command = [*launcher, "--standalone", str(program), *WORDS, *how.split(), "--out", str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as ranks:
        until = time.monotonic() + 60
        while not (out / "metrics.jsonl").exists() and ranks.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        try:
            os.kill(second_rank_of(ranks.pid), signal.SIGKILL)
            told, _ = ranks.communicate(timeout=150)
        finally:
            ranks.terminate()  # the launcher then ends its ranks; nothing where all have ended
    assert ranks.returncode == 0, told
    # The launcher sends its own signal to the ranks that are left, and on a busy machine that may come first.
    told_by_rank_0 = told.count("rank 0 of 2 stops: another rank has ended") + told.count("stopped in epoch")
    assert told_by_rank_0 == 1 and "--resume" in told, told
    assert told.count(f"run in {out}") == 1
    folder = RunFolder.finished(out)
    assert folder.read_result()["ranks"] == 2 and folder.read_result()["test_accuracy"] > 0.7
    assert [row["epoch"] for row in folder.read_metrics()] == list(range(1, 13))


def second_rank_of(launcher: int) -> int:
    children = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
    ours = {pid: Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") for pid in children}
    return next(int(pid) for pid, variables in ours.items() if b"RANK=1" in variables)


def test_a_rank_that_waits_for_the_others_ends_at_the_launchers_signal(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    started = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": str(port)}
    command = [sys.executable, "-m", "neurorules", *WORDS, "--rule", "dfa", "--out", str(tmp_path / "run")]
    with subprocess.Popen(command, env=os.environ | started, stderr=subprocess.PIPE, text=True) as rank:
        until = time.monotonic() + 60
        while not answers(port) and time.monotonic() < until:
            time.sleep(0.02)
        began = time.monotonic()
        rank.terminate()
        rank.communicate(timeout=60)
    # It waits in code where no handler of Python runs, and would be there for most of a minute.
    assert rank.returncode == -signal.SIGTERM and time.monotonic() - began < 20
    assert not (tmp_path / "run").exists()


def answers(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("localhost", port)) == 0


@pytest.mark.parametrize(("works_for", "code"), [(60.0, 128 + signal.SIGTERM), (0.1, 2)])
def test_a_process_of_a_launcher_has_a_while_for_its_last_line(works_for: float, code: int) -> None:
    program = f"""
import os, signal, sys, time
from neurorules.runs import interrupt

interrupt.LAST_LINE_S = 1.0
with interrupt.time_for_last_line():
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep({works_for})
    print("the line")
    sys.exit(2)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50)
    assert ended.returncode == code
    assert ended.stdout == ("the line\n" if code == 2 else "")
