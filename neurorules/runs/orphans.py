"""Worker processes whose parent is gone: they stop as if the user had asked them to, with a checkpoint saved."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

LOOK_S = 0.5
"""Seconds between two looks at the parent."""


@contextmanager
def stopped_without_parent(parent: int | None) -> Iterator[None]:
    """Ask this process to stop if its parent ends inside the block.

    A comparison that is killed leaves its workers behind. They own the folders of their runs, and would go on training
    while the user resumes the comparison.

    Args:
        parent: number of the process that handed out the work; None, or that of this process, where there is none.
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
