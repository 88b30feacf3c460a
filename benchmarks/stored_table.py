"""The one way in which a benchmark keeps its table for the pages: docs/results/data/NAME.json, a row a line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from neurorules.compare.gather import machine

FOLDER = Path(__file__).parents[1] / "docs" / "results" / "data"


def keep(name: str, note: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a table with the command that this process was started by, the commit, the date and the machine.

    Args:
        name: name of the file, without its ending.
        note: what a reader must know of the numbers.
        columns: the titles.
        rows: a cell for each title.
    """
    git = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=FOLDER)
    content = {
        "command": " ".join([f"python benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]]),
        "commit": git.stdout.strip(), "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{machine([])['processor']}, no GPU", "note": note, "columns": list(columns),
    }  # fmt: skip
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in content.items()]
    body = ",\n".join(json.dumps(list(row)) for row in rows)
    (FOLDER / f"{name}.json").write_text("{\n" + ",\n".join(lines) + f',\n"rows": [\n{body}\n]\n}}\n', encoding="utf-8")
