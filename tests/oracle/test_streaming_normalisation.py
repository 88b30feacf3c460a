"""Streaming normalisation against ten lines written by hand, over several trials of a learner that trains with it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neurorules import Learner
from neurorules.native import scans

STEPS, CLASSES = 4, 3
BATCHES = (3, 1, 5, 2, 150, 500, 800, 150, 4)
"""Samples of the trials: a young average counts every sample alike, an old one moves by a tenth in 128 samples."""
RATE, READOUT_RATE = 0.2, 0.1


class Average:
    """An average over samples that starts at a value worth 16 of them."""

    def __init__(self, start: float) -> None:
        self.value: np.ndarray | float = start
        self.seen = 0

    def move(self, mean: np.ndarray, samples: int) -> None:
        step = max(1 - 0.9 ** (samples / 128), samples / (16 + self.seen + samples))
        self.value, self.seen = self.value + step * (mean - self.value), self.seen + samples


class Normalised:
    """A layer's averages, of its current I and I^2 and of an update d and d I^; a unit is the last axis."""

    def __init__(self) -> None:
        self.mean, self.square, self.d, self.product = Average(0), Average(1), Average(0), Average(0)

    def forward(self, current: np.ndarray) -> np.ndarray:
        self.current = current
        self.sigma = np.sqrt(self.square.value - self.mean.value**2 + 0.001)
        self.hat = (current - self.mean.value) / self.sigma
        return self.hat

    def through_norm(self, d: np.ndarray) -> np.ndarray:
        return (d - self.d.value - self.hat * self.product.value) / self.sigma

    def move(self, d: np.ndarray, samples: int) -> None:
        pairs = ((self.mean, self.current), (self.square, self.current**2), (self.d, d), (self.product, d * self.hat))
        for average, seen in pairs:
            average.move(seen.mean(tuple(range(seen.ndim - 1))), samples)


class ByHand:
    """Integrate-and-fire neurons that learn by direct feedback alignment, and a linear read-out.

    Rows of current are (T, B, places, units): one place for a dense layer, the positions of a map for a convolution.
    """

    def __init__(self, learner: Learner, maps: bool) -> None:
        own = {name: value.numpy().copy() for name, value in learner.learned.parameters.items()}
        self.w, self.b = own["hidden1.ff.w"].reshape(len(own["hidden1.ff.w"]), -1), own["hidden1.b"].reshape(-1)
        self.v, self.c = own["readout.ff.w"], own["readout.b"]
        feedback = learner.learned.signal["hidden1.feedback"].numpy().reshape(CLASSES, len(self.b), -1)
        self.feedback = feedback.transpose(0, 2, 1)
        self.norm, self.arriving, self.maps = Normalised(), Average(0), maps

    def places(self, x: np.ndarray) -> np.ndarray:
        """What each place of the layer sees: all inputs, or a 3 x 3 neighbourhood with nothing around the map."""
        if not self.maps:
            return x[:, :, None]
        around = np.pad(x[:, :, 0], ((0, 0), (0, 0), (1, 1), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(around, (3, 3), (2, 3))
        return windows.reshape(*x.shape[:2], -1, 9)

    def run(self, current: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        u, v, s = np.zeros_like(current[0]), [], []
        for here in current:
            u = u + here
            v.append(u)
            s.append((u > 1) * 1.0)
            u = u * (1 - s[-1])
        return np.stack(v), np.stack(s)

    def step(self, x: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Learn from (T, B, *input), and return the scores before."""
        samples = x.shape[1]
        seen = self.places(x - self.arriving.value)
        v, s = self.run(self.norm.forward(seen @ self.w.T) + self.b)
        rate = s.mean(0).transpose(0, 2, 1).reshape(samples, -1)
        scores = rate @ self.v.T + self.c
        softmax = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
        e = softmax - np.eye(CLASSES)[labels]
        d = np.tensordot(e, self.feedback, 1) / STEPS / (1 + 2 * np.abs(v - 1)) ** 2
        self.w = self.w - RATE * np.einsum("tbpo,tbpi->oi", self.norm.through_norm(d), seen) / samples
        self.b = self.b - RATE * d.sum((0, 1, 2)) / samples
        self.v, self.c = self.v - READOUT_RATE * e.T @ rate / samples, self.c - READOUT_RATE * e.sum(0) / samples
        self.norm.move(d, samples)
        self.arriving.move(x.mean() if self.maps else x.mean((0, 1)), samples)
        return scores


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "plain"])
@pytest.mark.parametrize(("net", "shape"), [("5", (6,)), ("c2k3", (1, 4, 5))], ids=["dense", "maps"])
def test_a_learner_normalises_and_learns_as_written_by_hand_over_trials_of_every_size(
    net: str, shape: tuple[int, ...], fused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not fused:
        monkeypatch.setattr(scans, "serves", lambda _: False)
    learner = Learner(
        net, "dfa", input_shape=shape, classes=CLASSES, norm="streaming", optimizer="sgd", lr=RATE,
        readout_lr=READOUT_RATE, precision="float64", seed=3, device="cpu",
    )  # fmt: skip
    hand, spikes = ByHand(learner, maps=len(shape) > 1), 0.0
    for seed, samples in enumerate(BATCHES):
        random = np.random.default_rng(seed)
        x = (random.random((STEPS, samples, *shape)) < 0.6) * random.uniform(0.5, 2, shape)
        labels = random.integers(0, CLASSES, samples)
        scores = learner.scores(torch.from_numpy(x)).numpy()
        spikes += learner.step(torch.from_numpy(x), torch.from_numpy(labels))["spikes.hidden1"]
        np.testing.assert_allclose(scores, hand.step(x, labels), rtol=0, atol=1e-10, err_msg=f"scores of trial {seed}")
        for name, expected in {"hidden1.ff.w": hand.w, "hidden1.b": hand.b, "readout.ff.w": hand.v}.items():
            found = learner.learned.parameters[name].numpy().reshape(expected.shape)
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10, err_msg=f"{name} after trial {seed}")
    assert spikes > len(BATCHES)
    kept, norm = learner.learned, hand.norm
    averages = {
        "arriving": (kept.pre["input.hidden1.ff"], hand.arriving),
        "mean": (kept.current["input.hidden1"].mean, norm.mean),
        "square": (kept.current["input.hidden1"].square, norm.square),
        "d": (kept.update["input.hidden1.w.0"].mean, norm.d),
        "d I^": (kept.update["input.hidden1.w.0"].product, norm.product),
    }
    for name, (average, by_hand) in averages.items():
        np.testing.assert_allclose(average.value.numpy().reshape(-1), by_hand.value, rtol=0, atol=1e-10, err_msg=name)
        assert float(average.samples) == by_hand.seen == sum(BATCHES)
