"""Figures of traces and runs: each file of this registry is one kind, `--kind NAME`.

Each kind has a function for your own figures, which draws on a given axis and returns it, without changing global
state.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from neurorules.language.registry import Registry
from neurorules.traces.plots._backend import load_matplotlib

load_matplotlib()  # before any file of this package imports it
PLOTS = Registry("plot", "neurorules.traces.plots")


def plot(paths: Sequence[Path], kind: str, out: Path, samples: Sequence[int] | None = None) -> None:
    """Draw a picture of files, and save it.

    Args:
        paths: a trace file, or run folders, depending on the kind.
        kind: the kind with options, such as "voltage:neurons=5".
        out: the new file, `.png`, `.svg` or `.pdf`.
        samples: positions in a trace; None for as many as fit.

    Raises:
        UserError: a kind or format is unknown, or the files lack the data to draw.
    """
    from neurorules.traces.plots._shared import Picture, check_format, save  # its parts are slow to load

    check_format(out)
    picture: Picture = PLOTS.make(kind)
    save(picture.figure(paths, samples), out)
