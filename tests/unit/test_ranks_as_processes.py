"""Two processes that torchrun starts: one is killed while they learn, and torchrun lets the run go on to its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch

from neurorules.cli import run
from neurorules.runs.folder import RunFolder

SETTINGS = "--data digits --net 24 --steps 4 --limit 300 --epochs 12 --batch-size 8 --precision float64 --device cpu"
WORDS = ["train", "--rule", "dfa", *SETTINGS.split(), "--threads", "1"]


def test_a_killed_rank_is_told_and_the_run_ends_with_the_weights_of_one_process(tmp_path: Path) -> None:
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    assert run([*WORDS, "--out", str(alone), "--json"]) == 0
    launcher = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc_per_node",
        "2",
        "--max-restarts",
        "1",
        "--standalone",
    ]
    command = [*launcher, "-m", "neurorules", *WORDS, "--out", str(shared)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as ranks:
        until = time.monotonic() + 90
        while not (shared / "metrics.jsonl").exists() and ranks.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        os.kill(second_rank_of(ranks.pid), signal.SIGKILL)
        told, _ = ranks.communicate(timeout=90)
    assert ranks.returncode == 0, told
    assert "rank 0 of 2 stops: another rank has ended" in told and "--resume" in told
    assert told.count(f"run in {shared}") == 1
    result = RunFolder(shared).read_result()
    assert result["ranks"] == 2 and result["test_accuracy"] == RunFolder(alone).read_result()["test_accuracy"]
    weights = RunFolder(alone).load_weights()
    for name, value in RunFolder(shared).load_weights().items():
        assert torch.allclose(value.double(), weights[name].double(), rtol=1e-7, atol=1e-9), name


def second_rank_of(launcher: int) -> int:
    children = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
    ours = {pid: Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") for pid in children}
    return next(int(pid) for pid, variables in ours.items() if b"RANK=1" in variables)
