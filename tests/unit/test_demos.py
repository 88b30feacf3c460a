"""Every demo runs as its own words say, with fewer epochs; `make docs` runs them whole, for the gallery."""

from __future__ import annotations

import multiprocessing
import os
import re
import sys
import traceback
import warnings
from pathlib import Path

import pytest

RUN_SHORTER = "networks"
"""The folder of demos that take their size as an argument: test_populations.py runs them small."""
FOLDER = Path(__file__).resolve().parents[2] / "demos"
DEMOS = sorted(demo for demo in FOLDER.glob("*/*.py") if demo.parent.name != RUN_SHORTER)
FEWER = {
    "first_net": ("EPOCHS = 32, 8", "EPOCHS = 32, 1"),
    "from_snntorch": ("range(6)", "range(1)"),
    "sigprop_in_continuous_time": ("(60, 60), 4,", "(20, 20), 1,"),
    "three_factor_rules": ("601", "101"),
}
"""What is trained for how long, where a demo does not call it epochs, and what the tests put there."""


def shortened(demo: Path) -> str:
    """The text of a demo with one epoch wherever it trains for several."""
    text = demo.read_text(encoding="utf-8")
    if demo.stem in FEWER:
        assert FEWER[demo.stem][0] in text
        text = text.replace(*FEWER[demo.stem])
    return re.sub(r"""\b(epochs ?= ?|epochs": ?|EPOCHS = )\d+""", r"\g<1>1", text)


def run_script(demo: Path, folder: Path, output: Path) -> None:
    """Run a demo in this process, which is a copy of the one that tests and has imported most of what it needs."""
    os.chdir(folder)
    with output.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.stdout, sys.stderr = (open(number, "w", closefd=False) for number in (1, 2))  # noqa: SIM115
    sys.argv, sys.path[0:0] = [str(demo)], [str(demo.parent)]
    code = 1
    try:
        with warnings.catch_warnings():
            warnings.resetwarnings()
            exec(compile(shortened(demo), str(demo), "exec"), {"__name__": "__main__", "__file__": str(demo)})
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def test_there_are_demos() -> None:
    assert len(DEMOS) >= 7


@pytest.mark.slow
@pytest.mark.parametrize("demo", DEMOS, ids=[demo.stem for demo in DEMOS])
def test_a_demo_runs(demo: Path, tmp_path: Path) -> None:
    output, folder = tmp_path / "output", tmp_path / "here"
    folder.mkdir()
    process = multiprocessing.get_context("fork").Process(target=run_script, args=(demo, folder, output))
    process.start()
    process.join(240)
    process.kill()  # one that hangs
    process.join()
    assert process.exitcode == 0, output.read_text()
    assert output.read_text().strip()
