"""The progress bar in a notebook, which has no terminal: one line of HTML that is replaced as the work goes on."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from html import escape
from typing import Any

EVERY_S = 0.2
"""The shortest time between two pictures of a bar."""


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook. IPython is not imported for it."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return type(shell).__name__ == "ZMQInteractiveShell"


@dataclass
class Task:
    """One task of the display, drawn as one line."""

    name: str
    total: int | None
    note: str = ""
    done: int = 0


class NotebookDisplay:
    """Lines of progress below a cell. It is used as `rich.progress.Progress` is, and asks for no widgets."""

    def __init__(self) -> None:
        self._tasks: dict[int, Task] = {}
        self._handle: Any = None
        self._shown = 0.0

    @property
    def is_started(self) -> bool:
        """Whether it is on the page."""
        return self._handle is not None

    def start(self) -> None:
        """Show the display on the notebook's page."""
        from IPython.display import HTML, display

        if self._handle is None:
            self._handle = display(HTML(""), display_id=True)

    def add_task(self, name: str, total: int | None, note: str = "") -> int:
        """Add a line for one task to the display.

        Args:
            name: what the line is called.
            total: number of steps; None where it is not known.
            note: a short text behind it.

        Returns:
            The line's number.
        """
        number = max(self._tasks, default=-1) + 1
        self._tasks[number] = Task(name, total, note)
        self._show()
        return number

    def update(self, number: int, completed: int, note: str = "") -> None:
        """Say how far a line is.

        Args:
            number: the number of the line, as `add_task` gave it.
            completed: how many of its parts are done.
            note: what stands behind it.
        """
        task = self._tasks[number]
        task.done, task.note = completed, note
        if time.monotonic() - self._shown > EVERY_S or completed == task.total:
            self._show()

    def remove_task(self, number: int) -> None:
        """Take a task's line off the display."""
        del self._tasks[number]
        self._show()

    def stop(self) -> None:
        """Take the display off the page."""
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
