"""Loading of matplotlib independently of the backend in the environment; figures are files and need no backend."""

from __future__ import annotations

import os
import sys
from contextlib import suppress


def load_matplotlib() -> None:
    """Import matplotlib, unless it is already imported.

    matplotlib reads MPLBACKEND during its import, and fails if that backend is not installed: programs that are started
    from a notebook inherit its backend, `module://matplotlib_inline.backend_inline`. An installed backend is used, so
    that the user's own figures are shown as usual.
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
