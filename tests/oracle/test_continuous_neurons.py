"""Spiking units in continuous time, and layers that read themselves, against steps written by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.linalg import expm

from neurorules.brian2_continuous.circuits import CIRCUITS
from neurorules.brian2_continuous.parts.circuit import Circuit
from neurorules.brian2_continuous.parts.interpreted import Interpreted
from neurorules.brian2_continuous.parts.layers import INPUT_PHASE, Net
from neurorules.brian2_continuous.parts.neurons import alif, cuba_lif, lif, rate
from neurorules.brian2_continuous.parts.plan import Order
from neurorules.brian2_continuous.parts.stream import Stream
from neurorules.rules import RULES

INPUTS, HIDDEN, CLASSES, PRESENTATIONS = 5, (6, 4), 2, 2
KINDS = {"lif": lif, "cuba_lif": cuba_lif, "alif": alif}
TAU, TAU_SYN, TAU_TRACE, TAU_ADAPTATION, RISE = 10.0, 4.0, 12.0, 25.0, 0.4
CLOSE = {"rtol": 0, "atol": 1e-9}


def circuit_of(neuron: object, recurrent: bool, rule: str = "drtp") -> tuple[Circuit, dict[str, float]]:
    """Two hidden layers whose weights learn, slowly, what they do recorded at every step."""
    plan = CIRCUITS.make(rule)
    settings = {**plan.settings, "lr_hidden": 0.05, "lr_readout": 0.1}
    net = Net(INPUTS, HIDDEN, CLASSES, neuron, PRESENTATIONS, (True, False) if recurrent else ())  # type: ignore[arg-type]
    circuit = plan.make(net, RULES.make(rule), settings, np.random.default_rng(0))
    units = tuple(replace(u, watch=("v", "a", "u")) if u.name.startswith("hidden") else u for u in circuit.units)
    return replace(circuit, units=units), settings


def shown() -> tuple[Order, np.ndarray]:
    order = Order(np.arange(PRESENTATIONS), np.arange(PRESENTATIONS) % CLASSES, np.full(PRESENTATIONS, INPUT_PHASE))
    return order, np.random.default_rng(1).normal(size=(PRESENTATIONS, INPUTS)) * 3


class Layer:
    """Units of one kind, stepped by the matrix exponential of their equations, or each variable by its own."""

    def __init__(self, kind: str, size: int, method: str) -> None:
        self.kind, self.method = kind, method
        self.v, self.I, self.a, self.u, self.theta = (np.zeros(size) for _ in range(5))
        self.rows: list[np.ndarray] = []

    def step(self, constant: np.ndarray) -> np.ndarray:
        """Spikes of 1 ms."""
        synaptic = self.kind == "cuba_lif"
        drive, target = (self.I, constant) if synaptic else (constant + self.I, np.zeros_like(self.I))
        seen = self.v - self.theta
        moves = [(self.v, drive, TAU), (self.I, target, TAU_SYN), (self.u, seen, TAU_TRACE)]
        if self.method == "exact":
            moved = self.exact_step(constant)
        else:
            moved = [to + (x - to) * np.exp(-1 / tau) for x, to, tau in moves]
        self.a, self.theta = self.a * np.exp(-1 / TAU_TRACE), self.theta * np.exp(-1 / TAU_ADAPTATION)
        self.v, self.I, self.u = moved[0], moved[1], moved[2]
        return (self.v > 1 + self.theta).astype(float)

    def exact_step(self, constant: np.ndarray) -> np.ndarray:
        """Membrane, current and low-pass after 1 ms: exp of the matrix of (v, I, u, theta, constant)."""
        synaptic = self.kind == "cuba_lif"
        matrix = np.zeros((5, 5))
        matrix[0, :2], matrix[0, 4] = (-1 / TAU, 1 / TAU), 0 if synaptic else 1 / TAU
        matrix[1, 1], matrix[1, 4] = -1 / TAU_SYN, 1 / TAU_SYN if synaptic else 0
        matrix[2, [0, 2, 3]] = 1 / TAU_TRACE, -1 / TAU_TRACE, -1 / TAU_TRACE
        matrix[3, 3] = -1 / TAU_ADAPTATION
        return np.asarray(expm(matrix) @ np.stack([self.v, self.I, self.u, self.theta, constant]))

    def reset(self, spikes: np.ndarray) -> None:
        self.v = self.v - spikes
        self.a = self.a + spikes * TAU / TAU_TRACE
        self.theta = self.theta + (RISE * spikes if self.kind == "alif" else 0.0)
        self.rows.append(np.stack([self.v, self.a, self.u]))


def by_hand(kind: str, circuit: Circuit, settings: dict[str, float]) -> tuple[list[Layer], dict[str, np.ndarray], int]:
    """Membranes of both layers, changed weights, spikes."""
    start = {w.name: np.array(w.start["w"]) for w in circuit.wires if "w" in w.start}
    order, samples = shown()
    layers, biases = [Layer(kind, n, circuit.method) for n in HIDDEN], [np.zeros(n) for n in HIDDEN]
    loop = start.get("hidden1_rec", np.zeros((HIDDEN[0], HIDDEN[0])))
    w, count, kick = [start["hidden1_ff"], start["hidden2_ff"]], 0, TAU / TAU_SYN
    for k, eta in enumerate([1.0, 0.5]):
        x = samples[order.samples[k]]
        for _ in range(round(circuit.period_ms)):
            spikes = [layers[0].step(w[0] @ x + biases[0]), layers[1].step(biases[1])]
            layers[0].I = layers[0].I + kick * (loop @ spikes[0])
            layers[1].I = layers[1].I + kick * (w[1] @ spikes[0])
            for layer, fired in zip(layers, spikes, strict=True):
                layer.reset(fired)
            count += int(sum(fired.sum() for fired in spikes))
        posts = []
        for number, layer in enumerate(layers, start=1):
            m = -start[f"feedback{number}"][:, order.labels[k]]
            posts.append(-0.05 * eta * m / (1 + 4 * np.abs(layer.u - 1)) ** 2)
        for number, below in enumerate((x, layers[0].a)):
            w[number] = w[number] + np.outer(posts[number], below)
            biases[number] = biases[number] + posts[number]
        loop = loop + np.outer(posts[0], layers[0].a) if "hidden1_rec" in start else loop
    return layers, {"hidden1.ff.w": w[0], "hidden2.ff.w": w[1], "hidden1.rec.w": loop, "hidden1.b": biases[0]}, count


@pytest.mark.parametrize("method", ["exact", "exponential_euler"])
@pytest.mark.parametrize("recurrent", [False, True], ids=["dense", "recurrent"])
@pytest.mark.parametrize("kind", KINDS)
def test_spiking_units_do_what_steps_written_by_hand_do(kind: str, recurrent: bool, method: str) -> None:
    more = {"tau_adaptation_ms": TAU_ADAPTATION, "rise": RISE} if kind == "alif" else {}
    neuron = KINDS[kind](tau_ms=TAU, tau_syn_ms=TAU_SYN, tau_trace_ms=TAU_TRACE, gain=6.0, method=method, **more)
    circuit, settings = circuit_of(neuron, recurrent)
    machine = Interpreted(circuit)
    stream = Stream(machine, circuit, settings)
    order, samples = shown()
    list(stream.learn(order, lambda positions: samples[positions], np.array([1.0, 0.5])))
    layers, expected, count = by_hand(kind, circuit, settings)
    assert count > 20
    steps = round(PRESENTATIONS * circuit.period_ms)
    for number, layer in enumerate(layers, start=1):
        for place, variable in enumerate("vau"):
            found = machine.watched(f"hidden{number}", variable)[:steps]
            np.testing.assert_allclose(found, np.stack([row[place] for row in layer.rows]), err_msg=variable, **CLOSE)
    parameters = stream.parameters()
    assert ("hidden1.rec.w" in parameters) == recurrent
    for name in parameters.keys() & expected.keys():
        np.testing.assert_allclose(parameters[name], expected[name], err_msg=name, **CLOSE)


def test_rate_units_that_read_themselves_settle_where_their_loop_does() -> None:
    circuit, settings = circuit_of(rate(gain=0.5, period_ms=60.0), True)
    machine = Interpreted(circuit)
    stream = Stream(machine, circuit, settings)
    before = stream.parameters()
    order, samples = shown()
    list(stream.learn(order, lambda positions: samples[positions], np.zeros(PRESENTATIONS)))
    v = machine.watched("hidden1", "v")[59]
    w, loop = before["hidden1.ff.w"], before["hidden1.rec.w"]
    assert np.abs(loop @ np.clip(v, 0, 2)).max() > 0.05
    np.testing.assert_allclose(v, w @ samples[0] + loop @ np.clip(v, 0, 2), rtol=0, atol=1e-6)


def test_recurrent_weights_come_back_from_a_file_of_weights() -> None:
    circuit, settings = circuit_of(rate(), True)
    stream = Stream(Interpreted(circuit), circuit, settings)
    saved = {name: values + 1.0 for name, values in stream.parameters().items()}
    stream.load(saved)
    for name, values in stream.parameters().items():
        np.testing.assert_array_equal(values, saved[name], err_msg=name)
