"""The progress bar for work that takes more than a second, in a terminal or below the cell of a notebook."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

from neurorules.runs.notebook import NotebookDisplay, in_notebook

if TYPE_CHECKING:
    from rich.progress import Progress

Item = TypeVar("Item")

DELAY_S = 1.0  # a bar appears after this many seconds

# A nested bar (batches of a run, runs of a comparison) is a line in the display of the outer bar.
_display: ContextVar[Progress | NotebookDisplay | None] = ContextVar("neurorules_progress", default=None)


class Bar:
    """A counter for the steps of a task, shown as a bar. Until the bar appears, `advance` only reads the clock."""

    def __init__(self, display: Progress | NotebookDisplay | None, task: str, total: int | None) -> None:
        self._display, self._task, self._total = display, task, total
        self._done = 0
        self._since = time.monotonic()
        self._id: Any = None

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Count steps that are completed.

        Args:
            steps: number of further steps, >= 0.
            note: a short text after the bar, such as the accuracy so far.
        """
        self._done += steps
        if self._display is None or time.monotonic() - self._since < DELAY_S:
            return
        if self._id is None:
            self._display.start()
            self._id = self._display.add_task(self._task, total=self._total, note=note)
        self._display.update(self._id, completed=self._done, note=note)

    def close(self) -> None:
        """Remove the line from the display."""
        if self._display is not None and self._id is not None:
            self._display.remove_task(self._id)


@contextmanager
def progress(task: str, total: int | None = None, quiet: bool = False) -> Iterator[Bar]:
    """Show a bar for the work inside the block.

    Nothing is shown if there is neither a terminal (on stderr) nor a notebook, or if the work ends within a second.

    Args:
        task: the label of the bar, such as "epoch 3".
        total: number of steps, or None if it is not known.
        quiet: whether to show nothing at all.

    Returns:
        A context manager that returns the bar; the block calls its `advance`.
    """
    outer = _display.get()
    display = None if quiet else outer or _new_display()
    token = _display.set(display)
    bar = Bar(display, task, total)
    try:
        yield bar
    finally:
        bar.close()
        _display.reset(token)
        if display is not None and display is not outer and _is_started(display):
            display.stop()


def track(items: Iterable[Item], task: str, total: int | None = None, quiet: bool = False) -> Iterator[Item]:
    """Iterate over items with a progress bar.

    Args:
        items: the items.
        task: the label of the bar.
        total: number of items; None for the length of `items`, if it has one.
        quiet: whether to show nothing at all.

    Returns:
        An iterator over the items.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    with progress(task, total, quiet) as bar:
        for item in items:
            yield item
            bar.advance()


def _is_started(display: Progress | NotebookDisplay) -> bool:
    return display.is_started if isinstance(display, NotebookDisplay) else display.live.is_started


def _new_display() -> Progress | NotebookDisplay | None:
    """A new display in a notebook or on stderr; None if there is neither a notebook nor a terminal."""
    if in_notebook():
        return NotebookDisplay()
    if not sys.stderr.isatty():
        return None
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, TextColumn("{task.fields[note]}"), console=Console(stderr=True), transient=True)
