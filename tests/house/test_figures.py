"""Every figure of the documents comes from a stored result: pages that differ, or show what nobody stored, fail."""

from __future__ import annotations

import io
import json
import runpy
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest
from sources import ROOT

from neurorules.cli import run

PAGES = ("README.md", "docs/results/mnist.md", "docs/results/devices.md")


@dataclass
class Ended:
    """How a script ended."""

    returncode: int
    stdout: str
    stderr: str


def figures(root: Path, *arguments: str, script: str = "") -> Ended:
    """The script of a checkout, or of a copy of one, run in this process, which has imported the library already."""
    folder = root / "docs" / "figures"
    own = {path.stem for path in folder.glob("*.py")} - {"__main__"}
    before = {name: sys.modules.pop(name) for name in own & set(sys.modules)}
    out, errors = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(errors):
        patch.setattr(sys, "argv", [str(folder / script), *arguments])
        patch.syspath_prepend(str(folder))
        try:
            runpy.run_path(str(folder / script), run_name="__main__")
            code: int | str | None = 0
        except SystemExit as end:
            code = end.code
    for name in own & set(sys.modules):
        del sys.modules[name]
    sys.modules.update(before)
    if isinstance(code, str):
        return Ended(1, out.getvalue(), f"{errors.getvalue()}{code}\n")
    return Ended(code or 0, out.getvalue(), errors.getvalue())


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The pages, the stored results and the script in a folder of their own."""
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "results").glob("*.md")]:
        target = tmp_path / page.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(page, target)
    for folder in ("docs/figures", "docs/results/data"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def change(path: Path, old: str, new: str) -> str:
    """Replace the first place of a text in a file; the text of the file before."""
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{path.name} holds no {old!r}"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return text


def a_cell(page: Path) -> str:
    """Some figure of the page's first made table that is a mean with its spread."""
    table = page.read_text(encoding="utf-8").partition("<!-- figures:")[2].partition("<!-- end -->")[0]
    return next(cell.strip() for cell in table.split("|") if " ± " in cell)


def test_every_page_shows_what_is_stored_and_nothing_else() -> None:
    words = [sys.executable, str(ROOT / "docs" / "figures"), "--check"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES)
def test_a_figure_of_a_table_that_was_changed_by_hand_is_told_and_written_back(copy: Path, page: str) -> None:
    cell = a_cell(copy / page)
    right = change(copy / page, cell, f"9{cell[1:]}" if cell[0] != "9" else f"8{cell[1:]}")
    done = figures(copy, "--check")
    assert done.returncode == 1 and f"{page}:" in done.stderr and cell in done.stderr and "make figures" in done.stderr
    assert figures(copy).returncode == 0 and (copy / page).read_text(encoding="utf-8") == right


def test_a_figure_within_a_sentence_that_was_changed_by_hand_is_told_and_written_back(copy: Path) -> None:
    page = copy / "docs/results/comparison.md"
    text = page.read_text(encoding="utf-8")
    shown = text.partition("After one epoch sigprop is at ")[2][:2]
    right = change(page, f"After one epoch sigprop is at {shown}", "After one epoch sigprop is at 12")
    done = figures(copy, "--check")
    assert done.returncode == 1 and "docs/results/comparison.md:" in done.stderr
    assert figures(copy).returncode == 0 and page.read_text(encoding="utf-8") == right


def test_a_result_that_changed_changes_every_page_that_shows_it(copy: Path) -> None:
    path = copy / "docs/results/data/mnist-deep.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    for one in content["runs"]:
        one["test_accuracy"] -= 0.3 * (one["row"] == "sigprop")
    path.write_text(json.dumps(content), encoding="utf-8")
    done = figures(copy, "--check")
    assert done.returncode == 1
    assert all(f"{page}:" in done.stderr for page in ("README.md", "docs/results/comparison.md"))


def test_a_number_that_nobody_stored_is_told_with_its_line(copy: Path) -> None:
    change(copy / "docs/hardware.md", "## What it costs\n", "## What it costs\nIt reaches 99.9 % everywhere.\n")
    done = figures(copy, "--check")
    assert done.returncode == 1 and "docs/hardware.md" in done.stderr and "nothing vouches for 99.9" in done.stderr


def test_a_table_that_no_marker_makes_is_told(copy: Path) -> None:
    change(
        copy / "docs/results/README.md",
        "\nEvery table",
        "\n| rule | test % |\n| --- | --- |\n| mine | 99.9 |\n\nEvery table",
    )
    done = figures(copy, "--check")
    assert done.returncode == 1 and "docs/results/README.md" in done.stderr and "99.9" in done.stderr


@pytest.mark.parametrize(
    ("page", "old", "new", "words"),
    [
        ("docs/results/bsp.md", "figures: bsp-spiking", "figures: bsp-spikes", "bsp-spikes.json is missing"),
        ("docs/results/comparison.md", "rows: local_readout |", "rows: readout |", "no stored row is called readout"),
        ("docs/results/comparison.md", "After one epoch sigprop", "After an epoch sigprop", "stands there 0 times"),
        ("docs/results/data/bsp-spiking.json", '"commit"', '"comit"', "lacks commit"),
        ("docs/results/data/prose.json", '"Frozen layers give {}', '"Frozen layers {}, {}', "stands there 0 times"),
    ],
)
def test_what_cannot_be_made_is_told_in_one_line(copy: Path, page: str, old: str, new: str, words: str) -> None:
    change(copy / page, old, new)
    done = figures(copy, "--check")
    assert done.returncode == 1 and words in done.stderr and "Traceback" not in done.stderr


def test_results_that_no_page_shows_are_told(copy: Path) -> None:
    shutil.copy(copy / "docs/results/data/bsp-spiking.json", copy / "docs/results/data/forgotten.json")
    done = figures(copy, "--check")
    assert done.returncode == 1 and "forgotten.json: no page shows these results" in done.stderr


def test_a_comparison_that_is_stored_becomes_the_table_of_its_marker(
    copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ["--net", "6-5", "--steps", "2", "--epochs", "1", "--seeds", "2"]
    asked = ["--rules", "shallow", "--controls", "none", *small]
    assert run(["compare", *asked, "--out", str(tmp_path / "c"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    label = ["--label", f"{found['runs'][0]['rule']}=>frozen"]
    done = figures(copy, str(tmp_path / "c"), "tiny", "--commit", "abc", "--note", "a test", *label, script="store.py")
    assert done.returncode == 0, done.stderr
    kept = json.loads((copy / "docs/results/data/tiny.json").read_text(encoding="utf-8"))
    assert (kept["commit"], kept["note"]) == ("abc", "a test") and str(tmp_path) not in kept["command"]
    assert kept["command"].startswith("neurorules compare") and found["command"].startswith(kept["command"])
    assert kept["date"] == found["date"] and kept["machine"]["cores"] == found["machine"]["cores"]
    runs, tests = kept["runs"], [100 * one["test_accuracy"] for one in found["runs"]]
    assert [(one["row"], one["seed"], one["test_samples"]) for one in runs] == [
        ("frozen", seed, 360) for seed in (0, 1)
    ]
    assert all(
        kept["rule"] == one["rule"] and kept["readout_lr"] == 0.003
        for kept, one in zip(runs, found["runs"], strict=True)
    )
    change(
        copy / "docs/hardware.md",
        "## What it costs\n",
        "<!-- figures: tiny\ncolumns: rule | test % | seeds -->\n<!-- end -->\n## What it costs\n",
    )
    assert figures(copy).returncode == 0
    mean, half = sum(tests) / 2, abs(tests[0] - tests[1])
    row = f"| frozen | {mean:.2f} ± {half / 2**0.5:.2f} | 2 |\n"
    assert row in (copy / "docs/hardware.md").read_text(encoding="utf-8")
    # Rows that were trained later join those that are there, at their place where there is one of the same name.
    path, word = copy / "docs/results/data/tiny.json", found["runs"][0]["rule"]
    kept["runs"] = [{**one, "row": row} for row in ("first", "frozen") for one in runs]
    kept["runs"][2]["test_accuracy"] = 0.5
    path.write_text(json.dumps(kept), encoding="utf-8")
    joined = (str(tmp_path / "c"), "tiny", "--commit", "def", "--join", "--note")
    for label, note in (("frozen", "chosen anew"), ("last", "")):
        done = figures(copy, *joined, note, "--label", f"{word}=>{label}", script="store.py")
        assert done.returncode == 0, done.stderr
    again = json.loads(path.read_text(encoding="utf-8"))
    assert [one["row"] for one in again["runs"]] == [row for row in ("first", "frozen", "last") for _ in (0, 1)]
    assert again["runs"][2] == runs[0] and (again["commit"], again["command"]) == ("abc", kept["command"])
    later = f"{kept['command']}, {kept['date']}, commit def"
    assert again["note"] == f"a test; frozen later by {later} (chosen anew); last later by {later}"
    path.write_text(json.dumps({**kept, "runs": [{**runs[0], "test_samples": 3}]}), encoding="utf-8")
    done = figures(copy, *joined, "", script="store.py")
    assert done.returncode == 1 and "test_samples" in done.stderr and "Traceback" not in done.stderr
