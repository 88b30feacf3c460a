"""The function `bench` measures a plan, and writes `bench.json`, `bench.md` and `bench.png`."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

from neurorules.bench.measure import Plan, measure
from neurorules.bench.page import page_of
from neurorules.bench.picture import draw
from neurorules.disk.lock import owned_folder
from neurorules.language.errors import UserError
from neurorules.runs.atomic import write_text
from neurorules.runs.plain_json import to_json
from neurorules.runs.standing import check_folder

RESULT_FILE, PAGE_FILE, PICTURE_FILE = "bench.json", "bench.md", "bench.png"


def bench(what: Plan, out: Path | None, command: str, force: bool = False) -> dict[str, Any]:
    """Measure a training step, and compare it with other libraries, bare products and memory.

    Args:
        what: the plan of the measurement.
        out: folder for the files; None for none.
        command: the shell line that measures this again.
        force: replace the files of an older measurement in `out`.

    Returns:
        The content of `bench.json` (see `measure.measure`), and `command`.

    Raises:
        UserError: a rule cannot train the net; or `out` holds an older measurement.
    """
    with nullcontext() if out is None else owned_folder(out):
        if out is not None and (out / RESULT_FILE).exists() and not force:
            raise UserError(
                f"{out / RESULT_FILE} is there already. Replace it with --force, or name another folder with --out"
            )
        if out is not None:
            check_folder(out, "bench", force)
        content = {"command": command, **measure(what)}
        if out is not None:
            draw(content, out / PICTURE_FILE)
            write_text(out / PAGE_FILE, page_of(content, PICTURE_FILE))
            write_text(out / RESULT_FILE, to_json(content) + "\n")
    return content
