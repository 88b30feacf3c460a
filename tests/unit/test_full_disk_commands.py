"""Every command that writes, on a full disk: one line, exit 2, and the folder as it was."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from places import SMALL, content, done, fill, refused, small_trace

SWEEP = """[train]
net = "6"
steps = 2
epochs = 1
limit = 60
threads = 1
[space]
lr = [0.001, 0.01]
"""
TINY = ["--net", "8", "--steps", "2", "--batch-size", "4", "--repetitions", "1", "--activity", "0.1"]
COMMANDS: dict[str, Sequence[str]] = {
    "paper": ["paper", "given/compared", "--out", "full/new"],
    "simulate --script": ["simulate", "given/run", "--script", "full/new.py"],
    "simulate --as ordinary --script": ["simulate", "given/run", "--as", "ordinary", "--script", "full/new.py"],
    "cite --script": ["cite", "drtp", "--script", "full/new.py"],
    "window": ["window", "stdp", "--dt", "-5:5:1", "--out", "full/new.png"],
    "nir": ["nir", "given/run", "--out", "full/new.nir"],
    "new rule": ["new", "rule", "mine", "--folder", "full/new"],
    "new device": ["new", "device", "mine", "--folder", "full/new"],
    "sweep": ["sweep", "given/sweep.toml", "--out", "full/new"],
    "tune": ["tune", "--rules", "dfa", *SMALL, "--trials", "1", "--out", "full/new"],
    "bench": ["bench", "--rules", "dfa", *TINY, "--out", "full/new"],
    "benchmark": ["benchmark", "--quick", "--rules", "dfa", "--out", "full/new"],
    "audit": ["audit", "--rules", "dfa", "--out", "full/new.png"],
    "plot": ["plot", "given/trace.h5", "--out", "full/new.png"],
}


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, a comparison, a trace and a file of a sweep, on a disk with room."""
    folder = tmp_path_factory.mktemp("given")
    done("train", *SMALL, "--out", folder / "run", "--json")
    done("compare", *SMALL, "--rules", "dfa", "--controls", "none", "--out", folder / "compared", "--json")
    small_trace(folder / "trace.h5")
    (folder / "sweep.toml").write_text(SWEEP)
    return folder


@pytest.mark.parametrize("leave", [0, 3_000])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_finds_no_room_ends_in_a_line_and_leaves_nothing(
    command: str, leave: int, given: Path, full: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(full, leave)
    before, places = content(full), {"given/": given, "full/": full}
    arguments = list(COMMANDS[command])
    for prefix, folder in places.items():
        arguments = [str(folder / word.removeprefix(prefix)) if word.startswith(prefix) else word for word in arguments]
    line = refused(capsys, *arguments).lower()
    assert "no space left on device" in line and "free some space" in line, line
    assert content(full) == before
