"""Rules without a signal that say more than what happens at spikes: in continuous time they run at each step of a text.

They move a synapse as the stepped machine does, from the same spikes, and so does a neuron whose spikes have a shape.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_circuits_from_texts import LR, START, THRESHOLD, trains

pytest.importorskip("brian2")
from neurorules.brian2_continuous.checks import neuron_of, plan_of
from neurorules.brian2_continuous.parts.at_spikes import happens_at_spikes
from neurorules.brian2_continuous.parts.circuit import Act, Circuit, Units, Wires
from neurorules.brian2_continuous.parts.interpreted import Interpreted
from neurorules.brian2_continuous.parts.layers import Net
from neurorules.brian2_continuous.parts.plan import samples_only
from neurorules.brian2_continuous.parts.step_texts import lower_steps
from neurorules.brian2_continuous.parts.stream import Stream
from neurorules.brian2_steps.case import Case, Learning, Online
from neurorules.brian2_steps.simulate import run_together
from neurorules.brian2_steps.surrogate_texts import psi_text
from neurorules.contracts.series import Series
from neurorules.language.eligibility import Eligibility
from neurorules.language.errors import UserError
from neurorules.language.neuron_trace import Trace
from neurorules.language.rules import Plasticity, Rule
from neurorules.network.network import build_network
from neurorules.neurons import NEURONS
from neurorules.neurons.adex import TOPS_MV, on_scale
from neurorules.rules import RULES
from neurorules.torch_path.forward.step_by_step import run_steps

STEPS = 60
VOLTAGES = (
    "0.5 * x_pre * relu(v_post - 0.4) * relu(u_plus_post - 0.1) - 0.3 * S_pre * relu(delay(u_minus_post, 2) - 0.1)"
)


def own_rule(text: str, *traces: Trace, eligibilities: tuple[Eligibility, ...] = ()) -> Rule:
    """A rule without a signal, with two low-passes of the membrane."""
    slow = (Trace("u_minus", 0.9, "0.1 * v"), Trace("u_plus", 0.8, "0.123456789 * v"))
    base = replace(
        RULES.make("oja"), name="own", plasticity=(Plasticity("w", text),), traces=(Trace("x", 0.9), *slow, *traces)
    )
    return replace(base, trace_decay=None, eligibilities=eligibilities, bounds=(-1.0, 1.0))


OWN = {
    "voltages": own_rule(VOLTAGES),
    "psi, and both spikes of a step": own_rule("psi(v_post) * S_pre * S_post - 0.2 * before(x_pre) * S_post"),
    "a trace of the nearest spike": own_rule(
        "S_pre * near_post * v_post - before(near_post) * x_pre", Trace("near", 0.7, "2 * v * S", spikes="nearest")
    ),
    "a trace that lasts": own_rule(
        "S_pre * square_post", Trace("square", 0.99, "0.0123456789 * v ** 2", across_trials=True)
    ),
    "an eligibility": own_rule("v_post * e", eligibilities=(Eligibility("e", 0.8, "psi(v_post) * x_pre"),)),
}


def stepped(rule: Rule, spikes: np.ndarray) -> tuple[np.ndarray, np.ndarray, str]:
    """Weights (T, 2) after each step, membranes (T,), and psi, of a neuron that forgets within a step."""
    network = build_network("1", (2,), 2, neuron=f"lif:beta=0:v_threshold={THRESHOLD}", norm="none")
    parameters = network.initial_parameters(torch.Generator().manual_seed(0), torch.float64)
    arrays = {name: value.numpy() for name, value in parameters.items()}
    arrays |= {"hidden1.ff.w": START, "hidden1.b": np.zeros(1)}
    [outcome] = run_together(
        [Case(network, arrays, spikes[:, None], learning=Learning(rule, online=Online(LR, record=True)))], len(spikes)
    )
    psi = psi_text(network.layers[0].neuron.surrogate, f"({{v}} - {THRESHOLD})")
    return outcome.trajectories["hidden1.ff.w"][:, 0], outcome.layers["hidden1"].v[:, 0, 0], psi


def in_continuous_time(rule: Rule, spikes: np.ndarray, v: np.ndarray, psi: str, dt_ms: float = 1.0) -> np.ndarray:
    """The weights (2,) after the same spikes; the membrane is given, and its reset leaves another value behind."""
    each = round(1 / dt_ms)
    rows = len(spikes) * each
    x, membrane, phase = np.zeros((rows, 2)), np.zeros((rows, 1)), np.ones(rows)
    x[::each], membrane[::each, 0] = spikes, v
    texts = lower_steps(rule, f"{LR}*int(phase == 1)", psi)
    source = Units("input", 2, texts.inputs, "x_i > 0", ("S += 1",), acts=texts.input_acts, streams=("x",))
    target = Units(
        "hidden1", 1, ("v : 1", *texts.units), f"v > {THRESHOLD}", ("v = -7", "S += 1"),
        acts=(Act(("v = membrane_i",), "groups", 0, "step"), *texts.unit_acts), streams=("membrane", "phase"),
        keeps=texts.keeps,
    )  # fmt: skip
    wires = Wires(
        "wires", "input", "hidden1", ("w : 1", *texts.wires), acts=texts.wire_acts, start={"w": START}, keeps=("w",)
    )
    machine = Interpreted(Circuit((source, target), (wires,), {"x": 2, "membrane": 1, "phase": 0}, rows, dt_ms, dt_ms))
    machine.run(machine.circuit.starts(), {"x": x, "membrane": membrane, "phase": phase})
    return machine.read("wires.w")


@pytest.mark.parametrize("name", OWN)
def test_a_weight_moves_as_step_by_step(name: str) -> None:
    rule, spikes = OWN[name], trains(STEPS)
    assert not happens_at_spikes(rule)
    weights, v, psi = stepped(rule, spikes)
    assert (v > THRESHOLD).sum() > 15 and np.abs(weights[-1] - START[0]).max() > 1e-5
    for steps in (STEPS // 2, STEPS):
        found = in_continuous_time(rule, spikes[:steps], v[:steps], psi)
        np.testing.assert_allclose(found, weights[steps - 1], rtol=0, atol=1e-13)


def test_a_step_of_a_text_is_a_millisecond_whatever_the_step_of_the_integration() -> None:
    rule, spikes = OWN["voltages"], trains(30)
    _, v, psi = stepped(rule, spikes)
    found = [in_continuous_time(rule, spikes, v, psi, dt_ms) for dt_ms in (1.0, 0.25)]
    np.testing.assert_allclose(*found, rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    ("text", "alone"),
    [
        ("S_pre * v_post", True),  # which a presynaptic spike reads before the reset of its step
        ("S_pre * x_post * v_post", False),  # where it reads this step's spikes, the reset has been
        ("x_pre * v_post", False),
        ("x_pre * x_post", True),
    ],
)
def test_what_reads_the_membrane_behind_a_reset_does_not_happen_at_spikes(text: str, alone: bool) -> None:
    rule = replace(OWN["voltages"], plasticity=(Plasticity("w", text),), traces=(Trace("x", 0.9),))
    assert happens_at_spikes(rule) == alone


def test_what_has_no_form_in_steps_is_refused_with_the_reason() -> None:
    for rule in (
        own_rule("dv_dw * v_post"),
        replace(RULES.make("dfa"), plasticity=(Plasticity("w", "-m_post * dv_dw"),)),
    ):
        with pytest.raises(UserError, match=rf"'{rule.name}' has no equations in continuous time: .* reads dv_dw"):
            plan_of(rule)
    with pytest.raises(UserError, match="reads i_post, the current of a step, and currents flow between steps"):
        plan_of(own_rule("S_pre * i_post"))
    with pytest.raises(
        UserError, match=r"reads `mV`, which no synapse can see, in the text '3 \* mV \* S_pre'.*alpha': 0\.5}$"
    ):
        plan_of(own_rule("3 * mV * S_pre"))  # on no path: none is offered


def in_brian2(current: np.ndarray, dt_ms: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Membranes (T, N) as texts read them, and adaptation, of `adex` in continuous time, every millisecond."""
    neuron = neuron_of(f"adex:dt_ms={dt_ms}:period_ms=40")
    each, units = round(1 / dt_ms), current.shape[1]
    given = ("I_const = drive_i : 1", "I_aside : 1", "b : 1", "seen : 1")
    group = Units(
        "units", units, (*neuron.equations, *given), neuron.threshold, neuron.reset, neuron.refractory_ms,
        acts=(*neuron.acts, Act((f"seen = {neuron.text_membrane}",), "thresholds", 1, "step")), streams=("drive",),
        watch=("seen", "adapt"),
    )  # fmt: skip
    circuit = Circuit((group,), (), {"drive": units}, len(current) * each, dt_ms, dt_ms, neuron.method)
    machine = Interpreted(circuit)
    machine.run(circuit.starts(), {"drive": np.repeat(current, each, axis=0)})
    seen, adapt = (machine.watched("units", name)[: len(current) * each : each] for name in ("seen", "adapt"))
    return seen, adapt


def test_a_neuron_whose_spikes_have_a_shape_is_that_of_torch_in_steps_of_a_millisecond() -> None:
    current = np.random.default_rng(0).normal(0.9, 2.5, (400, 3)).clip(0) * np.array([1.0, 2.0, 0.5])
    neuron = NEURONS.make("adex")
    drive = Series(torch.from_numpy(current[:, None] * neuron.leak), False)
    expected = run_steps(neuron, drive, len(current), None)
    assert (expected.spikes.sum(0) > 2).all()
    found, _ = in_brian2(current)
    # The upswing of a spike is steep: it makes rounding of 1e-16 a millionth before the membrane is cut at the top.
    np.testing.assert_allclose(found, expected.v[:, 0].numpy(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("dt_ms", [1.0, 0.25])
def test_a_spike_of_that_neuron_has_two_values_of_a_millisecond_each_at_any_step(dt_ms: float) -> None:
    seen, _ = in_brian2(np.full((60, 1), 3.0), dt_ms)
    (begins,) = np.nonzero(np.abs(seen[:, 0] - on_scale(TOPS_MV[1])) < 1e-12)
    assert len(begins) >= 2
    assert (np.abs(seen[begins - 1, 0] - on_scale(TOPS_MV[0])) < 1e-12).all()
    assert (seen[begins + 1, 0] < 2).all()


def test_the_circuit_of_a_rule_of_voltages_learns_and_keeps_what_lasts() -> None:
    rule = RULES.make("clopath:homeostasis=60")
    plan = plan_of(rule)
    net = Net(6, (4,), 3, neuron_of(f"{plan.neuron}:period_ms=30"), 5)
    circuit = plan.make(net, rule, plan.numbers(1.0, 0.02), np.random.default_rng(0))
    stream = Stream(Interpreted(circuit), circuit, dict(circuit.settings))
    shown = np.random.default_rng(2).normal(size=(5, 6)) * 6
    before = stream.parameters()
    list(stream.learn(samples_only(np.arange(5) % 3, 3), lambda k: shown[k], np.ones(5)))
    after = stream.parameters()
    assert np.abs(after["hidden1.ff.w"] - before["hidden1.ff.w"]).max() > 1e-6
    assert np.abs(after["hidden1.ff.w"]).max() <= 1 or np.abs(before["hidden1.ff.w"]).max() > 1
    assert "hidden1.trace_square" in after and (after["hidden1.trace_square"] > 0).all()
