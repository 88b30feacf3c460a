"""The compiled scans of this folder, and kernels that run beside them; see `neurorules.native.compile`."""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path

from neurorules.disk.cache_folder import cache_folder
from neurorules.native import compile as compile_c
from neurorules.native.compile import find_compiler

SOURCES = (
    "scans.c",
    "scans_template.c",
    "lanes_template.c",
    "reverse_template.c",
    "reverse_lanes_template.c",
    "loop_template.c",
    "adjoint_template.c",
    "program_template.c",
)
# No fused multiply-adds: the results must equal those of torch's separate operations, bit for bit.
FLAGS = (*compile_c.FLAGS, "-ffp-contract=off")


def _sources() -> tuple[Path, ...]:
    return tuple(Path(__file__).with_name(name) for name in SOURCES)


def _load_or_compile(compiler: str, folder: Path) -> ctypes.CDLL:
    return compile_c.load_or_compile(compiler, _sources(), FLAGS, folder)


@functools.cache
def library() -> ctypes.CDLL | None:
    """The compiled kernels, or None, after one warning, if they cannot be compiled. Each process tries once."""
    return compile_c.load(find_compiler(), _sources(), FLAGS)


def load_beside(sources: tuple[Path, ...], flags: tuple[str, ...], instead: str) -> ctypes.CDLL | None:
    """Load other kernels that a run needs besides the scans.

    Where the scans cannot be compiled, the others are not tried: every run needs the scans as well, so that users see
    one warning instead of one for each set of kernels.

    Args:
        sources: the source files of the kernels; the first one includes the others.
        flags: the flags for the compiler.
        instead: what happens without the kernels, for the warning.

    Returns:
        The library; None, after one warning, if it cannot be compiled.
    """
    return None if library() is None else compile_c.load(find_compiler(), sources, flags, instead)


__all__ = ["FLAGS", "SOURCES", "cache_folder", "find_compiler", "library", "load_beside"]
