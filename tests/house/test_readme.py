"""The README's own words run: each bash and python block, in order, in one empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from page_blocks import Block, blocks
from sources import ROOT

README = ROOT / "README.md"
SECONDS_A_BLOCK = 240


def test_blocks_are_told_from_those_that_only_show() -> None:
    skip, shown = "<!-- no-run -->\n", "```\nc\n```\n"
    text = f"```bash\na\n```\n{skip}```bash\nb\n```\n{shown}{skip}\n```python\nd\n```\n```python\ne\n```"
    assert blocks(text) == [Block("bash", "a\n"), Block("python", "e\n")]


def test_a_readme_of_some_length_has_something_to_run() -> None:
    text = README.read_text(encoding="utf-8")
    assert len(text) <= 1000 or blocks(text)


@pytest.mark.slow
@pytest.mark.skipif(not blocks(README.read_text(encoding="utf-8")), reason="the README has no block to run")
def test_the_blocks_of_the_readme_run_in_order(tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "MPLBACKEND": "agg"}
    for number, block in enumerate(blocks(README.read_text(encoding="utf-8")), 1):
        command = ["bash", "-euo", "pipefail", "-c"] if block.language == "bash" else [sys.executable, "-c"]
        done = subprocess.run(
            [*command, block.code],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=SECONDS_A_BLOCK,
            check=False,
        )
        assert done.returncode == 0, f"block {number}:\n{block.code}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
