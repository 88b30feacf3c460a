"""The settings that torchrun gives each process that it starts, by the environment. Such a process is a rank."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from neurorules.language.errors import UserError


class Launch(NamedTuple):
    """The way in which this process was started.

    Args:
        rank: its number, from 0.
        ranks: how many processes were started together, >= 1.
        local_rank: its number among those on this machine, from 0.
        restarts: how many times all of them have been started anew, because one had died.
        most_restarts: how many times they may be.
    """

    rank: int = 0
    ranks: int = 1
    local_rank: int = 0
    restarts: int = 0
    most_restarts: int = 0


NAMES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "TORCHELASTIC_RESTART_COUNT", "TORCHELASTIC_MAX_RESTARTS")
"""Variables that torchrun sets, in the order of `Launch`."""


def launch() -> Launch:
    """Read how torchrun has started this process; one rank alone where it has not."""
    if not {"RANK", "WORLD_SIZE", "MASTER_ADDR"} <= os.environ.keys():
        return Launch()
    values = [os.environ.get(name, "0") for name in NAMES]
    if not all(value.isdecimal() for value in values):
        named = ", ".join(f"{name}={value}" for name, value in zip(NAMES, values, strict=True))
        raise UserError(f"the environment says {named}, which are no whole numbers. Start with torchrun, or unset them")
    return Launch(*map(int, values))


def check_alone(what: str) -> None:
    """Refuse what one process does by itself, where torchrun has started several.

    Args:
        what: is asked for, such as "compare".

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
    """Whether a run goes on, and whether it replaces another, where torchrun has started its ranks anew.

    Args:
        out: folder of the run.
        resume, force: as the user wrote them for the first start.

    Returns:
        True and False once the ranks have been started anew and the run has a folder; otherwise what the user wrote.

    Raises:
        UserError: the ranks may be started anew, and the run has no folder to go on from.
    """
    from neurorules.runs.folder import CONFIG  # which loads torch

    started = launch()
    if started.ranks > 1 and started.most_restarts and out is None:
        raise UserError("torchrun may start this run anew, and it has no folder to go on from. Give --out DIR")
    if started.ranks > 1 and started.restarts and out is not None and (out / CONFIG).exists():
        return True, False
    return resume, force
