"""One spike into each kind of spiking unit, at a step of 1 ms, against the closed form of its equations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq

from neurorules.brian2_continuous.parts.circuit import Circuit, Units, Wires
from neurorules.brian2_continuous.parts.continuous_neuron import ContinuousNeuron
from neurorules.brian2_continuous.parts.interpreted import Interpreted
from neurorules.brian2_continuous.parts.machine import Machine
from neurorules.brian2_continuous.parts.neurons import alif, cuba_lif, lif
from neurorules.brian2_continuous.parts.standalone import compile_circuit
from neurorules.brian2_objects.exact import propagators
from neurorules.brian2_steps.program import find_cpp_compiler
from neurorules.brian2_steps.scale import SCALE
from neurorules.language.errors import UserError

KINDS = {"lif": lif, "cuba_lif": cuba_lif, "alif": alif}
FIRED_MS, PERIOD_MS, WEIGHT = 3.0, 200.0, 0.5
CLOSE = {"rtol": 0, "atol": 1e-6}
TIMES = {
    "apart": (10.0, 3.0, 12.0),
    "membrane and trace equal": (12.0, 3.0, 12.0),
    "membrane and synapse equal": (5.0, 5.0, 12.0),
    "all equal": (7.0, 7.0, 7.0),
    "nearly equal": (10.0, 10.001, 9.999),
}
every_kind = pytest.mark.parametrize("kind", KINDS)
needs_compiler = pytest.mark.skipif(find_cpp_compiler() is None, reason="no C++ compiler")


def one_spike(neuron: ContinuousNeuron, weight: float = WEIGHT, constant: float = 0.0) -> Circuit:
    """A source that fires once, and a unit that the spike reaches; what drives it beside is a constant current."""
    source = Units(
        "source", 1, ("due : 1",), threshold=f"abs(t/ms - {FIRED_MS!r}) < dt/ms/2", spikes=True, start={"due": 0.0}
    )
    target = Units(
        "target",
        1,
        (*neuron.equations, "I_const : 1", "I_aside : 1", "b : 1"),
        threshold=neuron.threshold,
        reset=neuron.reset,
        refractory_ms=neuron.refractory_ms,
        start={"b": constant},
        watch=("v", "u", "I_in", "V_m", "I_m"),
    )
    equations, on_pre, _ = neuron.carries(True, False)
    wire = Wires("wire", "source", "target", equations, on_pre=on_pre, start={"w": weight}, keeps=("w",))
    return Circuit((source, target), (wire,), {}, 1, PERIOD_MS, neuron.dt_ms, neuron.method)


def after_the_spike(circuit: Circuit, variable: str, machine: Machine | None = None) -> np.ndarray:
    """The variable at the spike's arrival and at the end of each step after it."""
    machine = machine or Interpreted(circuit)
    machine.run(circuit.starts(), {})
    return machine.watched("target", variable)[round(FIRED_MS / circuit.dt_ms) :, 0]


def response(weight: float, tau: float, tau_syn: float, t: np.ndarray) -> np.ndarray:
    """v(t) = w tau/(tau - tau_syn) (exp(-t/tau) - exp(-t/tau_syn)), or its limit w t/tau exp(-t/tau)."""
    if tau == tau_syn:
        return weight * t / tau * np.exp(-t / tau)
    return weight * tau / (tau - tau_syn) * (np.exp(-t / tau) - np.exp(-t / tau_syn))


def make(kind: str, times: tuple[float, float, float], **more: Any) -> ContinuousNeuron:
    tau, tau_syn, tau_trace = times
    return KINDS[kind](tau_ms=tau, tau_syn_ms=tau_syn, tau_trace_ms=tau_trace, period_ms=PERIOD_MS, **more)


@pytest.mark.parametrize("refractory_ms", [0.0, 2.0], ids=["", "with a refractory period"])
@pytest.mark.parametrize("times", TIMES.values(), ids=TIMES)
@every_kind
def test_a_spike_moves_the_membrane_as_the_closed_form_says(
    kind: str, times: tuple[float, float, float], refractory_ms: float
) -> None:
    found = after_the_spike(one_spike(make(kind, times, refractory_ms=refractory_ms)), "v")
    np.testing.assert_allclose(found, response(WEIGHT, *times[:2], np.arange(len(found))), **CLOSE)


@every_kind
def test_peak_and_time_to_peak_are_those_of_the_closed_form(kind: str) -> None:
    """With such a time constant the potential peaks 5 ms after the spike, which is the end of a step."""
    tau, at = 10.0, 5.0
    tau_syn = brentq(lambda s: tau * s / (tau - s) * np.log(tau / s) - at, 1.0, 9.0)
    found = after_the_spike(one_spike(make(kind, (tau, tau_syn, 12.0))), "v")
    assert found.argmax() == at
    np.testing.assert_allclose(found.max(), response(WEIGHT, tau, tau_syn, np.array(at)), **CLOSE)
    # The potential of the peak is v = I: its derivative is zero.
    np.testing.assert_allclose(
        after_the_spike(one_spike(make(kind, (tau, tau_syn, 12.0))), "I_in")[5], found[5], **CLOSE
    )


@every_kind
def test_a_spike_brings_the_charge_that_its_weight_says(kind: str) -> None:
    """A membrane that hardly leaks keeps what the spike brings: V C is Q_w."""
    found = after_the_spike(one_spike(make(kind, (1e9, 3.0, 12.0))), "V_m")[-1]
    charge_pC, expected_pC = (
        found * 1e3 * SCALE.capacitance_pF / 1e3,
        WEIGHT * SCALE.threshold_mV * SCALE.capacitance_pF / 1e3,
    )
    np.testing.assert_allclose(charge_pC / expected_pC, 1.0, **CLOSE)


@every_kind
def test_the_method_by_name_is_the_one_that_brings_too_much(kind: str) -> None:
    """Exponential Euler holds the synaptic current for a step: its charge is that of a sum and not of an integral."""
    found = after_the_spike(one_spike(make(kind, (1e9, 3.0, 12.0), method="exponential_euler")), "v")[-1]
    assert found / WEIGHT == pytest.approx(1 / 3 / (1 - np.exp(-1 / 3)), abs=1e-6)


@every_kind
def test_a_step_of_any_length_gives_the_same_course(kind: str) -> None:
    courses = [
        after_the_spike(one_spike(make(kind, (10.0, 3.0, 12.0), dt_ms=dt)), variable)[:: round(1 / dt)]
        for variable in ("v", "u")
        for dt in (1.0, 0.1)
    ]
    for coarse, fine in (courses[:2], courses[2:]):
        np.testing.assert_allclose(coarse, fine[: len(coarse)], rtol=0, atol=1e-9)


@needs_compiler
@pytest.mark.slow
def test_a_compiled_circuit_does_the_same() -> None:
    circuit = one_spike(make("lif", TIMES["membrane and trace equal"], refractory_ms=2.0))
    here, there = (
        after_the_spike(circuit, "v", machine) for machine in (compile_circuit(circuit), Interpreted(circuit))
    )
    np.testing.assert_allclose(here, there, rtol=0, atol=1e-12)


@every_kind
def test_a_constant_current_charges_the_membrane_as_the_closed_form_says(kind: str) -> None:
    tau, tau_syn, _ = times = TIMES["apart"]
    circuit = one_spike(make(kind, times), weight=0.0, constant=0.3)
    machine = Interpreted(circuit)
    machine.run(circuit.starts(), {})
    t = np.arange(1, 51)
    passes = (tau * np.exp(-t / tau) - tau_syn * np.exp(-t / tau_syn)) / (tau - tau_syn)
    expected = 0.3 * (1 - (passes if kind == "cuba_lif" else np.exp(-t / tau)))
    np.testing.assert_allclose(machine.watched("target", "v")[:50, 0], expected, **CLOSE)


def test_a_refractory_membrane_stands_still_and_the_other_variables_move_on() -> None:
    neuron = make("lif", (10.0, 3.0, 12.0), refractory_ms=4.0)
    circuit = one_spike(neuron, constant=3.0)
    machine = Interpreted(circuit)
    machine.run(circuit.starts(), {})
    v, u = (machine.watched("target", name)[:, 0] for name in "vu")
    fired = int(np.nonzero(np.diff(v) < 0)[0][0]) + 1
    np.testing.assert_array_equal(v[fired : fired + 4], v[fired])
    assert (np.diff(u[fired : fired + 4]) != 0).all()


def test_inputs_of_a_singular_matrix_are_integrated() -> None:
    """dq/dt = c has no steady state, and q grows by c dt."""
    matrix, dt = np.array([[0.0, 0.0], [2.0, -3.0]]), 0.5
    carried, entered = propagators(matrix, dt)
    np.testing.assert_allclose(entered[0], [dt, 0.0], atol=1e-15)
    np.testing.assert_allclose(carried[0], [1.0, 0.0], atol=1e-15)
    np.testing.assert_allclose(entered[1, 1], (1 - np.exp(-3 * dt)) / 3, atol=1e-15)


@pytest.mark.parametrize(
    ("equations", "says"),
    [
        (("dv/dt = (1 - v**2)/(10*ms) : 1",), "linear"),
        (("dv/dt = (g*v - v)/(10*ms) : 1", "g : 1"), "the factor of a variable depends on g"),
        (("dv/dt = (sin(t/ms) - v)/(10*ms) : 1",), "not constant during a step"),
        (("dv/dt = -v/(10*ms) + xi/sqrt(10*ms) : 1",), "noise"),
    ],
)
def test_equations_that_are_not_linear_need_another_method_by_name(equations: tuple[str, ...], says: str) -> None:
    circuit = Circuit((Units("units", 1, equations),), (), {}, 1, 10.0, 1.0)
    with pytest.raises(UserError, match=f"Brian2 refuses 'units.* of the model: .*{says}") as caught:
        Interpreted(circuit).run({}, {})
    assert "\n" not in str(caught.value)
    named = Circuit((Units("units", 1, equations),), (), {}, 1, 10.0, 1.0, "euler")
    Interpreted(named).run({}, {})
