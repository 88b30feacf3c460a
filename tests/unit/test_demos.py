"""Every demo runs as its own words say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

RUN_SHORTER = "networks"
"""The folder of demos that take their size as an argument: test_populations.py runs them small."""
FOLDER = Path(__file__).resolve().parents[2] / "demos"
DEMOS = sorted(demo for demo in FOLDER.glob("*/*.py") if demo.parent.name != RUN_SHORTER)


def test_there_are_demos() -> None:
    assert len(DEMOS) >= 7


@pytest.mark.slow
@pytest.mark.parametrize("demo", DEMOS, ids=[demo.stem for demo in DEMOS])
def test_a_demo_runs(demo: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(demo)],
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
