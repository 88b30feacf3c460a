"""Compiles C kernels on first use and loads them; later processes load the stored file.

The stored file is named after its sources, its flags, the processor and its own content (`disk.cache`): a half-written
library would crash the process that loads it. It is not linked to an OpenMP runtime, since torch's runtime is already
in the process.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import hashlib
import logging
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import torch  # brings the OpenMP runtime that the kernels are bound to

from neurorules.disk.cache import cache_path
from neurorules.disk.cache_folder import cache_folder
from neurorules.disk.failures import FULL

FLAGS = ("-O3", "-march=native", "-std=gnu11", "-fPIC", "-fno-math-errno", "-fno-trapping-math")
"""Flags of the compiler that all kernels share."""
DTYPES = {torch.float32: "float32", torch.float64: "float64"}
"""The types of numbers for which kernels are compiled, and how the names of the functions of each type end."""

NO_COMPILER = "Install a C compiler (Debian, Ubuntu: apt install gcc libc6-dev; macOS: xcode-select --install)."
NO_ROOM = "Free some space there, or name a folder on another disk with the environment's TMPDIR."

COMPILING = "the C kernels are compiled once for this machine, which takes some seconds"
_log = logging.getLogger(__name__)


@dataclass
class _Pause:
    """The time for which `clock` has stood still in this process.

    Args:
        seconds: the time so far.
    """

    seconds: float = 0.0


_pause = _Pause()
_one_at_a_time = threading.Lock()
"""Held while kernels are compiled, so that a pause is not counted twice."""


def clock() -> float:
    """The seconds of a clock that stands still while this process compiles kernels or waits for them."""
    return time.perf_counter() - _pause.seconds


def find_compiler() -> str | None:
    """Path of the system's C compiler, or None."""
    return shutil.which("cc") or shutil.which("gcc")


def processor() -> str:
    """A text for everything that -march=native may depend on, since machines with different processors can share a home
    folder.
    """
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    line_of = {line.split(":")[0].strip(): line for line in reversed(lines) if ":" in line}
    return " ".join([platform.machine(), *(line_of.get(key, "") for key in ("model name", "flags", "Features"))])


def _openmp_flags() -> tuple[str, ...]:
    """The compiler flags for OpenMP; none unless torch has loaded GNU's runtime, since two runtimes would compete for
    the cores.
    """
    try:
        ctypes.CDLL(None)["GOMP_parallel"]
    except (AttributeError, OSError, TypeError):
        return ()
    return ("-fopenmp",)


def _compile(compiler: str, flags: tuple[str, ...], source: Path, target: Path) -> None:
    compiled = target.with_suffix(".o")
    # Two steps: linking with -fopenmp would bind the file to the compiler's own OpenMP runtime.
    for command in (
        [compiler, *flags, "-c", str(source), "-o", str(compiled)],
        [compiler, "-shared", str(compiled), "-o", str(target)],
    ):
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)


def load_or_compile(compiler: str, sources: tuple[Path, ...], flags: tuple[str, ...], folder: Path) -> ctypes.CDLL:
    """Load kernels, and compile them if no earlier process has stored them.

    Args:
        compiler: path of the C compiler.
        sources: the source files of the kernels; the first one includes the others.
        flags: the flags for the compiler.
        folder: the folder in which they are stored.

    Returns:
        The library.

    Raises:
        OSError, subprocess.SubprocessError: the kernels cannot be compiled, written or loaded.
    """
    flags = flags + _openmp_flags()
    key = hashlib.sha256("\0".join([compiler, *flags, processor()]).encode())
    for source in sources:
        key.update(source.read_bytes())
    stem = f"{sources[0].stem}-{key.hexdigest()[:20]}"

    def compile_to(target: Path) -> None:
        _say_compiling()
        _compile(compiler, flags, sources[0], target)

    with _one_at_a_time:
        started = time.perf_counter()
        try:
            path = cache_path(folder, stem, ".so", compile_to)
        finally:
            _pause.seconds += time.perf_counter() - started
    return ctypes.CDLL(str(path))


def load(
    compiler: str | None, sources: tuple[Path, ...], flags: tuple[str, ...], instead: str = "neurons run in plain torch"
) -> ctypes.CDLL | None:
    """Load kernels, or warn if they cannot be compiled.

    Args:
        compiler: the path of the C compiler; None if there is none.
        sources: the source files of the kernels; the first one includes the others.
        flags: the flags for the compiler.
        instead: what happens without the kernels, for the warning.

    Returns:
        The library; None after the warning.
    """
    if compiler is None:
        _warn("no C compiler was found", instead)
        return None
    try:
        try:
            return load_or_compile(compiler, sources, flags, cache_folder())
        except OSError as failure:  # the folder is read-only or full, or files in it may not be executed
            _say_unkept(str(cache_folder()), failure.strerror or str(failure))
            with tempfile.TemporaryDirectory() as private:
                return load_or_compile(compiler, sources, flags, Path(private))
    except subprocess.CalledProcessError as failure:
        output = (failure.stderr or "").strip()
        reason = next(iter(output.splitlines()), f"exit code {failure.returncode}")
        full = os.strerror(errno.ENOSPC) in output
        _warn(f"{compiler} failed ({reason})", instead, NO_ROOM if full else NO_COMPILER)
    except (OSError, subprocess.SubprocessError) as failure:
        full = isinstance(failure, OSError) and failure.errno in FULL
        _warn(f"{compiler} failed ({failure})", instead, NO_ROOM if full else NO_COMPILER)
    return None


def kernels_of(library: ctypes.CDLL | None) -> ctypes.CDLL:
    """The compiled kernels, for functions that are called only if `serves` has found them.

    Raises:
        LookupError: there are none.
    """
    if library is None:
        raise LookupError("no kernels are compiled here: ask `serves` first")
    return library


def kernel_of(library: ctypes.CDLL | None, name: str, dtype: torch.dtype) -> ctypes._NamedFuncPointer:
    """One of the compiled functions, for one type of numbers.

    Args:
        library: the compiled kernels.
        name: the name without the type.
        dtype: a type of `DTYPES`.

    Returns:
        The function, which may return a number of 64 bits.

    Raises:
        LookupError: there are no kernels.
    """
    function = kernels_of(library)[f"{name}_{DTYPES[dtype]}"]
    function.restype = ctypes.c_int64  # ctypes makes a new object at each look-up, of a function of 32 bits
    return function


@functools.cache
def _say_compiling() -> None:
    """Tell a user at a terminal once why nothing happens for some seconds."""
    if sys.stderr.isatty():
        _log.warning(COMPILING)


@functools.cache
def _say_unkept(folder: str, reason: str) -> None:
    """Warn once that this process cannot store its kernels for others."""
    warnings.warn(
        f"neurorules: compiled kernels cannot be kept in {folder} ({reason}), so each process compiles its own. Name "
        f"another folder with the environment's NEURORULES_CACHE",
        RuntimeWarning,
        stacklevel=4,
    )


def _warn(reason: str, instead: str, advice: str = NO_COMPILER) -> None:
    warnings.warn(
        f"neurorules: {reason}, so {instead}, slower but with the same results. {advice}",
        RuntimeWarning,
        stacklevel=4,
    )
