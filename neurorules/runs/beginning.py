"""The start of a run: it locks its folder, leaves nothing behind if it fails at once, and then restores an older run.

A run has begun once it has stored something: a checkpoint, a row of metrics, a result.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from neurorules.disk.lock import owned_folder
from neurorules.language.config import TrainConfig
from neurorules.runs.atomic import remove_leftovers, remove_places
from neurorules.runs.folder import BESIDE, CONFIG, NET, RUN_FILES, RunFolder, open_run
from neurorules.runs.outputs import TRACES
from neurorules.runs.standing import check_folder

MEASURES = "measures"
"""Name of the folder, in a run folder, for measurements of the run by a comparison."""
ASIDE = ".replaced"
"""Name of the folder, in a run folder, that holds the files of a run replaced by `force` until the new run has
begun."""


@contextmanager
def own_run(
    path: Path,
    config: TrainConfig,
    resume: bool,
    force: bool,
    settle: Callable[[TrainConfig], TrainConfig] = lambda stored: stored,
) -> Iterator[RunFolder]:
    """Lock the folder of a run inside the block.

    If the block raises before the run has stored anything, a new configuration is removed, and a run that was replaced
    with `force` is restored.

    Args:
        path: the folder.
        config: the settings of the run, with nothing left open.
        resume: continue the run in the folder.
        force: replace the run in the folder.
        settle: a function that fills in settings that a run of an earlier version left open.

    Returns:
        A context manager that returns the folder.

    Raises:
        UserError: another process has locked the folder, or the folder contains another run or a run with other
            settings.
    """
    with owned_folder(path):
        check_folder(path, "train", force, resume)
        replaced = force and not resume and _set_aside(path)
        new = not (path / CONFIG).exists()
        beside = [path / name for name in (TRACES, MEASURES, *BESIDE) if not (path / name).exists()]
        try:
            yield open_run(path, config, resume, force, settle)
        except BaseException:
            if new and not has_begun(path):
                for name in (CONFIG, NET):
                    (path / name).unlink(missing_ok=True)
                remove_leftovers(path, RUN_FILES)
                remove_places(beside)
                if replaced:
                    _move_files(path / ASIDE, path)
            raise
        finally:
            _forget_replaced(path)


def has_begun(path: Path) -> bool:
    """Whether the run in a folder has stored anything other than its configuration and initial net."""
    return any((path / name).exists() for name in RUN_FILES if name not in (CONFIG, NET))


def checkpoint_sentence(folder: RunFolder | None) -> str:
    """A sentence that says where the last checkpoint of a failed run is; empty if there is none."""
    if folder is None or not has_begun(folder.path):
        return ""
    return f" The last checkpoint is kept in {folder.path}"


def _set_aside(path: Path) -> bool:
    """Move the files of a run out of the way, and return whether there were any."""
    if not any((path / name).exists() for name in RUN_FILES):
        return False
    _forget_replaced(path)
    (path / ASIDE).mkdir()
    _move_files(path, path / ASIDE)
    return True


def _move_files(source: Path, target: Path) -> None:
    """Move the files of a run from one folder to another."""
    for name in (*RUN_FILES, *BESIDE):
        with suppress(FileNotFoundError):
            os.replace(source / name, target / name)


def _forget_replaced(path: Path) -> None:
    """Remove the files of a run that was replaced."""
    remove_places([path / ASIDE / name for name in BESIDE])
    for name in RUN_FILES:
        (path / ASIDE / name).unlink(missing_ok=True)
    with suppress(OSError):
        (path / ASIDE).rmdir()
