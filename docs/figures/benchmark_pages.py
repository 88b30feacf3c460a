"""Pages of `neurorules benchmark`: a stored `benchmark-SUITE.json` is the whole of docs/results/benchmark-SUITE.md."""

from __future__ import annotations

import json
from pathlib import Path

from stored import FOLDER

from neurorules.benchmark.page import page_of

FILES = (
    "The runs themselves were not kept. The numbers are those of [data/{name}.json](data/{name}.json), of commit "
    "{commit}, and `make figures` writes this page from them."
)


def benchmark_pages(root: Path) -> dict[Path, str]:
    """The text of the page of each stored benchmark, by the path of the page below `root`, the top of the checkout."""
    found = {}
    for path in sorted(FOLDER.glob("benchmark-*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        files = FILES.format(name=path.stem, commit=content["commit"])
        found[root / "docs/results" / f"{path.stem}.md"] = page_of(content, files)
    return found
