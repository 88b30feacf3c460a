"""A membrane that leaks by a constant amount down to a floor, against closed forms and a plain loop."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import neurorules
from neurorules.language.errors import UserError
from neurorules.neurons import NEURONS


def run(text: str, currents: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Membranes before the reset and spikes, (T,) each, of one neuron."""
    neuron, membranes, spikes = NEURONS.make(text), [], []
    state = neuron.initial(currents[:1])
    for current in currents:
        fired, seen, state = neuron.step(state, current[None])
        membranes.append(float(seen.v))
        spikes.append(float(fired))
    return np.array(membranes), np.array(spikes)


def test_a_constant_current_fires_as_often_as_it_exceeds_the_leak() -> None:
    for current in (0.05, 0.113, 0.163, 0.37):
        _, spikes = run("if:leak=0.1:floor=0", torch.full((500,), current, dtype=torch.float64))
        net = current - 0.1
        assert spikes.sum() == (0 if net < 0 else 500 // (math.floor(1 / net) + 1))


def test_a_silent_membrane_falls_in_a_line_and_stops_at_the_floor() -> None:
    currents = torch.zeros(20, dtype=torch.float64)
    currents[0] = 0.9
    v, _ = run("if:leak=0.25:floor=-0.5", currents)
    np.testing.assert_allclose(v[:8], [0.65, 0.4, 0.15, -0.1, -0.35, -0.6, -0.75, -0.75])  # v is seen before the floor
    np.testing.assert_allclose(v[8:], -0.75)


def test_both_leaks_act_together_as_a_plain_loop_has_them() -> None:
    draws = 0.5 * np.random.default_rng(0).standard_normal(300)
    v, spikes = run("lif:beta=0.9:leak=0.05:floor=-0.2", torch.from_numpy(draws))
    u = 0.0
    for t, current in enumerate(draws):
        u = 0.9 * u + current - 0.05
        assert v[t] == pytest.approx(u, abs=1e-12) and spikes[t] == (u > 1)
        u = max(u - 1 if u > 1 else u, -0.2)
    assert 10 < spikes.sum() < 200 and v.max() < 2


def test_without_leak_and_floor_it_is_the_neuron_that_scans_run() -> None:
    assert NEURONS.make("if").dynamics() is not None and NEURONS.make("lif:leak=0:floor=none").dynamics() is not None
    currents = torch.from_numpy(np.random.default_rng(1).standard_normal(200))
    plain, floored = (run(f"lif:beta=0.8{more}", currents) for more in ("", ":floor=-1000"))
    np.testing.assert_array_equal(plain, floored)


@pytest.mark.parametrize(
    ("text", "words"),
    [("if:leak=0.1", "sinks for ever. Add floor=0"), ("lif:floor=0.5", "above 0"), ("lif:leak=-1", "leak is -1")],
)
def test_a_membrane_without_a_lowest_value_is_refused(text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        NEURONS.make(text)


def test_sdsp_learns_on_the_neurons_of_its_paper() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.random((40, 12)) * 0.5, 0.5 + rng.random((40, 12)) * 0.5]).astype(np.float32)
    data = ((x, np.repeat([0, 1], 40)),) * 2
    result = neurorules.train(
        "sdsp", data=data, net="16", neuron="if:leak=0.01:floor=0", steps=10, epochs=8, batch_size=8, threads=1
    )
    assert result["test_accuracy"] > 0.9
