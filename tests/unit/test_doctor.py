"""`neurorules doctor` says what is there, and what is slow or missing because of what is not: in real processes that
lack packages, compilers or folders."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from neurorules.cli import run
from neurorules.doctor.advice import SERVES, of
from neurorules.doctor.machine import quota
from neurorules.doctor.packages import asked_for
from neurorules.native.compile import find_compiler

ROOT = Path(__file__).resolve().parents[2]
SITE = Path(sysconfig.get_paths()["purelib"])
JOINS = {"all", "dev", "docs"}
"""Extras that bring no feature of their own to a user."""


def doctor(*arguments: str, python: tuple[str, ...] = (), **environment: str) -> dict[str, Any]:
    """What doctor finds in a process of its own, with other variables of the environment."""
    own = {name: value for name, value in os.environ.items() if name != "MKL_NUM_THREADS"}  # joblib sets it
    done = subprocess.run(
        [sys.executable, *python, "-m", "neurorules", "doctor", "--json", *arguments],
        capture_output=True, text=True, check=False, env=own | {"PYTHONPATH": str(ROOT)} | environment,
        cwd=os.sep,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return dict(json.loads(done.stdout))


def problems(found: dict[str, Any]) -> str:
    return "\n".join(" ".join(one.values()) for one in found["advice"])


def site_without(folder: Path, *left_out: str) -> Path:
    """The installed packages, but for those whose files begin with one of the given words."""
    folder.mkdir()
    for entry in SITE.iterdir():
        if not entry.name.lower().startswith(left_out) and entry.suffix != ".pth":
            (folder / entry.name).symlink_to(entry)
    return folder


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A machine with all that this one has, a cache that is in use, and a folder of data."""
    folder = tmp_path_factory.mktemp("rich")
    for name, size in (("cache/models/one/main", 1000), ("cache/frames/a.npy", 70), ("data/mnist/images", 1)):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(bytes(size))
    (folder / "data" / "cifar10").mkdir()
    found = doctor(NEURORULES_CACHE=str(folder / "cache"), NEURORULES_DATA=str(folder / "data"))
    return found | {"folder": folder}


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A machine without Brian2 and other packages, without compilers and data, with one core and no cache yet."""
    folder = tmp_path_factory.mktemp("bare")
    site = site_without(folder / "site", "brian2", "nixio", "distributed")
    found = doctor(
        python=("-S",), PYTHONPATH=f"{ROOT}{os.pathsep}{site}", PATH=str(folder), OMP_NUM_THREADS="1",
        LOKY_MAX_CPU_COUNT="1", NEURORULES_CACHE=str(folder / "none" / "such"), NEURORULES_DATA=str(folder / "data"),
    )  # fmt: skip
    return found | {"folder": folder}


def test_the_packages_are_those_of_the_metadata(rich: dict[str, Any]) -> None:
    assert rich["neurorules"]["version"] == metadata.version("neurorules")
    asked = {(package["name"], package["extra"]) for package in rich["packages"]}
    assert {("torch", "core"), ("brian2", "brian2"), ("distributed", "sweep"), ("pytest", "dev")} <= asked
    assert not [package for package in rich["packages"] if package["name"] == "neurorules"]
    for package in rich["packages"]:
        if package["state"] != "missing":
            assert package["version"] == metadata.version(package["name"])


def test_every_extra_of_the_metadata_has_a_word_on_what_it_serves() -> None:
    extras = metadata.distribution("neurorules").metadata.get_all("Provides-Extra") or []
    assert set(SERVES) == set(extras) - JOINS


def test_absent_packages_are_told_with_what_they_serve_and_the_extra(bare: dict[str, Any]) -> None:
    missing = {package["name"] for package in bare["packages"] if package["state"] == "missing"}
    assert {"brian2", "nixio", "distributed"} <= missing and not {"torch", "neo", "dask"} & missing
    for extra in ("brian2", "neo", "sweep"):
        assert f"pip install 'neurorules[{extra}]'" in problems(bare)
    assert "simulate and --path continuous" in problems(bare) and "neurorules[nwb]" not in problems(bare)


def test_a_copy_that_is_not_installed_says_so(tmp_path: Path) -> None:
    site = site_without(tmp_path / "site", "neurorules", "__editable__")
    (tmp_path / "nmnist").mkdir()
    (tmp_path / "nmnist" / "Train.zip").write_bytes(b"x")
    copy = tmp_path / "copy"  # without what an installation may have left beside the packages
    copy.mkdir()
    for name in ("neurorules", "hardware_models"):
        (copy / name).symlink_to(ROOT / name)
    found = doctor(
        "--data-dir", str(tmp_path), python=("-S",), PYTHONPATH=f"{copy}{os.pathsep}{site}", NEURORULES_DATA="",
        NEURORULES_CACHE=str(tmp_path / "cache"), PATH=str(tmp_path),
    )  # fmt: skip
    assert found["packages"] == [] and "This copy of neurorules is not installed." in problems(found)
    assert found["data"]["sets"] == {"nmnist": str(tmp_path / "nmnist")} and found["data"]["exist"]


def test_requirements_that_are_not_met_are_told_apart() -> None:
    requires = [
        "numpy>=1", "no-such-package-of-anyone>=2", "pytest>=9999", "rich; python_version<'3'",
        "h5py>=1; extra=='more'", "torch>=9999; extra=='more'",
    ]  # fmt: skip
    states = {(p.name, p.extra): p.state for p in asked_for(requires, ["more"])}
    assert states == {
        ("numpy", "core"): "installed", ("no-such-package-of-anyone", "core"): "missing",
        ("pytest", "core"): "other version", ("h5py", "more"): "installed", ("torch", "more"): "other version",
    }  # fmt: skip


def test_a_faulty_core_is_the_first_advice(bare: dict[str, Any]) -> None:
    core = [p._asdict() for p in asked_for(["no-such-package-of-anyone>=2", "pytest>=9999"], [])]
    first, second, *_ = of(bare | {"packages": core})
    assert "no-such-package-of-anyone is not installed." in first.because
    assert first.do == "pip install 'no-such-package-of-anyone>=2'"
    assert f"pytest is version {metadata.version('pytest')}, and >=9999 is needed." in second.because


def test_absent_compilers_are_told_with_what_is_slow(bare: dict[str, Any]) -> None:
    for language in ("c", "c++"):
        assert bare["compilers"][language]["path"] is None and not bare["compilers"][language]["works"]
    assert "scans over time run in plain torch" in problems(bare) and "50 times slower" in problems(bare)
    assert "apt install gcc libc6-dev" in problems(bare) and "apt install g++ make" in problems(bare)


def test_compilers_that_fail_are_not_taken_for_working_ones(tmp_path: Path) -> None:
    for name in ("cc", "g++", "make"):
        program = tmp_path / name
        program.write_text("#!/bin/sh\necho 'stdlib.h: no such file' >&2\nexit 1\n", encoding="utf-8")
        program.chmod(0o755)
    found = doctor(NEURORULES_CACHE=str(tmp_path / "cache"), PATH=f"{tmp_path}{os.pathsep}/bin")
    for language, name in (("c", "cc"), ("c++", "g++")):
        assert found["compilers"][language]["path"] == str(tmp_path / name)
        assert not found["compilers"][language]["works"]
        assert "stdlib.h: no such file" in found["compilers"][language]["said"]
    assert problems(found).count("stdlib.h: no such file") == 2


@pytest.mark.skipif(find_compiler() is None, reason="needs a C compiler")
def test_the_cache_is_measured_part_by_part(rich: dict[str, Any]) -> None:
    cache, folder = rich["cache"], rich["folder"] / "cache"
    kernels = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    assert cache["path"] == str(folder) and cache["exists"] and cache["refusal"] is None and kernels > 0
    sizes = {part["name"]: part["bytes"] for part in cache["parts"]}
    assert sizes == {"": kernels, "frames": 70, "models": 1000} and cache["bytes"] == kernels + 1070


def test_a_cache_that_is_not_there_is_left_absent(bare: dict[str, Any]) -> None:
    assert not bare["cache"]["exists"] and bare["cache"]["bytes"] == 0 and not (bare["folder"] / "none").exists()
    assert "Nothing can be written" not in problems(bare)


def test_folders_of_data_are_looked_through(rich: dict[str, Any], bare: dict[str, Any]) -> None:
    assert rich["data"]["sets"] == {"mnist": str(rich["folder"] / "data" / "mnist")}
    assert f"NEURORULES_DATA is {bare['folder'] / 'data'}, and there is no such folder." in problems(bare)


def test_limits_of_threads_are_told(bare: dict[str, Any]) -> None:
    threads = bare["threads"]
    assert threads["usable"] == threads["torch"] == 1 and threads["machine"] == os.cpu_count()
    assert (threads["machine"] > 1) == ("LOKY_MAX_CPU_COUNT allows 1" in problems(bare))
    found = bare | {"threads": threads | {"machine": 8, "affinity": 8, "control_group": 2.5, "usable": 3, "torch": 8}}
    said = problems({"advice": [one._asdict() for one in of(found)]})
    assert "its control group allows 2.5" in said and "torch starts 8 threads, and this process may use 3" in said
    found["threads"] |= {"usable": 8, "torch": 1}
    said = problems({"advice": [one._asdict() for one in of(found)]})
    assert "torch starts so many threads: OMP_NUM_THREADS=1." in said and "--threads 8" in said


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
def test_the_affinity_of_the_process_and_a_cache_that_cannot_be_written_are_told() -> None:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        found = doctor(NEURORULES_CACHE="/proc/neurorules")
    finally:
        os.sched_setaffinity(0, before)
    assert found["threads"]["affinity"] == found["threads"]["usable"] == 1
    assert len(before) == 1 or "its affinity allows 1" in problems(found)
    assert "Nothing can be written to /proc/neurorules" in problems(found)
    assert not find_compiler() or "compiled kernels cannot be kept in /proc/neurorules" in problems(found)


@pytest.mark.parametrize(("text", "cores"), [("max 100000\n", None), ("250000 100000\n", 2.5), ("", None)])
def test_the_quota_of_a_control_group_is_read(tmp_path: Path, text: str, cores: float | None) -> None:
    (tmp_path / "cpu.max").write_text(text, encoding="ascii")
    assert quota(tmp_path / "cpu.max") == cores
    assert quota(tmp_path / "no-group") is None


GPU = {"devices": [], "torch": "2.6", "torch_cuda": None, "driver": False, "triton": None, "said": None}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, None),
        ({"devices": [{"name": "one", "memory_bytes": 1}], "triton": "3.2"}, None),
        ({"devices": [{"name": "one", "memory_bytes": 1}]}, "pip install triton"),
        ({"driver": True}, "is a build without CUDA"),
        ({"driver": True, "torch_cuda": "12.4", "said": "The driver is too old."}, "built for CUDA 12.4, and sees no"),
    ],
)
def test_advice_on_gpus(changed: dict[str, Any], words: str | None) -> None:
    quiet = {
        "packages": [p._asdict() for p in asked_for(["numpy"], [])],
        "compilers": {"c": {"works": True, "said": None}, "c++": {"works": True, "said": None}},
        "threads": {"machine": 1, "usable": 1, "torch": 1, "environment": {}, "affinity": 1, "control_group": None},
        "cache": {"refusal": None}, "data": {"exist": True},
    }  # fmt: skip
    said = [" ".join(one) for one in of({**quiet, "gpu": GPU | changed})]
    assert len(said) == (words is not None) and all(words in line for line in said if words)


def test_it_tells_people_in_lines_and_refuses_a_folder_that_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEURORULES_DATA", str(tmp_path / "nowhere"))
    assert run(["doctor"]) == 0
    out = capsys.readouterr().out
    for word in ("C compiler", "threads", "cache folder", "snntorch", f"NEURORULES_DATA is {tmp_path}", "Do this:"):
        assert word in out
    assert run(["doctor", "--data-dir", str(tmp_path / "nowhere")]) == 2
    assert "there is no such folder" in capsys.readouterr().err
