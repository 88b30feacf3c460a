"""The environment variables that torchrun sets for each process (rank) that it starts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from neurorules.language.errors import UserError


class Launch(NamedTuple):
    """The values of torchrun's environment variables.

    Args:
        rank: number of this process, from 0.
        ranks: number of processes that were started together, >= 1.
        local_rank: number of this process among those on this machine, from 0.
        restarts: number of times that all processes were restarted because one had died.
        most_restarts: largest allowed number of restarts.
    """

    rank: int = 0
    ranks: int = 1
    local_rank: int = 0
    restarts: int = 0
    most_restarts: int = 0


NAMES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "TORCHELASTIC_RESTART_COUNT", "TORCHELASTIC_MAX_RESTARTS")
"""Variables that torchrun sets, in the order of `Launch`."""


def by_launcher() -> bool:
    """Whether torchrun, or a launcher that sets the same variables, has started this process."""
    return {"RANK", "WORLD_SIZE", "MASTER_ADDR"} <= os.environ.keys()


def launch() -> Launch:
    """Read torchrun's environment variables; without torchrun, there is a single rank."""
    if not by_launcher():
        return Launch()
    values = [os.environ.get(name, "0") for name in NAMES]
    if not all(value.isdecimal() for value in values):
        named = ", ".join(f"{name}={value}" for name, value in zip(NAMES, values, strict=True))
        raise UserError(
            f"the environment says {named}, which are not whole numbers. Start with torchrun, or unset them"
        )
    return Launch(*map(int, values))


def check_alone(what: str) -> None:
    """Refuse a command that works in one process, if torchrun has started several.

    Args:
        what: the command, such as "compare".

    Raises:
        UserError: there are several ranks.
    """
    ranks = launch().ranks
    if ranks > 1:
        raise UserError(
            f"{what} works in one process, and torchrun has started {ranks}: only train --path torch runs on several "
            f"ranks. Start it without torchrun"
        )


def after_restart(out: Path | None, resume: bool, force: bool) -> tuple[bool, bool]:
    """Decide whether a run resumes, and whether it replaces another, if torchrun has restarted its ranks.

    Args:
        out: folder of the run.
        resume, force: as the user wrote them for the first start.

    Returns:
        True and False after a restart of a run with a folder; otherwise the user's values of `resume` and `force`.

    Raises:
        UserError: torchrun may restart the ranks, and the run has no folder to resume from.
    """
    from neurorules.runs.folder import CONFIG  # imported here because it loads torch

    started = launch()
    if started.ranks > 1 and started.most_restarts and out is None:
        raise UserError("torchrun may start this run anew, and it has no folder to go on from. Give --out DIR")
    if started.ranks > 1 and started.restarts and out is not None and (out / CONFIG).exists():
        return True, False
    return resume, force
