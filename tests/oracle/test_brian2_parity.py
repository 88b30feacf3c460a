"""The Brian2 path against the torch path: the same spikes, the same membranes."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from neurorules.brian2_steps.case import Case
from neurorules.brian2_steps.parity import compare_spikes
from neurorules.brian2_steps.simulate import run_together, simulate
from neurorules.connections.conv2d import Conv2d
from neurorules.contracts.neuron import Neuron
from neurorules.network.layer import Input
from neurorules.network.network import Network, build_network
from neurorules.neurons._adaptive import AdaptiveIntegrator
from neurorules.neurons._leaky import LeakyIntegrator
from neurorules.neurons._refractory import with_refractory_period
from neurorules.neurons._synaptic import SynapticIntegrator
from neurorules.surrogates import FastSigmoid
from neurorules.transforms.flatten import Flatten
from neurorules.transforms.pool import Pool

CLOSE = {"rtol": 0, "atol": 1e-9}
STEPS, SETTINGS, TOGETHER = 40, 200, 50


def in_256ths(generator: torch.Generator, *shape: int, low: int = -128, high: int = 256) -> Tensor:
    """Random multiples of 1/256: sums of them are exact, in any order."""
    return torch.randint(low, high, shape, generator=generator).double() / 256


KINDS = ("if", "lif", "cuba_lif", "alif")
NETS = ("dense", "recurrent", "conv")


def random_neuron(kind: str, choose: random.Random, generator: torch.Generator, shape: tuple[int, ...]) -> Neuron:
    """Any decays, threshold, reset, delay and refractory period; numbers shared, or one a neuron."""
    own = choose.random() < 0.4

    def number(low: float, high: float) -> float | Tensor:
        drawn = low + (high - low) * torch.rand(shape, generator=generator, dtype=torch.float64)
        return drawn if own else float(drawn.flatten()[0])

    beta = 1.0 if kind == "if" else number(0, 1)
    theta, reset, delay = number(0.3, 1.5), choose.choice(["subtract", "zero", "none"]), choose.random() < 0.5
    rest = choose.choice([0, 0, 1, 3])
    numbers = (beta, theta, reset, delay, FastSigmoid())
    if kind == "cuba_lif":
        return with_refractory_period(SynapticIntegrator(*numbers, number(0, 1)), rest)
    if kind == "alif":
        return with_refractory_period(AdaptiveIntegrator(*numbers, choose.uniform(0, 1), choose.uniform(0, 1)), rest)
    return with_refractory_period(LeakyIntegrator(*numbers), rest)


def random_net(kind: str, choose: random.Random) -> tuple[str, tuple[int, ...]]:
    """A net with two or three hidden layers as text, and the shape of its input."""
    if kind != "conv":
        sizes = [choose.randint(3, 16) for _ in range(3)]
        first = "r" if choose.random() < 0.5 else ""
        return (f"{first}{sizes[1]}-{'r' if kind == 'recurrent' else ''}{sizes[2]}", (sizes[0],))
    maps = f"c{choose.randint(1, 3)}k{choose.choice(['3', '3v', '5', '3s2', '2v'])}"
    pools = choose.choice(["", "-p2", "-a2", "-p3", "-p2-a2", "-a2-a2", "-p2-p2"])
    then = choose.choice(["-6", "-c2k1", "-c2k3-7", "-r5"])
    before = choose.choice(["", "", "p2-", "a2-"]) if "-" not in pools[1:] else ""
    return (f"{before}{maps}{pools}{then}", (choose.randint(1, 2), choose.randint(12, 13), 12))


def random_setting(seed: int) -> tuple[Network, dict[str, Tensor], Tensor]:
    """A net of one kind of neurons, its weights, and its input: spikes (T, B, *shape) or a constant one (B, *shape)."""
    choose, generator = random.Random(seed), torch.Generator().manual_seed(seed)
    text, shape = random_net(NETS[seed // len(KINDS) % len(NETS)], choose)
    net = build_network(text, shape, 2, norm="none", neuron="lif")
    kind = KINDS[seed % len(KINDS)]
    hidden = [replace(layer, neuron=random_neuron(kind, choose, generator, layer.shape)) for layer in net.hidden]
    net = replace(net, layers=(*hidden, net.readout))
    shapes = {name: w.shape for name, w in net.initial_parameters(generator, torch.float64).items()}
    parameters = {name: in_256ths(generator, *shape) for name, shape in shapes.items()}
    samples = choose.randint(1, 2)
    if choose.random() < 0.3 and not text.startswith("p"):
        return net, parameters, in_256ths(generator, samples, *net.input_shape)
    return net, parameters, (torch.rand(STEPS, samples, *net.input_shape, generator=generator) < 0.4).double()


def arriving(entry: Input, rows: Tensor) -> Tensor:
    """Rows as they reach a connection."""
    for transform in entry.transforms:
        if isinstance(transform, Pool):
            pool = functional.max_pool2d if transform.kind == "max" else functional.avg_pool2d
            rows = pool(rows, transform.size)
        elif isinstance(transform, Flatten):
            rows = rows.flatten(1)
    return rows


def brought(entry: Input, w: Tensor, rows: Tensor) -> Tensor:
    """The current of a connection."""
    connection = entry.connection
    if isinstance(connection, Conv2d):
        return functional.conv2d(rows, w, stride=connection.stride, padding=connection.zeros_around)
    return rows @ w.T


def run_step_by_step(net: Network, parameters: dict[str, Tensor], drive: Tensor, steps: int) -> dict[str, tuple]:
    """The torch oracle: one loop over time of `Neuron.step`, layer after layer. (S, v) by layer."""
    below = drive if drive.ndim == len(net.input_shape) + 2 else drive.expand(steps, *drive.shape)
    found = {}
    for layer in net.layers:
        state, spikes, rows = None, None, []
        for t in range(steps):
            entry = layer.inputs[0]
            current = brought(entry, parameters[layer.weight_name(entry)], arriving(entry, below[t]))
            current = current + parameters[layer.bias_name]
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


@pytest.mark.parametrize("first", range(0, SETTINGS, TOGETHER))
def test_two_hundred_random_settings_spike_alike(first: int) -> None:
    settings = [random_setting(seed) for seed in range(first, first + TOGETHER)]
    cases = [Case(net, arrays(parameters), drive.numpy()) for net, parameters, drive in settings]
    outcomes = run_together(cases, STEPS)
    fired, silent = 0, 0
    for number, ((net, parameters, drive), outcome) in enumerate(zip(settings, outcomes, strict=True)):
        expected = run_step_by_step(net, parameters, drive, STEPS)
        hidden = {layer.name: expected[layer.name][0].numpy() for layer in net.hidden}
        parity = compare_spikes(hidden, {name: layer.S for name, layer in outcome.layers.items()})
        assert parity.spikes_equal, (first + number, parity.first_difference)
        fired, silent = fired + parity.spikes_compared, silent + (parity.spikes_compared == 0)
        for name, (_, v) in expected.items():
            np.testing.assert_allclose(outcome.layers[name].v, v.flatten(2).numpy(), **CLOSE)
    assert fired > 10_000 and silent == 0


@pytest.mark.parametrize("samples_at_once", [1, 2])
def test_samples_that_do_not_fit_one_run_are_run_in_parts(
    monkeypatch: pytest.MonkeyPatch, samples_at_once: int
) -> None:
    net, parameters, drive = random_setting(3)
    drive = drive if drive.shape[-2] > 2 else torch.cat([drive, drive.roll(1, -1), 1 - drive], -2)
    synapses = sum(w.numel() for name, w in parameters.items() if name.endswith(".w"))
    monkeypatch.setattr("neurorules.brian2_steps.simulate.LARGEST_RUN", samples_at_once * synapses)
    found = simulate(net, arrays(parameters), drive.numpy(), 20)
    for name, (spikes, _) in run_step_by_step(net, parameters, drive, 20).items():
        np.testing.assert_array_equal(found[name].S, spikes.numpy())
