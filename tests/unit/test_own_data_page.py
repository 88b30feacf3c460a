"""The page on a user's data: its blocks run in order, in one empty folder and one Python session."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "your-data.md"
BLOCK = re.compile(r"(?P<skip><!-- no-run -->\s*\n)?^```(?P<language>bash|python)\n(?P<code>.*?)^```", re.M | re.S)


def test_every_block_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    names: dict[str, object] = {"__name__": "page"}
    found = [block for block in BLOCK.finditer(PAGE.read_text(encoding="utf-8")) if not block["skip"]]
    assert [block["language"] for block in found].count("python") >= 5
    for block in found:
        if block["language"] == "python":
            exec(compile(block["code"], str(PAGE), "exec"), names)
        else:
            environment = {**os.environ, "PATH": path}
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", block["code"]], env=environment, capture_output=True, text=True
            )
            assert done.returncode == 0, done.stderr
    assert (tmp_path / "digits-compared" / "report.html").is_file()
    assert (tmp_path / "from-module" / "result.json").is_file()


def test_the_readme_names_the_page() -> None:
    assert "docs/your-data.md" in (PAGE.parents[1] / "README.md").read_text(encoding="utf-8")
