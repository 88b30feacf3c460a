"""Neurons of chips in place of a network's: what rules read beside the steps stays that of the network's neuron."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from hardware_models.chip_neuron import ChipNeuron
from hardware_models.loihi.neuron import on_loihi
from hardware_models.odin import on_odin
from hardware_models.spinnaker import on_spinnaker
from hardware_models.xylo import on_xylo
from neurorules.neurons import NEURONS

CHIPS: dict[str, Callable[[Any], Any]] = {
    "loihi": lambda neuron: on_loihi("hidden1", neuron, 64),
    "odin": lambda neuron: on_odin("hidden1", neuron, 64.0),
    "spinnaker": lambda neuron: on_spinnaker("hidden1", neuron),
    "xylo": lambda neuron: on_xylo("hidden1", neuron, 64.0),
}


@pytest.mark.parametrize("surrogate", ["fast_sigmoid", "atan"])
@pytest.mark.parametrize("chip", CHIPS)
def test_rules_read_psi_the_graded_output_and_the_threshold_of_the_networks_neuron(chip: str, surrogate: str) -> None:
    neuron = NEURONS.make(f"lif:beta=0.9:reset=zero:surrogate={surrogate}")
    here, v = CHIPS[chip](neuron), torch.linspace(-1, 3, 41)
    assert isinstance(here, ChipNeuron) and here.spiking
    assert torch.equal(here.psi(v), neuron.psi(v)) and torch.equal(here.primitive(v), neuron.primitive(v))
    assert not torch.equal(here.psi(v), here.primitive(v)) and here.scale == neuron.scale


@pytest.mark.parametrize("chip", ["loihi", "spinnaker", "xylo"])
def test_a_read_out_sends_its_membrane_and_never_a_spike(chip: str) -> None:
    here, current = CHIPS[chip](NEURONS.make("leaky_readout:beta=0.5")), torch.tensor([[-0.5, 0.25, 4.0]])
    out, observed, _ = here.step(here.initial(current), current)
    assert not here.spiking and torch.equal(out, observed.v)
    assert torch.allclose(out, current, rtol=0.6, atol=0.05) and out.unique().numel() == 3
