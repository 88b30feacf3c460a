"""Rules without a signal in continuous time: a synapse moves as the stepped machine moves it, from the same spikes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

pytest.importorskip("brian2")
from neurorules.brian2_continuous.checks import plan_of
from neurorules.brian2_continuous.parts.at_spikes import lower_events
from neurorules.brian2_continuous.parts.circuit import Circuit, Units, Wires
from neurorules.brian2_continuous.parts.from_texts import with_changes, with_traces
from neurorules.brian2_continuous.parts.interpreted import Interpreted
from neurorules.brian2_continuous.parts.traces import unit_traces
from neurorules.brian2_steps.case import Case, Learning, Online
from neurorules.brian2_steps.simulate import run_together
from neurorules.language.errors import UserError
from neurorules.language.rules import Plasticity, Rule
from neurorules.network.network import build_network
from neurorules.rules import RULES
from tests.unit.small_circuits import keep_small

THRESHOLD, START, LR, STEPS = 0.5, np.array([[0.15, 0.95]]), 0.001, 80
WITHOUT_SIGNAL = [
    "oja", "triplet_stdp", "triplet_stdp:fit=hippocampal", "triplet_stdp:pairing=nearest", "weight_dependent_stdp",
    "weight_dependent_stdp:mu_plus=0.3", "bcm", "sdsp", "sdsp:drift_per_s=40", "stdp", "stdp:same_step=neither",
]  # fmt: skip


def trains(steps: int) -> np.ndarray:
    """Spikes (T, 2) of two inputs that never coincide; the second makes the neuron spike each time."""
    random = np.random.default_rng(3).random(steps)
    return np.stack([random < 0.3, random > 0.6], axis=1).astype(np.float64)


def stepped(rule: Rule, spikes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights (T, 2) after each step, and membranes (T,), of a neuron that forgets all within a step."""
    network = build_network("1", (2,), 2, neuron=f"lif:beta=0:v_threshold={THRESHOLD}", norm="none")
    parameters = network.initial_parameters(torch.Generator().manual_seed(0), torch.float64)
    arrays = {name: value.numpy() for name, value in parameters.items()}
    arrays |= {"hidden1.ff.w": START, "hidden1.b": np.zeros(1)}
    learning = Learning(rule, online=Online(LR, record=True))
    [outcome] = run_together([Case(network, arrays, spikes[:, None], learning=learning)], len(spikes))
    return outcome.trajectories["hidden1.ff.w"][:, 0], outcome.layers["hidden1"].v[:, 0, 0]


def in_continuous_time(rule: Rule, spikes: np.ndarray, v: np.ndarray, dt_ms: float = 1.0) -> np.ndarray:
    """The weights (2,) after the same spikes, with a membrane that is given."""
    each = round(1 / dt_ms)
    rows = len(spikes) * each + 1
    x, membrane, phase = np.zeros((rows, 2)), np.zeros((rows, 1)), np.zeros(rows)
    x[:-1:each], membrane[:-1:each, 0], phase[:-1] = spikes, v, 1
    traces = unit_traces(rule, dt_ms)
    source = Units("input", 2, (), threshold="x_i > 0", streams=("x",))
    target = Units("hidden1", 1, ("v = m_i : 1",), threshold=f"v > {THRESHOLD}", streams=("m", "phase"))
    changes = lower_events(rule, f"{LR}*int(phase == 1)", traces, dt_ms)
    wires = with_changes(Wires("wires", "input", "hidden1", ("w : 1",), start={"w": START}, keeps=("w",)), changes)
    units = (with_traces(source, traces, membrane=False), with_traces(target, traces))
    circuit = Circuit(units, (wires,), {"x": 2, "m": 1, "phase": 0}, rows, dt_ms, dt_ms)
    machine = Interpreted(circuit)
    machine.run(circuit.starts(), {"x": x, "m": membrane, "phase": phase})
    return machine.read("wires.w")


@pytest.mark.parametrize("text", WITHOUT_SIGNAL)
def test_a_weight_moves_as_step_by_step(text: str) -> None:
    rule = RULES.make(text)
    spikes = trains(STEPS)
    weights, v = stepped(rule, spikes)
    assert (v > THRESHOLD).sum() == spikes[:, 1].sum() > 20  # the neuron spikes where the second input does
    assert np.abs(weights[-1] - START[0]).max() > 1e-6
    for steps in (STEPS // 2, STEPS):
        found = in_continuous_time(rule, spikes[:steps], v[:steps])
        # Spikes of the second input and of the neuron coincide: there one change sees the weight after the other.
        np.testing.assert_allclose(found, weights[steps - 1], rtol=0, atol=1e-6)
        np.testing.assert_allclose(found[0], weights[steps - 1, 0], rtol=0, atol=1e-13)


@pytest.mark.parametrize("text", ["triplet_stdp", "triplet_stdp:pairing=nearest", "weight_dependent_stdp"])
def test_what_happens_at_spikes_does_not_depend_on_the_step(text: str) -> None:
    rule, spikes = RULES.make(text), trains(40)
    weights, v = stepped(rule, spikes)
    np.testing.assert_allclose(in_continuous_time(rule, spikes, v, dt_ms=0.25)[0], weights[-1, 0], rtol=0, atol=1e-13)


def test_a_rate_of_change_is_told_for_each_millisecond() -> None:
    """dw = x y after one spike at each end is a geometric sum, and an integral in continuous time."""
    rule = replace(RULES.make("oja:decay=0.9"), plasticity=(Plasticity("w", "x_post * x_pre"),))
    spikes = np.zeros((100, 2))
    spikes[0] = 1
    changed = [in_continuous_time(rule, spikes, spikes[:, 1], dt_ms)[0] - START[0, 0] for dt_ms in (1.0, 0.125)]
    product = 0.81  # of both traces, in a millisecond
    exact = [LR * dt * (1 - product**100) / (1 - product**dt) for dt in (1.0, 0.125)]
    np.testing.assert_allclose(changed, exact, rtol=1e-12)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("bptt", "its signal 'bptt' goes back through all steps"),
        ("fa", "its signal 'fa' goes back through all steps"),
    ],
)
def test_a_rule_that_cannot_be_honoured_is_refused_with_the_reason(rule: str, said: str) -> None:
    with pytest.raises(UserError, match=f"no equations in continuous time: {said}"):
        plan_of(RULES.make(rule))


def test_a_rule_in_a_file_of_ones_own_trains_in_continuous_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from neurorules.cli import run
    from neurorules.rules import oja

    keep_small(monkeypatch, 5, 6)
    text = Path(str(oja.__file__)).read_text(encoding="utf-8").replace("decay: BelowOne = 0.8", "decay: BelowOne = 0.5")
    (tmp_path / "my_rule.py").write_text(text.replace("oja", "my_rule"), encoding="utf-8")
    given = ["--data", "digits", "--net", "3", "--limit", "6", "--validation", "0", "--epochs", "1", "--lr", "0.01"]
    weights = []
    for number, rule in enumerate((str(tmp_path / "my_rule.py"), "oja:decay=0.5")):
        out = tmp_path / str(number)
        assert run(["train", "--rule", rule, *given, "--path", "continuous", "--out", str(out)]) == 0
        weights.append(load_file(out / "weights.safetensors")["hidden1.ff.w"])
    assert np.array_equal(*weights)
