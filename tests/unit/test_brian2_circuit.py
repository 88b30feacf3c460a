"""A circuit as ordinary Brian2 objects: one's own monitors, stimuli and groups beside it, in one's own session."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_circuits import keep_small

import neurorules
from neurorules.brian2_continuous.ordinary import Brian2Circuit
from neurorules.brian2_steps.ordinary import Brian2Network
from neurorules.language.errors import UserError

brian2 = pytest.importorskip("brian2")

PAGE = Path(__file__).parents[2] / "docs" / "brian2-objects.md"
SMALL: dict[str, Any] = {"data": "digits", "net": "4", "limit": 10, "validation": 0}


@pytest.fixture(autouse=True)
def numpy_target() -> Any:
    """A user's session of Brian2 that needs no compiler."""
    before = brian2.prefs.codegen.target
    brian2.prefs.codegen.target = "numpy"
    yield
    brian2.prefs.codegen.target = before


@pytest.fixture
def few_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    keep_small(monkeypatch, 5)


@pytest.mark.usefixtures("few_tests")
def test_what_it_learns_is_what_training_learns(tmp_path: Path) -> None:
    circuit = neurorules.brian2_circuit("drtp", **SMALL)
    before = circuit.weights()
    # Values of the user's that are named like units, functions, tables, rates and variables of the circuit.
    mine = brian2.TimedArray([1, 2] * brian2.mV, dt=1 * brian2.second)
    values = {"ms": 3, "clip": 4, "exp": 5, "x_table": mine, "lr_hidden": 7, "done_eta": 8, "w": 9 * brian2.mV}
    circuit.network.run(circuit.duration, namespace=values)
    learned = circuit.weights()
    neurorules.train("drtp", path="continuous", epochs=1, out=tmp_path / "r", **SMALL)
    from safetensors.numpy import load_file

    ours = load_file(tmp_path / "r" / "weights.safetensors")
    assert learned.keys() == ours.keys()
    for name, value in ours.items():
        assert np.array_equal(learned[name], value), name
    assert np.abs(learned["hidden1.ff.w"] - before["hidden1.ff.w"]).max() > 1e-6
    scores, labels = circuit.scores()
    assert scores.shape == (10, 10) and labels.shape == (10,)


def test_a_session_of_the_users_stays_the_users() -> None:
    device, schedule = brian2.get_device(), list(brian2.Network().schedule)
    group = brian2.NeuronGroup(2, "dv/dt = -v/(10*ms) : 1", method="exact", name="hidden1")
    group.v = 1.0
    circuit = neurorules.brian2_circuit("drtp", **SMALL)
    hidden, monitor = circuit.groups["hidden1"], circuit.monitors["readout_record"]
    assert brian2.get_device() is device and list(brian2.Network().schedule) == schedule
    assert brian2.prefs.codegen.target == "numpy" and brian2.defaultclock.dt == 0.1 * brian2.ms
    brian2.run(10 * brian2.ms)  # takes what the variables here hold, but for the circuit's
    np.testing.assert_allclose(group.v[:], np.exp(-1.0))
    assert circuit.network.t == 0 * brian2.ms and hidden is not group and not len(monitor.t)


def test_a_name_that_two_objects_of_a_network_have_is_refused_before_it_runs() -> None:
    circuit = neurorules.brian2_circuit("drtp", **SMALL)
    hidden, clock = circuit.groups["hidden1"], circuit.clock
    users = {
        "input": brian2.NeuronGroup(2, "v : 1", clock=clock, name="input"),
        "hidden1_ff": brian2.Synapses(hidden, hidden, "x : 1", clock=clock, name="hidden1_ff"),
        "readout_record": brian2.StateMonitor(hidden, "v", record=True, clock=clock, name="readout_record"),
        "hidden1_act_0": brian2.NetworkOperation(lambda: None, clock=clock, name="hidden1_act_0"),
    }
    for name, one in users.items():
        circuit.network.add(one)
        with pytest.raises(ValueError, match=f"need to have unique names.*: '{name}'") as caught:
            circuit.network.run(circuit.duration)
        assert "\n" not in str(caught.value) and circuit.network.t == 0 * brian2.ms
        circuit.network.remove(one)


def test_weights_that_are_set_are_those_that_run() -> None:
    one = neurorules.brian2_circuit("drtp", **SMALL, seed=1)
    other = neurorules.brian2_circuit("drtp", **SMALL, seed=2)
    weights = {name: value + 0.5 for name, value in one.weights().items()}
    other.set_weights(weights)
    assert all(np.array_equal(other.weights()[name], value) for name, value in weights.items())
    assert other.synapses["hidden1_ff"].w[3, 1] == weights["hidden1.ff.w"][1, 3]
    with pytest.raises(UserError, match=re.escape("hidden1.b")):
        other.set_weights({name: value for name, value in weights.items() if name != "hidden1.b"})


def test_a_rule_without_a_circuit_is_refused_by_name() -> None:
    with pytest.raises(UserError, match="bptt.*no equations in continuous time"):
        neurorules.brian2_circuit("bptt", **SMALL)


def examples() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.mark.parametrize("number", range(5))
def test_every_example_of_the_page_runs(
    number: int, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(examples()[number], f"example {number}", "exec"), names)
    name, kind = [*[("circuit", Brian2Circuit)] * 3, ("net", Brian2Network), ("learning", brian2.Synapses)][number]
    assert isinstance(names[name], kind)
    assert capsys.readouterr().out.strip()


def test_the_page_has_five_examples() -> None:
    assert len(examples()) == 5
