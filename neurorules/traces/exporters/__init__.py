"""Other formats for a trace: one file here is one format, `--to NAME`."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from neurorules.language.errors import UserError
from neurorules.language.registry import Registry
from neurorules.traces.store import TraceReader

exporters = Registry("exporter", "neurorules.traces.exporters")


class Exporter(Protocol):
    """What the `ENTRY` of a format makes: writes all of a trace, and says which files it wrote, the main one first."""

    def __call__(self, reader: TraceReader, out: Path) -> list[Path]:
        """Write all of `reader` to the file or folder `out`.

        Raises:
            UserError: a missing package, or a trace that the format cannot hold.
        """
        ...


def export(trace: Path, to: str, out: Path) -> list[Path]:
    """Write a trace file in another format.

    Args:
        trace: the HDF5 file that was recorded.
        to: an exporter and its options, such as "npz" or "npz:compress=false".
        out: the new file or, for formats of several files, folder; folders on the way are made.

    Returns:
        The files written, the main one first.

    Raises:
        UserError: unknown format or option, a missing package, a damaged trace, or a place that cannot be written.
    """
    exporter: Exporter = exporters.make(to)
    with TraceReader(trace) as reader:
        if out.exists() and out.samefile(trace):
            raise UserError(f"--out {out} is the trace itself. Name another file")
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            return exporter(reader, out)
        except OSError as error:
            raise UserError(f"cannot write {out} ({error}). Name another file with --out") from None
