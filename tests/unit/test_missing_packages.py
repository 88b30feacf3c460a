"""A machine with a GPU may lack snnTorch and what draws reports: training there needs neither."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

MISSING = "import sys; sys.modules.update(dict.fromkeys(('snntorch', 'vl_convert', 'brian2', 'tonic')))\n"


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run code in a process that can import none of the missing packages."""
    return subprocess.run(
        [sys.executable, "-c", MISSING + code], capture_output=True, text=True, check=False, cwd=folder,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )  # fmt: skip


def test_training_and_its_files_need_no_snntorch(tmp_path: Path) -> None:
    done = run(
        "from neurorules.cli import main\n"
        "main(['train', '--rule', 'sigprop', '--data', 'digits', '--net', '12', '--epochs', '1', '--out', 'run'])\n",
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "result.json").exists()


@pytest.mark.parametrize("rule", ["bptt", "sigprop:form=voltage"])
def test_a_learner_of_ones_own_needs_no_snntorch(tmp_path: Path, rule: str) -> None:
    done = run(
        "import neurorules, torch\n"
        f"learner = neurorules.Learner('6', '{rule}', input_shape=(5,), classes=3, steps=2)\n"
        "print(learner.step(torch.ones(2, 4, 5), torch.tensor([0, 1, 2, 0]))['loss'])\n",
        tmp_path,
    )
    assert done.returncode == 0 and float(done.stdout) > 0, done.stderr


def test_a_net_of_snntorch_is_told_that_it_is_missing(tmp_path: Path) -> None:
    done = run(
        "import neurorules, torch\nneurorules.Learner(torch.nn.Sequential(torch.nn.Linear(2, 2)), input_shape=(2,))\n",
        tmp_path,
    )
    assert done.returncode != 0 and "snntorch" in done.stderr
