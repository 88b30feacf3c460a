"""Nets of maps learn the same with event-driven convolutions and without."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import neurorules
from neurorules.connections import _map_products
from neurorules.contracts.series import Series
from neurorules.native.events import maps
from neurorules.native.scans import build
from neurorules.network.initial import initialise
from neurorules.network.model import build_model
from neurorules.network.network import build_network
from neurorules.rules import RULES
from neurorules.torch_path.forward.run_layer import run_layer

STEPS, ROWS = 5, 12
NEAR = 1e-4
"""How near to the threshold a membrane is, of which two ways of summing may decide differently whether it fires."""


@pytest.fixture(autouse=True)
def compiled() -> None:
    if build.library() is None:
        pytest.skip("this machine has no C compiler")


@contextmanager
def always(events: bool) -> Iterator[list[str]]:
    """Inside the block every convolution is made by events, however small it is, or none; yields which were."""
    names: list[str] = []
    with pytest.MonkeyPatch.context() as patched:
        free = _map_products.Costs(*[0.0] * 8)
        for name in ("CURRENT", "CHANGE"):
            patched.setattr(_map_products, name, free)
        if not events:
            patched.setattr(maps, "serves", lambda values: False)
        for name in ("current", "change"):
            product: Callable[..., Tensor] = getattr(maps, name)
            patched.setattr(maps, name, lambda *a, _name=name, _product=product: (names.append(_name), _product(*a))[1])
        yield names


def activity(net: str, spikes: Tensor, coarse: bool, events: bool, seed: int) -> list[tuple[Tensor, Tensor, Tensor]]:
    """The spikes of each hidden layer that reads maps, its membranes, and what it reads, layer by layer.

    Args:
        net: a text of layers.
        spikes: the input, (T, B, C, H, W).
        coarse: whether weights are multiples of 1/256, so that all sums are exact.
        events: whether convolutions are made by events.
        seed: of the weights.
    """
    made = build_network(net, tuple(spikes.shape[2:]), 4, neuron="lif:beta=0.5", norm="none")
    model = build_model(made.on(torch.device("cpu"), torch.float32), RULES.make("bptt"))
    parameters = initialise(model, seed, torch.device("cpu"), torch.float32).parameters
    if coarse:
        parameters = {name: (value * 512).round() / 256 for name, value in parameters.items()}
    source, layers = Series(spikes, False), []
    with always(events) as names:
        for layer in model.network.hidden:
            run, _ = run_layer(layer, parameters, None, {entry.name: source for entry in layer.inputs}, len(spikes))
            layers.append((run.S.values, run.v.values, source.values))
            source = run.S
    assert bool(names) is events
    return layers


NETS = st.sampled_from(["c3k3", "c17k5v-n-p2-c5k3", "c4k3s2-n-c20k3", "c6k3-n-a2-c33k3s2", "c2k4v-n-p3-c3k1"])


@settings(max_examples=25, deadline=None)
@given(
    net=NETS, channels=st.integers(1, 3), high=st.integers(12, 17), wide=st.integers(12, 19), rate=st.floats(0.02, 0.6),
    graded=st.booleans(), seed=st.integers(0, 1000),
)  # fmt: skip
def test_spikes_are_those_of_the_dense_way_where_sums_are_exact(
    net: str, channels: int, high: int, wide: int, rate: float, graded: bool, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    spikes = (torch.rand(STEPS, ROWS, channels, high, wide, generator=generator) < rate).float()
    if graded:  # values of quarters keep sums exact, too
        spikes *= torch.randint(-3, 4, spikes.shape, generator=generator) / 4
    ways = [activity(net, spikes, True, events, seed) for events in (True, False)]
    for ours, plain in zip(*ways, strict=True):
        assert torch.equal(ours[0], plain[0])


@settings(max_examples=25, deadline=None)
@given(net=NETS, rate=st.floats(0.05, 0.5), graded=st.booleans(), seed=st.integers(0, 1000))
def test_other_spikes_differ_only_where_a_membrane_is_at_the_threshold(
    net: str, rate: float, graded: bool, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    spikes = (torch.rand(STEPS, ROWS, 2, 14, 15, generator=generator) < rate).float()
    if graded:
        spikes *= torch.rand(spikes.shape, generator=generator)
    ways = [activity(net, spikes, False, events, seed) for events in (True, False)]
    for ours, plain in zip(*ways, strict=True):
        if not torch.equal(ours[2], plain[2]):
            break  # a layer that reads other spikes has other membranes
        differs = (ours[0] != plain[0]).float()
        first = differs * (differs.cumsum(0) == 1)  # what follows a neuron's first other spike follows from it
        assert ((plain[1] - 1).abs()[first.bool()] < NEAR).all()


WHOLE = ("bptt", "eprop")
"""Rules that need all steps of a layer of maps at once."""


def learned(rule: str, net: str, events: bool, schedule: str = "by_layer", **options: Any) -> dict[str, Tensor]:
    """The parameters of a net after three steps on sparse maps, and what its signal keeps."""
    generator = torch.Generator().manual_seed(11)
    learner = neurorules.Learner(
        net, rule, input_shape=(2, 12, 12), classes=3, precision="float64", schedule=schedule, seed=3, **options
    )
    with always(events) as names:
        for _ in range(3):
            spikes = (torch.rand(4, 10, 2, 12, 12, generator=generator) < 0.1).to(learner.dtype)
            learner.step(spikes, torch.randint(3, (10,), generator=generator))
    assert bool(names) is events
    return {name: value.clone() for name, value in learner.state().items() if value.is_floating_point()}


@pytest.mark.parametrize("rule", ["sigprop", "dfa", "bptt", "eprop"])
@pytest.mark.parametrize("net", ["c5k3-n-p2-c7k3-n-a2-9", "c20k3s2-9"])
def test_a_net_learns_the_same_by_events_and_without(rule: str, net: str) -> None:
    ours, plain = learned(rule, net, True), learned(rule, net, False)
    by_step = learned(rule, net, True, "by_layer" if rule in WHOLE else "by_step")
    assert ours.keys() == plain.keys() == by_step.keys()
    for name, value in ours.items():
        assert (value - plain[name]).abs().max() <= 1e-10, name
        assert (value - by_step[name]).abs().max() <= 1e-10, name
