"""Compile a Brian2 model to a program, store the program in a cache, and run it again with other numbers.

A program reads the values of variables and tables from its command line (Brian2's `run_args`), and writes each variable
to a file of plain numbers when it ends, also when it is interrupted. To run it, Brian2 is not needed.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import shutil
import signal
import subprocess
import tempfile
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from neurorules.brian2_steps.backend import load_brian2, session, standalone_device
from neurorules.disk.cache import cache_path
from neurorules.disk.cache_folder import cache_folder
from neurorules.disk.failures import FULL, LESS_MEMORY
from neurorules.language.errors import UserError
from neurorules.native.compile import processor
from neurorules.runs.kept_interrupt import no_interrupt_lost

PROJECT, PROGRAM = "project.json", "main"
FORMAT = 3
"""Version of `PROJECT` and of what a program reads; a cached program of another version is compiled again."""
ROOM = 4 << 20
"""The number of bytes that a compiler needs at least. If fewer are free after it failed, the full disk is taken as the
cause."""
EXACT = ("-w", "-O3", "-march=native", "-ffp-contract=off")
"""Compiler flags under which sums round as they are written."""

_log = logging.getLogger(__name__)

Owners = Mapping[str, Any]
"""Brian2's objects by their part in "part.variable"."""
Make = Callable[[ModuleType, Callable[[], None]], Owners]
"""A function that builds and runs a network. It is given the package brian2, and a function to call after all variables
have their initial values. It returns the objects whose variables can be read and set."""


def find_cpp_compiler() -> str | None:
    """Find the system's C++ compiler; None if it or make is missing."""
    return (shutil.which("g++") or shutil.which("c++")) if shutil.which("make") else None


@dataclass
class Program:
    """A compiled program of Brian2's standalone mode.

    Args:
        folder: folder of the cache that holds the program.
    """

    folder: Path

    def __post_init__(self) -> None:
        # The files that this object's runs read and write are in a folder that is removed with the object.
        work = tempfile.mkdtemp(prefix="neurorules-")
        weakref.finalize(self, shutil.rmtree, work, ignore_errors=True)
        project = json.loads((self.folder / PROJECT).read_text(encoding="utf-8"))
        self.files: dict[str, dict[str, Any]] = project["variables"]
        self._results, self._inputs = Path(work, "results"), Path(work, "given")
        self._results.mkdir()
        self._inputs.mkdir()

    def run(self, values: Mapping[str, float | np.ndarray]) -> None:
        """Run the program on given numbers.

        Args:
            values: initial values of variables, by "part.variable", and of tables, by "NAME_table.values": a scalar or
                a flat array. All others begin as they were compiled.

        Raises:
            RuntimeError: the program failed.
            UserError: the disk is full, or the system killed the program.
        """
        command = ["./" + PROGRAM, "--results_dir", f"{self._results}{os.sep}"]
        try:
            command += [self._argument(name, value) for name, value in values.items()]
        except OSError as error:
            if error.errno not in FULL:
                raise
            raise self._no_room() from None
        # The program has a process group of its own, so that Ctrl-C reaches this process alone. It passes the interrupt
        # on once, and waits until the program has written its variables.
        with (
            no_interrupt_lost() as keeper,
            subprocess.Popen(
                command, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
            ) as process,
            keeper.calling(lambda: process.send_signal(signal.SIGINT)),
        ):
            _, errors = process.communicate()
        if process.returncode == -signal.SIGKILL:
            why = "most likely for want of memory"
            raise UserError(f"the compiled model was killed by the system, {why}. {LESS_MEMORY}")
        if process.returncode or errors.strip():
            message = errors.decode(errors="replace").strip()
            raise RuntimeError(f"the compiled model failed with code {process.returncode}: {message}")

    def read(self, name: str) -> np.ndarray:
        """Read the value of the variable "part.variable" at the end of the last run, as a flat array.

        Raises:
            UserError: its file is missing or incomplete, because the disk is full. The program does not report this.
        """
        file = self.files[name]
        path = self._results / file["file"]
        values = np.fromfile(path, dtype=file["dtype"]) if path.exists() else None
        if values is None or values.size != self._size(file, values.size):
            raise self._no_room()
        return values

    def _size(self, file: Mapping[str, Any], count: int) -> int:
        """The number of values that the file of a variable must have; `count`, those it has, where the project does not
        say.
        """
        if "rows" in file:
            return int(self.read(file["rows"])[0]) * int(file["width"])
        return int(file.get("size", count))

    def _no_room(self) -> UserError:
        place = self._results.parent.parent
        return UserError(
            f"cannot write what the compiled model reads and computes into {place} ({os.strerror(errno.ENOSPC)}). Free "
            f"some space there, or name a folder on another disk with the environment's TMPDIR"
        )

    def _argument(self, name: str, value: float | np.ndarray) -> str:
        if isinstance(value, np.ndarray) and value.size > 1:
            path = self._inputs / f"{name}.dat"
            with path.open("wb") as file:  # `ndarray.tofile` would not say why it failed.
                file.write(np.ascontiguousarray(value, dtype=np.float64).data)
            return f"{name}={path}"
        return f"{name}={float(np.asarray(value).reshape(-1)[0])!r}"


def program_of(key: str, make: Make, flags: tuple[str, ...] | None = None) -> Program:
    """Take a model's program from the cache, or compile it, which takes 10 to 60 s.

    Args:
        key: stands for everything that is compiled, such as a hash of the model's equations.
        make: builds and runs the model in Brian2.
        flags: options of the C++ compiler; None for Brian2's own.

    Returns:
        The compiled program. One that the cache could not take is removed together with this object.

    Raises:
        MissingExtra: brian2 is not installed.
        UserError: the compiler fails.
    """
    brian2 = load_brian2()
    machine = hashlib.sha256(processor().encode()).hexdigest()[:8]  # Different machines can share a home folder.

    def compile_to(target: Path) -> None:
        with tempfile.TemporaryDirectory(dir=target.parent) as place:
            project = Path(place, "project")
            _generate(brian2, make, project, flags)
            _keep_what_runs(project, target)

    folder = cache_folder() / "models"
    try:
        whole = cache_path(folder, f"{brian2.__version__}-{FORMAT}-{machine}-{key}", "", compile_to)
    except OSError as error:
        program = _private(compile_to)
        other = "Name another folder with the environment's NEURORULES_CACHE"
        _log.warning(f"compiled models cannot be kept in {folder} ({error.strerror}): each is compiled anew. {other}")
        return program
    return Program(whole)


def _private(compile_to: Callable[[Path], None]) -> Program:
    """Compile a program outside the cache; its folder is removed with the object."""
    private = tempfile.mkdtemp(prefix="neurorules-")
    try:
        compile_to(Path(private, "model"))
        program = Program(Path(private, "model"))
    except BaseException:
        shutil.rmtree(private, ignore_errors=True)
        raise
    weakref.finalize(program, shutil.rmtree, private, ignore_errors=True)
    return program


def _keep_what_runs(project: Path, target: Path) -> None:
    """Move the parts of a project that a run needs: the program, the arrays it reads, and the list of its files."""
    target.mkdir()
    for name in (PROGRAM, PROJECT, "static_arrays"):
        if (project / name).exists():
            shutil.move(project / name, target / name)


def _generate(brian2: ModuleType, make: Make, project: Path, flags: tuple[str, ...] | None) -> None:
    preferences = {} if flags is None else {"codegen.cpp.extra_compile_args_gcc": list(flags)}
    device = standalone_device()
    with session(brian2, device, preferences) as keeper:
        owners = make(brian2, device.apply_run_args)
        try:
            device.build(directory=str(project), compile=False, run=False)
            with keeper.raising():
                _compile(project)
        except OSError as error:  # Brian2 reports a failed write without the name of the file.
            _check_disks(project.parent, str(error.strerror))
            raise
        variables = {"variables": _files(device, owners)}
        (project / PROJECT).write_text(json.dumps(variables, indent=1), encoding="utf-8")


HEADER = "shared.h"
SHARED = """\
#include "objects.h"
#include "brianlib/common_math.h"
#include "brianlib/stdint_compat.h"
#include <cmath>
#include <ctime>
#include <iostream>
#include <fstream>
#include <climits>
"""
"""What every file of a Brian2 program includes. It is compiled once and read by all of them, which saves more than half
of the time."""
RULE = f"include makefile\n{HEADER}.gch: {HEADER}\n\t$(CXX) $(CXXFLAGS) -x c++-header {HEADER} -o {HEADER}.gch\n"


def _compile(project: Path) -> None:
    """Compile the C++ project that Brian2 wrote. It is not left to Brian2, which does not pass on what a compiler says
    that fails.
    """
    (project / HEADER).write_text(SHARED, encoding="utf-8")
    (project / "shared.mk").write_text(RULE, encoding="utf-8")
    (project / "make.deps").touch()  # Nothing is compiled twice, so dependencies are not needed.
    whole = ["make", f"-j{os.cpu_count() or 1}"]
    if _run_make(project, ["make", "-f", "shared.mk", f"{HEADER}.gch"]).returncode == 0:
        whole.append(f"CXX={os.environ.get('CXX', 'g++')} -include {HEADER}")
    done = _run_make(project, whole)
    if done.returncode:
        _check_disks(project.parent, done.stderr)
        reasons = [line for line in done.stderr.splitlines() if "error:" in line.lower()] or [f"code {done.returncode}"]
        raise UserError(f"the C++ compiler could not compile the model ({reasons[0].strip()}). Repair g++ and make")


def _run_make(project: Path, command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=project, capture_output=True, text=True, errors="replace", check=False)


def _check_disks(project: Path, output: str) -> None:
    """Raise an error if a compiler failed because a disk is full: it says so, or hardly any space is left.

    Args:
        project: the folder that was compiled in.
        output: what the compiler printed.

    Raises:
        OSError: a disk is full; it names the folder that needs space.
    """
    places = {Path(tempfile.gettempdir()): Path(tempfile.gettempdir()), project: cache_folder()}
    room = {place: shutil.disk_usage(place).free for place in places}
    fullest = min(room, key=lambda place: room[place])
    if room[fullest] < ROOM or os.strerror(errno.ENOSPC) in output:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(places[fullest]))


def _files(device: Any, owners: Owners) -> dict[str, dict[str, Any]]:
    """List the file of each variable by "part.variable": its name, its type, and how many numbers it must hold."""
    files = {}
    for owner, part in owners.items():
        for name, variable in part.variables.items():
            if variable in device.arrays and variable.owner is not None and variable.owner.name == part.name:
                kind = np.dtype(variable.dtype).str
                size = _size_of(owner, part, name, variable)
                files[f"{owner}.{name}"] = {"file": device.get_array_filename(variable), "dtype": kind, **size}
    return files


def _size_of(owner: str, part: Any, name: str, variable: Any) -> dict[str, Any]:
    """The size of a variable; of one that grows while the program runs, the variable that counts its rows."""
    if not hasattr(variable, "resize"):
        return {"size": int(variable.size)}
    if name in ("N_incoming", "N_outgoing"):  # These have one number for each neuron, and are never read.
        return {}
    return {"rows": f"{owner}.N", "width": 1 if variable.ndim == 1 else int(part.n_indices)}
