"""The load of the machine, measured while something runs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

STAT = Path("/proc/stat")
IDLE = slice(3, 5)
"""The positions of idle and waiting time among the numbers of a line of /proc/stat."""


@contextmanager
def measured_load() -> Iterator[dict[str, Any]]:
    """Measure inside the block how many cores were busy, with this process and with others.

    Yields:
        A dict that is filled when the block ends: `own_cores`, `other_cores`, both in cores on average, and
        `load_average`, that of the last minute before the block. Values that the system does not provide are None.
    """
    load: dict[str, Any] = {"load_average": os.getloadavg()[0] if hasattr(os, "getloadavg") else None}
    began, own, all_ = time.perf_counter(), time.process_time(), _busy_seconds()
    yield load
    seconds, own = time.perf_counter() - began, time.process_time() - own
    end = _busy_seconds()
    others = None if all_ is None or end is None else max(end - all_ - own, 0.0)
    load |= {"own_cores": own / seconds, "other_cores": None if others is None else others / seconds}


def _busy_seconds() -> float | None:
    """The seconds for which cores of this machine have been busy since it started, summed over cores. It needs
    Linux.
    """
    try:
        numbers = [int(word) for word in STAT.read_text(encoding="ascii").splitlines()[0].split()[1:9]]
        return (sum(numbers) - sum(numbers[IDLE])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return None
