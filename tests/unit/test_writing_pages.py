"""The pages for outsiders: what they write, in a package of its own, is listed, passes its suite and trains."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest


def blocks(page: Path, language: str) -> list[str]:
    """The code of a page in one language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.S | re.M)


def install(page: Path, module: str, file: str, home: Path) -> None:
    """Write the package of a page as `pip install` would register it: its files and its entry points.

    Args:
        page: holds one block of toml, the package's, and one of Python, the entry's.
        module: the package's module, which the page names as an entry point.
        file: name of the entry's file.
        home: folder on the path of Python.
    """
    project = tomllib.loads(blocks(page, "toml")[0])
    (home / module).mkdir()
    (home / module / "__init__.py").write_text('"""An outsider\'s package."""\n', encoding="utf-8")
    (home / module / file).write_text(blocks(page, "python")[0], encoding="utf-8")
    about = home / "my_rules-0.1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: my-rules\nVersion: 0.1\n", encoding="utf-8")
    groups = project["project"]["entry-points"]
    lines = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in points.items()) for group, points in groups.items()]
    (about / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")


def neurorules(home: Path, *words: str) -> str:
    """What a command prints, the package on Python's path."""
    path = os.pathsep.join([str(home), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-m", "neurorules", *words], capture_output=True, text=True, check=False, cwd=home,
        env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def signal_package(repository: Path, tmp_path: Path) -> Path:
    install(repository / "docs" / "writing-a-signal.md", "my_signals", "sign_symmetry.py", tmp_path)
    return tmp_path


def test_the_page_is_short(repository: Path) -> None:
    for page in (repository / "docs").glob("writing-*.md"):
        assert len(page.read_text(encoding="utf-8").splitlines()) <= 150, page.name


def test_the_signal_of_the_page_is_listed_and_passes_its_suite(signal_package: Path) -> None:
    assert "sign_symmetry" in neurorules(signal_package, "list", "signals")
    answer = json.loads(neurorules(signal_package, "check", "signal:sign_symmetry", "--json"))
    assert answer["passed"] == len(answer["checks"]) >= 5, answer


def test_the_signal_of_the_page_teaches_better_than_the_frozen_control(signal_package: Path) -> None:
    small = ["--data", "digits", "--net", "24-24", "--epochs", "3", "--batch-size", "32", "--seed", "1", "--json"]

    def accuracy(*rule: str) -> float:
        return json.loads(neurorules(signal_package, "train", *rule, *small))["test_accuracy"]

    own = accuracy("--rule", "dfa", "--signal", "sign_symmetry", "--out", "signs")
    assert own > accuracy("--rule", "shallow", "--out", "frozen") + 0.1


@pytest.fixture
def neuron_package(repository: Path, tmp_path: Path) -> Path:
    install(repository / "docs" / "writing-a-neuron.md", "my_neurons", "izhikevich.py", tmp_path)
    return tmp_path


def test_the_neuron_of_the_page_is_the_one_that_the_contract_tests_try(repository: Path) -> None:
    file = repository / "tests" / "contract" / "packages" / "others_neurons" / "izhikevich.py"
    assert blocks(repository / "docs" / "writing-a-neuron.md", "python") == [file.read_text(encoding="utf-8")]


def test_the_neuron_of_the_page_is_listed_and_passes_its_suite(neuron_package: Path) -> None:
    assert "izhikevich" in neurorules(neuron_package, "list", "neurons")
    answer = json.loads(neurorules(neuron_package, "check", "neuron:izhikevich", "--json"))
    assert answer["passed"] == len([check for check in answer["checks"] if check["status"] != "left out"]) >= 5, answer


def test_a_net_of_the_neuron_of_the_page_learns(neuron_package: Path) -> None:
    small = ["--neuron", "izhikevich", "--steps", "20", "--data", "digits", "--net", "24", "--epochs", "3", "--json"]

    def accuracy(rule: str) -> float:
        words = ["train", "--rule", rule, *small, "--batch-size", "32", "--seed", "1", "--out", rule]
        return json.loads(neurorules(neuron_package, *words))["test_accuracy"]

    assert accuracy("sigprop") > accuracy("shallow") + 0.05
