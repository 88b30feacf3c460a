"""Faster imports for commands: garbage collection is switched off while the library is loaded."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Switch off cyclic garbage collection inside the block, because it would traverse all of torch while that is
    loading.

    The loaded objects are also excluded from later collections (`gc.freeze`), because they live as long as the process.
    If torch is already loaded, as in a notebook or a test, nothing is changed.
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
