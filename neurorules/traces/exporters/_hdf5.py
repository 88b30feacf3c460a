"""HDF5 files of exporters, which fail with a single error if the disk is full."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from neurorules.disk.hdf5 import PatientFile
from neurorules.traces.store import TraceReader


@contextmanager
def patient_file(path: Path, reader: TraceReader) -> Iterator[PatientFile]:
    """A file for code that writes HDF5 from a trace inside the block. If a write fails, reading the trace stops.

    Raises:
        OSError: not everything could be written.
    """
    with PatientFile(path) as file:
        reader.before_reading = file.check
        try:
            yield file
        finally:
            reader.before_reading = None
        file.check()


@contextmanager
def hdf5_file(path: Path, reader: TraceReader) -> Iterator[h5py.File]:
    """A new HDF5 file that is written from a trace inside the block.

    Raises:
        OSError: it cannot be written.
    """
    with patient_file(path, reader) as patient, h5py.File(patient, "w") as file:
        yield file
