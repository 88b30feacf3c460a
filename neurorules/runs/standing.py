"""The kinds of work that have a folder, and the check that no command writes its results among those of another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from neurorules.language.errors import UserError
from neurorules.runs.folder import CONFIG, RUN_FILES


class Work(NamedTuple):
    """One kind of work, and how its folder is recognised.

    Args:
        words: what its folder holds, such as "comparison".
        files: files of the folder itself.
        runs: glob patterns of files in the runs below it; a work that was stopped may have nothing else.
    """

    words: str
    files: tuple[str, ...]
    runs: tuple[str, ...] = ()


WORKS = {
    "train": Work("run", RUN_FILES),
    "compare": Work("comparison", ("compare.json",), (f"*/seed*/{CONFIG}",)),
    "benchmark": Work("benchmark", ("benchmark.json",), (f"*/*/seed*/{CONFIG}",)),
    "reproduce": Work(
        "reproduction of a paper", ("reproduce.json",), (f"*/*/seed*/{CONFIG}", "*/*/seed*/experiment.json")
    ),
    "tune": Work("search of tune", ("tune.json",)),
    "sweep": Work("sweep", ("sweep.json",)),
    "bench": Work("measurement of bench", ("bench.json",)),
}
"""The kinds of work that have a folder of their own, by the name of the command."""


def check_folder(path: Path, command: str, force: bool = False, resume: bool = False) -> None:
    """Refuse a folder that holds results, before anything is written into it. Every command that fills a folder asks
    here.

    Args:
        path: the folder, which may be missing.
        command: the command that is to write into it, a key of `WORKS`.
        force: write into it all the same.
        resume: continue the work of the same command that stands in it.

    Raises:
        UserError: it holds results of this command that are neither replaced nor continued, or of another command.
    """
    own = WORKS[command]
    if force or (resume and continues(path, own)):
        return
    if not resume and (any(_files(path, own)) or any(_runs(path, own))):
        ways = "Add --force to replace it, --resume to continue it, or give another --out"
        raise UserError(f"{path} holds another {own.words}. {ways}")
    for other in WORKS.values():
        if any(_files(path, other)) or (not set(other.runs) & set(own.runs) and any(_runs(path, other))):
            there = f"there is no {own.words} to continue" if resume else f"a {own.words} would stand among its files"
            raise UserError(f"{path} holds a {other.words}, and {there}. Give another --out, or add --force")


def continues(path: Path, work: Work) -> bool:
    """Whether a folder holds work that can be continued.

    Args:
        path: the folder.
        work: the kind of the work.

    Returns:
        Whether there are runs below it, or, for a work without such runs, its own files.
    """
    return any(_runs(path, work)) if work.runs else any(_files(path, work))


def _files(path: Path, work: Work) -> Iterator[Path]:
    """The files of a kind of work that stand in a folder itself."""
    return (path / name for name in work.files if (path / name).exists())


def _runs(path: Path, work: Work) -> Iterator[Path]:
    """Files of the runs of a kind of work below a folder. Runs of a comparison in a folder of its own are not meant."""
    below = (file for pattern in work.runs for file in path.glob(pattern))
    return (file for file in below if not (path / file.relative_to(path).parts[0] / "compare.json").exists())
