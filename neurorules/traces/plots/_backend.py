"""Loading of matplotlib independently of the backend in the environment; figures are files and need no backend."""

from __future__ import annotations

import os
import sys
from contextlib import suppress


def load_matplotlib() -> None:
    """Import matplotlib, unless it is already imported.

    It reads MPLBACKEND while it is imported, and fails where that names a backend which is not installed here: a
    notebook leaves its own, `module://matplotlib_inline.backend_inline`, to every program that is started from it. A
    backend that is there is taken, so that the user's own figures are shown as asked.
    """
    if "matplotlib" in sys.modules:
        return
    backend = os.environ.pop("MPLBACKEND", None)
    try:
        import matplotlib
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend
    if backend:
        with suppress(ValueError):  # no such backend here
            matplotlib.rcParams["backend"] = backend
