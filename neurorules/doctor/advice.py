"""Advice on what is slow or missing on this machine, with the cause and the remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from neurorules.brian2_continuous.parts.choose import SLOWER
from neurorules.doctor.packages import CORE

SERVES = {
    "brian2": "simulate and --path continuous",
    "events": "--encode frames with denoise_us",
    "nir": "nir RUN, nets from files of NIR, and reading what export --to nirdata wrote with nir.read_data",
    "nwb": "export --to nwb",
    "neo": "export --to nix",
    "parquet": "export --to parquet",
    "sweep": "compare --dask, and tune and sweep by Optuna's proposals",
    "logging": "logs for TensorBoard, --log tensorboard",
}
"""The features that need each extra. Extras that join others, and those for developers, are left out."""


class Advice(NamedTuple):
    """One thing that is slow or missing.

    problem: the effect for the user. because: the finding. do: the remedy.
    """

    problem: str
    because: str
    do: str


def of(findings: Mapping[str, Any]) -> list[Advice]:
    """The advice that follows from findings.

    Args:
        findings: as `neurorules.doctor.examine` gathers it.

    Returns:
        The core's faults first, then what is slow, then what is missing; empty if there is nothing to improve.
    """
    return [
        *_core(findings["packages"]),
        *_compilers(findings["compilers"]),
        *_threads(findings["threads"]),
        *_gpu(findings["gpu"]),
        *_folders(findings["cache"], findings["data"]),
        *_extras(findings["packages"]),
    ]


def _core(packages: list[Mapping[str, Any]]) -> Iterator[Advice]:
    if not packages:
        yield Advice(
            "Which packages are needed cannot be told.", "This copy of neurorules is not installed.",
            "pip install -e . in its folder.",
        )  # fmt: skip
    for package in packages:
        if package["extra"] == CORE and package["state"] != "installed":
            yield Advice(
                f"Commands that use {package['name']} fail or may give other results.", _state(package),
                f"pip install '{package['name']}{package['wanted']}'",
            )  # fmt: skip


def _compilers(compilers: Mapping[str, Any]) -> Iterator[Advice]:
    c, cpp = compilers["c"], compilers["c++"]
    if not c["works"]:
        yield Advice(
            "Training on the CPU is several times slower, with the same results: scans over time run in plain torch.",
            c["said"] or "The C kernels could not be compiled.",
            "Install a C compiler (Debian, Ubuntu: apt install gcc libc6-dev; macOS: xcode-select --install).",
        )
    elif c["said"]:
        yield Advice("Each process starts later: it compiles its own kernels.", c["said"], "Set NEURORULES_CACHE.")
    if not cpp["works"]:
        yield Advice(
            f"Brian2 runs the equations of --path continuous about {SLOWER} times slower, with the same results.",
            f"No program in C++ can be compiled: {cpp['said']}.",
            "Install a C++ compiler and make (Debian, Ubuntu: apt install g++ make; macOS: xcode-select --install).",
        )


def _threads(threads: Mapping[str, Any]) -> Iterator[Advice]:
    machine, usable, torch = threads["machine"], threads["usable"], threads["torch"]
    if machine is not None and usable < machine:
        limits = {
            "its affinity": threads["affinity"],
            "its control group": threads["control_group"],
            "LOKY_MAX_CPU_COUNT": threads["environment"].get("LOKY_MAX_CPU_COUNT"),
        }
        limited = [f"{name} allows {float(most):g}" for name, most in limits.items() if most and float(most) < machine]
        yield Advice(
            f"Runs use {usable} of the machine's {machine} cores.",
            f"This process may use no more: {' and '.join(limited) or 'the system allows no more'}.",
            "Ask for more where the process is started (taskset, a cluster's --cpus-per-task, a container's --cpus).",
        )
    if torch < usable:
        variables = [f"{name}={value}" for name, value in threads["environment"].items() if not name.startswith("LOKY")]
        yield Advice(
            f"Large nets learn on {torch} of {usable} usable cores.",
            f"torch starts so many threads{': ' + ', '.join(variables) if variables else ''}.",
            f"Unset the variable, or give --threads {usable}.",
        )
    elif torch > usable:
        yield Advice(
            "Large nets learn more slowly than they could: threads wait for each other.",
            f"torch starts {torch} threads, and this process may use {usable} cores.",
            f"Give --threads {usable}, or set OMP_NUM_THREADS={usable}.",
        )


def _gpu(gpu: Mapping[str, Any]) -> Iterator[Advice]:
    if gpu["devices"] and gpu["triton"] is None:
        yield Advice(
            "Scans on the GPU run in plain torch, one step after the other.", "Triton cannot be imported.",
            "pip install triton",
        )  # fmt: skip
    if gpu["driver"] and not gpu["devices"]:
        built = "is a build without CUDA" if gpu["torch_cuda"] is None else f"is built for CUDA {gpu['torch_cuda']}"
        yield Advice(
            "Everything runs on the CPU, though there is the driver of an NVIDIA GPU.",
            f"torch {gpu['torch']} {built}, and sees no GPU. {gpu['said'] or ''}".strip(),
            "Install the build of torch for this driver (pytorch.org, Get started), and check nvidia-smi.",
        )


def _folders(cache: Mapping[str, Any], data: Mapping[str, Any]) -> Iterator[Advice]:
    if cache["refusal"]:
        yield Advice(
            "Kernels, programs, frames and downloads are made anew in each process.",
            f"Nothing can be written to {cache['path']} ({cache['refusal']}).",
            "Name another folder with the environment's NEURORULES_CACHE.",
        )
    if not data["exist"]:
        yield Advice(
            "Data sets are looked for in the cache folder alone, and downloaded where they are missing.",
            f"NEURORULES_DATA is {data['environment']}, and there is no such folder.",
            "Name the folder that holds the data sets, or unset NEURORULES_DATA.",
        )


def _extras(packages: list[Mapping[str, Any]]) -> Iterator[Advice]:
    for extra, what in SERVES.items():
        absent = [p for p in packages if p["extra"] == extra and p["state"] != "installed"]
        if absent:
            because = ", ".join(_state(package).rstrip(".") for package in absent)
            yield Advice(f"Not available: {what}.", f"{because}.", f"pip install 'neurorules[{extra}]'")


def _state(package: Mapping[str, Any]) -> str:
    if package["version"] is None:
        return f"{package['name']} is not installed."
    return f"{package['name']} is version {package['version']}, and {package['wanted']} is needed."
