"""The choice of kernels that scan on a GPU: those of Triton if it can be imported; otherwise there is one line of
warning.
"""

from __future__ import annotations

import functools
import importlib
import warnings
from collections.abc import Callable
from typing import NamedTuple

from .contract import Reverse, ReverseInputs, Scan, ScanInputs


class Kernels(NamedTuple):
    """The two scans for one kind of machine: functions from checked inputs to the requested outputs."""

    scan: Callable[[ScanInputs], Scan]
    reverse: Callable[[ReverseInputs], Reverse]


@functools.cache
def gpu_kernels() -> Kernels | None:
    """The Triton kernels, or None, after one warning, if Triton is not installed. Each process tries once."""
    try:
        launch = importlib.import_module(f"{__package__}.triton_launch")
    except ImportError as missing:
        warnings.warn(
            f"Triton cannot be imported ({missing}), so scans on the GPU run in plain torch, one step after the other. "
            f"Get it with: pip install triton",
            RuntimeWarning,
            stacklevel=2,
        )
        return None
    return Kernels(launch.scan, launch.reverse)
