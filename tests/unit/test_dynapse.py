"""Mismatch of DYNAP-SE: moments of its gains, one draw for each chip, and none where there is no spread."""

from __future__ import annotations

import math

import pytest
import torch

from hardware_models.devices.dynapse import Dynapse
from neurorules.contracts.device import DEVICES
from neurorules.language.errors import UserError

NAME = "hidden1.ff.w"


def gains(text: str, shape: tuple[int, ...], seed: int = 0) -> torch.Tensor:
    """What the weights of a chip, which are all 1, are read as."""
    device = DEVICES.make(text)
    stored, state = device.on_parameters(device.init({NAME: shape}, seed), NAME, torch.ones(shape))
    return device.on_read(state, NAME, stored).double()


@pytest.mark.parametrize("cv", [0.1, 0.2])
def test_synapses_and_neurons_have_the_spread_that_is_asked_for(cv: float) -> None:
    synapses = gains(f"dynapse:cv={cv}:neuron_cv=0", (400, 250))
    neurons = gains(f"dynapse:cv=0:neuron_cv={cv}", (100_000, 2))
    assert torch.equal(neurons[:, 0], neurons[:, 1])
    for sample in (synapses.flatten(), neurons[:, 0]):
        assert float(sample.min()) > 0
        assert abs(float(sample.mean()) - 1) <= 4 * cv / math.sqrt(len(sample))
        assert abs(float(sample.std() / sample.mean()) / cv - 1) <= 0.02


def test_both_act_together() -> None:
    both, one = gains("dynapse:cv=0.1:neuron_cv=0.2", (300, 300)), gains("dynapse:cv=0.1:neuron_cv=0", (300, 300))
    rows = both.mean(1)
    assert float(rows.std()) == pytest.approx(0.2, rel=0.2) and float(one.mean(1).std()) < 0.02


def test_one_seed_is_one_chip_and_a_numbered_chip_is_that_of_every_run() -> None:
    assert torch.equal(gains("dynapse", (5, 6), 3), gains("dynapse", (5, 6), 3))
    assert not torch.equal(gains("dynapse", (5, 6), 3), gains("dynapse", (5, 6), 4))
    assert torch.equal(gains("dynapse:chip=7", (5, 6), 3), gains("dynapse:chip=7", (5, 6), 4))


def test_without_spread_a_chip_reads_what_it_stores() -> None:
    assert torch.equal(gains("dynapse:cv=0:neuron_cv=0", (4, 3, 5, 5)), torch.ones(4, 3, 5, 5).double())


def test_weights_stay_within_the_limit() -> None:
    device = Dynapse(headroom=2)
    w = torch.tensor([[0.5, -0.25]])
    stored, state = device.on_parameters(device.init({NAME: (1, 2)}, 0), NAME, w)
    assert torch.equal(stored, w)
    assert device.on_update(state, NAME, stored, torch.tensor([[9.0, -9.0]]))[0].tolist() == [[1.0, -1.0]]
    _, empty = device.on_parameters(state, NAME, torch.zeros(1, 4))
    assert float(empty[f"{NAME}/limit"]) == 1.0


def test_a_spread_below_zero_is_refused() -> None:
    with pytest.raises(UserError, match="neuron_cv"):
        Dynapse(neuron_cv=-0.1)
