"""The lists of a comparison as CSV files, one file per list, for spreadsheets."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from neurorules.runs.atomic import write_text
from neurorules.runs.plain_json import plain

LISTS = ("runs", "alignment", "layers", "epochs", "rules")
"""Keys of `compare.json` that hold lists."""


def write_tables(comparison: Mapping[str, Any], out: Path) -> None:
    """Write `runs.csv`, `alignment.csv`, `layers.csv`, `epochs.csv`, `rules.csv` and `audit.csv`.

    Args:
        comparison: the content of `compare.json`.
        out: folder of the files.
    """
    for name in LISTS:
        write_text(out / f"{name}.csv", as_csv(comparison[name]))
    audit = comparison["audit"]
    write_text(out / "audit.csv", as_csv(audit.get("entries", []) if isinstance(audit, Mapping) else []))


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV: one column per key, keys such as `test_accuracy.mean` for nested values, lists as JSON, and empty
    cells for None.
    """
    flat = [_flat(plain(row)) for row in rows]
    names = dict.fromkeys(key for row in flat for key in row)
    deeper = {name.rpartition(".")[0] for name in names}
    columns = [name for name in names if name not in deeper]  # a key may be None in one row and nested in another
    if not columns:
        return ""
    file = io.StringIO()
    writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return file.getvalue()


def _flat(row: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """A row without nested mappings; the keys of nested values are joined by dots."""
    flat: dict[str, Any] = {}
    for key, value in row.items():
        name = f"{before}{key}"
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{name}.")
        else:
            flat[name] = json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value
    return flat
