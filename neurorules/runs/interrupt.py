"""A polite stop: the first Ctrl-C lets work go on until it can be resumed from there, the second one ends it at
once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

EXIT_CODE = 130


class Interrupted(KeyboardInterrupt):
    """The user stopped a run whose checkpoint is saved. The message is the command that resumes it; the exit code is
    130.

    It is a KeyboardInterrupt, so that a loop over runs which goes on after an error ends here.
    """


def stopped(epoch: int, folder: Path | None, saved: str) -> Interrupted:
    """Make the error to raise where a training run has heeded a stop.

    Args:
        epoch: the epoch that it was in, from 1.
        folder: the folder of the run; None for a run that keeps nothing.
        saved: what is in the folder now, as a sentence.

    Returns:
        The exception, whose message says how to go on.
    """
    line = f"stopped in epoch {epoch}."
    if folder is not None:
        line += f" {saved} Go on with the same options and: neurorules train --out {folder} --resume"
    return Interrupted(line)


class StopFlag:
    """A flag that says whether the user has asked to stop. The work looks at it wherever its state is whole."""

    def __init__(self) -> None:
        self._stop = threading.Event()

    @property
    def requested(self) -> bool:
        """True from the first signal on."""
        return self._stop.is_set()

    def request(self) -> None:
        """Ask to stop, as a signal does."""
        self._stop.set()


@contextmanager
def polite_stop() -> Iterator[StopFlag]:
    """Turn the first SIGINT or SIGTERM inside the block into a raised flag.

    A second signal raises KeyboardInterrupt at once. The old handlers come back when the block ends. Only the main
    thread may set handlers: in any other thread the flag is never raised, and the main thread decides.
    """
    flag = StopFlag()
    if threading.current_thread() is not threading.main_thread():
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
            # None stands for a handler that was not set from Python and cannot be given back.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


@contextmanager
def interrupts_wait() -> Iterator[Callable[[], None]]:
    """Let a Ctrl-C wait until the end of the block, so that what the block writes is written whole.

    It waits from the moment on at which the block calls the function it is handed, and takes its usual effect at the
    end. Only the main thread is ever interrupted: in other threads the call changes nothing.
    """
    before: list[Callable[[int, FrameType | None], object]] = []
    waiting: list[tuple[int, FrameType | None]] = []

    def hold() -> None:
        handler = signal.getsignal(signal.SIGINT)
        if before or not callable(handler) or threading.current_thread() is not threading.main_thread():
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
