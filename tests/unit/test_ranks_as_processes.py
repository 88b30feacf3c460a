"""Two processes that torchrun starts: one is killed while they learn, and torchrun lets the run go on to its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from neurorules.runs.folder import RunFolder

SETTINGS = "--data digits --net 24 --steps 4 --limit 300 --epochs 12 --batch-size 8 --precision float64 --device cpu"
WORDS = ["train", *SETTINGS.split(), "--threads", "1"]


@pytest.mark.parametrize("how", ["--rule dfa", "--rule sigprop --net 24-16 --batch-size 12 --schedule pipelined"])
def test_a_killed_rank_is_told_in_a_line_and_the_run_goes_on_to_its_end(how: str, tmp_path: Path) -> None:
    out = tmp_path / "shared"
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--max-restarts", "1"]
    command = [*launcher, "--standalone", "-m", "neurorules", *WORDS, *how.split(), "--out", str(out)]
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
