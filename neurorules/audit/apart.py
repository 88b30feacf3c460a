"""Work in a process of its own: what it leaves behind in modules, objects and memory ends with it."""

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
    """What some work answers, done in a copy of this process as it is now. Only for a process of one thread.

    Where the system cannot copy a process (Windows), the work is done here.

    Raises:
        UserError: the work's own, or any other of its errors in one line.
    """
    if sys.platform == "win32":
        return work()
    receive, send = Pipe(duplex=False)
    child = os.fork()
    if child == 0:
        _do(work, send)
    send.close()
    try:
        answer, said = receive.recv()
    except EOFError:
        answer, said = None, "the process that measured it ended without an answer"
    os.waitpid(child, 0)
    if said is not None:
        raise UserError(said)
    found: Answer = answer
    return found


def _do(work: Callable[[], Any], send: Connection) -> None:
    try:
        answer, said = work(), None
    except UserError as error:
        answer, said = None, str(error)
    except Exception as error:
        answer, said = None, f"it fails ({type(error).__name__}: {error})"
    try:
        send.send((answer, said))
    finally:
        os._exit(0)
