"""The progress bar in a notebook: lines of HTML that are updated while the work runs."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from html import escape
from typing import Any

EVERY_S = 0.2
"""The shortest time between two updates of a bar, in seconds."""


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook; IPython need not be imported to find out."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return type(shell).__name__ == "ZMQInteractiveShell"


@dataclass
class Task:
    """One task of the display, which is shown as one line."""

    name: str
    total: int | None
    note: str = ""
    done: int = 0


class NotebookDisplay:
    """Lines of progress below a cell, with the interface of `rich.progress.Progress` and without widgets."""

    def __init__(self) -> None:
        self._tasks: dict[int, Task] = {}
        self._handle: Any = None
        self._shown = 0.0

    @property
    def is_started(self) -> bool:
        """Whether the display is on the page."""
        return self._handle is not None

    def start(self) -> None:
        """Show the display on the notebook's page."""
        from IPython.display import HTML, display

        if self._handle is None:
            self._handle = display(HTML(""), display_id=True)

    def add_task(self, name: str, total: int | None, note: str = "") -> int:
        """Add a line for one task to the display.

        Args:
            name: the label of the line.
            total: number of steps; None if it is not known.
            note: a short text after the bar.

        Returns:
            The number of the line.
        """
        number = max(self._tasks, default=-1) + 1
        self._tasks[number] = Task(name, total, note)
        self._show()
        return number

    def update(self, number: int, completed: int, note: str = "") -> None:
        """Update the progress of a line.

        Args:
            number: the number of the line from `add_task`.
            completed: number of completed steps.
            note: a short text after the bar.
        """
        task = self._tasks[number]
        task.done, task.note = completed, note
        if time.monotonic() - self._shown > EVERY_S or completed == task.total:
            self._show()

    def remove_task(self, number: int) -> None:
        """Remove the line of a task from the display."""
        del self._tasks[number]
        self._show()

    def stop(self) -> None:
        """Remove the display from the page."""
        self._tasks.clear()
        self._show()
        self._handle = None

    def _show(self) -> None:
        from IPython.display import HTML

        if self._handle is not None:
            self._shown = time.monotonic()
            self._handle.update(HTML("<br>".join(map(_line, self._tasks.values()))))


def _line(task: Task) -> str:
    share = "" if task.total is None else f" value='{task.done}' max='{task.total}'"
    count = f"{task.done}" if task.total is None else f"{task.done}/{task.total}"
    return f"{escape(task.name)} <progress{share}></progress> {count} {escape(task.note)}"
