"""Digits without a teacher: Poisson inputs, leaky units that compete, thresholds that adapt, and STDP.

After P. U. Diehl, M. Cook (2015), Unsupervised learning of digit recognition using spike-timing-dependent plasticity,
reduced: currents instead of conductances, units that inhibit each other directly instead of through a layer of
inhibitory ones, a fresh start of the membranes instead of a pause between samples, 64 pixels. Theirs are the rule
dw = eta (x_pre - x_target)(w_max - w) at a unit's spike, the sum of a unit's weights kept, the threshold that rises at
each of its spikes, and classes assigned to units after learning. Values are ours, chosen on training samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from neurorules.brian2_continuous.parts.circuit import BEGIN, LEARN, Act, Circuit, Pairs, Units, Wires
from neurorules.brian2_continuous.parts.machine import Machine
from neurorules.brian2_continuous.parts.traces import decaying

TAU_MS, TAU_SYN_MS, TAU_TRACE_MS, REFRACTORY_MS = 30.0, 5.0, 20.0, 3.0
PERIOD_MS, DT_MS = 100.0, 1.0
ETA, PASSES = 0.1, 3
"""Rate of learning, and how often all samples are shown."""
MOST_PER_MS = 0.1
"""Rate of a white pixel's spikes."""
SETTINGS = {"inhibition": 2.0, "theta_plus": 0.01, "x_target": 0.4, "w_sum": 8.0, "strength": 2.0}
"""Fall of the others' membranes at a spike; rise of its threshold; trace below which a wire weakens; sum of a unit's
weights; jump of its current at an input's spike through a weight of 1."""


def digit_net(inputs: int, size: int, presentations: int, random: np.random.Generator, seed: int = 0) -> Circuit:
    """The network; tables "x" (K, inputs), pixels in 0..1, and "eta" (K,), rate of learning.

    Args:
        inputs, size: Poisson inputs, units that learn.
        presentations: K, of one run.
        random: draws first weights.
        seed: of the inputs' spikes, the same in every run.
    """
    weights = random.uniform(0.2, 0.8, (size, inputs))
    weights *= SETTINGS["w_sum"] / weights.sum(1, keepdims=True)
    source = Units(
        "input",
        inputs,
        (decaying("x", TAU_TRACE_MS),),
        threshold=f"rand() < {MOST_PER_MS!r}*x_i*dt/ms",
        reset=("x = 1",),
        streams=("x",),
    )
    units = Units(
        "unit",
        size,
        (
            f"dv/dt = (I - v)/({TAU_MS!r}*ms) : 1 (unless refractory)",
            f"dI/dt = -I/({TAU_SYN_MS!r}*ms) : 1",
            "theta : 1",
            "count : 1",
            "w_total : 1",
        ),
        threshold="v > 1 + theta",
        reset=("v = 0", "theta += theta_plus", "count += 1"),
        refractory_ms=REFRACTORY_MS,
        acts=(Act(("v = 0", "I = 0", "count = 0"), BEGIN),),
        streams=("eta",),
        keeps=("theta",),
        start={"theta": 0.0, "w_total": SETTINGS["w_sum"]},
        record=("count",),
    )
    learned = Wires(
        "learned",
        "input",
        "unit",
        ("w : 1", "w_total_post = w : 1 (summed)"),
        sums={"w_total_post": (LEARN, 0, "presentation")},
        on_pre=("I_post += strength*w",),
        on_post=("w = clip(w + eta*(x_pre - x_target)*(1 - w), 0, 1)",),
        acts=(Act(("w = w + int(done_eta > 0)*(w*w_sum/w_total_post - w)",), LEARN, order=1),),
        start={"w": weights},
        keeps=("w",),
    )
    others = Pairs(*np.nonzero(~np.eye(size, dtype=bool)))
    rivals = Wires("rivals", "unit", "unit", (), on_pre=("v_post = clip(v_post - inhibition, -1, inf)",), pairs=others)
    tables, method = {"x": inputs, "eta": 0}, "exponential_euler"
    return Circuit((source, units), (learned, rivals), tables, presentations, PERIOD_MS, DT_MS, method, SETTINGS, seed)


@dataclass
class DigitNet:
    """A network that is being run; weights and thresholds are carried on.

    Args:
        machine, circuit: what runs, and its text.
        settings: numbers its equations read.
    """

    machine: Machine
    circuit: Circuit
    settings: Mapping[str, float]

    def __post_init__(self) -> None:
        self.values = self.circuit.starts()

    def learn(self, pixels: np.ndarray, eta: float) -> np.ndarray:
        """Present samples (n, inputs) and learn at a rate (0: thresholds alone adapt); spikes (n, units)."""
        return self._present(pixels, eta, self.settings)

    def respond(self, pixels: np.ndarray) -> np.ndarray:
        """Spikes (n, units) of samples (n, inputs); nothing changes."""
        before = dict(self.values)
        found = self._present(pixels, 0.0, {**self.settings, "theta_plus": 0.0})
        self.values = before
        return found

    def _present(self, pixels: np.ndarray, eta: float, settings: Mapping[str, float]) -> np.ndarray:
        found, whole = [], self.circuit.presentations
        for start in range(0, len(pixels), whole):
            rows = pixels[start : start + whole]
            x, rates = np.zeros((whole, pixels.shape[1])), np.zeros(whole)
            x[: len(rows)], rates[: len(rows)] = rows, eta
            self.machine.run({**self.values, **settings}, {"x": x, "eta": rates})
            for part, variable in self.circuit.state():
                name = f"{part.name}.{variable}"
                self.values[name] = self.machine.read(name)
            found.append(self.machine.recorded("unit", "count")[: len(rows)])
        return np.concatenate(found)


def assign(counts: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """The class that each unit (n, units) answers most to, of samples with labels (n,); -1 for a silent unit."""
    mean = np.stack([counts[labels == label].mean(0) for label in range(classes)])
    return np.where(mean.max(0) > 0, mean.argmax(0), -1)


def classify(counts: np.ndarray, assigned: np.ndarray, classes: int) -> np.ndarray:
    """For each sample (n, units), the class whose units fire most on average; -1 where none does."""
    votes = np.zeros((len(counts), classes))
    for label in range(classes):
        mine = assigned == label
        if mine.any():
            votes[:, label] = counts[:, mine].mean(1)
    return np.where(votes.max(1) > 0, votes.argmax(1), -1)
