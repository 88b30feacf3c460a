"""What tests of files and folders share: small runs, refusals in one line, and what stands in a folder."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import numpy as np
import pytest

from neurorules.cli import run
from neurorules.traces.header import TraceHeader
from neurorules.traces.writer import TraceWriter

SMALL = ["--net", "6", "--steps", "2", "--epochs", "1", "--limit", "60", "--batch-size", "32"]


def refused(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """The one line with which a command ends."""
    capsys.readouterr()
    code = run([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    lines = captured.err.strip().splitlines()
    assert code == 2, (code, captured)
    assert len(lines) == 1 and lines[0].startswith("neurorules: "), lines
    return lines[0]


def done(*arguments: str | Path) -> None:
    """A command that ends well."""
    assert run([str(argument) for argument in arguments]) == 0


def content(folder: Path) -> dict[str, bytes]:
    """All files below a folder, and what is in them."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def small_trace(path: Path, samples: int = 3, steps: int = 5, neurons: int = 4) -> Path:
    """A trace of spikes and membranes, with weights kept once."""
    random = np.random.default_rng(0)
    header = TraceHeader("x", {"input": (neurons,), "hidden1": (neurons,)}, parameters={"hidden1.ff.w": (2, 3)})
    with TraceWriter(path, header) as writer:
        for sample in range(samples):
            spikes = (random.random((steps, neurons)) < 0.5).astype(np.float32)
            membrane = random.normal(size=(steps, neurons)).astype(np.float32)
            writer.append(sample, sample % 3, {"input": {"S": spikes}, "hidden1": {"S": spikes, "v": membrane}})
        writer.snapshot(0, {"hidden1.ff.w": random.normal(size=(2, 3)).astype(np.float32)})
    return path


def fill(disk: Path, leave: int = 0) -> None:
    """Write until nothing more goes in, or `leave` bytes."""
    room = shutil.disk_usage(disk).free - leave
    with (disk / "ballast").open("wb", buffering=0) as file:
        try:
            while room > 0:
                room -= file.write(bytes(min(room, 1 << 12)))
        except OSError as error:
            assert error.errno == errno.ENOSPC
