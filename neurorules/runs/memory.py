"""The largest resident memory of a run while it learns, and how much memory the machine still has."""

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
    """Watches the peak of the resident memory from now on. What runs inside `aside` does not count.

    `of` says what the peak belongs to: "run", or "process" where an earlier peak cannot be reset (elsewhere than on
    Linux).
    """

    def __init__(self) -> None:
        self.of = "run" if _forget() else "process"
        self._before = 0.0

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Run the block without counting the memory that it needs."""
        self._before = self.mb()
        yield
        _forget()

    def mb(self) -> float:
        """The peak so far, in MB."""
        return max(self._before, peak_memory_mb())


def _forget() -> bool:
    """Give freed memory back to the system, and reset the peak to what is in use. Gives whether that could be done."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    try:
        CLEAR.write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def check_room(what: str, needed: int, advice: str) -> None:
    """Refuse what needs more memory than there is.

    Args:
        what: needs the memory, such as "a net of 3 parameters".
        needed: the least number of bytes that it takes.
        advice: what the user can do instead, a sentence without its full stop.

    Raises:
        UserError: the machine has less.
    """
    available = available_bytes()
    if available is not None and needed > available:
        raise UserError(
            f"{what} takes at least {gigabytes(needed)} of memory, and there are {gigabytes(available)}. {advice}"
        )


def available_bytes() -> int | None:
    """Number of bytes that a process could still take, swap included; None where the system does not say."""
    try:
        lines = dict(line.split(":", 1) for line in MEMORY.read_text(encoding="ascii").splitlines())
        free = sum(int(lines[name].split()[0]) for name in ("MemAvailable", "SwapFree")) * 2**10
    except (OSError, KeyError, ValueError):
        try:
            return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (OSError, ValueError):
            return None
    with suppress(OSError, ValueError):  # the limits of a container; "max" where it has none of its own
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
