"""Writing exported files and folders completely or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from neurorules.language.errors import UserError
from neurorules.runs.atomic import sync
from neurorules.runs.outputs import check_kind, check_output, kind_of


def check_free(path: Path) -> None:
    """Refuse a path at which a folder must not be created.

    Raises:
        UserError: `path` is a file, or a folder with something in it.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UserError(f"{path} is there already, and this format is a folder. Remove it, or name another with --out")


@contextmanager
def staged(out: Path) -> Iterator[Path]:
    """A path of the same name in a temporary folder. The files that are created there are moved to `out`, all of them
    or none.

    Raises:
        UserError: one of the new files or folders would replace something of another kind.
    """
    folder = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.stem}.", suffix=".tmp"))
    try:
        yield folder / out.name
        places = {one: out.parent / one.name for one in sorted(folder.iterdir())}
        for one, place in places.items():
            if one.is_dir():
                check_free(place)
            else:
                check_output(place)
                check_kind(place, kind_of(one))
        for path in sorted(folder.rglob("*")):
            sync(path)
        for one, place in places.items():
            os.replace(one, place)
        sync(out.parent)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
