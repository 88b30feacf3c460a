"""The pages that tell how to do a thing: their commands and their Python run, in order, in one empty folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from comparisons import made
from page_blocks import run_page

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = {
    "choosing-a-rule.md": 2, "reading-a-report.md": 2, "reproducing-a-paper.md": 1, "on-a-cluster.md": 2,
    "on-a-gpu.md": 1, "benchmark.md": 1, "exchanging-nets.md": 6, "reference/grammar.md": 2, "reference/files.md": 4,
    "your-net.md": 3,
}  # fmt: skip
"""How many commands and blocks of Python each page has at least."""


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_says_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "side").mkdir()  # the comparison that one page reads takes a minute to train
    (tmp_path / "side" / "compare.json").write_text(json.dumps(made(seeds=2, epochs=2)), encoding="utf-8")
    assert run_page(DOCS / page) >= PAGES[page]
