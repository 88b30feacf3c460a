"""Izhikevich's neuron against the paper's program in mV, written out as a plain loop over time."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from neurorules.cli import run
from neurorules.language.errors import UserError
from neurorules.neurons import NEURONS
from neurorules.neurons.izhikevich import SPAN_MV

KINDS = {
    "regular": (0.02, 0.2, -65.0, 8.0),
    "bursting": (0.02, 0.2, -55.0, 4.0),
    "chattering": (0.02, 0.2, -50.0, 2.0),
    "fast": (0.1, 0.2, -65.0, 2.0),
    "resonator": (0.1, 0.26, -65.0, 2.0),
}


STEPS = 130
"""Each rise to a spike multiplies the rounding of the steps before, so that much later membranes agree no more."""


def by_the_program(a: float, b: float, c: float, d: float, drive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Membranes in mV before the reset and spikes, (T,) each, by two half steps a millisecond from rest."""
    v = (b - 5 - np.sqrt((5 - b) ** 2 - 22.4)) / 0.08
    u, membranes = b * v, []
    for current in drive:
        if v >= 30:
            v, u = c, u + d
        v += 0.5 * (0.04 * v**2 + 5 * v + 140 - u + current)
        v += 0.5 * (0.04 * v**2 + 5 * v + 140 - u + current)
        u += a * (b * v - u)
        membranes.append(v)
    return np.array(membranes), np.array(membranes) >= 30


@pytest.mark.parametrize("kind", KINDS)
def test_membranes_and_spikes_are_those_of_the_papers_program(kind: str) -> None:
    a, b, c, d = KINDS[kind]
    neuron = NEURONS.make(f"izhikevich:a={a}:b={b}:c_mV={c}:d={d}")
    drive = np.where(np.arange(STEPS) < 20, 0.0, 10.0) + 2 * np.random.default_rng(0).standard_normal(STEPS)
    expected, fired = by_the_program(a, b, c, d, drive)
    state, membranes, spikes = neuron.initial(torch.zeros(1, dtype=torch.float64)), [], []
    for current in drive:
        out, seen, state = neuron.step(state, torch.full((1,), current / SPAN_MV, dtype=torch.float64))
        membranes.append(float(seen.v) * SPAN_MV + neuron.millivolts.rest)
        spikes.append(bool(out))
    assert 1 < sum(spikes) < STEPS / 2 and spikes == fired.tolist()
    np.testing.assert_allclose(membranes, expected, rtol=1e-5, atol=1e-5)


def test_kinds_fire_as_they_are_called() -> None:
    drive = np.full(1000, 10.0)
    times = {kind: np.flatnonzero(by_the_program(*numbers, drive)[1]) for kind, numbers in KINDS.items()}
    assert len(times["fast"]) > 3 * len(times["regular"]) > 30
    gaps = np.diff(times["chattering"])
    assert gaps.min() < 10 and gaps.max() > 4 * gaps.min()


@pytest.mark.parametrize(
    ("text", "words"),
    [("b=0.3", "has no resting membrane. Give at most 0.267"), ("c_mV=30", "not below"), ("a=0", "a is 0")],
)
def test_a_neuron_that_never_rests_is_refused(text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        NEURONS.make(f"izhikevich:{text}")


def test_a_net_of_it_learns_digits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--neuron", "izhikevich", "--steps", "10", "--net", "32", "--epochs", "4", "--batch-size", "32", "--json"]
    words += ["--threads", "1", "--seed", "1"]
    accuracies = {}
    for rule in ("sigprop", "bptt", "shallow"):
        assert run(["train", "--rule", rule, *words, "--out", f"{tmp_path}/{rule}"]) == 0
        accuracies[rule] = json.loads(capsys.readouterr().out)["test_accuracy"]
    assert min(accuracies["sigprop"], accuracies["bptt"]) > accuracies["shallow"] + 0.05, accuracies
