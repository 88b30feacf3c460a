"""EventProp: how firing rates are regularised, by plain loops and beside the exact simulator, and the default scale.

The loss of a sample contains c_reg sum_t (r_i[t] - f_target) v_i[t] of each hidden neuron i, with r_i its spikes so far
by the steps so far. In a layer that is silent this is -c_reg f_target times the sum of its membranes, which are linear
in the spikes that arrive: the read-out of the exact simulator, whose derivative by spike times is known.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from events_by_hand import EventNet, mean_of_currents

from neurorules import Learner, Series
from neurorules.network.initial import initialise
from neurorules.network.model import build_model
from neurorules.network.network import build_network
from neurorules.neurons import NEURONS
from neurorules.rules import RULES
from neurorules.torch_path.trial.learn import TrialResult, learn_trial

ALPHA, BETA, LEAST, STEPS, SAMPLES, INPUTS, CLASSES = 0.7, 0.9, 0.1, 12, 5, 3, 3
CELL = f"cuba_lif:alpha={ALPHA}:beta={BETA}"
C_REG, TARGET = 0.3, 0.4
PULLED = f"eventprop:c_reg={C_REG}:f_target={TARGET}"


def learner(rule: str, **settings: Any) -> Learner:
    """A net of two hidden layers in float64 whose neurons all spike."""
    defaults = {"steps": STEPS, "device": "cpu", "precision": "float64", "neuron": CELL, "norm": "none", "seed": 3}
    made = Learner("4-4", rule, input_shape=(INPUTS,), classes=CLASSES, **{**defaults, **settings})
    for layer in ("hidden1", "hidden2"):
        made.learned.parameters[f"{layer}.ff.w"].abs_().mul_(0.5)
    return made


def batch(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    drive = (torch.rand(STEPS, SAMPLES, INPUTS, generator=generator, dtype=torch.float64) < 0.5).double()
    return drive, torch.randint(0, CLASSES, (SAMPLES,), generator=generator)


def trial(made: Learner, drive: torch.Tensor, labels: torch.Tensor) -> TrialResult:
    with torch.no_grad():
        return learn_trial(made.model, made.learned, Series(drive, False), len(drive), labels, torch.Generator())


def pull(
    v: np.ndarray, spikes: np.ndarray, arriving: np.ndarray, alpha: float = ALPHA, beta: float = BETA
) -> np.ndarray:
    """The derivative of the regularisation by the weights of a layer, (O, I), step by step and averaged over samples.

    A membrane that spikes leaves its reset that much earlier as it is higher, and gains the leak of that time.
    """
    steps, samples, size = v.shape
    total = np.zeros((size, arriving.shape[2]))
    for b in range(samples):
        for i in range(size):
            current, by_weight, count, left = np.zeros(arriving.shape[2]), np.zeros(arriving.shape[2]), 0.0, 0.0
            keep = beta
            for t in range(steps):
                current = alpha * current + arriving[t, b]
                by_weight = keep * by_weight + current
                count += spikes[t, b, i]
                total[i] += C_REG * (count / (t + 1) - TARGET) * by_weight
                rise = max(v[t, b, i] - left, -LEAST * math.log(alpha))
                keep = beta * (1 - math.log(beta) / rise) if spikes[t, b, i] else beta
                left = v[t, b, i] - spikes[t, b, i]
    return total / samples


def test_rates_are_pulled_by_the_derivative_of_the_membranes() -> None:
    drive, labels = batch()
    plain, pulled = (trial(learner(rule), drive, labels) for rule in ("eventprop", PULLED))
    below, here = plain.activity[0], plain.activity[1]
    spikes = here.S.values.numpy()
    so_far = spikes.cumsum(0) / np.arange(1, STEPS + 1)[:, None, None]
    assert (so_far < TARGET).any() and (so_far > TARGET).any() and spikes.any((0, 1)).all()
    arriving = np.concatenate([below.S.values.numpy(), np.ones((STEPS, SAMPLES, 1))], 2)  # the last one is a bias
    by_hand = pull(here.v.values.numpy(), spikes, arriving)
    for name, wanted in (("hidden2.ff.w", by_hand[:, :-1]), ("hidden2.b", by_hand[:, -1])):
        found = (pulled.gradients[name] - plain.gradients[name]).numpy()
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)
    for name in ("readout.ff.w", "readout.b"):
        torch.testing.assert_close(pulled.gradients[name], plain.gradients[name], rtol=0, atol=0)


TAU_M, TAU_S, DURATION, COARSEST = 10.0, 4.0, 20.0, 1 / 16


def kernel(dt: float) -> float:
    """The membrane a step after a current of 1 began to decay; a spike of weight w brings w times that to cuba_lif."""
    return TAU_S / (TAU_M - TAU_S) * (math.exp(-dt / TAU_M) - math.exp(-dt / TAU_S))


def on_steps(net: EventNet, arriving: list[tuple[float, int]], dt: float) -> np.ndarray:
    """The gradient by the weights of the first layer that comes from the silent layer above it, per unit of time."""
    alpha, beta, steps = math.exp(-dt / TAU_S), math.exp(-dt / TAU_M), round(DURATION / dt)
    network = build_network(
        "4-4", (INPUTS,), CLASSES, neuron=f"cuba_lif:alpha={alpha!r}:beta={beta!r}",
        readout_neuron="leaky_readout:beta=1", norm="none",
    )  # fmt: skip
    model = build_model(network, RULES.make(PULLED))
    learned = initialise(model, 0, torch.device("cpu"), torch.float64)
    for name, weights in (("hidden1.ff.w", net.inputs), ("hidden2.ff.w", net.readout)):
        learned.parameters[name].copy_(torch.from_numpy(weights * kernel(dt)))
    drive = torch.zeros(steps, 1, INPUTS, dtype=torch.float64)
    for time, source in arriving:
        drive[round(time / dt), 0, source] += 1
    with torch.no_grad():
        result = learn_trial(model, learned, Series(drive, False), steps, torch.tensor([0]), torch.Generator())
    first, second = result.activity[:2]
    assert first.S.values.any() and not second.S.values.any()
    own = pull(first.v.values.numpy(), first.S.values.numpy(), drive.numpy(), alpha, beta)
    return (result.gradients["hidden1.ff.w"].numpy() - own) * kernel(dt) * dt


def in_continuous_time(net: EventNet, arriving: list[tuple[float, int]], size: float = 1e-6) -> np.ndarray:
    """The same by central differences of the exact simulator."""
    by = np.zeros_like(net.inputs)
    for place in np.ndindex(*by.shape):
        ends = []
        for sign in (1, -1):
            inputs = net.inputs.copy()
            inputs[place] += sign * size
            other = replace(net, inputs=inputs)
            ends.append(other.scores(other.run(arriving)).sum())
        by[place] = (ends[0] - ends[1]) / (2 * size)
    return -C_REG * TARGET * DURATION * by


def test_what_a_silent_layer_lacks_moves_the_spikes_below_it_as_in_continuous_time() -> None:
    random = np.random.default_rng(1)
    inputs, silent = random.normal(2.0, 1.5, (4, INPUTS)), random.normal(0.0, 0.1, (4, 4))
    response = mean_of_currents(TAU_M, TAU_S, DURATION)
    net = EventNet(inputs, np.zeros((4, 4)), silent, TAU_M, TAU_S, 1.0, DURATION, response)
    arriving = [(COARSEST * int(t), k) for k in range(INPUTS) for t in random.choice(224, 3, replace=False)]
    exact = in_continuous_time(net, arriving)
    errors = [np.linalg.norm(on_steps(net, arriving, COARSEST / n) - exact) for n in (1, 8)] / np.linalg.norm(exact)
    assert errors[1] < 0.02 and errors[1] < errors[0] / 3


def test_without_regularisation_no_bit_of_an_update_changes() -> None:
    drive, labels = batch()
    plain, none = (trial(learner(rule), drive, labels).gradients for rule in ("eventprop", "eventprop:c_reg=0"))
    assert plain.keys() == none.keys()
    for name in plain:
        torch.testing.assert_close(none[name], plain[name], rtol=0, atol=0)


def test_silent_neurons_come_back() -> None:
    drive, labels = batch()
    awake = {}
    for rule in ("eventprop", "eventprop:c_reg=0.0001"):
        made = learner(rule, lr=0.01)
        for layer in ("hidden1", "hidden2"):
            made.learned.parameters[f"{layer}.ff.w"].neg_()
        for _ in range(200):
            made.step(Series(drive, False), labels)
        layers = trial(made, drive, labels).activity[:-1]
        awake[rule] = [int(layer.S.values.sum((0, 1)).count_nonzero()) for layer in layers]
    (none, still_none), (some, all_of_them) = awake.values()
    assert (none, still_none, all_of_them) == (0, 0, 4) and some


def test_the_default_threshold_is_half_the_deviation_of_a_membrane_under_a_normalised_current() -> None:
    neuron = NEURONS.make(f"{RULES.make('eventprop').defaults.neuron}:reset=none")
    current = torch.randn(500, 4000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    state = neuron.initial(current[0])
    for now in current:
        _, observed, state = neuron.step(state, now)
    assert abs(neuron.v_threshold / float(observed.v.std()) - 0.5) < 0.02
    assert RULES.make("eventprop").defaults.norm == "streaming"
