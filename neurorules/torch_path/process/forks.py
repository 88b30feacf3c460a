"""Processes that fork after learning on several threads.

A forked process does not inherit the threads of OpenMP, and waits for ever if it uses more than one. Such a process
therefore computes on one thread.
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
    """Let processes that are forked from now on compute on one thread. Call this before several threads work for the
    first time.
    """
    os.register_at_fork(after_in_child=_begin_child)


def _begin_child() -> None:
    torch.set_num_threads(1)
    _forked.set()


def check_forked(threads: int) -> None:
    """Refuse more than one thread in a process that was forked from one that learned on several.

    Raises:
        UserError: the process was forked from one that learned on several threads.
    """
    if threads > 1 and _forked.is_set():
        raise UserError(
            f"{threads} threads were asked for in a process that was forked after learning on several, and they do not "
            f"come along. Use one thread, or start processes by multiprocessing's 'spawn'"
        )
