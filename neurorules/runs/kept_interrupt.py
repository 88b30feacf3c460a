"""A Ctrl-C that is never lost: Python drops an exception that a signal raises inside a callback of a weak reference or
inside `__del__`, and only prints its traceback. Brian2's objects have many such callbacks.

A block of `no_interrupt_lost` keeps the interrupt instead, and raises it where it cannot be dropped.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

Handler = Callable[[int, FrameType | None], object]


class InterruptKeeper:
    """A handler of SIGINT that asks the handler before it, and keeps the KeyboardInterrupt that this one raises.

    Args:
        before: the handler before it. One that raises nothing, such as that of `polite_stop`, has dealt with the
            signal.
        outer: the keeper of the block around this one, if there is one.
        at_once: also raise the interrupt inside the handler, from which it arrives sooner, unless it is dropped.
    """

    def __init__(self, before: Handler, outer: InterruptKeeper | None, at_once: bool) -> None:
        self._before, self.outer, self._at_once = before, outer, at_once
        self._error: KeyboardInterrupt | None = None
        self._calls: list[Callable[[], None]] = []

    def __call__(self, number: int, frame: FrameType | None) -> None:
        again = self._error is not None
        try:
            self._before(number, frame)
        except KeyboardInterrupt as error:
            self._error = error
        here = self._taken_over()
        if here is None:
            return
        for call in self._calls:
            call()
        if again or self._at_once:
            raise here

    def check(self) -> None:
        """Raise the interrupt that is kept, if there is one, and keep it no longer.

        Raises:
            KeyboardInterrupt: the user has pressed Ctrl-C.
        """
        error, self._error = self._taken_over(), None
        if error is not None:
            raise error from None

    @contextmanager
    def calling(self, call: Callable[[], None]) -> Iterator[None]:
        """Inside the block, let an interrupt, also an earlier one that is still kept, call a function.

        Args:
            call: such as one that ends what the block waits for.

        Returns:
            A context manager, which gives nothing to its block.
        """
        self._calls.append(call)
        try:
            if self._error is not None:
                call()
            yield
        finally:
            self._calls.remove(call)

    @contextmanager
    def raising(self) -> Iterator[None]:
        """Inside the block, which waits for another process, also raise an interrupt at once."""
        self.check()
        before, self._at_once = self._at_once, True
        try:
            yield
        finally:
            self._at_once = before

    def _taken_over(self) -> KeyboardInterrupt | None:
        """The interrupt, which the keepers around this one need not raise any more."""
        outer = self.outer
        while outer is not None:
            if outer._error is not None:
                self._error, outer._error = outer._error, None
            outer = outer.outer
        return self._error


_innermost: InterruptKeeper | None = None


@contextmanager
def no_interrupt_lost(at_once: bool = False) -> Iterator[InterruptKeeper]:
    """Inside the block, keep the first Ctrl-C, and raise it at a `check`, or at the latest where the block ends.

    A second one is raised at once. Only the main thread has handlers; in any other thread nothing changes.

    Args:
        at_once: raise also the first one at once. It is raised a second time where the block ends if it was dropped.

    Returns:
        A context manager, which gives the keeper to its block.

    Raises:
        KeyboardInterrupt: the user has pressed Ctrl-C, also where another error ends the block, of which an interrupt
            is most likely the cause.
    """
    global _innermost
    before, outer = signal.getsignal(signal.SIGINT), _innermost
    if not callable(before) or threading.current_thread() is not threading.main_thread():
        yield InterruptKeeper(signal.default_int_handler, None, at_once)
        return
    keeper = InterruptKeeper(before, outer, at_once)
    keeper.check()  # a block around this one may have kept it
    try:
        _innermost = keeper
        signal.signal(signal.SIGINT, keeper)
        try:
            yield keeper
        finally:
            signal.signal(signal.SIGINT, before)
            _innermost = outer
    except KeyboardInterrupt:
        raise
    except BaseException:
        keeper.check()
        raise
    keeper.check()


def check_interrupt() -> None:
    """Raise the interrupt that the innermost `no_interrupt_lost` has kept, if there is one.

    Raises:
        KeyboardInterrupt: the user has pressed Ctrl-C.
    """
    if _innermost is not None and threading.current_thread() is threading.main_thread():
        _innermost.check()
