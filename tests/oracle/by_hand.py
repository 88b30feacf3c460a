"""Tiny spiking nets in plain numpy, for the oracles of learning signals: no normalisation, and no code of the product.

Rows of activity are (T, B, N). A hidden neuron integrates, v[t] = beta kept[t-1] + I[t], and fires above 1; a reset to
zero keeps v (1 - s), one by subtraction takes the threshold off. The read-out has no memory; its mean gives the scores.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch

from neurorules import Learner, Series
from neurorules.contracts.running_mean import RunningMean
from neurorules.torch_path.trial.learn import TrialResult, learn_trial

Array = np.ndarray
INPUTS, CLASSES, STEPS, SAMPLES = 6, 3, 4, 4
NEURONS = {"if": (1.0, True), "lif:beta=0.8": (0.8, False)}
"""beta, and whether the reset is to zero."""


class Pass(NamedTuple):
    """What one pass did: by hidden layer what came in, membranes and spikes; and the mean output (B, classes)."""

    pre: list[Array]
    v: list[Array]
    s: list[Array]
    output: Array

    @property
    def rates(self) -> list[Array]:
        """Mean spikes of each hidden layer, (B, N)."""
        return [s.mean(0) for s in self.s]


class Hand:
    """The same net as a learner's, run by hand.

    Args:
        rule: name and options.
        net: sizes of its hidden layers.
        neuron: of `NEURONS`.
        others: of the learner.
    """

    def __init__(self, rule: str, net: str = "5-4", neuron: str = "if", **others: Any) -> None:
        settings = {"norm": "none", "neuron": neuron, "seed": 2, "input_shape": (INPUTS,), "classes": CLASSES, **others}
        self.learner = Learner(net, rule, precision="float64", device="cpu", optimizer="sgd", **settings)
        self.beta, self.zeroed = NEURONS.get(neuron, (1.0, True))
        self.learned = self.learner.learned
        random = np.random.default_rng(8)
        for name, value in self.learned.parameters.items():
            drawn = random.normal(size=value.shape)
            fresh = 0.3 * drawn if name.endswith("b") else 0.8 * drawn
            self.learned.parameters[name] = torch.from_numpy(fresh)
        self.names = [f"hidden{i + 1}" for i in range(net.count("-") + 1)]

    def parameter(self, name: str) -> Array:
        """One of the learner's parameters."""
        return self.learned.parameters[name].numpy()

    def weights(self, layer: str) -> Array:
        """Of the connection into a layer."""
        return self.parameter(f"{layer}.ff.w")

    def state(self, name: str) -> Array:
        """One of the signal's own tensors."""
        value = self.learned.signal[name]
        return (value if isinstance(value, torch.Tensor) else value.value).numpy()

    def age(self) -> int:
        """Let every running average of the signal have seen a million samples: it then moves by its own rate."""
        for name, value in self.learned.signal.items():
            if isinstance(value, RunningMean):
                self.learned.signal[name] = value._replace(samples=torch.full_like(value.samples, 1_000_000))
        return 1_000_000

    def fire(self, current: Array) -> tuple[Array, Array]:
        """Membranes before reset and spikes, of a current (T, B, N)."""
        kept, v, s = np.zeros_like(current[0]), [], []
        for here in current:
            late = (kept > 1).astype(float)  # what a strong drive left above threshold is taken off a step later
            now = self.beta * kept + here - late
            fires = (now > 1).astype(float)
            kept = now * (1 - fires) if self.zeroed else now - (fires - late)
            v.append(now)
            s.append(fires)
        return np.stack(v), np.stack(s)

    def run(self, x: Array | None, beside: Array | None = None, injected: Array | None = None) -> Pass:
        """One pass.

        Args:
            x: input (T, B, I); None for none, and then the first layer has no bias either.
            beside: constant current (B, N) of the first layer, through its weights or not.
            injected: the same, of a target stream.
        """
        pre, vs, ss, source = [], [], [], x
        for number, layer in enumerate(self.names):
            current = np.zeros((STEPS, 1, len(self.weights(layer))))
            if source is not None:
                current = source @ self.weights(layer).T + self.parameter(f"{layer}.b")
            if number == 0:
                current = current + sum(a for a in (beside, injected) if a is not None)
            v, s = self.fire(np.asarray(current))
            pre.append(np.zeros((STEPS, v.shape[1], INPUTS)) if source is None else source)
            vs.append(v)
            ss.append(s)
            source = s
        assert source is not None
        return Pass(pre, vs, ss, source.mean(0) @ self.weights("readout").T + self.parameter("readout.b"))

    def through_time(self, layer: int, found: Pass, post: Array) -> Array:
        """What a factor of each step's membrane is of each step's current: R[t] = post[t] + keep[t] R[t+1]."""
        later, total = np.zeros_like(post[0]), np.zeros_like(post)
        for t in reversed(range(STEPS)):
            keep = self.beta * (1 - found.s[layer][t] if self.zeroed else 1.0)
            total[t] = later = post[t] + keep * later
        return total

    def trial(self, x: Array, labels: Array) -> TrialResult:
        """The learner's own trial of the same batch; nothing is applied."""
        drive = Series(torch.from_numpy(x), False)
        return learn_trial(
            self.learner.model, self.learned, drive, STEPS, torch.from_numpy(labels), torch.Generator().manual_seed(0)
        )


def batch(seed: int = 0, samples: int = SAMPLES) -> tuple[Array, Array]:
    """Events (T, B, I) of unequal sizes, and labels (B,)."""
    random = np.random.default_rng(seed)
    x = (random.random((STEPS, samples, INPUTS)) < 0.6) * random.uniform(0.5, 2.0, INPUTS)
    return x, random.integers(0, CLASSES, samples)


def psi(v: Array) -> Array:
    """The default surrogate's slope, 1 / (1 + 2 |v - 1|)^2."""
    return 1 / (1 + 2 * np.abs(v - 1)) ** 2


def softmax(y: Array) -> Array:
    """Of the last axis."""
    raised = np.exp(y - y.max(-1, keepdims=True))
    return raised / raised.sum(-1, keepdims=True)


def error_of(output: Array, labels: Array) -> Array:
    """softmax(y) - one-hot."""
    return softmax(output) - np.eye(CLASSES)[labels]


def product(post: Array, pre: Array) -> Array:
    """Sum over steps and rows of post (T, B, O) times pre (T, B, I), a mean over the samples of `batch`."""
    return np.einsum("tbo,tbi->oi", np.broadcast_to(post, (STEPS, *post.shape[-2:])), pre) / SAMPLES


def moved(value: Array, seen: int, mean: Array, samples: int = SAMPLES) -> Array:
    """A running average after a trial: a tenth of the way in 128 samples, and its start worth 16 of them."""
    return value + max(1 - 0.9 ** (samples / 128), samples / (16 + seen + samples)) * (mean - value)


def assert_m(found: TrialResult, layer: str, expected: Array) -> None:
    """Whether the third factor of a layer is as expected, at each step."""
    m = found.third_factors[layer].over_time(STEPS).numpy()
    assert np.abs(expected).max() > 1e-6, layer
    np.testing.assert_allclose(m, np.broadcast_to(expected, m.shape), rtol=0, atol=1e-10, err_msg=f"m of {layer}")


def assert_gradients(found: TrialResult, expected: dict[str, Array]) -> None:
    """Whether the gradients that are named are as expected."""
    for name, value in expected.items():
        assert np.abs(value).max() > 1e-6, name
        np.testing.assert_allclose(found.gradients[name].numpy(), value, rtol=0, atol=1e-10, err_msg=name)
