"""The loading of the library by a command, without collections of garbage on the way."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Import inside the block without the collector of cyclic garbage, which would walk through torch as it grows.

    What was loaded stays as long as the process, so later collections leave it out as well (`gc.freeze`). A process
    that has torch already, such as a notebook or a test, is left alone.
    """
    if "torch" in sys.modules or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
