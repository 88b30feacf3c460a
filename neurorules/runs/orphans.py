"""Worker processes whose parent is gone: they stop as if the user had asked them to, and keep what they have."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

LOOK_S = 0.5


@contextmanager
def stopped_without_parent(parent: int | None) -> Iterator[None]:
    """Ask this process to stop, once, where its parent ends inside the block; nothing for a process that is nobody's.

    A comparison that is killed leaves its workers behind. They own the folders of their runs, and would train on while
    the user goes on with the comparison.

    Args:
        parent: the process that handed out the work; None, or this one itself, for no parent.
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
