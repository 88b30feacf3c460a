"""EventProp on steps against an exact simulator of the same net in continuous time, and that simulator against itself.

The simulator runs from event to event; its adjoint is written as published and holds against central differences. The
net on steps of dt is its own neurons `cuba_lif` with the decays exp(-dt/tau) and the weights that one spike brings in a
step. Its gradient comes nearer to the exact one as dt gets shorter, with an error of the order of dt.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from events_by_hand import Arriving, EventNet, Weights, last_membrane, mean_membrane, mean_of_currents

from neurorules import Learner, Series
from neurorules.language.errors import UserError
from neurorules.network.initial import initialise
from neurorules.network.model import build_model
from neurorules.network.network import build_network
from neurorules.neurons import NEURONS as NEURONS_OF
from neurorules.rules import RULES
from neurorules.torch_path.trial.learn import TrialResult, learn_trial
from neurorules.torch_path.update.spike_times import earlier, timed_gates

TAU_M, TAU_S, TAU_OUT, DURATION = 10.0, 4.0, 8.0, 20.0
INPUTS, NEURONS, CLASSES, SAMPLES = 3, 4, 3, 2
COARSEST, HALVINGS = 1 / 16, 5
NETS = {"4-4": False, "r4": True, "r4-r4": True}
"""Hidden layers, and whether their neurons read each other."""
RESPONSES = {
    "mean": mean_membrane(TAU_OUT, DURATION),
    "last": last_membrane(TAU_OUT, DURATION),
    "currents": mean_of_currents(TAU_M, TAU_S, DURATION),
}


class Case(NamedTuple):
    """A net, what arrives in each sample, and their labels."""

    net: EventNet
    layers: str
    arriving: list[Arriving]
    labels: list[int]


def drawn(layers: str, seed: int, response: str = "mean", grid: float = COARSEST) -> Case:
    """A net of random weights. Inputs spike at multiples of `grid`, and so on the steps of all that divide it."""
    random, count = np.random.default_rng(seed), layers.count("4")
    size = NEURONS * count
    inputs, among, readout = np.zeros((size, INPUTS)), np.zeros((size, size)), np.zeros((CLASSES, size))
    inputs[:NEURONS] = random.normal(2.0, 1.5, (NEURONS, INPUTS))
    for layer in range(count):
        own = slice(layer * NEURONS, (layer + 1) * NEURONS)
        if layer:
            among[own, (layer - 1) * NEURONS : layer * NEURONS] = random.normal(1.2, 1.0, (NEURONS, NEURONS))
        if NETS[layers]:
            among[own, own] = random.normal(0.0, 0.4, (NEURONS, NEURONS))
    readout[:, -NEURONS:] = random.normal(0.0, 1.0, (CLASSES, NEURONS))
    places = [random.choice(int(0.7 * DURATION / grid), (INPUTS, 3), replace=False) for _ in range(SAMPLES)]
    arriving = [[(grid * int(t), k) for k in range(INPUTS) for t in place[k]] for place in places]
    net = EventNet(inputs, among, readout, TAU_M, TAU_S, 1.0, DURATION, RESPONSES[response])
    return Case(net, layers, arriving, [int(x) for x in random.integers(0, CLASSES, SAMPLES)])


def kernel(dt: float) -> float:
    """The membrane a step after a current of 1 began to decay; a spike of weight w brings w times that to cuba_lif."""
    m, s = math.exp(-dt / TAU_M), math.exp(-dt / TAU_S)
    return TAU_S / (TAU_M - TAU_S) * (m - s)


def on_steps(case: Case, dt: float, response: str, reset: str, rule: str = "eventprop") -> TrialResult:
    """One trial of the same net on steps of dt."""
    alpha, beta, steps = math.exp(-dt / TAU_S), math.exp(-dt / TAU_M), round(DURATION / dt)
    cell = f"cuba_lif:alpha={alpha!r}:beta={beta!r}"
    readout = f"{cell}:reset=none:v_threshold=1000000" if response == "currents" else (
        f"leaky_readout:beta={math.exp(-dt / TAU_OUT)!r}"
    )  # fmt: skip
    network = build_network(
        case.layers, (INPUTS,), CLASSES, neuron=f"{cell}:reset={reset}", readout_neuron=readout, norm="none"
    )
    model = build_model(network, RULES.make(rule), last_steps=1 if response == "last" else None)
    learned = initialise(model, 0, torch.device("cpu"), torch.float64)
    for name, value in learned.parameters.items():
        value.copy_(torch.from_numpy(part(case.net, name) * scale(name, dt, response)))
    drive = torch.zeros(steps, SAMPLES, INPUTS, dtype=torch.float64)
    for sample, spikes in enumerate(case.arriving):
        for time, source in spikes:
            drive[round(time / dt), sample, source] += 1
    with torch.no_grad():
        return learn_trial(model, learned, Series(drive, False), steps, torch.tensor(case.labels), torch.Generator())


def scale(name: str, dt: float, response: str) -> float:
    return kernel(dt) if name.startswith("hidden") or response == "currents" else 1.0


def part(net: EventNet, name: str) -> np.ndarray:
    """The weights of a parameter of the net on steps."""
    return part_of((net.inputs, net.among, net.readout), name)


def part_of(weights: Weights, name: str) -> np.ndarray:
    """The block of a parameter; zeros for a bias, which the simulator has not."""
    layer, *_, kind = name.split(".")
    inputs, among, readout = weights
    if kind == "b":
        return np.zeros(CLASSES if layer == "readout" else NEURONS)
    if layer == "readout":
        return readout[:, -NEURONS:]
    first = int(layer[-1]) * NEURONS - NEURONS
    if ".rec." in name:
        return among[first : first + NEURONS, first : first + NEURONS]
    return inputs[:NEURONS] if first == 0 else among[first : first + NEURONS, first - NEURONS : first]


def gradients(case: Case, dt: float, response: str, reset: str, rule: str) -> tuple[np.ndarray, np.ndarray, bool]:
    """The exact gradient by all weights of the net, averaged over samples, and that on steps of dt.

    The last result says whether each neuron spikes as often on steps as in continuous time, in each sample.
    """
    each = [case.net.gradients(a, label) for a, label in zip(case.arriving, case.labels, strict=True)]
    exact: Weights = tuple(np.mean(parts, axis=0) for parts in zip(*each, strict=True))  # type: ignore[assignment]
    result = on_steps(case, dt, response, reset, rule)
    names = [name for name in result.gradients if not name.endswith(".b")]
    wanted = np.concatenate([part_of(exact, n).ravel() for n in names])
    found = np.concatenate([(result.gradients[n].numpy() * scale(n, dt, response)).ravel() for n in names])
    counts = torch.cat([a.S.values.sum(0) for a in result.activity[:-1]], 1).numpy()
    events = [case.net.run(a) for a in case.arriving]
    times = [np.bincount([s.neuron for s in run if s.neuron >= 0], minlength=counts.shape[1]) for run in events]
    return wanted, found, bool((counts == times).all())


def error(
    layers: str, seed: int, dt: float, response: str = "mean", reset: str = "subtract", rule: str = "eventprop"
) -> float:
    """The distance of the gradient on steps from the exact one, over the length of that."""
    wanted, found, same_spikes = gradients(drawn(layers, seed, response), dt, response, reset, rule)
    assert same_spikes, "a spike came or went"
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))


@pytest.mark.parametrize(
    ("layers", "response"), [("4-4", "mean"), ("r4-r4", "mean"), ("r4", "last"), ("r4", "currents")]
)
def test_the_published_adjoint_is_the_derivative_of_the_exact_simulators_loss(layers: str, response: str) -> None:
    case = drawn(layers, 0, response)
    adjoint = case.net.gradients(case.arriving[0], case.labels[0])
    differences = case.net.differences(case.arriving[0], case.labels[0], 1e-6)
    for by, wanted in zip(adjoint, differences, strict=True):
        there = wanted != 0
        assert there.any() and np.linalg.norm((by - wanted)[there]) < 1e-6 * np.linalg.norm(wanted)


@pytest.mark.parametrize(
    ("layers", "response", "reset"),
    [("4-4", "mean", "subtract"), ("r4", "mean", "zero"), ("r4-r4", "mean", "subtract"), ("4-4", "last", "subtract"),
     ("r4", "currents", "subtract")],
)  # fmt: skip
def test_the_gradient_on_steps_converges_to_the_exact_one(layers: str, response: str, reset: str) -> None:
    sizes = COARSEST / 2.0 ** np.arange(1, HALVINGS + 1)
    errors = np.array([[error(layers, seed, dt, response, reset) for dt in sizes] for seed in (0, 3)])
    assert errors[:, -1].max() < 2e-3
    order = np.polyfit(np.log(sizes), np.log(errors).mean(0), 1)[0]
    assert 0.7 < order < 1.4  # spike times round to steps, which makes the error of a single size jump about


def test_surrogates_do_not_converge_to_it() -> None:
    coarse, fine = (error("4-4", 0, dt, rule="bptt") for dt in (COARSEST / 2, COARSEST / 8))
    assert coarse > 10 and fine > 10 * coarse  # more steps near the threshold, more of the surrogate


CELL = "cuba_lif:alpha=0.7:beta=0.9"


def short(net: str = "4-4", **settings: Any) -> Learner:
    """A learner with samples of a few steps, whose weights let neurons of both layers spike."""
    defaults = {"steps": 12, "device": "cpu", "precision": "float64", "neuron": CELL, "norm": "none"}
    learner = Learner(net, "eventprop", input_shape=(INPUTS,), classes=CLASSES, **{**defaults, **settings})
    for layer in ("hidden1", "hidden2"):
        learner.learned.parameters[f"{layer}.ff.w"].abs_().mul_(0.5).add_(0.1)
    return learner


def trial(learner: Learner, drive: torch.Tensor, labels: torch.Tensor) -> TrialResult:
    with torch.no_grad():
        return learn_trial(
            learner.model, learner.learned, Series(drive, False), len(drive), labels, torch.Generator().manual_seed(0)
        )


def spiking_input(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    drive = (torch.rand(12, 5, INPUTS, generator=generator, dtype=torch.float64) < 0.5).double()
    return drive, torch.randint(0, CLASSES, (5,), generator=generator)


def test_a_bias_learns_as_the_weight_of_an_input_that_spikes_in_every_step() -> None:
    learner, (drive, labels) = short(), spiking_input()
    drive[..., -1] = 1
    gradients = trial(learner, drive, labels).gradients
    assert gradients["hidden1.b"].abs().max() > 0
    torch.testing.assert_close(gradients["hidden1.b"], gradients["hidden1.ff.w"][:, -1])


def test_a_neuron_that_never_spikes_gets_no_gradient_and_passes_none_down() -> None:
    learner, (drive, labels) = short(), spiking_input()
    learner.learned.parameters["hidden2.ff.w"][1] = -1.0
    learner.learned.parameters["hidden2.b"][1] = 0.0
    result = trial(learner, drive, labels)
    assert not result.activity[1].S.values[..., 1].any() and result.activity[1].S.values[..., 0].any()
    assert not result.gradients["hidden2.ff.w"][1].any() and result.gradients["hidden2.ff.w"][0].any()
    learner.learned.parameters["hidden2.ff.w"][1, 2] -= 0.5
    again = trial(learner, drive, labels)
    torch.testing.assert_close(again.gradients["hidden1.ff.w"], result.gradients["hidden1.ff.w"], rtol=0, atol=0)


@pytest.mark.parametrize(("reset", "left"), [("subtract", 0.3), ("zero", 0.0)])
def test_the_derivative_of_a_spike_by_its_membrane_is_one_over_the_rise(reset: str, left: float) -> None:
    neuron = NEURONS_OF.make(f"cuba_lif:alpha=0.5:beta=0.8:v_threshold=2:reset={reset}")
    v = torch.tensor([0.5, 2.3, 2.1, 2 - 1e-9, 2 + 1e-9, 0.2], dtype=torch.float64).reshape(6, 1, 1)
    spikes = (v > 2).double()
    keep, admit, fires, slope = (None if g is None else g.flatten() for g in timed_gates(neuron, v, spikes, 0.1))
    rises = [2.3 - 0.5, 2.1 - left, 0.1 * 2 * math.log(2)]  # the last one is the lowest: a tenth of the threshold
    torch.testing.assert_close(slope, torch.tensor([0, 1 / rises[0], 1 / rises[1], 0, 1 / rises[2], 0]).double())
    first, second, third = (0.8 * (1 - 2 * math.log(0.8) / rise) for rise in rises)
    torch.testing.assert_close(keep, torch.tensor([0.8, 0.8, first, second, 0.8, third], dtype=torch.float64))
    assert fires is None and (admit == 1).all()


def test_the_factor_of_a_spike_that_comes_earlier_is_what_it_leaves_to_the_next_step() -> None:
    factors = torch.tensor([3.0, 1.0, 4.0]).reshape(3, 1, 1)
    assert earlier(Series(factors, False), 3).values.flatten().tolist() == [2.0, -3.0, 0.0]
    assert not earlier(Series(factors[0], True), 3).values.any()


def test_by_running_averages_the_gradient_is_that_of_the_net_they_are_folded_into() -> None:
    """A normalised current (x - mean) / sigma + b is that of other weights and biases."""
    learner, (drive, labels) = short("4-4", norm="streaming"), spiking_input()
    for seed in range(1, 20):
        learner.step(Series(spiking_input(seed)[0], False), spiking_input(seed)[1])
    result = trial(learner, drive, labels)
    plain = short("4-4")
    for layer, below, activity in zip(
        ("hidden1", "hidden2"), (drive, result.activity[0].S.values), result.activity, strict=False
    ):
        weights = learner.learned.parameters[f"{layer}.ff.w"] * activity.gain[:, None]
        inflow = activity.inflow().values
        plain.learned.parameters[f"{layer}.ff.w"] = weights
        shift = inflow - below @ weights.T
        torch.testing.assert_close(shift, shift[:1, :1].expand_as(shift))
        plain.learned.parameters[f"{layer}.b"] = shift[0, 0]
    for name in ("readout.ff.w", "readout.b"):
        plain.learned.parameters[name] = learner.learned.parameters[name]
    folded = trial(plain, drive, labels)
    torch.testing.assert_close(folded.scores, result.scores)
    for number, layer in enumerate(("hidden1", "hidden2")):
        by_weights, by_bias = folded.gradients[f"{layer}.ff.w"], folded.gradients[f"{layer}.b"]
        mean = result.activity[number].pre_mean.get("ff", torch.zeros(1, dtype=torch.float64))
        centred = (by_weights - by_bias[:, None] * mean) * result.activity[number].gain[:, None]
        torch.testing.assert_close(result.gradients[f"{layer}.ff.w"], centred)
        assert centred.abs().max() > 0


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"neuron": "lif"}, r"without synaptic current \(if, lif\) jumps when a spike arrives"),
        ({"neuron": "alif"}, "nothing says how a spike of AdaptiveIntegrator moves"),
        ({"neuron": f"{CELL}:reset=none"}, "not reset"),
        ({"neuron": f"{CELL}:reset_delay=true"}, "delayed reset"),
        ({"neuron": f"{CELL}:refractory=2"}, "refractory period"),
        ({"neuron": "cuba_lif:alpha=0:beta=0.9"}, "alpha=0.0 and beta=0.9"),
        ({"neuron": "cuba_lif:alpha=0.5:beta=0"}, "beta above 0"),
        ({"norm": "batch"}, "--norm none or streaming"),
        ({"readout_neuron": "leaky_readout"}, "leaky_readout:beta=1"),
        ({"readout_neuron": "lif", "scores": "count"}, "a count does not change with their times"),
        ({"connection": "dynamic"}, "--connection dense"),
    ],
)
def test_what_has_no_spike_times_is_refused_in_one_line(settings: dict[str, str], words: str) -> None:
    with pytest.raises(UserError, match=words) as refusal:
        short(**settings)
    assert "\n" not in str(refusal.value)


def test_a_rule_that_decorrelates_takes_the_signal_only_without_normalisation() -> None:
    shape: dict[str, Any] = {"input_shape": (INPUTS,), "classes": CLASSES, "signal": "eventprop", "neuron": CELL}
    memory = "leaky_readout:beta=1"
    with pytest.raises(UserError, match="--rule eventprop"):
        Learner("4", "bptt", norm="streaming", readout_neuron=memory, **shape)
    learner, same = (Learner("4", rule, norm="none", readout_neuron=memory, precision="float64", steps=12, device="cpu",
                             **shape) for rule in ("bptt", "eventprop"))  # fmt: skip
    drive, labels = spiking_input()
    for one, other in zip(*(trial(x, drive, labels).gradients.values() for x in (learner, same)), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


@pytest.mark.parametrize("schedule", ["by_step", "4"])
def test_a_shorter_window_is_refused(schedule: str) -> None:
    learner, (drive, labels) = short(schedule=schedule), spiking_input()
    with pytest.raises(UserError, match="by_layer"):
        learner.step(Series(drive, False), labels)


def test_options_of_the_rule_reach_what_they_are_for() -> None:
    """A high rise bounds all derivatives of spikes, which then shrink in proportion; biases stay if told to."""
    drive, labels = spiking_input()
    shape: dict[str, Any] = {"input_shape": (INPUTS,), "classes": CLASSES, "precision": "float64", "steps": 12}
    gradients = {}
    for rule in ("eventprop:least_rise=1000000", "eventprop:least_rise=2000000", "eventprop:bias=false"):
        learner = Learner("4", rule, neuron=CELL, device="cpu", seed=2, **shape)
        learner.learned.parameters["hidden1.ff.w"].abs_().add_(0.1)
        gradients[rule] = trial(learner, drive, labels).gradients
    high, higher, unbiased = (by.get("hidden1.ff.w") for by in gradients.values())
    torch.testing.assert_close(high / higher, torch.full_like(high, 2.0), rtol=1e-4, atol=0)
    assert not any(name.endswith(".b") for name in gradients["eventprop:bias=false"]) and unbiased.any()
