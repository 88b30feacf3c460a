"""Other formats for a trace: one file here is one format, `--to NAME`."""

from __future__ import annotations

from pathlib import Path

from neurorules.language.registry import Registry
from neurorules.traces.store import TraceReader

exporters = Registry("exporter", "neurorules.traces.exporters")


def export(trace: Path, to: str, out: Path) -> None:
    """Write a trace file in another format.

    Args:
        trace: the HDF5 file that was recorded.
        to: an exporter and its options, such as "npz" or "npz:compress=false".
        out: the new file or, for formats of several files, folder.

    Raises:
        UserError: unknown format or option, a missing package, or a damaged trace.
    """
    exporter = exporters.make(to)
    with TraceReader(trace) as reader:
        exporter(reader, out)
