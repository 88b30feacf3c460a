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

TRAINING = """
import json, sys
from pathlib import Path
import numpy as np
import torch
import neurorules
from neurorules.neurons import NEURONS
from neurorules.traces.store import TraceReader

torch.set_num_threads(1)
generator = torch.Generator().manual_seed(0)
prototypes = (torch.rand(16, 32, generator=generator) < 0.3).float()


def batch():
    samples = torch.randint(0, 16, (32,), generator=generator)
    return (torch.rand(20, 32, 32, generator=generator) < 0.05 + 0.5 * prototypes[samples]).float(), samples % 4


batches = [batch() for _ in range(120)]
losses = {}
for rule in ("sigprop", "shallow"):
    learner = neurorules.Learner(
        "40", rule, input_shape=(32,), classes=4, neuron="quadratic", steps=20, device="cpu", seed=1,
        lr=0.01, readout_lr=0.01,
    )
    losses[rule] = [learner.step(*one)["loss"] for one in batches]
    if rule == "sigprop":
        with neurorules.Recorder(learner, sys.argv[1], ["S", "v"]) as recorder:
            recorder.record(*batches[0])
with TraceReader(Path(sys.argv[1])) as reader:
    spikes, v = (np.stack([reader.dense(s.position, "hidden1", name) for s in reader], 1) for name in ("S", "v"))
print(json.dumps({
    "listed": "quadratic" in NEURONS.names(), "losses": losses, "shape": list(spikes.shape),
    "spikes": int(spikes.sum()), "consistent": bool((spikes == (v > 1)).all()),
}))
"""


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


def python(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Python with the package on its path."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(home), os.environ.get("PYTHONPATH", "")])}
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, check=False, cwd=home, env=environment, timeout=600
    )


def neurorules(home: Path, *words: str) -> str:
    """What a command prints, the package on Python's path."""
    done = python(home, "-m", "neurorules", *words)
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
    install(repository / "docs" / "writing-a-neuron.md", "my_neurons", "quadratic.py", tmp_path)
    return tmp_path


def test_the_neuron_of_the_page_is_listed_and_passes_its_suite(neuron_package: Path) -> None:
    assert "quadratic" in neurorules(neuron_package, "list", "neurons")
    answer = json.loads(neurorules(neuron_package, "check", "neuron:quadratic", "--json"))
    assert answer["passed"] == len([check for check in answer["checks"] if check["status"] != "left out"]) >= 5, answer


def test_a_net_of_the_neuron_of_the_page_learns(neuron_package: Path) -> None:
    small = ["--neuron", "quadratic", "--steps", "20", "--data", "digits", "--net", "24", "--epochs", "3", "--json"]

    def accuracy(rule: str) -> float:
        words = ["train", "--rule", rule, *small, "--batch-size", "32", "--seed", "1", "--out", rule]
        return json.loads(neurorules(neuron_package, *words))["test_accuracy"]

    assert accuracy("sigprop") > accuracy("shallow") + 0.05


def test_the_suite_sees_a_reset_that_the_gates_of_the_neuron_leave_out(neuron_package: Path) -> None:
    file = neuron_package / "my_neurons" / "quadratic.py"
    text = file.read_text(encoding="utf-8")
    assert text.count("(1 - before) * (1 + 8 * u - 4 * self.critical)") == 1
    file.write_text(
        text.replace("(1 - before) * (1 + 8 * u - 4 * self.critical)", "1 + 8 * u - 4 * self.critical"),
        encoding="utf-8",
    )
    done = python(neuron_package, "-m", "neurorules", "check", "neuron:quadratic", "--json")
    assert done.returncode == 1, done.stdout + done.stderr
    failed = [check for check in json.loads(done.stdout)["checks"] if check["status"] == "failed"]
    assert len(failed) == 1 and "keep is not the derivative" in failed[0]["reason"], failed


def test_the_neuron_trains_beyond_its_frozen_control_in_a_loop_and_is_recorded(neuron_package: Path) -> None:
    done = python(neuron_package, "-c", TRAINING, str(neuron_package / "trace.h5"))
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["listed"] and result["shape"] == [20, 32, 40] and result["spikes"] > 0 and result["consistent"]
    last = {rule: sum(losses[-10:]) / 10 for rule, losses in result["losses"].items()}
    assert last["sigprop"] < 0.8 * last["shallow"] < 0.8 * result["losses"]["shallow"][0]
