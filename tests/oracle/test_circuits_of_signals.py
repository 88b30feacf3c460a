"""Rules whose signal is local in time: circuits from their texts move synapses as the stepped machine does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_circuits_from_texts import LR, START, THRESHOLD, trains

pytest.importorskip("brian2")
from neurorules.brian2_continuous.checks import neuron_of, plan_of
from neurorules.brian2_continuous.parts.circuit import Circuit, Units, Wires
from neurorules.brian2_continuous.parts.interpreted import Interpreted
from neurorules.brian2_continuous.parts.layers import Net
from neurorules.brian2_continuous.parts.plan import samples_only
from neurorules.brian2_continuous.parts.step_texts import lower_steps
from neurorules.brian2_continuous.parts.stream import Stream
from neurorules.brian2_steps.case import Case, Learning, Online
from neurorules.brian2_steps.simulate import run_together
from neurorules.brian2_steps.surrogate_texts import psi_text
from neurorules.language.errors import UserError
from neurorules.language.rules import Rule
from neurorules.network.network import build_network
from neurorules.rules import RULES

STEPS = 60
IN_STEPS = [
    "eprop", "eprop:adaptation=0.2", "eprop:c_reg=0.5", "erbp", "superspike", "etlp:adaptation=0.2", "osttp",
    "osttp:resets=zero", "ostl", "ottt", "otpe", "s_tller", "reward_stdp", "stsf", "local_readout:errors=step", "tess",
]  # fmt: skip


def stepped(rule: Rule, spikes: np.ndarray, m: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, str]:
    """Weights (T, 2) and bias (T,) after each step, membranes (T,), and psi, of a neuron that forgets within a step."""
    network = build_network("1", (2,), 2, neuron=f"lif:beta=0:v_threshold={THRESHOLD}", norm="none")
    parameters = network.initial_parameters(torch.Generator().manual_seed(0), torch.float64)
    arrays = {name: value.numpy() for name, value in parameters.items()}
    arrays |= {"hidden1.ff.w": START, "hidden1.b": np.zeros(1)}
    learning = Learning(rule, m={"hidden1": m[:, None, None]}, online=Online(LR, record=True))
    [outcome] = run_together([Case(network, arrays, spikes[:, None], learning=learning)], len(spikes))
    weights, bias = (outcome.trajectories.get(f"hidden1.{name}") for name in ("ff.w", "b"))
    surrogate = network.layers[0].neuron.surrogate
    none = np.zeros(len(spikes))
    return (
        weights[:, 0], none if bias is None else bias[:, 0], outcome.layers["hidden1"].v[:, 0, 0],
        psi_text(surrogate, f"({{v}} - {THRESHOLD})"),
    )  # fmt: skip


def in_continuous_time(
    rule: Rule, spikes: np.ndarray, v: np.ndarray, m: np.ndarray, psi: str, dt_ms: float = 1.0
) -> tuple[np.ndarray, float]:
    """The weights (2,) and the bias after the same spikes, with a membrane and a third factor that are given."""
    each = round(1 / dt_ms)
    rows = len(spikes) * each
    x, membrane, phase = np.zeros((rows, 2)), np.zeros((rows, 1)), np.ones(rows)
    x[::each], membrane[::each, 0] = spikes, v
    texts = lower_steps(rule, f"{LR}*int(phase == 1)", psi)
    source = Units("input", 2, texts.inputs, "x_i > 0", ("S += 1",), acts=texts.input_acts, streams=("x",))
    given = ("v = membrane_i : 1", "m = m_i : 1", "b : 1", *texts.units)
    target = Units(
        "hidden1", 1, given, f"v > {THRESHOLD}", ("S += 1",), acts=texts.unit_acts, streams=("membrane", "m", "phase")
    )
    wires = Wires(
        "wires", "input", "hidden1", ("w : 1", *texts.wires), acts=texts.wire_acts, start={"w": START}, keeps=("w",)
    )
    tables = {"x": 2, "membrane": 1, "m": 1, "phase": 0}
    machine = Interpreted(Circuit((source, target), (wires,), tables, rows, dt_ms, dt_ms))
    shown = {"x": x, "membrane": membrane, "m": np.repeat(m, each)[:, None], "phase": phase}
    machine.run(machine.circuit.starts(), shown)
    return machine.read("wires.w"), float(machine.read("hidden1.b")[0])


@pytest.mark.parametrize("text", IN_STEPS)
def test_a_weight_and_a_bias_move_as_step_by_step(text: str) -> None:
    rule, spikes = RULES.make(text), trains(STEPS)
    m = np.random.default_rng(5).normal(size=STEPS)
    weights, bias, v, psi = stepped(rule, spikes, m)
    assert (v > THRESHOLD).sum() > 15 and np.abs(weights[-1] - START[0]).max() > 1e-5
    for steps in (STEPS // 2, STEPS):
        found, of_bias = in_continuous_time(rule, spikes[:steps], v[:steps], m[:steps], psi)
        np.testing.assert_allclose(found, weights[steps - 1], rtol=0, atol=1e-13)
        np.testing.assert_allclose(of_bias, bias[steps - 1], rtol=0, atol=1e-13)


def test_a_step_of_a_text_is_a_millisecond_whatever_the_step_of_the_integration() -> None:
    rule, spikes, m = RULES.make("eprop"), trains(30), np.random.default_rng(5).normal(size=30)
    _, _, v, psi = stepped(rule, spikes, m)
    found = [in_continuous_time(rule, spikes, v, m, psi, dt_ms)[0] for dt_ms in (1.0, 0.25)]
    np.testing.assert_allclose(*found, rtol=0, atol=1e-13)


CLASSES, PERIOD, LABELS = 3, 20, [2, 0, 1]


def running(text: str, strength: float = 4.0, lr_readout: float = 0.0) -> tuple[Circuit, Interpreted]:
    """A circuit of three presentations, whose read-out has weights and does not learn where nobody asks for it."""
    rule, neuron = RULES.make(text), neuron_of(f"lif:period_ms={PERIOD}:gain=5")
    plan = plan_of(rule)
    net = Net(4, (5,), CLASSES, neuron, len(LABELS))
    circuit = plan.make(net, rule, plan.numbers(0.1, lr_readout), np.random.default_rng(0))
    watch = {"hidden1": ("m", "a", "v_seen"), "readout": ("score",), "own1": ("score", "m")}
    units = tuple(replace(one, watch=watch.get(one.name, ())) for one in circuit.units)
    circuit = replace(circuit, units=units)
    stream = Stream(Interpreted(circuit), circuit, dict(circuit.settings))
    stream.values["readout_ff.w"] = np.random.default_rng(1).normal(size=5 * CLASSES)
    shown = np.random.default_rng(2).normal(size=(len(LABELS), 4)) * strength
    list(stream.learn(samples_only(np.array(LABELS), CLASSES), lambda k: shown[k], np.ones(len(LABELS))))
    machine = stream.machine
    assert isinstance(machine, Interpreted)
    return circuit, machine


def softmax(score: np.ndarray) -> np.ndarray:
    return np.exp(score) / np.exp(score).sum(-1, keepdims=True)


@pytest.mark.parametrize("text", ["eprop", "eprop:feedback=symmetric", "erbp", "ottt"])
def test_the_error_of_each_millisecond_reaches_hidden_units(text: str) -> None:
    circuit, machine = running(text)
    steps = PERIOD * len(LABELS)
    m, a, score = (machine.watched(*one)[:steps] for one in (("hidden1", "m"), ("hidden1", "a"), ("readout", "score")))
    read = np.random.default_rng(1).normal(size=5 * CLASSES).reshape(5, CLASSES)
    np.testing.assert_allclose(score, a @ read, rtol=1e-12, atol=1e-14)
    error = softmax(score) - np.eye(CLASSES)[np.repeat(LABELS, PERIOD)]
    wires = {one.name: one for one in circuit.wires}
    feedback = wires["feedback1"].start["w"].T if "feedback1" in wires else read.T
    np.testing.assert_allclose(m, error @ feedback / PERIOD, rtol=1e-12, atol=1e-14)
    # A unit spikes where the membrane that texts read, that before the reset, is above the threshold.
    before = np.concatenate([np.zeros((1, 5)), a[:-1]]) * np.exp(-1 / 12)
    np.testing.assert_array_equal(machine.watched("hidden1", "v_seen")[:steps] > 1, a - before > 0.5)
    assert np.abs(a).max() > 0.1


def test_a_label_reaches_hidden_units_while_it_is_shown() -> None:
    circuit, machine = running("etlp")
    feedback = next(one.start["w"] for one in circuit.wires if one.name == "feedback1")
    expected = -np.asarray(feedback).T[np.repeat(LABELS, PERIOD)] / PERIOD
    np.testing.assert_allclose(machine.watched("hidden1", "m")[: len(expected)], expected, rtol=1e-12)


def test_a_reward_of_each_millisecond_is_told_less_what_the_class_earns() -> None:
    """A step earns 1 where the largest score is the class's, and else -1; the first sample of a class, no baseline."""
    _, machine = running("reward_stdp", 30.0)
    steps = PERIOD * len(LABELS)
    m, score = machine.watched("hidden1", "m")[:steps], machine.watched("readout", "score")[:steps]
    right = score[np.arange(steps), np.repeat(LABELS, PERIOD)] >= score.max(1)
    d, expected = 0.0, []
    for reward in np.where(right, 1.0, -1.0):
        d = np.exp(-1 / 200) * d + reward / PERIOD
        expected.append(-d)
    np.testing.assert_allclose(m, np.tile(np.array(expected)[:, None], 5), rtol=1e-12)
    assert 0 < right.mean() < 1
    earned = [right[k * PERIOD : (k + 1) * PERIOD].mean() * 2 - 1 for k in range(3)]
    np.testing.assert_allclose(machine.read("readout.earns")[LABELS], np.array(earned) / 17, rtol=1e-12)


def test_dfa_is_told_the_error_of_a_presentation_where_it_ends() -> None:
    rule, neuron = RULES.make("dfa"), neuron_of("rate")
    plan = plan_of(rule)
    circuit = plan.make(Net(4, (5, 6), CLASSES, neuron, 1), rule, plan.numbers(0.1, 0.02), np.random.default_rng(0))
    stream = Stream(Interpreted(circuit), circuit, dict(circuit.settings))
    x = np.random.default_rng(2).normal(size=(1, 4))
    before = stream.parameters()
    list(stream.learn(samples_only(np.array([1]), CLASSES), lambda k: x[k], np.ones(1)))
    after = stream.parameters()
    error = np.full(CLASSES, 1 / CLASSES) - np.eye(CLASSES)[1]  # a fresh read-out has no weights
    v = (before["hidden1.ff.w"] @ x[0]) * (1 - np.exp(-10 / 2))  # after 10 ms of a constant current, tau 2 ms
    change = -0.1 * (before["feedback1.w"] @ error) * ((v > 0) & (v < 2))
    np.testing.assert_allclose(after["hidden1.b"], change, rtol=1e-9)
    np.testing.assert_allclose(after["hidden1.ff.w"] - before["hidden1.ff.w"], np.outer(change, x[0]), rtol=1e-9)
    assert np.count_nonzero(change) and np.abs(after["hidden2.b"]).max() > 0


@pytest.mark.parametrize("text", ["stsf", "local_readout:errors=step", "tess"])
def test_the_error_of_a_layers_own_readout_reaches_its_units_at_each_millisecond(text: str) -> None:
    circuit, machine = running(text, lr_readout=2.0)
    steps = PERIOD * len(LABELS)
    names = (("hidden1", "m"), ("hidden1", "a"), ("own1", "score"), ("own1", "m"))
    m, a, score, error = (machine.watched(*one)[:steps] for one in names)
    wires = {one.name: one for one in circuit.wires}
    y = np.eye(CLASSES)[np.repeat(LABELS, PERIOD)]
    np.testing.assert_allclose(error.sum(1), 0, atol=1e-12)
    assert np.abs(a).max() > 0.1 and np.abs(m).max() > 1e-3
    if text == "tess":
        rows = np.sign(np.sin(np.linspace(50, 512, CLASSES)[:, None] * np.arange(1, 6))) / 5
        np.testing.assert_allclose(score, a @ rows.T, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(error, softmax(score / 0.03) - y, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(m, error @ rows / PERIOD / 0.03, rtol=1e-9, atol=1e-12)
        return
    w, b, rate = np.zeros((CLASSES, 5)), np.zeros(CLASSES), circuit.settings["lr_readout"] / PERIOD
    sparse = np.asarray(wires["own1_back"].start["w"]).T if text == "stsf" else None
    if sparse is not None:
        assert (np.count_nonzero(sparse, axis=0) == 1).all() and np.abs(sparse).max() <= (CLASSES / 5) ** 0.5
    for step in range(steps):  # the wires begin at 0, and learn from the error of each step
        np.testing.assert_allclose(score[step], w @ a[step], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(error[step], softmax(score[step] + b) - y[step], rtol=1e-9, atol=1e-12)
        back = w if sparse is None else sparse
        np.testing.assert_allclose(m[step], error[step] @ back / PERIOD, rtol=1e-9, atol=1e-12)
        w, b = w - rate * np.outer(error[step], a[step]), b - rate * error[step]
    assert np.abs(w).max() > 1e-3


@pytest.mark.parametrize("readouts", ["fixed", "learned"])
def test_a_layers_own_readout_learns_and_teaches_where_a_presentation_ends(readouts: str) -> None:
    rule, neuron = RULES.make(f"local_readout:readouts={readouts}"), neuron_of("rate")
    plan = plan_of(rule)
    circuit = plan.make(Net(4, (5,), CLASSES, neuron, 1), rule, plan.numbers(0.1, 0.02), np.random.default_rng(0))
    stream = Stream(Interpreted(circuit), circuit, dict(circuit.settings))
    x = np.random.default_rng(2).normal(size=(1, 4))
    before = stream.parameters()
    list(stream.learn(samples_only(np.array([1]), CLASSES), lambda k: x[k], np.ones(1)))
    after = stream.parameters()
    v = (before["hidden1.ff.w"] @ x[0]) * (1 - np.exp(-10 / 2))
    a, g = np.clip(v, 0, 2), before["own1.ff.w"]
    error = softmax(g @ a) - np.eye(CLASSES)[1]
    change = -0.1 * (g.T @ error) * ((v > 0) & (v < 2))
    np.testing.assert_allclose(after["hidden1.b"], change, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(
        after["own1.ff.w"] - g, -0.02 * np.outer(error, a) * (readouts == "learned"), rtol=1e-9, atol=1e-15
    )
    assert (np.count_nonzero(change) > 0) == (readouts == "fixed") and np.abs(a).max() > 0


def loss_of_direction(text: str, a: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """What a layer's activity of label 1 loses against rows of class waves, or of class vectors."""
    direction = a - a.mean() if text.startswith("spela") and "centred=false" not in text else a
    cosines = rows @ (direction / direction.norm())
    if text.startswith("lls"):
        return torch.nn.functional.cross_entropy(cosines / 0.5, torch.tensor(1))
    return -cosines[1] if "cosine" in text else torch.log(2 - cosines[1])


@pytest.mark.parametrize("text", ["lls:tau=0.5", "spela", "spela:loss=cosine:centred=false:predict=vectors"])
def test_a_layers_direction_turns_to_that_of_its_class_where_a_presentation_ends(text: str) -> None:
    """Weights move along the gradient by the activity, which autograd finds through the length of the whole layer."""
    rule, neuron = RULES.make(text), neuron_of("rate")
    plan, x = plan_of(rule), np.random.default_rng(2).normal(size=(1, 4))
    circuit = plan.make(Net(4, (5, 6), CLASSES, neuron, 1), rule, plan.numbers(0.1, 0.02), np.random.default_rng(0))
    stream = Stream(Interpreted(circuit), circuit, dict(circuit.settings))
    before = stream.parameters()
    [scores] = list(stream.learn(samples_only(np.array([1]), CLASSES), lambda k: x[k], np.ones(1)))
    after = stream.parameters()
    v = torch.tensor((before["hidden1.ff.w"] @ x[0]) * (1 - np.exp(-10 / 2)))
    a = v.clip(0, 2).requires_grad_()
    loss_of_direction(text, a, torch.tensor(before["own1.ff.w"])).backward()
    change = -0.1 * (a.grad * ((v > 0) & (v < 2))).numpy()
    np.testing.assert_allclose(after["hidden1.b"], change, rtol=1e-9)
    np.testing.assert_allclose(after["hidden1.ff.w"] - before["hidden1.ff.w"], np.outer(change, x[0]), rtol=1e-9)
    assert np.count_nonzero(change) > 1 and np.abs(after["hidden2.b"]).max() > 0
    np.testing.assert_array_equal(after["own1.ff.w"], before["own1.ff.w"])
    assert bool(scores.any()) == ("vectors" in text)  # a fresh read-out scores nothing


REFUSED = {
    "fa": "'fa' goes back through all steps of a sample, from the last to the first, and so it cannot be causal",
    "eprop:feedback=adaptive": "no form there with feedback=adaptive",
    "urbanczik_senn": "its texts are written for membranes without a reset",
    "espp": "its signal 'echo'",
    "bdsp": "its signal 'bursts'",
    "lls:gains=class": "has no form there with gains=class, which learn",
    "lls:presynaptic=eligibility": "reads dv_dw",
    "forward_forward": "shows each sample twice",
    "traces_propagation": "beside the sample",
}


def test_a_signal_that_is_not_local_in_time_is_refused_with_the_reason() -> None:
    for text, said in REFUSED.items():
        with pytest.raises(UserError, match=said):
            plan_of(RULES.make(text))


@pytest.mark.parametrize(
    ("text", "net", "neuron", "said"),
    [
        ("ottt", (5, 4), "lif", "Use a net of one hidden layer"),
        ("eprop", (5,), "rate", "learns from spikes, and these neurons do not spike. Use --neuron lif"),
        (
            "eprop",
            (5,),
            "lif:dt_ms=0.4:period_ms=40",
            "which dt_ms=0.4 does not divide. Use a dt_ms that divides it, such as 0.25",
        ),
        ("reward_stdp:baseline=all", (5,), "lif", "baseline=class or baseline=none"),
    ],
)
def test_a_net_that_a_signal_cannot_reach_is_refused(text: str, net: tuple[int, ...], neuron: str, said: str) -> None:
    plan = plan_of(RULES.make(text))
    with pytest.raises(UserError, match=said):
        plan.make(Net(4, net, 3, neuron_of(neuron), 1), RULES.make(text), plan.numbers(), np.random.default_rng(0))
