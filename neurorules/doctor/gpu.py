"""GPUs that torch can use, and Triton, whose kernels scan there."""

from __future__ import annotations

import shutil
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

DRIVER = Path("/proc/driver/nvidia/version")
"""The file that exists if the driver of an NVIDIA GPU is loaded."""


def look() -> dict[str, Any]:
    """The devices, the CUDA version that torch was built for, whether a driver is loaded, and Triton's version."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        usable = torch.cuda.is_available()
    devices = [torch.cuda.get_device_properties(place) for place in range(torch.cuda.device_count() if usable else 0)]
    return {
        "devices": [{"name": device.name, "memory_bytes": device.total_memory} for device in devices],
        "torch": torch.__version__,
        "torch_cuda": torch.version.cuda,
        "driver": DRIVER.exists() or shutil.which("nvidia-smi") is not None,
        "triton": _triton(),
        "said": " ".join(str(warning.message) for warning in said) or None,
    }


def _triton() -> str | None:
    """Version of Triton, or None if it cannot be imported."""
    try:
        return str(import_module("triton").__version__)
    except Exception:  # whatever prevents its import, its kernels cannot run
        return None
