"""The export formats of traces: each file of this registry is one format, `--to NAME`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from neurorules.disk.failures import cannot_write
from neurorules.disk.lock import owned_file
from neurorules.language.errors import UserError
from neurorules.language.registry import Registry
from neurorules.runs.outputs import check_output
from neurorules.traces.exporters._folder import staged
from neurorules.traces.exporters._snapshots import write_snapshots
from neurorules.traces.store import TraceReader

exporters = Registry("exporter", "neurorules.traces.exporters")


SpikeRows = Sequence[tuple[int, int, int, float]]
"""Spikes of one layer as rows: position of the sample in the trace, step, neuron, value."""


@runtime_checkable
class Exporter(Protocol):
    """An exporter, which the `ENTRY` of a format builds. It writes a whole trace, and returns the files, with the main
    one first.

    A module may also have a `READER`, a function from the main file to `SpikeRows` by layer; the contract suite then
    checks every spike.
    """

    def __call__(self, reader: TraceReader, out: Path) -> list[Path]:
        """Write all of `reader` to the file or folder `out`, which is in a temporary folder until it is complete.

        Raises:
            UserError: a package is missing, or the format cannot hold the trace.
        """
        ...


def export(trace: Path, to: str, out: Path) -> list[Path]:
    """Write a trace file in another format.

    Args:
        trace: the HDF5 file that was recorded.
        to: an exporter and its options, such as "npz" or "npz:compress=false".
        out: the new file or, for formats of several files, folder; missing folders are created.

    Returns:
        The files written, the main one first.

    Raises:
        UserError: a format or an option is unknown, a package is missing, the trace is damaged, or `out` cannot be
            written or is something of another kind.
    """
    exporter: Exporter = exporters.make(to)
    with TraceReader(trace) as reader:
        if out.exists() and out.samefile(trace):
            raise UserError(f"--out {out} is the trace itself. Name another file")
        if not out.is_dir():
            check_output(out)
        try:
            with owned_file(out), staged(out) as new:
                written = exporter(reader, new)
                if reader.snapshots:
                    beside = new / "snapshots.npz" if new.is_dir() else new.with_suffix(".snapshots.npz")
                    written.append(write_snapshots(reader, beside))
            return [out.parent / path.relative_to(new.parent) for path in written]
        except OSError as error:
            raise cannot_write(str(out), error) from None
