"""Run a function in a copy of this process, so that its changes to modules, objects and memory disappear afterwards."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from neurorules.language.errors import RAISED, UserError

Answer = TypeVar("Answer")


def apart(work: Callable[[], Answer]) -> Answer:
    """Run a function in a copy (fork) of this process, and return its result.

    This is for processes with one thread. If the system cannot copy a process (Windows), the function runs here.

    Raises:
        UserError: the function raised an error, which is then described in one line, or the copy ended early.
    """
    if sys.platform == "win32":
        return work()
    receive, send = Pipe(duplex=False)
    child = os.fork()
    if child == 0:
        _do(work, send)
    send.close()
    try:
        answer, problem = receive.recv()
    except EOFError:
        answer, problem = None, "the process that measured it ended without an answer"
    os.waitpid(child, 0)
    if problem is not None:
        raise UserError(problem)
    result: Answer = answer
    return result


def _do(work: Callable[[], Any], send: Connection) -> None:
    """In the copied process: run the function, send its result or its error, and end the process."""
    try:
        answer, problem = work(), None
    except UserError as error:
        answer, problem = None, str(error)
    except RAISED as error:
        answer, problem = None, f"it fails ({type(error).__name__}: {error})"
    try:
        send.send((answer, problem))
    finally:
        os._exit(0)
