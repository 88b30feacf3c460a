"""What the contract of a neuron demands of every neuron, as checks of one neuron each (see `contracts/neuron.py`)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor

from neurorules.connections.dense import Dense
from neurorules.contracts.neuron import Gates, Neuron
from neurorules.contracts.series import Series
from neurorules.network.layer import NETWORK_INPUT, Input, Layer
from neurorules.torch_path.forward.run_layer import Carry, run_layer

ROWS, SHAPE, STEPS, EPSILON, LARGE = 8, (3, 2, 4), 24, 1e-6, 1e4


def drawn_currents(shape: tuple[int, ...] = (ROWS, *SHAPE), steps: int = STEPS, seed: int = 0) -> Tensor:
    """Random currents of mean 0.5 and deviation 1, (steps, *shape): some neurons fire often, some seldom."""
    generator = torch.Generator().manual_seed(seed)
    return 0.5 + torch.randn(steps, *shape, generator=generator, dtype=torch.float64)


def leaves(state: tuple[Any, ...]) -> Iterator[Tensor]:
    """All tensors of a state, of the neurons inside it as well."""
    for value in state:
        if isinstance(value, tuple):
            yield from leaves(value)
        else:
            yield value


def membrane_of(state: tuple[Any, ...]) -> Tensor | None:
    """The field `membrane` of a state or of the neuron inside it; None for a neuron without memory."""
    if "membrane" in state._fields:  # type: ignore[attr-defined]
        return state.membrane  # type: ignore[attr-defined]
    inside = [membrane_of(value) for value in state if isinstance(value, tuple)]
    return inside[0] if inside else None


def with_membrane(state: Any, membrane: Tensor) -> Any:
    """The state with another membrane and all else as it is."""
    if "membrane" in state._fields:
        return state._replace(membrane=membrane)
    return type(state)(*(with_membrane(value, membrane) if isinstance(value, tuple) else value for value in state))


class Moment(NamedTuple):
    """One step of a run: the state before it, its current, the spikes of the step before it, and what came of it."""

    state: Any
    current: Tensor
    before: Tensor
    spikes: Tensor
    v: Tensor
    gates: Gates | None


def moments(neuron: Neuron[Any], currents: Tensor) -> list[Moment]:
    """A run from rest, with the gates of each step; None for a neuron without memory."""
    state, before, found = neuron.initial(currents[0]), torch.zeros_like(currents[0]), []
    dynamics = neuron.dynamics()
    for current in currents:
        spikes, observed, after = neuron.step(state, current)
        gates = observed.gates if dynamics is None else dynamics.gates(before if neuron.spiking else 0 * before)
        found.append(Moment(state, current, before, spikes, observed.v, gates))
        state, before = after, spikes
    return found


def check_step(neuron: Neuron[Any]) -> None:
    """A step is pure, keeps type and shape, and its state is a NamedTuple of tensors (B, *shape)."""
    for dtype in (torch.float32, torch.float64):
        current = drawn_currents()[0].to(dtype)
        state = neuron.initial(current)
        for _ in range(1 if neuron.steps == 1 else 4):
            copies = [leaf.clone() for leaf in leaves(state)]
            kept = current.clone()
            spikes, observed, after = neuron.step(state, current)
            again = neuron.step(state, current)
            assert torch.equal(current, kept), "a step changed its current"
            assert all(map(torch.equal, leaves(state), copies)), "a step changed the state that it was handed"
            assert torch.equal(spikes, again[0]) and torch.equal(observed.v, again[1].v), "a step is not repeatable"
            assert all(map(torch.equal, leaves(after), leaves(again[2]))), "a step is not repeatable"
            assert type(after) is type(state) and hasattr(state, "_fields"), "the state is no NamedTuple of one type"
            for value in (spikes, observed.v, *leaves(state), *leaves(after)):
                assert value.shape == current.shape and value.dtype == dtype, "a tensor is not like the current"
            if neuron.spiking and neuron.steps is None:
                assert bool(((spikes == 0) | (spikes == 1)).all()), "a spike is neither 0 nor 1"
            state = after
    assert neuron.dynamics() is None or type(state).__name__ == "MembraneState", "fused scans need a MembraneState"


def check_psi(neuron: Neuron[Any]) -> None:
    """`psi` is the derivative of `primitive`, by finite differences."""
    v = torch.linspace(-2.013, 3.017, 10 * 24, dtype=torch.float64).reshape(10, *SHAPE)
    differences = (neuron.primitive(v + EPSILON) - neuron.primitive(v - EPSILON)) / (2 * EPSILON)
    if neuron.pools_layer:
        return  # psi of a pooled output holds the pool fixed
    torch.testing.assert_close(neuron.psi(v), differences, rtol=1e-5, atol=1e-6)


def check_gates(neuron: Neuron[Any]) -> None:
    """`keep` and `admit` are the finite differences of v, and where `fires` is 1 the spike hangs on v alone.

    The membrane after a step is moved by a small current in it, or by a small change of the membrane before it; all
    else in the state is held, and neurons whose spike would change are left out. What v of the next step then does is
    `keep`.
    """
    run = moments(neuron, drawn_currents(steps=neuron.steps or STEPS))
    if run[0].gates is None:
        assert membrane_of(run[0].state) is None, "a neuron with a memory has neither dynamics nor gates"
        up, down = (neuron.step(run[0].state, run[0].current + sign * EPSILON)[1].v for sign in (1, -1))
        torch.testing.assert_close((up - down) / (2 * EPSILON), torch.ones_like(up), rtol=0, atol=1e-6)
        return
    since, seen = torch.zeros_like(run[0].v), set()
    for here, there in pairwise(run):
        assert here.gates is not None and there.gates is not None
        admitted, _ = _moved_by_current(neuron, here)
        expected = here.gates.admit.expand_as(here.v)
        torch.testing.assert_close(admitted / (2 * EPSILON), expected, rtol=1e-5, atol=1e-6, msg=_wrong("admit"))
        _check_no_spike(neuron, here)
        since = torch.where(here.spikes > 0, 0, since) + 1
        for moved, hybrids in (_moved_by_current(neuron, here), _moved_by_membrane(neuron, here)):
            up, down = (neuron.step(state, there.current)[1].v for state in hybrids)
            same = moved.abs() > 1e-2 * EPSILON
            kept = ((up - down) / moved)[same]
            expected = there.gates.keep.expand_as(there.v)[same]
            torch.testing.assert_close(kept, expected, rtol=1e-5, atol=1e-5, msg=_wrong("keep"))
            seen |= set(since[same].tolist())
    if neuron.spiking:
        _check_threshold(run)
        assert {1, 2, 3, 4} <= seen, "no change was followed through the steps after a spike"


def _wrong(gate: str) -> str:
    return f"{gate} is not the derivative of v that finite differences of `step` give"


def _moved_by_current(neuron: Neuron[Any], here: Moment) -> tuple[Tensor, list[Any]]:
    """Change of v by a current, 0 where it would change the spike, and the two states after with all else held."""
    runs = [neuron.step(here.state, here.current + sign * EPSILON) for sign in (1, -1)]
    return _difference(neuron, here, runs)


def _moved_by_membrane(neuron: Neuron[Any], here: Moment) -> tuple[Tensor, list[Any]]:
    """The same by a change of the membrane before the step."""
    membrane = membrane_of(here.state)
    assert membrane is not None, "a state with a memory has a field `membrane`"
    runs = [neuron.step(with_membrane(here.state, membrane + sign * EPSILON), here.current) for sign in (1, -1)]
    return _difference(neuron, here, runs)


def _difference(neuron: Neuron[Any], here: Moment, runs: list[tuple[Any, Any, Any]]) -> tuple[Tensor, list[Any]]:
    after = neuron.step(here.state, here.current)[2]
    same = (runs[0][0] == here.spikes) & (runs[1][0] == here.spikes) if neuron.spiking else torch.tensor(True)
    hybrids = []
    for _, _, state in runs:
        membrane = membrane_of(state)
        assert membrane is not None, "a state with a memory has a field `membrane`"
        hybrids.append(with_membrane(after, membrane))
    return (runs[0][1].v - runs[1][1].v) * same, hybrids


def _can_fire(here: Moment) -> Tensor:
    assert here.gates is not None
    return torch.ones_like(here.v) if here.gates.fires is None else here.gates.fires


def _check_no_spike(neuron: Neuron[Any], here: Moment) -> None:
    """No current, however large, brings a spike where `fires` is 0."""
    if not neuron.spiking or here.gates is None:
        return
    can = _can_fire(here)
    assert bool(((can == 0) | (can == 1)).all()), "`fires` is neither 0 nor 1"
    pushed = neuron.step(here.state, here.current + LARGE)[0]
    assert not bool((pushed > can).any()), "a spike came where `fires` is 0"
    assert not bool(((here.gates.admit > 0) & (pushed < can)).any()), "no current brings a spike where `fires` is 1"


def _check_threshold(run: list[Moment]) -> None:
    """Where `fires` is 1, spikes are told from silence by v alone."""
    v, spikes = torch.stack([here.v for here in run]), torch.stack([here.spikes for here in run]) > 0
    can = torch.stack([_can_fire(here) for here in run]) > 0
    assert v[can & ~spikes].max() <= v[can & spikes].min(), "`fires` is 1 where a spike is kept back"


def check_windows(neuron: Neuron[Any]) -> None:
    """A layer that runs in windows, which hand its state on, computes what it computes at once."""
    size, steps = 8, neuron.steps or STEPS
    layer = Layer(
        "hidden1", (Input("ff", NETWORK_INPUT, (), Dense(size), (size,), (size,)),), (size,), neuron, None, "hidden"
    )
    parameters = {"hidden1.ff.w": torch.eye(size, dtype=torch.float64), "hidden1.b": torch.zeros(size).double()}
    current = drawn_currents((ROWS, size), steps)
    whole, _ = run_layer(layer, parameters, None, {"ff": Series(current, False)}, steps)
    spikes = moments(neuron, current)
    carry: Carry | None = None
    for start in range(0, steps, 5):
        piece = current[start : start + 5]
        activity, carry = run_layer(layer, parameters, None, {"ff": Series(piece, False)}, len(piece), carry=carry)
        for t in range(len(piece)):
            assert torch.equal(activity.v.values[t], whole.v.values[start + t]), "a window changed the membrane"
            assert torch.equal(activity.S.values[t], whole.S.values[start + t]), "a window changed the spikes"
            assert torch.equal(whole.S.values[start + t], spikes[start + t].spikes), "the layer is not its steps"
