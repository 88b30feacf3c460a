"""Nets go out and come back by NIR without a changed spike, and graphs of others give what their equations give."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import snntorch
import snntorch.utils
import torch
from nets_of_modules import KINDS, learner_of_module
from nir_by_hand import run
from snntorch import surrogate
from torch import Tensor

from neurorules import Learner
from neurorules.exchange.nir.file import read_graph, write_graph
from neurorules.exchange.nir.options import NirOptions
from neurorules.exchange.nir.read import net_of_graph
from neurorules.language.errors import UserError
from neurorules.surrogates import Atan

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


def any_learner(seed: int, precision: str = "float32") -> Learner:
    """Of three nets one is a class of a user's, and the others are texts."""
    return (
        random_learner(seed, precision) if seed % 3 else learner_of_module(seed, KINDS[seed // 3 % 6], STEPS, precision)
    )


@pytest.mark.parametrize("seed", range(120))
def test_a_random_net_comes_back_with_the_same_spikes_to_the_last_bit(seed: int, tmp_path: Path) -> None:
    learner = any_learner(seed)
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
        assert [repr(entry.connection) for entry in layer.inputs] == [repr(e.connection) for e in other_layer.inputs]
    assert back.store.frozen >= learner.store.frozen


@pytest.mark.parametrize("seed", [*range(1, 100, 5), *range(0, 18, 3)])
def test_the_equations_of_what_is_written_give_the_spikes_of_the_net(seed: int) -> None:
    learner = any_learner(seed, "float64")
    graph = learner.to_nir()
    spikes = drive(seed, learner.model.network.input_shape, torch.float64)
    response = learner.respond(spikes)
    for sample in range(BATCH):
        by_hand = run(graph, spikes[:, sample].numpy())
        for layer, here in zip(learner.model.network.layers, response.activity, strict=True):
            sent = next(name for name in (f"{layer.name}_threshold", layer.name, "output") if name in by_hand)
            expected = here.S.values[:, sample].numpy()
            expected = expected.reshape(by_hand[sent].shape)
            np.testing.assert_allclose(by_hand[sent], expected, atol=1e-9, err_msg=f"{layer.name} {layer.neuron}")


METADATA = ("lif:beta=0.8:reset=subtract", "lif:beta=0.8:reset=subtract:reset_delay=true", "if:reset=subtract",
            "cuba_lif:reset=subtract", "cuba_lif:reset=zero:reset_delay=true")  # fmt: skip


@pytest.mark.parametrize("neuron", METADATA)
def test_a_reset_that_nir_cannot_say_comes_back_by_the_metadata_alone(neuron: str, tmp_path: Path) -> None:
    learner = Learner("20-15", "bptt", input_shape=(8,), classes=5, steps=STEPS, norm="none", neuron=neuron)
    with pytest.raises(UserError, match="reset of layer 'hidden1'"):
        learner.to_nir()
    graph = learner.to_nir(reset="metadata")
    write_graph(tmp_path / "net.nir", graph)
    spikes = drive(1, (8,)) * 3
    back = Learner(str(tmp_path / "net.nir"), "bptt", steps=STEPS)
    for one, other in zip(activity(learner, spikes), activity(back, spikes), strict=True):
        assert torch.equal(one, other)
    assert repr(back.model.network.layers[0].neuron) == repr(learner.model.network.layers[0].neuron)
    plain = net_of_graph(read_graph(tmp_path / "net.nir"), NirOptions(reset="value")).network.layers[0].neuron
    assert (plain.reset, plain.reset_delay) == ("zero", False)  # type: ignore[attr-defined]


def test_what_stays_as_it_is_and_the_surrogate_come_back(tmp_path: Path) -> None:
    module = torch.nn.Sequential(
        torch.nn.Linear(8, 6), snntorch.Leaky(0.9, reset_mechanism="zero", spike_grad=surrogate.atan(alpha=3.5)),
        torch.nn.Linear(6, 5, bias=False), snntorch.Leaky(torch.rand(6)[:5], reset_mechanism="none"),
    )  # fmt: skip
    module[0].weight.requires_grad_(False)
    module[2].weight.requires_grad_(False)
    learner = Learner(module, "bptt", steps=STEPS)
    write_graph(tmp_path / "net.nir", learner.to_nir())
    back = Learner(str(tmp_path / "net.nir"), "bptt", steps=STEPS)
    assert back.store.frozen == learner.store.frozen == {"hidden1.ff.w", "readout.ff.w", "readout.b"}
    assert back.model.network.layers[0].neuron.surrogate == Atan(3.5)  # type: ignore[attr-defined]
    for one, other in zip(activity(learner, drive(2, (8,))), activity(back, drive(2, (8,))), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("norm", ["batch", "streaming"])
def test_a_normalisation_goes_out_folded_into_the_weights(norm: str) -> None:
    learner = Learner("20-15", "dfa", input_shape=(8,), classes=5, steps=STEPS, norm=norm, precision="float64")
    labels = torch.tensor([0, 1, 2])
    for seed in range(5):
        learner.step(drive(seed, (8,)).double(), labels)
    back = Learner(learner.to_nir(), "dfa", steps=STEPS, precision="float64")
    spikes = drive(9, (8,)).double()
    here, there = learner.respond(spikes), back.respond(spikes)
    assert 0 < float(here.activity[0].S.values.mean()) < 1
    for one, other in zip(here.activity, there.activity, strict=True):
        torch.testing.assert_close(one.v.values, other.v.values, atol=1e-9, rtol=0)


def test_a_run_goes_on_from_a_graph_as_from_the_net_itself() -> None:
    learner = Learner("20-15", "dfa", input_shape=(8,), classes=5, steps=STEPS, norm="none", seed=3)
    back = Learner(learner.to_nir(), "dfa", steps=STEPS, seed=3)
    for seed in range(3):
        labels = torch.tensor([0, 1, 2])
        assert learner.step(drive(seed, (8,)), labels) == back.step(drive(seed, (8,)), labels)
    for name, value in learner.learned.parameters.items():
        assert torch.equal(value, back.learned.parameters[name])
