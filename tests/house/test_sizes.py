"""Files and functions that a reader takes in at once; nothing unfinished, nothing of one machine."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path
from statistics import median

import pytest
from sources import ROOT, sources

from neurorules.native import scans

MOST_LINES_OF_A_FILE, MEDIAN_LINES, MOST_LINES_OF_A_FUNCTION = 300, 120, 60
MOST_FILES_OF_A_STEP, MOST_CALLS_OF_A_STEP = 40, 200
"""The way through the code that a reader follows for one training step. Both may only become smaller."""

# Built from pieces, so that this file does not find itself.
UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b|raise NotImplemented" + r"Error")
ONE_MACHINE = re.compile(r"(?<![\w.])/(work|root|Users|home/\w+)/")
TEXTS = {".py", ".md", ".toml", ".sh", ".txt", ".yaml", ".yml", ".cfg", ".c", ".cpp", ".cu", ".json", ".ipynb", ""}


def lines(node: ast.AST) -> int:
    """How many lines a function takes, its decorators left out."""
    return node.end_lineno - node.lineno + 1  # type: ignore[attr-defined]


def tracked() -> list[Path]:
    """The text files of the checkout; of a copy without git, the files of the packages."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    names = [ROOT / name for name in listed.stdout.split("\n") if name] or [source.path for source in sources()]
    return [path for path in names if path.suffix in TEXTS and path.is_file() and not path.is_symlink()]


def test_no_file_is_too_long_to_read() -> None:
    counts = {source.name: source.text.count("\n") for source in sources()}
    long = {name: count for name, count in counts.items() if count > MOST_LINES_OF_A_FILE}
    assert not long, f"two purposes in one file? {long}"
    assert median(counts.values()) <= MEDIAN_LINES


def test_no_function_is_too_long_to_read() -> None:
    long = [
        f"{source.name}:{node.lineno} {node.name}: {lines(node)} lines"
        for source in sources()
        for node in source.functions
        if lines(node) > MOST_LINES_OF_A_FUNCTION
    ]
    assert not long, long


@pytest.mark.skipif(not scans.compiled(), reason="a step without compiled scans takes another way")
def test_a_step_is_followed_through_few_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    from moves import moves_of

    moves = moves_of("sigprop")
    assert len(moves.files) <= MOST_FILES_OF_A_STEP, sorted(moves.files)
    assert moves.calls.total() <= MOST_CALLS_OF_A_STEP, moves.calls.most_common(20)


@pytest.mark.parametrize("pattern", [UNFINISHED, ONE_MACHINE], ids=["unfinished", "one machine"])
def test_nothing_is_left_that_a_stranger_would_stumble_over(pattern: re.Pattern[str]) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in tracked()
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").split("\n"), 1)
        if pattern.search(line) and path != Path(__file__)
    ]
    assert not wrong, wrong
