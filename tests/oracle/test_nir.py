"""Nets go out and come back by NIR without a changed spike, and graphs of others give what their equations give."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from nir_by_hand import run
from torch import Tensor

from neurorules import Learner
from neurorules.exchange.nir.file import write_graph

nir = pytest.importorskip("nir")

STEPS, BATCH = 12, 3
LAYERS = ("20", "r12", "17", "c4k3-a2-14", "c3k3v-c4k3s2", "a2-r9", "15-11")
NEURONS = (
    "if:v_threshold=0.7", "lif:beta={}:reset=zero:v_threshold=0.6", "lif:beta={}:reset=none:v_threshold=0.8",
    "cuba_lif:alpha={}:beta={}:reset=zero:v_threshold=0.9", "cuba_lif:alpha={}:beta={}:reset=none",
    "lif:beta={}:reset=zero:reset_delay=true:surrogate=atan",
)  # fmt: skip
READERS = ("leaky_readout", "leaky_readout:beta={}", "leaky_readout:beta=1", "lif:beta={}:reset=zero", "if")


def random_learner(seed: int, precision: str = "float32") -> Learner:
    """A net of random layers, neurons, decays, weights and biases."""
    draw = random.Random(seed)
    decays = iter(lambda: repr(draw.choice([draw.random(), 0.0, 0.5, 0.9, 0.99, 1 - 2.0**-12])), None)

    def filled(text: str) -> str:
        return text.format(*(next(decays) for _ in range(text.count("{}"))))

    learner = Learner(
        draw.choice(LAYERS), draw.choice(("bptt", "dfa")), input_shape=(2, 9, 8), classes=5, steps=STEPS, norm="none",
        neuron=filled(draw.choice(NEURONS)), readout_neuron=filled(draw.choice(READERS)), seed=seed,
        precision=precision,
    )  # fmt: skip
    generator = torch.Generator().manual_seed(seed)
    for name, value in learner.learned.parameters.items():
        noise = torch.rand(value.shape, generator=generator, dtype=value.dtype)
        value += noise * (0.3 if name.endswith(".b") else 0.5 / max(1, value[0].numel()) ** 0.5)
    return learner


def drive(seed: int, shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Tensor:
    """Spikes at random."""
    generator = torch.Generator().manual_seed(1000 + seed)
    return (torch.rand((STEPS, BATCH, *shape), generator=generator) < 0.4).to(dtype)


def activity(learner: Learner, spikes: Tensor) -> list[Tensor]:
    """What every layer sends, and every membrane, at every step."""
    response = learner.respond(spikes)
    return [part for one in response.activity for part in (one.S.values, one.v.values)]


@pytest.mark.parametrize("seed", range(100))
def test_a_random_net_comes_back_with_the_same_spikes_to_the_last_bit(seed: int, tmp_path: Path) -> None:
    learner = random_learner(seed)
    write_graph(tmp_path / "net.nir", learner.to_nir())
    back = Learner(str(tmp_path / "net.nir"), "bptt", steps=STEPS)
    spikes = drive(seed, learner.model.network.input_shape)
    here, there = activity(learner, spikes), activity(back, spikes)
    assert len(here) == len(there)
    assert sum(float(part.sum()) for part in here[:-2:2]) > 0
    for one, other in zip(here, there, strict=True):
        assert torch.equal(one, other)
    for layer, other_layer in zip(learner.model.network.layers, back.model.network.layers, strict=True):
        assert repr(layer.neuron) == repr(other_layer.neuron) or "delay=True" in repr(layer.neuron)


@pytest.mark.parametrize("seed", range(0, 100, 4))
def test_the_equations_of_what_is_written_give_the_spikes_of_the_net(seed: int) -> None:
    learner = random_learner(seed, "float64")
    graph = learner.to_nir()
    spikes = drive(seed, learner.model.network.input_shape, torch.float64)
    response = learner.respond(spikes)
    for sample in range(BATCH):
        by_hand = run(graph, spikes[:, sample].numpy())
        for layer, here in zip(learner.model.network.layers, response.activity, strict=True):
            sent = next(name for name in (f"{layer.name}_threshold", layer.name, "output") if name in by_hand)
            expected = here.S.values[:, sample].numpy()
            np.testing.assert_allclose(by_hand[sent], expected, atol=1e-9, err_msg=f"{layer.name} {layer.neuron}")
