"""The network of Diehl & Cook: torch, its compiled loop and Brian2 spike for spike, and closed forms of its parts."""

from __future__ import annotations

import copy
from collections.abc import Callable
from math import exp
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from neurorules.native.diehl_cook import Constants, State, native, normalise, random_state, reference

C = Constants()
INPUTS, NEURONS, STEPS, SHOWN = 60, 6, 320, 280
NONE = torch.zeros(0, dtype=torch.long)
every_machine = pytest.mark.parametrize("machine", [native, reference], ids=["compiled", "torch"])


class Shown(NamedTuple):
    """What is presented: input spikes, and whether weights and thresholds change."""

    times: Tensor
    inputs: Tensor
    changes: bool


def presentations() -> list[Shown]:
    """Three images for a network that learns, which is then frozen and shown the first one again."""
    random = np.random.default_rng(1)
    shown = []
    for image in range(3):
        times, inputs = np.nonzero(random.random((SHOWN, INPUTS)) < 0.3 * (np.arange(INPUTS) % 3 == image))
        shown.append(Shown(torch.from_numpy(times), torch.from_numpy(inputs), True))
    return [*shown, shown[0]._replace(changes=False)]


def begun(neurons: int = NEURONS, inputs: int = INPUTS) -> State:
    return random_state(inputs, neurons, np.random.default_rng(0), C)


def in_torch(machine: Any, state: State) -> list[Tensor]:
    spikes = []
    for one in presentations():
        spikes.append(machine.present(state, C, STEPS, one.times, one.inputs, one.changes, one.changes))
        if one.changes:
            normalise(state.w)
    return spikes


def same(ours: list[Tensor], theirs: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.fixture(scope="module")
def in_plain_torch() -> tuple[State, list[Tensor]]:
    state = begun()
    return state, in_torch(reference, state)


def test_the_compiled_loop_spikes_and_learns_as_plain_torch_does(in_plain_torch: tuple[State, list[Tensor]]) -> None:
    expected, spikes = in_plain_torch
    state = begun()
    assert same(in_torch(native, state), spikes)
    assert sum(int(one.sum()) for one in spikes) > 15 and all(one.any() for one in spikes)
    for name in (
        "w",
        "v",
        "theta",
        "g_e",
        "g_i",
        "last_arrival",
        "last",
        "inhibitory_v",
        "inhibitory_g",
        "inhibitory_last",
    ):
        torch.testing.assert_close(getattr(state, name), getattr(expected, name), rtol=0, atol=1e-12)
    assert (state.w - begun().w).abs().max() > 1e-3


def test_brian2_spikes_and_learns_as_plain_torch_does(in_plain_torch: tuple[State, list[Tensor]]) -> None:
    pytest.importorskip("brian2")
    from neurorules.papers.diehl_cook.brian2_network import open_network

    expected, spikes = in_plain_torch
    found = []
    with open_network(begun(), C) as network:
        for one in presentations():
            changes = {"learns": one.changes, "adapts": one.changes}
            found.append(network.present(STEPS, one.times, one.inputs, **changes))
            if one.changes:
                w = network.w
                normalise(w)
                network.set_weights(w)
        w, theta = network.w, network.theta
    assert same(found, spikes)
    torch.testing.assert_close(w, expected.w, rtol=0, atol=1e-9)
    torch.testing.assert_close(theta, expected.theta, rtol=0, atol=1e-9)


def forced(machine: Any, state: State, neuron: int, learns: bool = True) -> None:
    """One step in which a neuron spikes, since its membrane stands far above its threshold."""
    state.v[neuron] = 1000.0
    assert machine.present(state, C, 1, NONE, NONE, learns, True)[0].nonzero().flatten().tolist() == [neuron]


def waits(machine: Any, state: State, steps: int) -> None:
    assert not machine.present(state, C, steps, NONE, NONE, True, True).any()


def arrives(machine: Any, state: State) -> None:
    """One step in which a spike of input 0 arrives, without a delay."""
    machine.present(state, C, 1, torch.tensor([0]), torch.tensor([0]), True, True)


@every_machine
def test_a_weight_changes_by_the_nearest_spikes_as_the_paper_has_it(machine: Any) -> None:
    """Spikes: neuron at 0, input at 3 and at 9 ms, neuron at 60 ms, input at 62 ms."""
    state = begun(1, 2)
    state.delays.zero_()
    state.w[:] = 0.5
    forced(machine, state, 0)
    assert float(state.w[0, 0]) == 0.5  # the neuron's first spike has none before it
    w = 0.5
    for before_ms, since_ms in ((3, 3), (6, 9)):
        waits(machine, state, C.steps(before_ms) - 1)
        arrives(machine, state)
        w -= C.nu_pre * exp(-since_ms / 20)
        assert float(state.w[0, 0]) == pytest.approx(w, abs=1e-13)
    waits(machine, state, C.steps(51) - 1)
    forced(machine, state, 0)
    w += C.nu_post * exp(-51 / 20) * exp(-60 / 40)  # the nearest input's spike alone counts
    assert float(state.w[0, 0]) == pytest.approx(w, abs=1e-13)
    waits(machine, state, C.steps(2) - 1)
    arrives(machine, state)
    assert float(state.w[0, 0]) == pytest.approx(w - C.nu_pre * exp(-2 / 20), abs=1e-13)
    assert float(state.w[1, 0]) == 0.5
    assert float(state.theta[0]) == pytest.approx(20.1, abs=1e-3)


@every_machine
def test_a_spike_inhibits_all_others_and_not_its_own_neuron(machine: Any) -> None:
    state = begun(4)
    forced(machine, state, 2, learns=False)
    assert state.inhibitory_g.tolist() == [0, 0, C.share_e * 10.4, 0]
    while int(state.inhibitory_last[2]) < 0:
        waits(machine, state, 1)
        assert int(state.step) < 6
    inhibited = C.share_i * 17.0
    assert state.g_i.tolist() == [inhibited, inhibited, 0, inhibited]


@every_machine
def test_a_neuron_that_is_driven_without_end_spikes_once_in_five_milliseconds(machine: Any) -> None:
    state = begun(1)
    state.w.fill_(100.0)
    steps = 100
    times, inputs = torch.arange(steps).repeat_interleave(INPUTS), torch.arange(INPUTS).repeat(steps)
    spikes = machine.present(state, C, steps, times, inputs, False, False).nonzero()[:, 0]
    assert len(spikes) >= 3
    assert int(spikes.diff().min()) == C.steps(5)
    assert float(state.theta[0]) == 20.0


@pytest.mark.parametrize("change", [lambda s: s.w.mul_(7.0), lambda s: s.w[0].zero_()])
def test_weights_onto_each_neuron_add_up_to_the_published_sum(change: Callable[[State], Any]) -> None:
    state = begun()
    change(state)
    before = copy.deepcopy(state.w)
    normalise(state.w)
    torch.testing.assert_close(state.w.sum(0), torch.full((NEURONS,), 78.0 * INPUTS / 784, dtype=torch.float64))
    torch.testing.assert_close(state.w[1] / state.w[2], before[1] / before[2])


def test_the_charge_of_a_spike_does_not_depend_on_the_step() -> None:
    """A conductance that jumps by its weight and decays within 1 ms (2 ms): its integral is weight x time constant."""
    for dt_ms in (0.05, 0.5, 1.0):
        c = Constants(dt_ms=dt_ms)
        for share, tau_ms in ((c.share_e, 1.0), (c.share_i, 2.0)):
            charge = sum(share * exp(-n * dt_ms / tau_ms) * dt_ms for n in range(2000))
            assert charge == pytest.approx(tau_ms, rel=1e-12)
