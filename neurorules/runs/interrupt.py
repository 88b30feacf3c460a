"""Interruption: the first Ctrl-C stops a run at the next point from which it can resume, the second one at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

EXIT_CODE = 130
LAST_LINE_S = 5.0
"""How many seconds a process that a launcher ends still has for the line in which it reports its own error."""


class Interrupted(KeyboardInterrupt):
    """The user stopped a run after its checkpoint was saved. The message contains the command that resumes it.

    This is a KeyboardInterrupt, so that it also ends loops over runs that continue after errors. The exit code is 130.
    """


def stopped(epoch: int, folder: Path | None, saved: str) -> Interrupted:
    """Build the exception to raise when a training run stops at the user's request.

    Args:
        epoch: the current epoch, from 1.
        folder: the folder of the run; None for a run without a folder.
        saved: a sentence that says what the folder contains.

    Returns:
        The exception, whose message says how to continue.
    """
    line = f"stopped in epoch {epoch}."
    if folder is not None:
        line += f" {saved} Go on with the same options and: neurorules train --out {folder} --resume"
    return Interrupted(line)


class StopFlag:
    """A flag that says whether the user has asked to stop. The training loop reads it whenever its state is
    consistent."""

    def __init__(self) -> None:
        self._stop = threading.Event()

    @property
    def requested(self) -> bool:
        """True from the first signal on."""
        return self._stop.is_set()

    def request(self) -> None:
        """Raise the flag, as a signal does."""
        self._stop.set()


@contextmanager
def polite_stop() -> Iterator[StopFlag]:
    """Inside the block, let the first SIGINT or SIGTERM raise a flag.

    A second signal raises KeyboardInterrupt at once. The old handlers are restored when the block ends. Only the main
    thread can set handlers; in any other thread the flag is never raised.
    """
    flag = StopFlag()
    if not _on_main_thread():
        yield flag
        return

    def on_signal(number: int, frame: FrameType | None) -> None:
        if flag.requested:
            raise KeyboardInterrupt
        flag.request()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield flag
    finally:
        for number, handler in before.items():
            # None means that the handler was not set from Python and cannot be restored.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


@contextmanager
def time_for_last_line() -> Iterator[None]:
    """Inside the block, let a SIGTERM end the process `LAST_LINE_S` seconds later, unless it has ended by itself.

    A launcher ends all other processes as soon as one has died. Those have just noticed the loss, and are about to
    report it: a signal that took effect at once would hide that line. `polite_stop` replaces this handler while a
    network learns. Only the main thread can set handlers; in any other thread nothing changes.
    """
    if not _on_main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _end_later)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)


def _end_later(number: int, frame: FrameType | None) -> None:
    end = threading.Timer(LAST_LINE_S, os._exit, (128 + number,))
    end.daemon = True  # a process that ends by itself does not wait for it
    end.start()


@contextmanager
def no_last_line() -> Iterator[None]:
    """Inside the block, suspend `time_for_last_line`, so that a SIGTERM ends the process at once.

    For calls that wait outside Python, where no handler of Python would run before the wait has ended. Outside
    `time_for_last_line` nothing changes.
    """
    if not _on_main_thread() or signal.getsignal(signal.SIGTERM) is not _end_later:
        yield
        return
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, _end_later)


@contextmanager
def interrupts_wait() -> Iterator[Callable[[], None]]:
    """Delay a Ctrl-C until the end of the block, so that the block can finish writing.

    The delay starts when the block calls the function that this context manager returns. At the end of the block, the
    Ctrl-C takes its usual effect. Only the main thread is ever interrupted, so in other threads the call does nothing.
    """
    before: list[Callable[[int, FrameType | None], object]] = []
    waiting: list[tuple[int, FrameType | None]] = []

    def hold() -> None:
        handler = signal.getsignal(signal.SIGINT)
        if before or not callable(handler) or not _on_main_thread():
            return
        before.append(handler)
        signal.signal(signal.SIGINT, lambda number, frame: waiting.append((number, frame)))

    try:
        yield hold
    finally:
        for handler in before:
            signal.signal(signal.SIGINT, handler)
            for number, frame in waiting:
                handler(number, frame)


def _on_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
