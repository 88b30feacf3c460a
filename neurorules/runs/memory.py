"""The largest resident memory of one run while it learns, where a process can forget what it needed before."""

from __future__ import annotations

import ctypes
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class PeakMemory:
    """Watches the peak from now on; what runs `aside` does not count.

    `of` says what the peak is of: "run", or "process" where an earlier peak cannot be forgotten (other than on Linux).
    """

    def __init__(self) -> None:
        self.of = "run" if _forget() else "process"
        self._before = 0.0

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Run the block without counting what it needs."""
        self._before = self.mb()
        yield
        _forget()

    def mb(self) -> float:
        """The peak so far, in MB."""
        return max(self._before, peak_memory_mb())


def _forget() -> bool:
    """Give freed memory back and let the peak start at what is in use; False where that cannot be done."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    try:
        CLEAR.write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def peak_memory_mb() -> float:
    """The largest resident memory of this process since it was last forgotten."""
    try:
        lines = STATUS.read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 2**10
    except (OSError, StopIteration):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
