"""The peak resident memory of a run, and the available memory of the machine."""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from neurorules.disk.space import gigabytes
from neurorules.language.errors import UserError

MEMORY, GROUP = Path("/proc/meminfo"), Path("/sys/fs/cgroup")
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class PeakMemory:
    """The peak of resident memory from the construction of this object on, without blocks inside `aside`.

    `of` is "run", or "process" on systems other than Linux, where an earlier peak cannot be reset.
    """

    def __init__(self) -> None:
        self.of = "run" if _forget() else "process"
        self._before = 0.0

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Exclude the memory of the block from the peak."""
        self._before = self.mb()
        yield
        _forget()

    def mb(self) -> float:
        """The peak so far, in MB."""
        return max(self._before, peak_memory_mb())


def _forget() -> bool:
    """Return freed memory to the system, and reset the peak to the current use; return whether that was possible."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    try:
        CLEAR.write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def check_room(what: str, needed: int, advice: str) -> None:
    """Refuse work that needs more memory than is available.

    Args:
        what: the thing that needs the memory, such as "a net of 3 parameters".
        needed: the least number of bytes that it needs.
        advice: what the user can do, as a sentence without a full stop.

    Raises:
        UserError: less memory is available.
    """
    available = available_bytes()
    if available is not None and needed > available:
        raise UserError(
            f"{what} takes at least {gigabytes(needed)} of memory, and there are {gigabytes(available)}. {advice}"
        )


def available_bytes() -> int | None:
    """Number of bytes that a process can still allocate, including swap; None if the system does not say it."""
    try:
        lines = dict(line.split(":", 1) for line in MEMORY.read_text(encoding="ascii").splitlines())
        free = sum(int(lines[name].split()[0]) for name in ("MemAvailable", "SwapFree")) * 2**10
    except (OSError, KeyError, ValueError):
        try:
            return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (OSError, ValueError):
            return None
    with suppress(OSError, ValueError):  # the limits of a container, or "max"
        most, used = ((GROUP / name).read_text(encoding="ascii") for name in ("memory.max", "memory.current"))
        free = min(free, int(most) - int(used))
    return max(free, 0)


def peak_memory_mb() -> float:
    """The largest resident memory of this process since the peak was last reset, in MB."""
    try:
        lines = STATUS.read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 2**10
    except (OSError, StopIteration):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
