"""A net of leaky neurons with exponential synaptic currents, run from event to event, and its adjoint as published.

    tau_m V' = -V + I,  tau_s I' = -I; a neuron spikes where V reaches theta, V is set to 0, and I of those that read
    it jumps by the weight.

Between two events both are known in closed form, so that spike times are exact up to the rounding of float64. The
read-out is linear: the score of a class is the sum over spikes of a weight times a response that depends on the time of
the spike alone. Source of the adjoint: Wunderlich & Pehle 2021, https://doi.org/10.1038/s41598-021-91786-z, table 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq

NEVER = float("inf")
Arriving = list[tuple[float, int]]
"""Times of the spikes of the inputs, each with the number of its input."""
Weights = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Of the inputs, among the neurons, and of the read-out; or derivatives by them."""


@dataclass(frozen=True)
class Response:
    """The response of a read-out to a spike at time t, and its derivative by t."""

    value: Callable[[float], float]
    slope: Callable[[float], float]


class Spike(NamedTuple):
    """A spike of the input (`neuron` below 0: -1 is input 0) or of a neuron; `current` is I just before it."""

    time: float
    neuron: int
    current: float


@dataclass(frozen=True)
class EventNet:
    """H neurons that read K inputs and each other; layers are blocks of `among`, in which the others are 0.

    Args:
        inputs: weights from the inputs, (H, K), in units of I.
        among: weights between the neurons, (H, H), to row from column.
        readout: weights of the read-out, (C, H).
        tau_m, tau_s: time constants.
        theta: threshold.
        duration: T.
        response: the response of the read-out to one spike.
    """

    inputs: np.ndarray
    among: np.ndarray
    readout: np.ndarray
    tau_m: float
    tau_s: float
    theta: float
    duration: float
    response: Response

    def run(self, arriving: Arriving) -> list[Spike]:
        """All spikes in order, those of the input included."""
        v, i, now = np.zeros(len(self.among)), np.zeros(len(self.among)), 0.0
        pending, spikes = sorted(arriving), []
        while True:
            until = pending[0][0] if pending else self.duration
            times = [self._crossing(v[n], i[n], until - now) for n in range(len(v))]
            first = int(np.argmin(times))
            wait = times[first]
            if now + wait < until:
                v, i, now = *self._moved(v, i, wait), now + wait
                spikes.append(Spike(now, first, i[first]))
                v[first] = 0.0
                i = i + self.among[:, first]
            elif pending:
                v, i = self._moved(v, i, until - now)
                now, source = pending.pop(0)
                spikes.append(Spike(now, -1 - source, 0.0))
                i = i + self.inputs[:, source]
            else:
                return spikes

    def scores(self, spikes: list[Spike]) -> np.ndarray:
        """(C,)."""
        own = [s for s in spikes if s.neuron >= 0]
        return sum((self.readout[:, s.neuron] * self.response.value(s.time) for s in own), np.zeros(len(self.readout)))

    def loss(self, arriving: Arriving, label: int) -> float:
        """Cross-entropy of the softmax of the scores."""
        scores = self.scores(self.run(arriving))
        return float(np.log(np.exp(scores).sum()) - scores[label])

    def gradients(self, arriving: Arriving, label: int) -> Weights:
        """Derivatives of the loss by `inputs`, `among` and `readout`, by the published jumps."""
        spikes = self.run(arriving)
        error = np.exp(self.scores(spikes)) / np.exp(self.scores(spikes)).sum()
        error[label] -= 1
        by = tuple(np.zeros_like(w) for w in (self.inputs, self.among, self.readout))
        lambda_v, lambda_i, now = np.zeros(len(self.among)), np.zeros(len(self.among)), self.duration
        for time, n, current in reversed(spikes):
            lambda_v, lambda_i = self._back(lambda_v, lambda_i, now - time)
            now = time
            if n < 0:
                by[0][:, -1 - n] -= self.tau_s * lambda_i
                continue
            by[1][:, n] -= self.tau_s * lambda_i
            by[2][:, n] += error * self.response.value(time)
            of_time = self.readout[:, n] @ error * self.response.slope(time)
            jump = self.theta * lambda_v[n] + self.among[:, n] @ (lambda_v - lambda_i) + of_time
            lambda_v[n] += jump / (current - self.theta)
        return by

    def differences(self, arriving: Arriving, label: int, size: float) -> Weights:
        """The same derivatives by central differences; spikes must neither come nor go."""
        order = [s.neuron for s in self.run(arriving)]

        def moved(name: str, place: tuple[int, int], by: float) -> float:
            weights = getattr(self, name).copy()
            weights[place] += by
            other = replace(self, **{name: weights})
            assert [s.neuron for s in other.run(arriving)] == order
            return other.loss(arriving, label)

        by = tuple(np.zeros_like(w) for w in (self.inputs, self.among, self.readout))
        for name, slopes in zip(("inputs", "among", "readout"), by, strict=True):
            for place in zip(*getattr(self, name).nonzero(), strict=True):
                slopes[place] = (moved(name, place, size) - moved(name, place, -size)) / (2 * size)
        return by

    def _moved(self, v: np.ndarray, i: np.ndarray, time: float) -> tuple[np.ndarray, np.ndarray]:
        m, s = np.exp(-time / self.tau_m), np.exp(-time / self.tau_s)
        return v * m + i * self.tau_s / (self.tau_m - self.tau_s) * (m - s), i * s

    def _back(self, lambda_v: np.ndarray, lambda_i: np.ndarray, time: float) -> tuple[np.ndarray, np.ndarray]:
        m, s = np.exp(-time / self.tau_m), np.exp(-time / self.tau_s)
        return lambda_v * m, lambda_i * s + lambda_v * self.tau_m / (self.tau_m - self.tau_s) * (m - s)

    def _crossing(self, v: float, i: float, longest: float) -> float:
        """The time from now at which a membrane below theta reaches it; infinity if not within `longest`."""
        slow = v + i * self.tau_s / (self.tau_m - self.tau_s)  # V(t) = slow e^(-t/tau_m) - fast e^(-t/tau_s)
        fast = slow - v
        top = NEVER
        if slow * fast > 0:
            top = np.log(fast * self.tau_m / (slow * self.tau_s)) / (1 / self.tau_s - 1 / self.tau_m)
        end = min(longest, top)

        def over(time: float) -> float:
            return slow * np.exp(-time / self.tau_m) - fast * np.exp(-time / self.tau_s) - self.theta

        if end <= 0 or over(end) <= 0:
            return NEVER
        return float(brentq(over, 0.0, end, xtol=1e-15, rtol=8.9e-16))


def mean_membrane(tau: float, duration: float) -> Response:
    """The mean over [0, T] of a leaky membrane that jumps by the weight, V' = -V / tau."""
    return Response(
        lambda t: tau / duration * (1 - np.exp(-(duration - t) / tau)),
        lambda t: -np.exp(-(duration - t) / tau) / duration,
    )


def mean_of_currents(tau_m: float, tau_s: float, duration: float) -> Response:
    """The mean over [0, T] of the membrane of a read-out with a synaptic current of its own."""
    size = tau_s / (tau_m - tau_s) / duration

    def value(t: float) -> float:
        m, s = np.exp(-(duration - t) / tau_m), np.exp(-(duration - t) / tau_s)
        return float(size * (tau_m * (1 - m) - tau_s * (1 - s)))

    return Response(value, lambda t: float(size * (np.exp(-(duration - t) / tau_s) - np.exp(-(duration - t) / tau_m))))


def last_membrane(tau: float, duration: float) -> Response:
    """The same membrane at T."""
    return Response(lambda t: np.exp(-(duration - t) / tau), lambda t: np.exp(-(duration - t) / tau) / tau)
