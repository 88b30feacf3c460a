"""A neuron of another package, which its entry point alone makes known: it passes the suite, trains and is recorded."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGES = Path(__file__).parent / "packages"
pytestmark = pytest.mark.slow
SUITE = ("its_gates", "its_step", "its_psi", "windows", "brian2")

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
        "40", rule, input_shape=(32,), classes=4, neuron="izhikevich", steps=20, device="cpu", seed=1,
        lr=0.01, readout_lr=0.01,
    )
    losses[rule] = [learner.step(*one)["loss"] for one in batches]
    if rule == "sigprop":
        with neurorules.Recorder(learner, sys.argv[1], ["S", "v"]) as recorder:
            recorder.record(*batches[0])
with TraceReader(Path(sys.argv[1])) as reader:
    spikes, v = (np.stack([reader.dense(s.position, "hidden1", name) for s in reader], 1) for name in ("S", "v"))
print(json.dumps({
    "listed": "izhikevich" in NEURONS.names(), "losses": losses, "shape": list(spikes.shape),
    "spikes": int(spikes.sum()), "consistent": bool((spikes == (v > 1)).all()),
}))
"""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder of packages in which the package of others is installed."""
    shutil.copytree(PACKAGES / "others_neurons", tmp_path / "others_neurons")
    about = tmp_path / "others_neurons-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: others_neurons\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[neurorules.neurons]\nothers = others_neurons\n")
    return tmp_path


def run(installed: Path, repository: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Python with the package installed, in the repository."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(installed), str(repository)))}
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, cwd=repository, env=environment, timeout=600
    )


def run_suite(installed: Path, repository: Path) -> subprocess.CompletedProcess[str]:
    """The suite of neurons over this one."""
    chosen = f"izhikevich and ({' or '.join(SUITE)})"
    words = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/contract/test_every_neuron.py", "-k", chosen)
    return run(installed, repository, *words)


def test_it_passes_the_suite_of_neurons(installed: Path, repository: Path) -> None:
    done = run_suite(installed, repository)
    assert done.returncode == 0, done.stdout
    assert f"{len(SUITE)} passed" in done.stdout


def test_the_suite_sees_a_reset_that_its_gates_leave_out(installed: Path, repository: Path) -> None:
    file = installed / "others_neurons" / "izhikevich.py"
    text = file.read_text()
    assert text.count("(1 - before) * (0.4 + 8 * v)") == 1
    file.write_text(text.replace("(1 - before) * (0.4 + 8 * v)", "0.4 + 8 * v"))
    done = run_suite(installed, repository)
    assert done.returncode == 1 and "keep is not the derivative" in done.stdout, done.stdout
    assert f"1 failed, {len(SUITE) - 1} passed" in done.stdout


def test_it_trains_beyond_its_frozen_control_and_is_recorded(installed: Path, repository: Path) -> None:
    done = run(installed, repository, "-c", TRAINING, str(installed / "trace.h5"))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["listed"] and found["shape"] == [20, 32, 40] and found["spikes"] > 0 and found["consistent"]
    last = {rule: sum(losses[-10:]) / 10 for rule, losses in found["losses"].items()}
    assert last["sigprop"] < 0.8 * last["shallow"] < 0.8 * found["losses"]["shallow"][0]
