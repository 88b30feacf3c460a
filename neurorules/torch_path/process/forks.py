"""Processes that fork after learning on several threads.

The threads of OpenMP do not come along into a forked process, and whoever there asks for more than one waits for ever.
So such a process computes on one thread.
"""

from __future__ import annotations

import functools
import os
import threading

import torch

from neurorules.language.errors import UserError

_forked = threading.Event()


@functools.cache
def one_thread_in_forks() -> None:
    """From now on let forked processes compute on one thread; called before several threads first work."""
    os.register_at_fork(after_in_child=_begin_child)


def _begin_child() -> None:
    torch.set_num_threads(1)
    _forked.set()


def check_forked(threads: int) -> None:
    """Refuse more than one thread in a process that was forked from one that learned on several.

    Raises:
        UserError: it was.
    """
    if threads > 1 and _forked.is_set():
        raise UserError(
            f"{threads} threads were asked for in a process that was forked after learning on several, and they do not "
            f"come along. Use one thread, or start processes by multiprocessing's 'spawn'"
        )
