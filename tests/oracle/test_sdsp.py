"""Spike-driven synaptic plasticity: calcium, its windows, the two sides of the membrane, and the drift to both ends."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from neurorules import Learner
from neurorules.rules import RULES
from neurorules.torch_path.recording.window import changes

KEPT, DRIFT = math.exp(-1 / 60), 0.0035


def jump(bursts: list[int], both: bool, gap: int, weight: float = 0.2) -> np.ndarray:
    """What a presynaptic spike does after postsynaptic spikes in as many steps as a burst has, and `gap` steps.

    Args:
        bursts: their lengths, one for each synapse.
        both: whether the postsynaptic neuron fires in the step of the presynaptic spike, its membrane at threshold.
        gap: steps between.
        weight: before.
    """
    longest = max(bursts)
    pre, post = torch.zeros(2, longest + gap + 1, len(bursts), dtype=torch.float64)
    for synapse, burst in enumerate(bursts):
        post[longest - burst : longest, synapse] = 1
    pre[-1], post[-1] = 1, float(both)
    drifted = len(pre) * (DRIFT if weight > 0.5 else -DRIFT)
    return changes(RULES.make("sdsp"), pre, post, weight=weight).numpy() - drifted


def calcium(burst: int, gap: int) -> float:
    """Its value when the presynaptic spike comes, in closed form."""
    return KEPT ** (gap + 1) * (1 - KEPT**burst) / (1 - KEPT)


@pytest.mark.parametrize("gap", [0, 7, 40])
def test_jumps_come_where_calcium_lies_in_their_windows(gap: int) -> None:
    bursts = list(range(1, 40))
    levels = np.array([calcium(burst, gap) for burst in bursts])
    np.testing.assert_allclose(jump(bursts, True, gap), 0.1 * ((levels > 3) & (levels < 13)), atol=1e-12)
    np.testing.assert_allclose(jump(bursts, False, gap), -0.1 * ((levels > 3) & (levels < 4)), atol=1e-12)
    assert levels.min() < 3 < 4 < 13 < levels.max()  # silent neurons and those that have learned enough stay


def test_a_spike_does_not_count_in_the_calcium_that_it_meets() -> None:
    assert calcium(3, 0) < 3 < KEPT * calcium(3, -1) + 1
    assert abs(jump([3], True, 0)[0]) < 1e-12


@pytest.mark.parametrize("theta_v", [-0.1, 0.8, 1.2])
def test_the_membrane_chooses_the_side(theta_v: float) -> None:
    pre, post = torch.zeros(2, 5, 2, dtype=torch.float64)
    post[:4] = 1
    pre[-1], post[-1, 0] = 1, 1
    found = changes(RULES.make(f"sdsp:theta_v={theta_v}:drift_per_s=0"), pre, post)
    assert 3 < calcium(4, 0) < 4
    np.testing.assert_allclose(found, [0.1 if v > theta_v else -0.1 for v in (1.0, 0.0)], atol=1e-12)


def test_without_spikes_weights_only_drift_to_the_nearer_end_and_stay() -> None:
    learner = Learner("6", "sdsp", input_shape=(5,), classes=2, steps=10, precision="float64", lr=1.0)
    weights = learner.learned.parameters["hidden1.ff.w"]
    start = torch.linspace(0.0, 1.0, 30, dtype=torch.float64).reshape(6, 5)
    weights.copy_(start)
    learner.learned.parameters["hidden1.b"].zero_()
    silent, labels = torch.zeros(10, 2, 5, dtype=torch.float64), torch.tensor([0, 1])
    learner.step(silent, labels)
    moved = (start + 0.035 * torch.where(start > 0.5, 1.0, -1.0)).clamp(0, 1)
    torch.testing.assert_close(weights, moved)
    for _ in range(15):  # 0.5 / 3.5 a second is 143 ms
        learner.step(silent, labels)
    torch.testing.assert_close(weights, (start > 0.5).double())
