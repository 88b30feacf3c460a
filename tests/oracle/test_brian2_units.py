"""What models show in mV, pA and pC: checked by Brian2 itself, equal to torch's membranes, and true of a membrane."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from neurorules.brian2_continuous.circuits import CIRCUITS
from neurorules.brian2_continuous.parts.circuit import Circuit
from neurorules.brian2_continuous.parts.interpreted import Interpreted
from neurorules.brian2_continuous.parts.layers import INPUT_PHASE, Net
from neurorules.brian2_continuous.parts.machine import Machine
from neurorules.brian2_continuous.parts.neurons import alif, cuba_lif, lif, rate
from neurorules.brian2_continuous.parts.objects import objects_of as circuit_objects
from neurorules.brian2_continuous.parts.plan import Order
from neurorules.brian2_continuous.parts.stream import Stream
from neurorules.brian2_objects.build import build as build_objects
from neurorules.brian2_steps.backend import generating
from neurorules.brian2_steps.case import Case
from neurorules.brian2_steps.describe import describe
from neurorules.brian2_steps.model_text import NetworkText
from neurorules.brian2_steps.network import build
from neurorules.brian2_steps.scale import SCALE, STEP_MS, Scale
from neurorules.brian2_steps.simulate import show_model
from neurorules.network.network import Network, build_network
from neurorules.rules import RULES

STEPS, INPUTS = 30, 5
CLOSE = {"rtol": 0, "atol": 1e-9}
SHOWN_VARIABLES = ("S", "v", "V_m", "I_m")
MILLIVOLT, PICOAMP, PICOCOULOMB = 1e-3, 1e-12, 1e-12
SMALL = {"threshold_mV": 1.5, "capacitance_pF": 200.0}
THRESHOLD_V, FARAD = SCALE.threshold_mV * MILLIVOLT, SCALE.capacitance_pF * 1e-12


def stepped(neuron: str) -> tuple[Network, dict[str, np.ndarray], np.ndarray]:
    """A net of one layer that spikes, its weights, its input (T, 1, I)."""
    net = build_network("6", (INPUTS,), 2, norm="none", neuron=neuron)
    drawn = net.initial_parameters(torch.Generator().manual_seed(0), torch.float64)
    parameters = {name: 2 * value.numpy() for name, value in drawn.items()}
    parameters["hidden1.b"] = np.full(6, 0.1)
    spikes = (np.random.default_rng(0).random((STEPS, 1, INPUTS)) < 0.5).astype(np.float64)
    return net, parameters, spikes


def with_units(neuron: str) -> NetworkText:
    net, parameters, spikes = stepped(neuron)
    text = describe(Case(net, parameters, spikes))
    shown = tuple(
        replace(p, recorded=SHOWN_VARIABLES) if p.name == "hidden1" else replace(p, recorded=())
        for p in text.populations
    )
    return replace(text, populations=shown)


def monitored(text: NetworkText) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """What Brian2 recorded of the layer, (T, N) in SI units; the charges of its wires."""
    import brian2

    with generating(brian2, "numpy"):
        network, (built,) = build(brian2, [text])
        network.run(STEPS * STEP_MS * brian2.ms, namespace={})
        monitor = built.monitors["hidden1"]
        assert brian2.have_same_dimensions(monitor.V_m, brian2.mV)
        assert brian2.have_same_dimensions(monitor.I_m, brian2.pA)
        charges = built.synapses["hidden1_ff"].Q_w[:]
        assert brian2.have_same_dimensions(charges, brian2.coulomb)
        return {name: np.asarray(getattr(monitor, name)).T for name in SHOWN_VARIABLES}, np.asarray(charges)


@pytest.mark.parametrize("neuron", ["lif:beta=0.9:reset=zero", "cuba_lif", "alif:refractory=2"])
def test_a_monitor_reads_torchs_membrane_in_millivolt(neuron: str) -> None:
    net, parameters, spikes = stepped(neuron)
    layer, state, membranes = net.layers[0], None, []
    for row in torch.from_numpy(spikes):
        current = row @ torch.from_numpy(parameters["hidden1.ff.w"]).T + torch.from_numpy(parameters["hidden1.b"])
        state = layer.neuron.initial(current) if state is None else state
        _, observed, state = layer.neuron.step(state, current)
        membranes.append(observed.v[0].numpy())
    found, _ = monitored(with_units(neuron))
    assert found["S"].sum() > 3
    np.testing.assert_allclose(found["V_m"] / MILLIVOLT, np.stack(membranes) * SCALE.threshold_mV, **CLOSE)


@pytest.mark.parametrize(("neuron", "beta"), [("lif:beta=0.9:reset=none", 0.9), ("cuba_lif:beta=0.9:reset=none", 0.9)])
def test_the_current_of_a_step_is_what_moves_the_membrane(neuron: str, beta: float) -> None:
    found, _ = monitored(with_units(neuron))
    volts = found["V_m"]
    pulses = found["I_m"] * STEP_MS * 1e-3 / FARAD
    np.testing.assert_allclose(volts[1:], beta * volts[:-1] + pulses[1:], rtol=0, atol=1e-12)
    assert np.abs(pulses).max() > 1e-3


@pytest.mark.parametrize(("neuron", "lasts"), [("lif:beta=0.9", 1.0), ("cuba_lif:alpha=0.75", 4.0)])
def test_a_wire_shows_the_charge_of_a_spike(neuron: str, lasts: float) -> None:
    _, charges = monitored(with_units(neuron))
    weights = stepped(neuron)[1]["hidden1.ff.w"]
    expected = lasts * weights * THRESHOLD_V * FARAD
    np.testing.assert_allclose(np.sort(charges) / PICOCOULOMB, np.sort(expected.reshape(-1)) / PICOCOULOMB, **CLOSE)


@pytest.mark.parametrize(
    ("right", "wrong"), [("volt", "amp"), ("amp", "volt"), ("mV*100.0*pF", "mV"), ("/(1.0*ms)", "")]
)
def test_brian2_refuses_units_that_do_not_fit(right: str, wrong: str) -> None:
    import brian2

    text = with_units("lif")
    broken = [
        replace(p, shown=tuple(line.replace(right, wrong) for line in p.shown)) if p.shown else p
        for p in text.populations
    ]
    assert broken != list(text.populations)
    with generating(brian2, "numpy"), pytest.raises(brian2.core.base.BrianObjectException) as refused:
        build(brian2, [replace(text, populations=tuple(broken))])[0].run(1 * brian2.ms, namespace={})
    assert isinstance(refused.value.__cause__, brian2.DimensionMismatchError)


def one_sample(machine: Machine, circuit: Circuit, settings: dict[str, float]) -> Machine:
    order = Order(np.arange(2), np.array([1, 0]), np.full(2, INPUT_PHASE))
    rows = np.random.default_rng(3).normal(size=(2, INPUTS)) * 3
    list(Stream(machine, circuit, settings).learn(order, lambda positions: rows[positions], np.ones(2)))
    return machine


def watched_circuit(neuron: object) -> tuple[Circuit, dict[str, float]]:
    plan = CIRCUITS.make("drtp")
    settings = plan.numbers()
    net = Net(INPUTS, (6,), 2, neuron, 2)  # type: ignore[arg-type]
    circuit = plan.make(net, RULES.make("drtp"), settings, np.random.default_rng(0))
    units = tuple(replace(u, watch=("v", "V_m", "I_m")) if u.name == "hidden1" else u for u in circuit.units)
    return replace(circuit, units=units), settings


@pytest.mark.parametrize(("neuron", "tau_ms"), [(rate(gain=1.0), 2.0), (lif(gain=0.1), 10.0)], ids=["rate", "lif"])
def test_voltages_and_currents_of_a_circuit_are_those_of_a_membrane_of_its_capacitance(
    neuron: object, tau_ms: float
) -> None:
    """Without spikes C dV/dt = I - V C/tau; the current of a step is constant during it."""
    circuit, settings = watched_circuit(neuron)
    machine = one_sample(Interpreted(circuit), circuit, settings)
    volts, amps = (machine.watched("hidden1", name)[: round(circuit.period_ms)] for name in ("V_m", "I_m"))
    ohm, decay = tau_ms * 1e-3 / FARAD, np.exp(-circuit.dt_ms / tau_ms)
    np.testing.assert_allclose(volts[1:], amps[:-1] * ohm + (volts[:-1] - amps[:-1] * ohm) * decay, rtol=0, atol=1e-12)
    assert np.abs(amps).max() > 1 * PICOAMP


@pytest.mark.parametrize("neuron", [rate, lif, cuba_lif, alif])
def test_another_scale_changes_what_is_shown_and_no_number_of_the_model(neuron: Callable[..., object]) -> None:
    usual, small = (watched_circuit(neuron(gain=6.0, **scale)) for scale in ({}, SMALL))
    here, there = (one_sample(Interpreted(circuit), circuit, settings) for circuit, settings in (usual, small))
    for name in ("hidden1_ff.w", "readout_ff.w", "hidden1.b"):
        np.testing.assert_array_equal(here.read(name), there.read(name))
    thresholds = there.watched("hidden1", "v")
    np.testing.assert_array_equal(thresholds, here.watched("hidden1", "v"))
    np.testing.assert_allclose(there.watched("hidden1", "V_m"), 1.5e-3 * thresholds, rtol=1e-12)
    charges = SMALL["threshold_mV"] * SMALL["capacitance_pF"] / (SCALE.threshold_mV * SCALE.capacitance_pF)
    np.testing.assert_allclose(there.watched("hidden1", "I_m"), charges * here.watched("hidden1", "I_m"), rtol=1e-12)
    assert "v = 1 is 1.5 mV above rest, capacitance 200 pF" in small[0].show()
    assert "20.0*mV" not in small[0].show()


def test_wires_that_carry_spikes_show_their_charge_in_the_scale_of_their_target() -> None:
    equations, _, _ = lif(**SMALL).carries(source_spikes=True, constant=False)
    assert "Q_w = w*1.5*mV*200.0*pF : coulomb" in equations


def test_a_circuit_with_a_wrong_unit_is_refused_by_brian2() -> None:
    import brian2

    circuit, _ = watched_circuit(rate())
    units = tuple(
        replace(u, equations=tuple(e.replace("/(2.0*ms) : amp", " : amp") for e in u.equations)) for u in circuit.units
    )
    with generating(brian2, "numpy"), pytest.raises(brian2.core.base.BrianObjectException) as refused:
        build_objects(brian2, circuit_objects(replace(circuit, units=units))).network.run(1 * brian2.ms, namespace={})
    assert isinstance(refused.value.__cause__, brian2.DimensionMismatchError)


def test_the_scale_is_one_and_shown_with_the_model() -> None:
    net, parameters, _ = stepped("alif:beta=0.9:refractory=3")
    text = show_model(net, parameters)
    assert "v = 1 is 20 mV above rest, capacitance 100 pF" in text
    assert "v_threshold = 1  # 20 mV" in text
    assert "beta = 0.9  # tau_m = 9.491 ms" in text
    assert "refractory_steps = 3  # 3 ms" in text
    assert "b = 0.1 to 0.1  # 200 pA" in text
    assert Scale(threshold_mV=10.0).voltage() == "V_m = v*10.0*mV : volt"
    assert Scale().current_pA(10.0) == 200.0
    assert Scale().in_units("beta", np.array([0.0, 1.0])) == "tau_m = 0 to inf ms"
