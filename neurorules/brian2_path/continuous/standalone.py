"""A circuit compiled once to a program of its own, kept by the hash of its text, and run again with other numbers.

What a program needs and leaves are files of plain numbers; a run reads tables, weights and settings from the command
line (Brian2's `run_args`) and writes every variable back, also when it is interrupted.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from neurorules.brian2_path.backend import load_brian2
from neurorules.brian2_path.continuous.circuit import Circuit
from neurorules.brian2_path.continuous.machine import Machine, Numbers
from neurorules.brian2_path.continuous.objects import Objects, build
from neurorules.compile_c import cache_folder
from neurorules.language.errors import UserError

PROJECT = "project.json"
PROGRAM = "main"


@dataclass
class Compiled(Machine):
    """A compiled circuit; runs follow one another, each going on where the one before ended.

    Args:
        circuit: its text.
        folder: where the program lies.
        work: a folder of this object's own, for what goes in and comes out.
    """

    circuit: Circuit
    folder: Path
    work: tempfile.TemporaryDirectory[str] = field(default_factory=tempfile.TemporaryDirectory)

    def __post_init__(self) -> None:
        told = json.loads((self.folder / PROJECT).read_text(encoding="utf-8"))
        self._files: dict[str, dict[str, Any]] = told["variables"]
        self._results = Path(self.work.name, "results")
        self._results.mkdir()
        self._given = Path(self.work.name, "given")
        self._given.mkdir()

    def run(self, values: Numbers, tables: Mapping[str, np.ndarray]) -> None:
        arguments = [self._argument(name, value) for name, value in self._targets(values)]
        arguments += [self._argument(f"{name}_table.values", rows) for name, rows in tables.items()]
        command = ["./" + PROGRAM, "--results_dir", f"{self._results}{os.sep}", *arguments]
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
        if process.returncode or told.strip():
            said = told.decode(errors="replace").strip()
            raise RuntimeError(f"the compiled model failed with code {process.returncode}: {said}")

    def read(self, name: str) -> np.ndarray:
        told = self._files[name]
        return np.fromfile(self._results / told["file"], dtype=told["dtype"])

    def recorded(self, units: str, variable: str) -> np.ndarray:
        rows = self.read(f"{units}_record.{variable}").reshape(-1, self._size(units))
        return rows[1:]  # the first was taken before anything was presented

    def _size(self, name: str) -> int:
        return next(units.size for units in self.circuit.units if units.name == name)

    def _targets(self, values: Numbers) -> list[tuple[str, float | np.ndarray]]:
        """Settings stand in every part that reads them."""
        found = []
        for name, value in values.items():
            if name in self.circuit.settings:
                found += [(one, value) for one in self._files if one.endswith(f".{name}")]
            else:
                found.append((name, value))
        return found

    def _argument(self, name: str, value: float | np.ndarray) -> str:
        if isinstance(value, np.ndarray) and value.size > 1:
            path = self._given / f"{name}.dat"
            np.ascontiguousarray(value, dtype=np.float64).tofile(path)
            return f"{name}={path}"
        number = float(np.asarray(value).reshape(-1)[0])
        return f"{name}={number!r}"


def compile_circuit(circuit: Circuit) -> Compiled:
    """The circuit's program: from the cache, or compiled now (10 to 60 s).

    Raises:
        MissingExtra: brian2 is not installed.
        UserError: the compiler fails.
    """
    brian2 = load_brian2()
    folder = cache_folder() / "circuits" / f"{brian2.__version__}-{circuit.model_hash()}"
    if not (folder / PROJECT).exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as place:
            project = Path(place, "project")
            _generate(brian2, circuit, project)
            shutil.rmtree(folder, ignore_errors=True)  # without its list: cut short
            os.replace(project, folder)
    return Compiled(circuit, folder)


def _generate(brian2: ModuleType, circuit: Circuit, project: Path) -> None:
    device_before = brian2.get_device()
    brian2.set_device("cpp_standalone", build_on_run=False)
    make_before = brian2.prefs["devices.cpp_standalone.extra_make_args_unix"]
    brian2.prefs["devices.cpp_standalone.extra_make_args_unix"] = [f"-j{os.cpu_count() or 1}"]
    try:
        device = brian2.device
        device.reinit()
        device.activate(build_on_run=False)
        objects = build(brian2, circuit)
        device.apply_run_args()
        duration = circuit.presentations * circuit.period_ms + circuit.dt_ms
        objects.network.run(duration * brian2.ms, namespace={})
        try:
            device.build(directory=str(project), compile=True, run=False, with_output=False)
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            raise UserError(
                f"the C++ compiler could not compile the model ({error}). Use --brian2-target numpy, or repair g++"
            ) from None
        told = {"variables": _files(device, objects)}
        (project / PROJECT).write_text(json.dumps(told, indent=1), encoding="utf-8")
        device.reinit()
    finally:
        brian2.prefs["devices.cpp_standalone.extra_make_args_unix"] = make_before
        brian2.set_device(device_before)


def _files(device: Any, objects: Objects) -> dict[str, dict[str, str]]:
    """Where each variable is written: by "part.variable", file and type."""
    found = {}
    owners = {**objects.parts, **{f"{name}_record": monitor for name, monitor in objects.monitors.items()}}
    for owner, part in owners.items():
        for name, variable in part.variables.items():
            mine = variable in device.arrays and variable.owner is not None and variable.owner.name == part.name
            if mine:
                kind = np.dtype(variable.dtype).str
                found[f"{owner}.{name}"] = {"file": device.get_array_filename(variable), "dtype": kind}
    return found
