"""Worker processes whose parent has died: they save a checkpoint and stop, as after Ctrl-C."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

LOOK_S = 0.5
"""Seconds between two checks of the parent process."""


@contextmanager
def stopped_without_parent(parent: int | None) -> Iterator[None]:
    """Inside the block, ask this process to stop if its parent ends.

    A comparison that is killed leaves its workers behind. They hold the locks of their run folders, and would continue
    training while the user resumes the comparison.

    Args:
        parent: process id of the parent; None, or the id of this process, if there is none.
    """
    if parent is None or parent != os.getppid():
        yield
        return
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(LOOK_S):
            if os.getppid() != parent:
                os.kill(os.getpid(), signal.SIGTERM)
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
