"""Circuits in continuous time, against a loop written by hand, against each other's machines, against torch's rings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from neurorules.brian2_continuous.circuits import CIRCUITS
from neurorules.brian2_continuous.circuits.bsp import bsp
from neurorules.brian2_continuous.parts.circuit import Circuit
from neurorules.brian2_continuous.parts.interpreted import Interpreted
from neurorules.brian2_continuous.parts.layers import INPUT_PHASE, TEACHING_PHASE, Net
from neurorules.brian2_continuous.parts.machine import Machine
from neurorules.brian2_continuous.parts.neurons import lif, rate
from neurorules.brian2_continuous.parts.plan import Order, Plan
from neurorules.brian2_continuous.parts.standalone import compile_circuit
from neurorules.brian2_continuous.parts.stream import Stream
from neurorules.brian2_steps.program import find_cpp_compiler
from neurorules.native.rings.reference import back, run
from neurorules.native.rings.system import NODE_TAPS, Mode, RingSystem
from neurorules.rules import RULES

INPUTS, HIDDEN, CLASSES, PRESENTATIONS = 6, (5, 4), 3, 12
CLOSE = {"rtol": 0, "atol": 1e-9}
needs_compiler = pytest.mark.skipif(find_cpp_compiler() is None, reason="no C++ compiler")


def plan_of(rule: str) -> Plan:
    plan = CIRCUITS.make(rule.partition(":")[0])
    assert isinstance(plan, Plan)
    return plan.of(RULES.make(rule))


def circuit_of(rule: str, neuron: object = None) -> tuple[Circuit, dict[str, float]]:
    plan = plan_of(rule)
    net = Net(INPUTS, HIDDEN, CLASSES, neuron or rate(gain=1.0), PRESENTATIONS)  # type: ignore[arg-type]
    settings = {**plan.settings, "lr_hidden": 0.1, "lr_readout": 0.2}
    return plan.make(net, RULES.make(rule), settings, np.random.default_rng(0)), settings


def shown(samples: int) -> tuple[Order, np.ndarray]:
    """Two presentations of classes among those of samples, and the samples."""
    random = np.random.default_rng(1)
    phases = np.full(PRESENTATIONS, INPUT_PHASE)
    phases[[0, 1, 2, 7]] = TEACHING_PHASE
    labels = random.integers(0, CLASSES, PRESENTATIONS)
    labels[:3] = np.arange(CLASSES)
    number = np.where(phases == INPUT_PHASE, np.cumsum(phases == INPUT_PHASE) - 1, -1)
    return Order(number, labels, phases), random.normal(size=(samples, INPUTS))


def learn(
    machine: Machine, circuit: Circuit, settings: dict[str, float], order: Order, samples: np.ndarray
) -> tuple[Stream, np.ndarray]:
    stream = Stream(machine, circuit, settings)
    eta = np.linspace(1, 0.5, PRESENTATIONS)
    (scores,) = list(stream.learn(order, lambda positions: samples[positions], eta))
    return stream, scores


class ByHand:
    """Sigprop's rate units in a loop: exact decay towards each step's current, learning between presentations."""

    def __init__(self, circuit: Circuit, settings: dict[str, float]) -> None:
        start = {w.name: np.array(w.start["w"]) for w in circuit.wires if "w" in w.start}
        self.w = [start["hidden1_ff"].copy(), start["hidden2_ff"].copy()]
        self.out, self.embedding = start["readout_ff"].copy(), start.get("embedding")
        self.out_b, self.sent = np.zeros(CLASSES), np.zeros(CLASSES)
        self.b, self.v, self.mean = ([np.zeros(n) for n in HIDDEN] for _ in range(3))
        self.memory = [np.zeros((CLASSES, n)) for n in HIDDEN]
        self.settings, self.scores = settings, []

    def present(self, x: np.ndarray, aside: np.ndarray) -> list[np.ndarray]:
        for _ in range(10):
            a = [np.clip(one, 0, 2) for one in self.v]
            for layer, current in enumerate((self.w[0] @ x + aside + self.b[0], self.w[1] @ a[0] + self.b[1])):
                self.v[layer] = current + (self.v[layer] - current) * np.exp(-1.0 / 2.0)
        return [np.clip(one, 0, 2) for one in self.v]

    def hear(self, a: np.ndarray, y: int) -> np.ndarray:
        """The read-out's error."""
        score = self.out @ a + self.out_b
        self.scores.append(score)
        return np.exp(score) / np.exp(score).sum() - np.eye(CLASSES)[y]

    def change(self, layer: int, m: np.ndarray, below: np.ndarray, eta: float) -> None:
        d = eta * self.settings["lr_hidden"] * m * (self.v[layer] > 0) * (self.v[layer] < 2)
        self.w[layer] -= np.outer(d, below)
        self.b[layer] -= d

    def learn_readout(self, p: np.ndarray, a: np.ndarray, eta: float) -> None:
        self.out -= eta * self.settings["lr_readout"] * np.outer(p, a)
        self.out_b -= eta * self.settings["lr_readout"] * p

    def compared(self, form: str, layer: int, a: np.ndarray, y: int) -> np.ndarray:
        """m of a layer that remembers targets."""
        theirs, ours = self.memory[layer] - self.memory[layer].mean(0), a - self.mean[layer]
        if "l2" in form:
            return a - self.memory[layer][y] if "centred=false" in form else ours - theirs[y]
        lengths, length = np.sqrt((theirs**2).sum(1) + 1e-12), np.sqrt((ours**2).sum() + 1e-12)
        cosine = theirs @ ours / np.sqrt((theirs**2).sum(1) * (ours**2).sum() + 1e-12)
        q = np.exp((cosine - 1) / self.settings["temperature"])
        blame = q / q.sum() - np.eye(CLASSES)[y]
        return (blame / lengths) @ theirs - (blame @ cosine) * ours / length

    def found(self) -> dict[str, np.ndarray]:
        found = {"hidden1.ff.w": self.w[0], "hidden2.ff.w": self.w[1], "readout.ff.w": self.out}
        return found | {"hidden1.b": self.b[0], "hidden2.b": self.b[1], "readout.b": self.out_b}


def by_hand(
    form: str, circuit: Circuit, settings: dict[str, float], order: Order, samples: np.ndarray
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """All presentations in order: changed parameters, and scores of the samples."""
    net, error = ByHand(circuit, settings), np.zeros(CLASSES)
    contrasts, loops = "contrastive" in form, "target_loop" in form
    for k, eta in enumerate(np.linspace(1, 0.5, PRESENTATIONS)):
        told, y = order.phases[k] == TEACHING_PHASE, order.labels[k]
        x = samples[order.samples[k]] if order.samples[k] >= 0 else np.zeros(INPUTS)
        entering = np.eye(CLASSES)[y]
        if loops:
            entering = -error * settings["push"] if contrasts else -error / np.sqrt((error**2).sum() + 1e-12)
        a = net.present(x, net.embedding @ entering if told else np.zeros(HIDDEN[0]))
        error = net.hear(a[1], y)
        if not told:
            net.learn_readout(error, a[1], eta)
        for layer, below in enumerate((x, a[0])):
            if contrasts:
                net.change(layer, -a[layer] if told else a[layer], below, eta)
            elif not told:
                net.change(layer, net.compared(form, layer, a[layer], y), below, eta)
                net.mean[layer] += 0.01 * (a[layer] - net.mean[layer])
            else:
                net.memory[layer][y] += settings["renewal"] * (a[layer] - net.memory[layer][y])
    return net.found(), np.array(net.scores)[order.phases == INPUT_PHASE]


FORMS = [
    "sigprop",
    "sigprop:loss=l2",
    "sigprop:loss=l2:centred=false",
    "sigprop:generator=target_loop",
    "sigprop:loss=l2:generator=target_loop",
    "sigprop:loss=contrastive_hebbian:generator=target_loop",
]


@pytest.mark.parametrize("form", FORMS)
def test_sigprop_learns_what_a_loop_written_by_hand_learns(form: str) -> None:
    circuit, settings = circuit_of(form)
    order, samples = shown(PRESENTATIONS)
    if "target_loop" in form:
        order = plan_of(form).order(order.labels[: PRESENTATIONS // 2], CLASSES)
    stream, scores = learn(Interpreted(circuit), circuit, settings, order, samples)
    expected, expected_scores = by_hand(form, circuit, settings, order, samples)
    found = stream.parameters()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, err_msg=name, **CLOSE)
        assert np.abs(values - np.asarray(circuit.starts().get(name, 0.0)).mean()).max() > 1e-4
    np.testing.assert_allclose(scores, expected_scores, **CLOSE)


def test_pepita_learns_from_the_sample_alone_in_both_of_its_presentations() -> None:
    circuit, settings = circuit_of("pepita:form=contrastive")
    labels, samples = shown(PRESENTATIONS)[0].labels[: PRESENTATIONS // 2], shown(PRESENTATIONS)[1]
    order = plan_of("pepita").order(labels, CLASSES)
    stream, scores = learn(Interpreted(circuit), circuit, settings, order, samples)
    net, error = ByHand(circuit, settings), np.zeros(CLASSES)
    projection = next(np.array(w.start["w"]) for w in circuit.wires if w.name == "projection")
    for k, eta in enumerate(np.linspace(1, 0.5, PRESENTATIONS)):
        told, x = order.phases[k] == TEACHING_PHASE, samples[order.samples[k]]
        a = net.present(x + told * settings["kappa"] * projection @ error, np.zeros(HIDDEN[0]))
        error = net.hear(a[1], order.labels[k])
        if not told:
            net.learn_readout(error, a[1], eta)
        for layer, below in enumerate((x, a[0])):
            net.w[layer] += (1 if told else -1) * eta * settings["lr_hidden"] * np.outer(a[layer], below)
    for name, values in net.found().items():
        np.testing.assert_allclose(stream.parameters()[name], values, err_msg=name, **CLOSE)
    np.testing.assert_allclose(scores, np.array(net.scores)[order.phases == INPUT_PHASE], **CLOSE)


@needs_compiler
@pytest.mark.parametrize("neuron", [rate(gain=1.0), lif(gain=6.0)], ids=["rate", "lif"])
def test_compiled_and_interpreted_circuits_learn_and_record_the_same_without_compiling_again(neuron: object) -> None:
    circuit, settings = circuit_of("sigprop", neuron)
    watch = ("v", "V_m", "I_m")
    units = tuple(replace(u, watch=watch) if u.name == "hidden1" else u for u in circuit.units)
    circuit = replace(circuit, units=units)
    compiled = compile_circuit(circuit)
    before = (compiled.program.folder / "main").stat().st_mtime_ns
    for changed in (settings, {**settings, "lr_hidden": 0.03, "temperature": 0.3}):
        here, scores = learn(compiled, circuit, changed, *shown(PRESENTATIONS))
        there, expected = learn(Interpreted(circuit), circuit, changed, *shown(PRESENTATIONS))
        for name, values in there.parameters().items():
            np.testing.assert_allclose(here.parameters()[name], values, err_msg=name, **CLOSE)
        np.testing.assert_allclose(scores, expected, **CLOSE)
        for name in watch:
            watched = there.machine.watched("hidden1", name)
            np.testing.assert_allclose(compiled.watched("hidden1", name), watched, 0, 1e-9 * np.abs(watched).max())
        np.testing.assert_allclose(compiled.watched("hidden1", "V_m"), compiled.watched("hidden1", "v") * 0.02, **CLOSE)
        spiking = neuron.threshold is not None  # type: ignore[attr-defined]
        assert not spiking or compiled.read("hidden1.spikes").sum() > 0
    assert compile_circuit(circuit).program.folder == compiled.program.folder
    assert (compiled.program.folder / "main").stat().st_mtime_ns == before


def test_texts_decide_what_is_compiled_and_numbers_do_not() -> None:
    circuit, _ = circuit_of("sigprop")
    other = replace(circuit, settings={**circuit.settings, "lr_hidden": 7.0})
    assert other.model_hash() == circuit.model_hash()
    assert circuit_of("sigprop", rate(tau_ms=3.0))[0].model_hash() != circuit.model_hash()
    assert circuit_of("sigprop:loss=l2")[0].model_hash() != circuit.model_hash()


@pytest.mark.parametrize("mode", ["final", "fixed"])
def test_bsp_changes_weights_as_the_rings_of_the_torch_path_do(mode: str) -> None:
    rule, fine = f"bsp:mode={mode}", RingSystem(steps=96, h=1.8 / 96)
    net = Net(INPUTS, (5,), CLASSES, rate(), 1)
    settings = {"lr_hidden": 0.1, "lr_readout": 0.2}
    circuit = bsp(net, RULES.make(rule), settings, np.random.default_rng(0), fine)
    stream = Stream(Interpreted(circuit), circuit, settings)
    before = stream.parameters()
    x, label = np.random.default_rng(2).normal(size=INPUTS), 1
    order = Order(np.zeros(1, dtype=int), np.array([label]), np.array([INPUT_PHASE]))
    list(stream.learn(order, lambda positions: x[None], np.ones(1)))
    after = stream.parameters()
    expected = _ring_gradients(before, x, label, Mode[mode.upper()], fine)
    for name, gradient in expected.items():
        rate_ = settings["lr_readout" if name.startswith("readout") else "lr_hidden"]
        change = (before[name] - after[name]) / rate_
        cosine = (change * gradient).sum() / np.linalg.norm(change) / np.linalg.norm(gradient)
        # Two integrators of second order, Heun's and the midpoint rule: alike where steps are short.
        assert cosine > 0.99999, (name, cosine)
        assert np.linalg.norm(change) == pytest.approx(np.linalg.norm(gradient), rel=1e-3), name


def _ring_gradients(
    weights: dict[str, np.ndarray], x: np.ndarray, label: int, mode: Mode, system: RingSystem
) -> dict[str, np.ndarray]:
    w, v = (torch.from_numpy(weights[name]) for name in ("hidden1.ff.w", "readout.ff.w"))
    below, currents, last = torch.from_numpy(x), [], []
    signals = [below]
    for matrix in (w, v):
        current = matrix @ signals[-1]
        rest = torch.ones(5, len(current), dtype=torch.float64)
        state, _ = run(system, _saturated(system, current), rest)
        currents.append(current)
        last.append(state)
        signals.append(state[1] - 1)
    target = torch.full((CLASSES,), -0.2, dtype=torch.float64)
    target[label] = 0.6
    error, found = signals[-1] - target, {}
    for name, matrix, current, state, signal in reversed(
        list(zip(("hidden1", "readout"), (w, v), currents, last, signals, strict=False))
    ):
        rest = torch.ones_like(state)
        arrived, _ = back(system, NODE_TAPS, mode, error, _saturated(system, current), rest, state)
        m = arrived * (1 - (_saturated(system, current) / system.saturation) ** 2)
        found[f"{name}.ff.w"], found[f"{name}.b"] = torch.outer(m, signal).numpy(), m.numpy()
        error = matrix.T @ m
    return found


def _saturated(system: RingSystem, current: torch.Tensor) -> torch.Tensor:
    return system.saturation * torch.tanh(current / system.saturation)


def test_a_circuit_shows_its_rules_own_text() -> None:
    circuit, _ = circuit_of("drtp", lif())
    text = circuit.show()
    change = "(-(m_post*(1.0/(1.0 + 4.0*abs(u_post - 1.0))**2))*a_pre)"
    assert f"w += lr_hidden*done_eta*int(done_phase == {INPUT_PHASE})*{change}" in text.replace(" * ", "*")
    assert "dv/dt = (I_const + I_in + I_aside + b - v)/(10.0*ms) : 1" in text
