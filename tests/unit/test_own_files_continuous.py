"""A rule of voltages in a file of the user's own, on all three machines: torch, stepped Brian2 and continuous time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

pytest.importorskip("brian2")
from small_circuits import keep_small
from test_scripts import assert_same, learned_by

from neurorules.brian2_continuous import record, revive
from neurorules.brian2_continuous import script as circuit_script
from neurorules.cli import run
from neurorules.language import own_files
from neurorules.traces.store import TraceReader

RULE = '''"""Voltage-based STDP of my own: two low-passes of the membrane say where a weight goes."""

from neurorules.language.neuron_trace import Trace
from neurorules.language.rules import DELTA_RULE, Defaults, Plasticity, Rule, Source

TEXT = "ltp * x_pre * relu(v_post - 0.5) * relu(u_plus_post - 0.1) - ltd * S_pre * relu(u_minus_post - 0.1)"


def my_rule(ltp: float = 0.1) -> Rule:
    return Rule(
        name="my_rule",
        plasticity=(Plasticity("w", TEXT), *DELTA_RULE),
        signal=None,
        constants={"ltp": ltp, "ltd": 0.05},
        traces=(Trace("x", 0.9), Trace("u_minus", 0.9, "0.1 * v"), Trace("u_plus", 0.8, "0.2 * v")),
        bounds=(-1.0, 1.0),
        defaults=Defaults(lr=0.05, optimizer="sgd", neuron="lif"),
        source=Source("A. Nobody", 2026, "Mine"),
    )


ENTRY = my_rule
'''
GIVEN = ["--data", "digits", "--net", "4", "--limit", "8", "--validation", "0", "--epochs", "1"]


@pytest.fixture(autouse=True)
def rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file, in the current folder; no other file is named before or after a test, and circuits are small."""
    keep_small(monkeypatch, 4, None, record, revive, circuit_script)
    monkeypatch.delenv(own_files.VARIABLE, raising=False)
    monkeypatch.setenv("NEURORULES_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    own_files.take_all({})
    Path("my_rule.py").write_text(RULE, encoding="utf-8")
    yield Path("my_rule.py")
    own_files.take_all({})


def trained(*more: str) -> Path:
    """A run that learned by the file; the process has forgotten what was named."""
    assert run(["train", "--rule", "./my_rule.py:ltp=0.2", *GIVEN, *more, "--out", "run"]) == 0
    own_files.take_all({})
    return Path("run")


def test_torch_and_stepped_brian2_learn_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    trained()
    assert run(["simulate", "run", "--learn", "1", "--samples", "4", "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["weights_equal"] and told["spikes_equal"] and told["updates"][0]["spikes_compared"] > 5
    assert run(["simulate", "run", "--learn", "1", "--samples", "4", "--script", "updates.py"]) == 0


def test_a_run_in_continuous_time_is_recorded_with_units_and_written_as_a_script() -> None:
    trained("--path", "continuous")
    assert run(["record", "run", "--samples", "2", "--variables", "S,V_m,I_m,v", "--out", "trace.h5"]) == 0
    with TraceReader(Path("trace.h5")) as trace:
        assert dict(trace.header.units) == {"V_m": "volt", "I_m": "amp", "v": "threshold"}
    assert run(["simulate", "run", "--script", "model.py"]) == 0
    learned = learned_by(Path("model.py").resolve())
    assert_same(learned, load_file("run/weights.safetensors"))
    with np.load("model.npz") as stored:
        assert np.abs(learned["hidden1.ff.w"].T.reshape(-1) - stored["hidden1_ff_w"]).max() > 1e-6


def test_a_run_in_continuous_time_does_not_go_on_by_a_changed_file(
    rule: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained("--path", "continuous")
    rule.write_text(RULE + "# another text\n", encoding="utf-8")
    again = ["train", "--rule", "my_rule.py:ltp=0.2", *GIVEN, "--path", "continuous", "--out", "run", "--resume"]
    assert run(again) == 2
    assert "has changed since" in capsys.readouterr().err
    rule.write_text(RULE, encoding="utf-8")
    assert run(again) == 0


def test_it_is_cited_checked_and_drawn_on_both_machines(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cite", "my_rule.py", "--equations"]) == 0
    assert "trace_u_plus = 0.8*trace_u_plus + (0.2 * v_seen)" in capsys.readouterr().out
    drawn = []
    for path in ("torch", "continuous"):
        assert run(["window", "my_rule.py", "--dt", "-5:5:5", "--path", path, "--json"]) == 0
        drawn.append([point["dw"] for point in json.loads(capsys.readouterr().out)["points"]])
    assert max(map(abs, drawn[0])) > 1e-4
    np.testing.assert_allclose(drawn[1], drawn[0], rtol=1e-12)
    assert run(["check", "my_rule.py"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "  passed    it learns step by step in brian2 as in torch" in lines
    assert "  passed    it learns in continuous time" in lines
