"""`neurorules train` reaches its first trial without importing what that trial does not need."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sources import ROOT

from neurorules.commands.loading import loading

NOT_BEFORE = {
    "PIL", "brian2", "dask", "h5py", "joblib", "matplotlib", "nir", "networkx", "norse", "optuna", "pandas", "psutil",
    "pyarrow", "rich", "scipy", "sklearn", "snntorch", "spikingjelly", "sympy", "tensorboard", "tonic", "triton",
    "torch._dynamo", "torch._inductor", "torch.onnx",
    "neurorules.api", "neurorules.audit", "neurorules.bench", "neurorules.benchmark", "neurorules.brian2_continuous",
    "neurorules.brian2_objects", "neurorules.brian2_populations", "neurorules.brian2_steps", "neurorules.compare",
    "neurorules.conformance", "neurorules.doctor", "neurorules.exchange.nir.read", "neurorules.papers",
    "neurorules.torch_path.snntorch",
}  # fmt: skip
"""What train does not import before its first trial: of others, of torch, and rooms of our own."""
PROGRAM = ROOT / "benchmarks" / "first_trial.py"


def test_nothing_is_imported_before_the_first_trial_that_it_does_not_need(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(tmp_path / "run")],
        capture_output=True, text=True, check=True, env=environment,
    )  # fmt: skip
    modules = set(json.loads(done.stdout.splitlines()[-1])["modules"])
    assert {"torch", "neurorules.torch_path.training.trainer"} <= modules, "the first trial was not reached"
    assert modules & NOT_BEFORE == set()


def test_nothing_is_collected_while_a_command_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(gc, "freeze", lambda: calls.append("freeze"))  # a whole session would keep its garbage
    with loading():
        assert gc.isenabled(), "a process that has torch already is left alone"
    assert calls == []
    monkeypatch.delitem(sys.modules, "torch")
    with pytest.raises(KeyError), loading():
        assert not gc.isenabled()
        raise KeyError
    assert gc.isenabled() and calls == ["freeze"]
