"""How a run begins: its folder is owned, one that fails before it has begun leaves no trace, nothing older is lost.

A run has begun once it has kept something: a checkpoint, a row of metrics, a result.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from neurorules.disk.lock import owned_folder
from neurorules.language.config import TrainConfig
from neurorules.runs.atomic import remove_leftovers
from neurorules.runs.folder import CONFIG, RUN_FILES, RunFolder, open_run
from neurorules.runs.outputs import TRACES

MEASURES = "measures"
"""Folder in a run folder for what a comparison measures of it."""
ASIDE = ".replaced"
"""Folder in a run folder that keeps the files of the run that `force` replaces, until the new one has begun."""


@contextmanager
def own_run(
    path: Path,
    config: TrainConfig,
    resume: bool,
    force: bool,
    settle: Callable[[TrainConfig], TrainConfig] = lambda stored: stored,
) -> Iterator[RunFolder]:
    """The folder of a run inside the block, owned by it; the arguments are those of `open_run`.

    Where the block raises before the run has kept anything, a new configuration goes again, and with `force` the run
    that stood there comes back.

    Raises:
        UserError: another process writes there, the folder holds another run, or the run was begun otherwise.
    """
    with owned_folder(path):
        replaced = force and not resume and _set_aside(path)
        new = not (path / CONFIG).exists()
        beside = [path / name for name in (TRACES, MEASURES) if not (path / name).exists()]
        try:
            yield open_run(path, config, resume, force, settle)
        except BaseException:
            if new and not has_begun(path):
                (path / CONFIG).unlink(missing_ok=True)
                remove_leftovers(path, RUN_FILES)
                _remove(beside)
                if replaced:
                    _move_files(path / ASIDE, path)
            raise
        finally:
            _forget_replaced(path)


def _remove(places: list[Path]) -> None:
    for place in places:
        if place.is_dir():
            shutil.rmtree(place, ignore_errors=True)
        place.unlink(missing_ok=True)


def has_begun(path: Path) -> bool:
    """Whether the run in a folder has kept anything but its configuration."""
    return any((path / name).exists() for name in RUN_FILES if name != CONFIG)


def _set_aside(path: Path) -> bool:
    """Move the files of a run out of the way; whether there were any."""
    if not any((path / name).exists() for name in RUN_FILES):
        return False
    _forget_replaced(path)
    (path / ASIDE).mkdir()
    _move_files(path, path / ASIDE)
    return True


def _move_files(source: Path, target: Path) -> None:
    for name in RUN_FILES:
        with suppress(FileNotFoundError):
            os.replace(source / name, target / name)


def _forget_replaced(path: Path) -> None:
    for name in RUN_FILES:
        (path / ASIDE / name).unlink(missing_ok=True)
    with suppress(OSError):
        (path / ASIDE).rmdir()
