"""A call in another process that finds what it would find in this one: the user's files, folder and environment.

The processes of joblib live on between two comparisons of one script or notebook, and keep the current folder and the
environment of the moment in which they were started. They also end when their memory has grown by a lot, and others
take their place.
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
"""How the names of our variables of the environment begin."""
REPLACED = "A worker stopped while some jobs were given to the executor"
"""How joblib's warning begins that a process has been replaced because its memory had grown."""


@dataclass(frozen=True)
class AsHere:
    """A function that can be called in another process as if it were called here.

    Args:
        function: what is called.
        files: the user's rules, signals and neurons: paths by name.
        folder: the current folder; None keeps that of the other process, which may run on another machine.
        environment: our variables; None keeps those of the other process.
    """

    function: Callable[..., Any]
    files: dict[str, str]
    folder: str | None
    environment: dict[str, str] | None

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call the function, in the process that this object was sent to."""
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
        function: what is called; it must be found by its name in its module.
        same_machine: whether the other process runs on this machine. On another one, folders and variables of the
            environment are that machine's own.

    Returns:
        What is called in its place, with the same arguments.
    """
    files = {name: str(path) for name, path in own_files.listed().items()}
    return AsHere(function, files, os.getcwd() if same_machine else None, _ours() if same_machine else None)


@contextmanager
def replaced_quietly() -> Iterator[None]:
    """Let joblib replace processes inside the block without a warning.

    That a process which holds a large data set makes room for a new one is nothing that a user has to act on. Where
    warnings are errors, this one would end the thread that hands out the calls, and they would never come back.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=REPLACED, category=UserWarning)
        yield


def _ours() -> dict[str, str]:
    """Our variables of this process's environment, by name."""
    return {name: value for name, value in os.environ.items() if name.startswith(OURS)}
