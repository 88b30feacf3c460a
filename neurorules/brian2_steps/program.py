"""A model compiled once by Brian2 to a program of its own, kept by a key, and run again with other numbers.

A program reads variables, tables and settings from the command line (Brian2's `run_args`) and writes every variable
back as a file of plain numbers, also when it is interrupted. Runs need no code generation, and Brian2 not at all.
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
from neurorules.disk.cache_folder import cache_folder
from neurorules.disk.failures import FULL, LESS_MEMORY
from neurorules.disk.kept import kept
from neurorules.language.errors import UserError
from neurorules.native.compile import processor

PROJECT, PROGRAM = "project.json", "main"
FORMAT = 2
"""Of what `PROJECT` tells; a program that was kept with another is compiled again."""
ROOM = 4 << 20
"""Bytes that a compiler may need at least: where fewer are free after it has failed, it failed for want of them."""
EXACT = ("-w", "-O3", "-march=native", "-ffp-contract=off")
"""Compiler flags under which sums round as they are written."""

_log = logging.getLogger(__name__)

Owners = Mapping[str, Any]
"""Brian2's objects by the names their variables are read by."""
Make = Callable[[ModuleType, Callable[[], None]], Owners]
"""Builds and runs a network; calls its second argument once all variables have their first values."""


def find_cpp_compiler() -> str | None:
    """Path of the system's C++ compiler, or None; make has to be there too."""
    return (shutil.which("g++") or shutil.which("c++")) if shutil.which("make") else None


@dataclass
class Program:
    """A compiled model.

    Args:
        folder: where it lies.
    """

    folder: Path

    def __post_init__(self) -> None:
        # Of this object's own, for what goes in and comes out; gone when it is.
        work = tempfile.mkdtemp(prefix="neurorules-")
        weakref.finalize(self, shutil.rmtree, work, ignore_errors=True)
        told = json.loads((self.folder / PROJECT).read_text(encoding="utf-8"))
        self.files: dict[str, dict[str, Any]] = told["variables"]
        self._results, self._given = Path(work, "results"), Path(work, "given")
        self._results.mkdir()
        self._given.mkdir()

    def run(self, values: Mapping[str, float | np.ndarray]) -> None:
        """Run it.

        Args:
            values: what variables "part.variable" and tables "NAME_table.values" begin with; others as compiled.

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
        # In a group of its own: an interrupt reaches this process, which passes it on once and lets it write.
        with subprocess.Popen(
            command, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
        ) as process:
            try:
                _, told = process.communicate()
            except KeyboardInterrupt:
                process.send_signal(signal.SIGINT)
                process.communicate()
                raise
        if process.returncode == -signal.SIGKILL:
            why = "most likely for want of memory"
            raise UserError(f"the compiled model was killed by the system, {why}. {LESS_MEMORY}")
        if process.returncode or told.strip():
            said = told.decode(errors="replace").strip()
            raise RuntimeError(f"the compiled model failed with code {process.returncode}: {said}")

    def read(self, name: str) -> np.ndarray:
        """A variable as the last run left it, flat.

        Raises:
            UserError: the program could not write all of it, of which it says nothing itself.
        """
        told = self.files[name]
        path = self._results / told["file"]
        found = np.fromfile(path, dtype=told["dtype"]) if path.exists() else None
        if found is None or found.size != self._size(told, found.size):
            raise self._no_room()
        return found

    def _size(self, told: Mapping[str, Any], there: int) -> int:
        """How many numbers a variable has; as many as are there where nothing says it."""
        if "rows" in told:
            return int(self.read(told["rows"])[0]) * int(told["width"])
        return int(told.get("size", there))

    def _no_room(self) -> UserError:
        place = self._results.parent.parent
        return UserError(
            f"cannot write what the compiled model reads and computes into {place} ({os.strerror(errno.ENOSPC)}). Free "
            f"some space there, or name a folder on another disk with the environment's TMPDIR"
        )

    def _argument(self, name: str, value: float | np.ndarray) -> str:
        if isinstance(value, np.ndarray) and value.size > 1:
            path = self._given / f"{name}.dat"
            with path.open("wb") as file:  # numpy's own way to write does not say why it failed
                file.write(np.ascontiguousarray(value, dtype=np.float64).data)
            return f"{name}={path}"
        return f"{name}={float(np.asarray(value).reshape(-1)[0])!r}"


def program_of(key: str, make: Make, flags: tuple[str, ...] | None = None) -> Program:
    """The program of a model: from the cache, or compiled now (10 to 60 s).

    Args:
        key: says all that is compiled.
        make: builds the model.
        flags: of the compiler; Brian2's own if None.

    Raises:
        MissingExtra: brian2 is not installed.
        UserError: the compiler fails.
    """
    brian2 = load_brian2()
    machine = hashlib.sha256(processor().encode()).hexdigest()[:8]  # a home folder can be shared by unlike machines

    def compile_to(target: Path) -> None:
        with tempfile.TemporaryDirectory(dir=target.parent) as place:
            project = Path(place, "project")
            _generate(brian2, make, project, flags)
            _keep_what_runs(project, target)

    folder = cache_folder() / "models"
    try:
        whole = kept(folder, f"{brian2.__version__}-{FORMAT}-{machine}-{key}", "", compile_to)
    except OSError as error:
        program = _private(compile_to)
        other = "Name another folder with the environment's NEURORULES_CACHE"
        _log.warning(f"compiled models cannot be kept in {folder} ({error.strerror}): each is compiled anew. {other}")
        return program
    return Program(whole)


def _private(compile_to: Callable[[Path], None]) -> Program:
    """A program of this process alone, gone when it is."""
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
    """Of a compiled project its program, what that reads, and the list of what it writes."""
    target.mkdir()
    for name in (PROGRAM, PROJECT, "static_arrays"):
        if (project / name).exists():
            shutil.move(project / name, target / name)


def _generate(brian2: ModuleType, make: Make, project: Path, flags: tuple[str, ...] | None) -> None:
    preferences = {} if flags is None else {"codegen.cpp.extra_compile_args_gcc": list(flags)}
    device = standalone_device()
    with session(brian2, device, preferences):
        owners = make(brian2, device.apply_run_args)
        try:
            device.build(directory=str(project), compile=False, run=False)
        except OSError as error:  # of a failed write, and without the name of a file
            _check_disks(project.parent, str(error.strerror))
            raise
        _compile(project)
        variables = {"variables": _files(device, owners)}
        (project / PROJECT).write_text(json.dumps(variables, indent=1), encoding="utf-8")


def _compile(project: Path) -> None:
    """Compile what Brian2 wrote. It is not left to Brian2, which does not pass on what a compiler says that fails."""
    command = ["make", f"-j{os.cpu_count() or 1}"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        _check_disks(project.parent, done.stderr)
        reasons = [line for line in done.stderr.splitlines() if "error:" in line.lower()] or [f"code {done.returncode}"]
        raise UserError(f"the C++ compiler could not compile the model ({reasons[0].strip()}). Repair g++ and make")


def _check_disks(project: Path, said: str) -> None:
    """Raise if a compiler failed for want of room: it may say so, and where it could not, the disks are nearly full.

    Args:
        project: the folder that was compiled in.
        said: what the compiler printed.

    Raises:
        OSError: a disk is full; it names the folder in which room is wanted.
    """
    places = {Path(tempfile.gettempdir()): Path(tempfile.gettempdir()), project: cache_folder()}
    room = {place: shutil.disk_usage(place).free for place in places}
    fullest = min(room, key=lambda place: room[place])
    if room[fullest] < ROOM or os.strerror(errno.ENOSPC) in said:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(places[fullest]))


def _files(device: Any, owners: Owners) -> dict[str, dict[str, Any]]:
    """Where each variable is written, by "part.variable": file, type, and how many numbers a whole file holds."""
    found = {}
    for owner, part in owners.items():
        for name, variable in part.variables.items():
            if variable in device.arrays and variable.owner is not None and variable.owner.name == part.name:
                kind = np.dtype(variable.dtype).str
                size = _size_of(owner, part, name, variable)
                found[f"{owner}.{name}"] = {"file": device.get_array_filename(variable), "dtype": kind, **size}
    return found


def _size_of(owner: str, part: Any, name: str, variable: Any) -> dict[str, Any]:
    """A count where it is known now; where it grows while the program runs, the count of rows is a variable too."""
    if not hasattr(variable, "resize"):
        return {"size": int(variable.size)}
    if name in ("N_incoming", "N_outgoing"):  # of neurons, and not of synapses; nobody reads them
        return {}
    return {"rows": f"{owner}.N", "width": 1 if variable.ndim == 1 else int(part.n_indices)}
