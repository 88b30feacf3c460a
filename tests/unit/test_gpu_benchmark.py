"""`make gpu`: a line where there is no GPU, and a file that can be kept where there is one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]


def gpu(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, str(ROOT / "benchmarks" / "gpu.py"), *arguments]
    return subprocess.run(words, capture_output=True, text=True, check=False, env=os.environ | environment)


def test_without_a_gpu_one_line_says_so_and_the_exit_code_is_2(tmp_path: Path) -> None:
    done = gpu("--tests", "--out", str(tmp_path / "gpu.json"), CUDA_VISIBLE_DEVICES="")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "finds no CUDA device" in done.stderr
    assert not (tmp_path / "gpu.json").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="of machines without a GPU")
def test_make_gpu_ends_in_the_same_way() -> None:
    done = subprocess.run(
        ["make", "-s", "gpu", f"PYTHON={sys.executable}"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 2 and "finds no CUDA device" in done.stderr


def test_every_figure_is_a_line_and_a_row_of_a_file_that_can_be_kept(tmp_path: Path) -> None:
    done = gpu("--small", "--out", str(tmp_path / "gpu.json"))
    assert done.returncode == 0, done.stdout + done.stderr
    kept = json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))
    assert {"command", "commit", "date", "machine", "note", "card", "driver", "torch", "triton"} <= kept.keys()
    assert kept["columns"] == ["figure", "value", "unit"] and kept["failures"] == []
    for name, value, unit in kept["rows"]:
        assert float(value) >= 0 and f"{name}: {value} {unit}\n" in done.stdout
    names = {row[0] for row in kept["rows"]}
    assert {"step of sigprop", "step of bptt, queued", "bare products of a step of bptt"} <= names


def test_what_failed_and_what_was_skipped_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import gpu as script

    found = script.counted(
        xml.fromstring(
            "<testsuites><testsuite><testcase name='good'/><testcase name='bad'><failure message='1 is 2'/></testcase>"
            "<testcase name='worse'><error message='no fixture'/></testcase>"
            "<testcase name='left'><skipped message='refused'/></testcase></testsuite></testsuites>"
        )
    )
    assert found == {"passed": 1, "failed": ["bad: 1 is 2", "worse: no fixture"], "skipped": ["left: refused"]}
