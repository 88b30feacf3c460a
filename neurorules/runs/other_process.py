"""A call in another process that finds what it would find in this one: the user's files, folder and environment.

The processes of joblib live on between two comparisons of one script or notebook, and keep the current folder and the
environment of the moment in which they were started.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from neurorules.language import own_files

OURS = "NEURORULES_"
"""How the names of our variables of the environment begin."""


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


def _ours() -> dict[str, str]:
    """Our variables of this process's environment, by name."""
    return {name: value for name, value in os.environ.items() if name.startswith(OURS)}
