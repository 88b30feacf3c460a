"""A polite stop: the first Ctrl-C lets the work reach a place where it can be resumed, the second one ends it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_CODE = 130


class Interrupted(KeyboardInterrupt):
    """The user stopped a run and its checkpoint is saved; the text is the line that resumes it. Exit code 130.

    It is a KeyboardInterrupt, as the user pressed the key: a loop over runs that goes on after any error ends here.
    """


class StopFlag:
    """Whether the user has asked to stop; the work looks at it where its state is whole."""

    def __init__(self) -> None:
        self._asked = threading.Event()

    @property
    def requested(self) -> bool:
        """True from the first signal on."""
        return self._asked.is_set()

    def request(self) -> None:
        """Ask to stop, as a signal does."""
        self._asked.set()


@contextmanager
def polite_stop() -> Iterator[StopFlag]:
    """Turn the first SIGINT or SIGTERM inside the block into a raised flag.

    A second signal raises KeyboardInterrupt at once. Old handlers come back when the block ends. Only the main thread
    may set handlers: in any other one the flag stays down, and the main thread decides.
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
    """From the call of what it yields to the end of the block, a Ctrl-C waits: what is written there is written whole.

    It then does what it would have done. Only the main thread is ever interrupted: elsewhere the call changes nothing.
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
