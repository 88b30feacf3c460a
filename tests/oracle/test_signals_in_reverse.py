"""BSP's reverse circuits by hand: five-variable rings that run backwards, and signed spikes on the mirrored path."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from by_hand import (
    CLASSES,
    SAMPLES,
    STEPS,
    Array,
    Hand,
    assert_gradients,
    assert_m,
    batch,
    error_of,
    moved,
    product,
    psi,
)
from torch import Tensor

from neurorules import Series
from neurorules.torch_path.trial.learn import TrialResult, learn_trial

X, LABELS = batch()
K2, K3, HEUN, H, SATURATION = 0.5, 1.0, 12, 0.15, 3.0
J, S = 0, 1


def matrix() -> Array:
    """Each element limits itself, and feeds on the one before it."""
    a = -K2 * np.eye(5)
    for i in range(5):
        a[i, (i - 1) % 5], a[(i - 1) % 5, i] = K3, -K3
    return a


A = matrix()


class Ring:
    """One neuron of one sample: a ring of five from rest x* under a drive held for T = 1.8, step by step."""

    def __init__(self, drive: float, rest: Array) -> None:
        self.rest, self.tanh = rest, np.tanh(drive / SATURATION)
        z, self.path = np.zeros(5), [rest.copy()]
        push = np.eye(5)[J] * SATURATION * self.tanh
        for _ in range(HEUN):
            first = A @ (self.path[-1] - rest) + push
            second = A @ (rest * np.exp(z + H * first) - rest) + push
            z = z + H / 2 * (first + second)
            self.path.append(rest * np.exp(z))
        self.last = self.path[-1]
        self.out = self.last[S] - rest[S]

    def back(self, mode: str, error: float) -> tuple[float, Array]:
        """What arrives at the drive, and the gradient of ln x*, of an error at S: the mirrored ring, by its mode."""
        a = np.eye(5)[S] * error * self.last[S]
        slope, span = 1 - self.tanh**2, HEUN * H
        if mode == "lead":
            return slope * a[S] * self.last[J] * K3 * span**2 / 2, np.zeros(5)
        carriers = {"exact": self.path, "final": [self.last] * 13, "fixed": [self.rest] * 13}[mode]
        states = self.path if mode == "exact" else [self.last] * 13
        arrived, rests = 0.0, np.eye(5)[S] * error * self.out
        for n in range(HEUN, 0, -1):
            q = A.T @ a
            predicted = a + H * carriers[n] * q
            after = a + H / 2 * (carriers[n] * q + carriers[n - 1] * (A.T @ predicted))
            arrived += H / 2 * (a[J] + after[J])
            rests = rests + H / 2 * (q * (states[n] - self.rest) + (A.T @ after) * (states[n - 1] - self.rest))
            a = after
        return slope * arrived, rests


class Rings(Hand):
    """A net of rings, one step long: W carries what S is off its fixed point."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule, "4", neuron="five_element", readout_neuron="five_element", steps=1)
        for name, value in self.learned.parameters.items():
            if name.endswith("log_rest"):
                random = np.random.default_rng(len(name))
                self.learned.parameters[name] = torch.from_numpy(random.uniform(-0.3, 0.3, value.shape))

    def rest(self, layer: str) -> Array:
        """x* (5, N)."""
        own = self.learned.parameters.get(f"{layer}.log_rest")
        return np.ones((5, len(self.weights(layer)))) if own is None else np.exp(own.numpy())

    def rings(self, layer: str, x: Array) -> list[list[Ring]]:
        drive, rest = x @ self.weights(layer).T + self.parameter(f"{layer}.b"), self.rest(layer)
        return [[Ring(float(d), rest[:, n]) for n, d in enumerate(row)] for row in drive]

    def once(self, x: Array) -> TrialResult:
        drive = Series(torch.from_numpy(x), True)
        return learn_trial(self.learner.model, self.learned, drive, 1, torch.from_numpy(LABELS), torch.Generator())


def outputs(rings: list[list[Ring]]) -> Array:
    return np.array([[ring.out for ring in row] for row in rings])


def backs(rings: list[list[Ring]], mode: str, error: Array) -> tuple[Array, Array]:
    """m (B, N), and the gradient of ln x* (5, N), summed over samples."""
    each = [
        [ring.back(mode, float(e)) for ring, e in zip(row, es, strict=True)]
        for row, es in zip(rings, error, strict=True)
    ]
    return np.array([[m for m, _ in row] for row in each]), np.array([[r for _, r in row] for row in each]).sum(0).T


@pytest.mark.parametrize("method", ["connections", "both"])
@pytest.mark.parametrize("mode", ["final", "exact", "fixed", "lead"])
def test_the_reverse_ring_is_the_mirrored_ring_around_what_its_mode_keeps(mode: str, method: str) -> None:
    """a' = carrier A^T a in reversed time, from e x_S at S; m what arrives at J; G1 = m s; targets .6 and -.2."""
    hand, x = Rings(f"bsp:mode={mode}:method={method}"), X[0] / 2
    hidden = hand.rings("hidden1", x)
    readout = hand.rings("readout", outputs(hidden))
    error = outputs(readout) - np.where(np.eye(CLASSES)[LABELS] == 1, 0.6, -0.2)
    m_out, rest_out = backs(readout, mode, error)
    m, rest = backs(hidden, mode, m_out @ hand.weights("readout"))
    found = hand.once(x)
    np.testing.assert_allclose(found.third_factors["hidden1"].values.numpy(), m, rtol=0, atol=1e-10)
    assert_gradients(found, {
        "hidden1.ff.w": m.T @ x / SAMPLES, "hidden1.b": m.sum(0) / SAMPLES,
        "readout.ff.w": m_out.T @ outputs(hidden) / SAMPLES, "readout.b": m_out.sum(0) / SAMPLES,
    })  # fmt: skip
    if method == "both" and mode != "lead":  # the leading term of the fixed points has a formula of its own (test_bsp)
        assert_gradients(found, {"hidden1.log_rest": rest / SAMPLES, "readout.log_rest": rest_out / SAMPLES})


def ring_output(drive: Tensor, rest: Tensor) -> Tensor:
    """The forward run of one ring in torch scalars, for autograd."""
    a, push = torch.from_numpy(A), torch.eye(5, dtype=torch.float64)[J] * SATURATION * torch.tanh(drive / SATURATION)
    z = torch.zeros(5, dtype=torch.float64)
    for _ in range(HEUN):
        first = a @ (rest * z.exp() - rest) + push
        second = a @ (rest * (z + H * first).exp() - rest) + push
        z = z + H / 2 * (first + second)
    return rest[S] * z[S].exp() - rest[S]


def test_the_discrete_mode_is_the_gradient_of_the_squared_error() -> None:
    hand, x = Rings("bsp:mode=discrete:method=both"), X[0] / 2
    names = ["hidden1.ff.w", "hidden1.b", "hidden1.log_rest", "readout.ff.w", "readout.b", "readout.log_rest"]
    p = {name: hand.learned.parameters[name].clone().requires_grad_() for name in names}
    loss = torch.zeros((), dtype=torch.float64)
    for row, label in zip(torch.from_numpy(x), LABELS, strict=True):
        for layer in ("hidden1", "readout"):
            drive, rest = p[f"{layer}.ff.w"] @ row + p[f"{layer}.b"], p[f"{layer}.log_rest"].exp()
            row = torch.stack([ring_output(d, rest[:, n]) for n, d in enumerate(drive)])
        target = torch.full((CLASSES,), -0.2, dtype=torch.float64)
        target[int(label)] = 0.6
        loss = loss + ((row - target) ** 2).sum() / 2 / SAMPLES
    expected = torch.autograd.grad(loss, list(p.values()))
    assert_gradients(hand.once(x), {name: g.numpy() for name, g in zip(names, expected, strict=True)})


def signed(current: Array, threshold: Array | float, burst: int) -> Array:
    """Each unit integrates, and answers with the whole number of thresholds it is off, at most `burst` a step."""
    u, spikes = np.zeros_like(current[0]), []
    for here in current:
        u = u + here
        spikes.append(np.clip(np.round(u / threshold), -burst, burst))
        u = u - spikes[-1] * threshold
    return np.stack(spikes)


@pytest.mark.parametrize(("options", "burst", "reach"), [("", 4, 8.0), (":burst=2:reach=3", 2, 3.0)])
def test_reverse_spikes_are_gated_by_the_mean_slope_and_worth_their_units_threshold(
    options: str, burst: int, reach: float
) -> None:
    """Top: e / T a step, range 1. Below: (W^T spikes) x mean psi, range reach x what is heard. m = their mean."""
    hand = Hand(f"spiking_bsp{options}")
    heard = {name: np.full(len(hand.weights(name)), 1e-4) for name in hand.names}
    for trial in range(4):
        x, labels = batch(trial)
        seen = hand.age() if trial == 3 else trial * SAMPLES
        run, found = hand.run(x), hand.trial(x, labels)
        e = error_of(run.output, labels)
        threshold: Array | float = 1 / (STEPS * burst)
        spikes = signed(np.broadcast_to(e / STEPS, (STEPS, *e.shape)), threshold, burst)
        sent, above = spikes * threshold, "readout"
        m = sent.sum(0) / STEPS
        assert_gradients(found, {"readout.ff.w": product(m, run.s[-1]), "readout.b": m.sum(0) * STEPS / SAMPLES})
        for layer in reversed(range(len(hand.names))):
            name = hand.names[layer]
            current = (sent @ hand.weights(above)) * psi(run.v[layer]).mean(0)
            threshold = np.maximum(reach * heard[name] / (STEPS * burst), 1e-9)
            spikes = signed(current, threshold, burst)
            sent, above = spikes * threshold, name
            m = sent.sum(0) / STEPS
            assert_m(found, name, m)
            b = m.sum(0) * STEPS / SAMPLES
            assert_gradients(found, {f"{name}.ff.w": product(m, run.pre[layer]), f"{name}.b": b})
            heard[name] = moved(heard[name], seen, np.abs(current.sum(0)).mean(0))
        hand.learned = replace(found.learned, parameters=hand.learned.parameters)
        for name, value in heard.items():
            np.testing.assert_allclose(hand.state(f"{name}.heard"), value, rtol=0, atol=1e-12)
