"""Runs work in a process of its own: what the work leaves behind in modules, objects and memory ends with it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from neurorules.language.errors import UserError

Answer = TypeVar("Answer")


def apart(work: Callable[[], Answer]) -> Answer:
    """Do some work in a copy of this process as it is now, and hand back its answer.

    It is meant for a process of one thread. Where the system cannot copy a process (Windows), the work is done here.

    Raises:
        UserError: the work raised it, or any other error, which is then told in one line; or the copy ended early.
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
    """In the copied process: do the work, send its answer or its error, and end the process."""
    try:
        answer, problem = work(), None
    except UserError as error:
        answer, problem = None, str(error)
    except Exception as error:
        answer, problem = None, f"it fails ({type(error).__name__}: {error})"
    try:
        send.send((answer, problem))
    finally:
        os._exit(0)
