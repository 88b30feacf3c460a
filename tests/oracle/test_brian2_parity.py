"""The Brian2 path against the torch path: the same spikes, the same membranes."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from neurorules.brian2_path.case import Case
from neurorules.brian2_path.parity import compare_spikes
from neurorules.brian2_path.simulate import run_together, simulate
from neurorules.neurons._shared import LeakyIntegrator
from neurorules.surrogates import FastSigmoid
from neurorules.torch_path.network import Network, build_network

CLOSE = {"rtol": 0, "atol": 1e-9}


def in_256ths(generator: torch.Generator, *shape: int, low: int = -128, high: int = 256) -> Tensor:
    """Random multiples of 1/256: sums of them are exact, in any order."""
    return torch.randint(low, high, shape, generator=generator).double() / 256


def random_neuron(choose: random.Random, generator: torch.Generator, size: int) -> LeakyIntegrator:
    """Any beta, threshold, reset and delay; numbers shared, or one a neuron."""
    beta, theta = choose.uniform(0, 1), choose.uniform(0.3, 1.5)
    if choose.random() < 0.5:
        beta = torch.rand(size, generator=generator, dtype=torch.float64)
        theta = 0.3 + torch.rand(size, generator=generator, dtype=torch.float64)
    return LeakyIntegrator(
        beta, theta, choose.choice(["subtract", "zero", "none"]), choose.random() < 0.5, FastSigmoid()
    )


def random_setting(seed: int) -> tuple[Network, dict[str, Tensor], Tensor]:
    """A net with two hidden layers of LIF neurons, and its input: spikes (T, B, N) or a constant current (B, N)."""
    choose, generator = random.Random(seed), torch.Generator().manual_seed(seed)
    sizes = [choose.randint(3, 16) for _ in range(3)]
    recurrent = "r" if seed % 5 == 4 else ""
    net = build_network(f"{sizes[1]}-{recurrent}{sizes[2]}", (sizes[0],), 2, norm="none", neuron="lif")
    hidden = [replace(layer, neuron=random_neuron(choose, generator, layer.shape[0])) for layer in net.hidden]
    net = replace(net, layers=(*hidden, net.readout))
    shapes = {name: w.shape for name, w in net.initial_parameters(generator, torch.float64).items()}
    parameters = {name: in_256ths(generator, *shape) for name, shape in shapes.items()}
    samples = choose.randint(1, 3)
    if choose.random() < 0.3:
        return net, parameters, in_256ths(generator, samples, sizes[0])
    return net, parameters, (torch.rand(80, samples, sizes[0], generator=generator) < 0.4).double()


def run_step_by_step(net: Network, parameters: dict[str, Tensor], drive: Tensor, steps: int) -> dict[str, tuple]:
    """The torch oracle: one loop over time of `Neuron.step`, layer after layer. (S, v) by layer."""
    below = drive if drive.ndim == 3 else drive.expand(steps, *drive.shape)
    found = {}
    for layer in net.layers:
        state, spikes, rows = None, None, []
        for t in range(steps):
            current = below[t] @ parameters[f"{layer.name}.ff.w"].T + parameters[layer.bias]
            if spikes is not None and f"{layer.name}.rec.w" in parameters:
                current = current + spikes @ parameters[f"{layer.name}.rec.w"].T
            state = layer.neuron.initial(current) if state is None else state
            spikes, observed, state = layer.neuron.step(state, current)
            rows.append((spikes, observed.v))
        found[layer.name] = tuple(torch.stack(column) for column in zip(*rows, strict=True))
        below = found[layer.name][0]
    return found


def arrays(values: dict[str, Tensor]) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in values.items()}


def test_fifty_random_settings_spike_alike_in_one_run() -> None:
    settings = [random_setting(seed) for seed in range(50)]
    cases = [Case(net, arrays(parameters), drive.numpy()) for net, parameters, drive in settings]
    outcomes = run_together(cases, 80)
    fired = 0
    for number, ((net, parameters, drive), outcome) in enumerate(zip(settings, outcomes, strict=True)):
        expected = run_step_by_step(net, parameters, drive, 80)
        hidden = {layer.name: expected[layer.name][0].numpy() for layer in net.hidden}
        parity = compare_spikes(hidden, {name: layer.S for name, layer in outcome.layers.items()})
        assert parity.spikes_equal, (number, parity.first_difference)
        fired += parity.spikes_compared
        for name, (_, v) in expected.items():
            np.testing.assert_allclose(outcome.layers[name].v, v.numpy(), **CLOSE)
    assert fired > 10_000


@pytest.mark.parametrize("samples_at_once", [1, 2])
def test_samples_that_do_not_fit_one_run_are_run_in_parts(
    monkeypatch: pytest.MonkeyPatch, samples_at_once: int
) -> None:
    net, parameters, drive = random_setting(3)
    drive = drive if drive.shape[-2] > 2 else torch.cat([drive, drive.roll(1, -1), 1 - drive], -2)
    synapses = sum(w.numel() for name, w in parameters.items() if name.endswith(".w"))
    monkeypatch.setattr("neurorules.brian2_path.simulate.LARGEST_RUN", samples_at_once * synapses)
    found = simulate(net, arrays(parameters), drive.numpy(), 20)
    for name, (spikes, _) in run_step_by_step(net, parameters, drive, 20).items():
        np.testing.assert_array_equal(found[name].S, spikes.numpy())
