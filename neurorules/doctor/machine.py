"""Python, the threads that this process may use, and its memory."""

from __future__ import annotations

import os
import platform
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from neurorules.language.version import own_version
from neurorules.runs.memory import available_bytes
from neurorules.torch_path.process.threads import usable_cores

QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""The control group's share of the CPU, version 2: microseconds in each period, or max."""


def look() -> dict[str, Any]:
    """Version of neurorules, Python, threads and memory."""
    return {
        "neurorules": {"version": own_version(), "folder": str(Path(__file__).resolve().parents[1])},
        "python": {"version": platform.python_version(), "path": sys.executable, "system": platform.platform()},
        "threads": _threads(),
        "memory": {"total_bytes": _total_bytes(), "available_bytes": available_bytes()},
    }


def _threads() -> dict[str, Any]:
    """The cores of the machine, the limits on them, the number of usable ones, and the number of threads that torch
    would start.
    """
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    variables = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "LOKY_MAX_CPU_COUNT")
    return {
        "machine": os.cpu_count(),
        "affinity": affinity,
        "control_group": quota(QUOTA),
        "usable": usable_cores(),
        "torch": torch.get_num_threads(),
        "environment": {name: os.environ[name] for name in variables if name in os.environ},
    }


def quota(file: Path) -> float | None:
    """Cores that a control group may use at once.

    Args:
        file: its `cpu.max`.

    Returns:
        A number of cores, which need not be whole; None if there is no limit, or no control group.
    """
    with suppress(OSError, ValueError):
        most, period = file.read_text(encoding="ascii").split()
        return int(most) / int(period)
    return None


def _total_bytes() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return None
