"""The wheel holds every file of the packages and nothing else; its version stands in pyproject.toml alone."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser
from importlib import metadata
from pathlib import Path

import pytest
from sources import PACKAGES, ROOT

import neurorules

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"


def files_of_packages() -> list[str]:
    """The files of the packages that git tracks, or would: paths from the root."""
    asked = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *PACKAGES]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return sorted(name for name in set(done.stdout.splitlines()) if (ROOT / name).is_file())
    everything = (path for package in PACKAGES for path in (ROOT / package).rglob("*") if path.is_file())
    return sorted(path.relative_to(ROOT).as_posix() for path in everything if "__pycache__" not in path.parts)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from a copy: building leaves folders beside the sources."""
    copy, out = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("dist")
    for name in [*files_of_packages(), "pyproject.toml", "README.md", "LICENSE"]:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, copy / name)
    (copy / "tests").mkdir()
    (copy / "tests" / "__init__.py").write_text("", encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(out)], cwd=copy, capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    (built,) = out.glob("*.whl")
    return zipfile.ZipFile(built)


def read(wheel: zipfile.ZipFile, name: str) -> str:
    """A file of the wheel's own metadata."""
    (path,) = (one for one in wheel.namelist() if one.endswith(f".dist-info/{name}"))
    return wheel.read(path).decode()


def test_every_file_of_the_packages_is_in_the_wheel_as_it_is(wheel: zipfile.ZipFile) -> None:
    files = files_of_packages()
    assert {Path(name).suffix for name in files} >= {".py", ".c", ".html", ".js", ".css", ".typed"}
    there = set(wheel.namelist())
    missing = [name for name in files if name not in there]
    assert not missing, f"name them under [tool.setuptools.package-data] in pyproject.toml: {missing}"
    assert [name for name in files if wheel.read(name) != (ROOT / name).read_bytes()] == []


def test_nothing_else_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    more = set(wheel.namelist()) - set(files_of_packages())
    assert {name.split("/")[0] for name in more} == {f"neurorules-{PROJECT['version']}.dist-info"}, more


def test_the_wheel_says_its_version_its_command_and_its_licence(wheel: zipfile.ZipFile) -> None:
    told = Parser().parsestr(read(wheel, "METADATA"))
    assert told["Version"] == PROJECT["version"] and told["Requires-Python"] == PROJECT["requires-python"]
    points = configparser.ConfigParser()
    points.read_string(read(wheel, "entry_points.txt"))
    assert points["console_scripts"]["neurorules"] == "neurorules.cli:main"
    assert points["neurorules.devices"]["hardware_models"] == "hardware_models.devices"
    assert read(wheel, "licenses/LICENSE") == (ROOT / "LICENSE").read_text(encoding="utf-8")


def test_the_version_stands_in_one_place() -> None:
    assert neurorules.__version__ == metadata.version("neurorules") == PROJECT["version"]
    own = re.compile(rf"""(?:version|VERSION)\w*\s*=\s*["']{re.escape(PROJECT["version"])}["']""")
    again = [name for name in files_of_packages() if name.endswith(".py") and own.search((ROOT / name).read_text())]
    assert not again, again
