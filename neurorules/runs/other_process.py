"""Calls in another process (a joblib or Dask worker) with the user's files, folder and environment of this one.

Worker processes of joblib persist between two comparisons of one script or notebook, and keep the current folder and
the environment from when they were started. They are also replaced when their memory has grown a lot.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from neurorules.language import own_files

OURS = "NEURORULES_"
"""The prefix of the names of this library's environment variables."""
REPLACED = "A worker stopped while some jobs were given to the executor"
"""The beginning of joblib's warning that a process was replaced because its memory had grown."""


@dataclass(frozen=True)
class AsHere:
    """A function that can be called in another process as if it were called here.

    Args:
        function: the function.
        files: paths of the user's rules, signals and neurons, by name.
        folder: the current folder; None keeps that of the other process, which may run on another machine.
        environment: this library's environment variables; None keeps those of the other process.
    """

    function: Callable[..., Any]
    files: dict[str, str]
    folder: str | None
    environment: dict[str, str] | None

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call the function in the process that this object was sent to."""
        if self.folder is not None:
            os.chdir(self.folder)
        if self.environment is not None:
            for name in _ours().keys() - self.environment.keys():
                del os.environ[name]
            os.environ.update(self.environment)
        own_files.take_all(self.files)
        return self.function(*arguments, **named)


def as_here(function: Callable[..., Any], *, same_machine: bool = True) -> AsHere:
    """Prepare a function for a call in another process.

    Args:
        function: the function, which must be importable by its name.
        same_machine: whether the other process runs on this machine. On another machine, its own folder and environment
            are used.

    Returns:
        An object to call in its place, with the same arguments.
    """
    files = {name: str(path) for name, path in own_files.listed().items()}
    return AsHere(function, files, os.getcwd() if same_machine else None, _ours() if same_machine else None)


@contextmanager
def replaced_quietly() -> Iterator[None]:
    """Suppress joblib's warning about replaced processes inside the block.

    A user need not react if a process with a large data set is replaced. If warnings are errors, this one would end the
    thread that distributes the calls, and they would never return.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=REPLACED, category=UserWarning)
        yield


def _ours() -> dict[str, str]:
    """This library's environment variables in this process, by name."""
    return {name: value for name, value in os.environ.items() if name.startswith(OURS)}
