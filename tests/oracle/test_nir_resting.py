"""Neurons that leak and are reset to other values than 0, as those of NIR may: learned and run like the others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from neurorules import Learner
from neurorules.brian2_steps.simulate import simulate
from neurorules.network.network import Network
from neurorules.neurons._resting import RestingIntegrator
from neurorules.surrogates import FastSigmoid

STEPS = 15


def with_neuron(learner: Learner, neuron: Any) -> Learner:
    """A learner of the same weights, whose hidden neurons are others."""
    network: Network = learner.model.network
    hidden = tuple(replace(layer, neuron=neuron) for layer in network.hidden)
    other = Learner(replace(network, layers=(*hidden, network.readout)), learner.model.rule.name, steps=STEPS,
                    precision="float64")  # fmt: skip
    other.learned.parameters.update({name: value.clone() for name, value in learner.learned.parameters.items()})
    return other


def plain(neuron: str, rule: str, net: str = "14-r11") -> Learner:
    return Learner(net, rule, input_shape=(8,), classes=5, steps=STEPS, norm="none", neuron=neuron,
                   precision="float64")  # fmt: skip


def drive(seed: int) -> Tensor:
    return (torch.rand((STEPS, 4, 8), generator=torch.Generator().manual_seed(seed)) < 0.5).double() * 2


@pytest.mark.parametrize("rule", ["bptt", "dfa", "sigprop", "stdp"])
@pytest.mark.parametrize("shift", [0.0, -0.75, 65.0])
def test_a_shift_of_every_voltage_changes_nothing_that_is_learned(rule: str, shift: float) -> None:
    one = plain("cuba_lif:alpha=0.5:beta=0.75:reset=zero", rule)
    other = with_neuron(
        one, RestingIntegrator(0.75, 1.0 + shift, "zero", False, FastSigmoid(), 0.5, shift, shift, shift)
    )
    labels = torch.tensor([0, 1, 2, 3])
    for seed in range(3):
        assert 0 < one.respond(drive(seed)).activity[1].S.values.mean() < 1
        one.step(drive(seed), labels)
        other.step(drive(seed), labels)
    for name, value in one.learned.parameters.items():
        torch.testing.assert_close(other.learned.parameters[name], value, atol=1e-9, rtol=0)


def test_it_leaks_to_one_value_and_is_reset_to_another() -> None:
    neuron = RestingIntegrator(0.5, 1.0, "zero", False, FastSigmoid(), 0.0, 0.25, -0.5, 0.0)
    state, seen, sent = neuron.initial(torch.zeros(1, 1)), [], []
    for current in (0.5, 1.0, 0.0, 0.0):
        spikes, observed, state = neuron.step(state, torch.full((1, 1), current))
        seen.append(observed.v.item())
        sent.append(spikes.item())
    assert seen == [0.625, 1.4375, -0.125, 0.0625]  # v = u/2 + 1/8 + I, and u = -1/2 behind the spike
    assert sent == [0, 1, 0, 0]


def test_brian2_gives_its_spikes() -> None:
    numbers = [torch.tensor(np.random.default_rng(n).uniform(-0.25, 0.25, 14).round(3)) for n in range(3)]
    one = plain("cuba_lif:reset=zero", "bptt", "14")
    other = with_neuron(one, RestingIntegrator(0.75, 0.75, "zero", False, FastSigmoid(), 0.5, *numbers))
    for value in other.learned.parameters.values():
        value.copy_((value * 256).round() / 256)
    spikes = drive(3)
    here = other.respond(spikes).activity[0].S.values
    parameters = {name: value.numpy() for name, value in other.learned.parameters.items()}
    there = simulate(other.model.network, parameters, spikes.numpy(), STEPS)["hidden1"].S
    assert 0 < float(here.mean()) < 1
    np.testing.assert_array_equal(there, here.numpy())
