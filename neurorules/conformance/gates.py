"""Checks of a neuron's state and of its gates, by finite differences of its own step."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor

from neurorules.conformance.comparison import normal, seeded, tensors_in
from neurorules.conformance.suite import Entry, demand
from neurorules.contracts.neuron import Gates, MembraneState, Neuron

ROWS, SHAPE, STEPS, EPSILON, LARGE = 8, (3, 2, 4), 24, 1e-6, 1e4
"""Batch rows B, shape of a population, time steps T, a small change, and a current at which each neuron that can spike
does so."""


def drawn_currents(steps: int = STEPS) -> Tensor:
    """Draw currents (T, B, *shape) of mean 0.5 and deviation 1, at which some neurons spike often and some seldom."""
    return 0.5 + normal(seeded(), steps, ROWS, *SHAPE)


class Moment(NamedTuple):
    """One step of a run.

    Args:
        state: the state before the step.
        current: the current of the step, (B, *shape).
        spikes: the spikes of the step, (B, *shape).
        v: the membrane before the reset, (B, *shape).
        gates: the gates of the step; None for a neuron without memory.
    """

    state: Any
    current: Tensor
    spikes: Tensor
    v: Tensor
    gates: Gates | None


def moments(neuron: Neuron[Any], currents: Tensor) -> list[Moment]:
    """Run a neuron from rest.

    Args:
        neuron: the neuron.
        currents: the currents of T steps, (T, B, *shape).

    Returns:
        The T steps in order.
    """
    neuron = neuron.to(currents.device, currents.dtype)
    state, before, steps = neuron.initial(currents[0]), torch.zeros_like(currents[0]), []
    dynamics = neuron.dynamics()
    for current in currents:
        spikes, observed, after = neuron.step(state, current)
        gates = observed.gates if dynamics is None else dynamics.gates(before if neuron.spiking else 0 * before)
        steps.append(Moment(state, current, spikes, observed.v, gates))
        state, before = after, spikes
    return steps


def membrane_of(state: tuple[Any, ...]) -> Tensor | None:
    """Find the field `membrane` in a state or in a state inside it; None for a neuron without memory."""
    if "membrane" in getattr(state, "_fields", ()):
        membrane: Tensor = state.membrane  # type: ignore[attr-defined]
        return membrane
    inside = [membrane_of(value) for value in state if isinstance(value, tuple)]
    return inside[0] if inside else None


def with_membrane(state: Any, membrane: Tensor) -> Any:
    """Replace the membrane in a state.

    Args:
        state: state of a neuron with a memory, which stays as it is.
        membrane: the new membrane, (B, *shape).

    Returns:
        A state of the same type, whose other fields are the same.
    """
    if "membrane" in state._fields:
        return state._replace(membrane=membrane)
    return type(state)(*(with_membrane(value, membrane) if isinstance(value, tuple) else value for value in state))


def its_state_is_a_named_tuple_of_tensors_like_its_current(entry: Entry) -> None:
    """A state keeps its type over a run, and holds tensors of the current's shape and type alone."""
    neuron: Neuron[Any] = entry.make().in_population(SHAPE)
    demands, advice = "a state is one NamedTuple type of tensors like the current", "Make it a NamedTuple of its own"
    for dtype in (torch.float32, torch.float64):
        run = moments(neuron, drawn_currents(neuron.steps or 5).to(dtype))
        first = run[0].state
        for moment in run:
            state = moment.state
            right = type(state) is type(first) and hasattr(state, "_fields")
            demand(right, demands, f"it is a {type(state).__name__} after a {type(first).__name__}", advice)
            for name, tensor in tensors_in(state):
                right = tensor.shape == moment.current.shape and tensor.dtype == dtype
                demand(right, demands, f"'{name.strip('.')}' is {tuple(tensor.shape)} of {tensor.dtype}", advice)
        if neuron.dynamics() is not None:
            kind = type(first).__name__
            why = "Return None from `dynamics`, or a MembraneState from `initial` and `step`"
            demand(isinstance(first, MembraneState), "fused scans hand on a MembraneState", f"it is a {kind}", why)


def its_gates_are_the_finite_differences_of_its_step(entry: Entry) -> None:
    """`keep` and `admit` are the finite differences of v, and where `fires` is 1 the spike depends on v alone.

    A small current, or a small change of the membrane before a step, changes the membrane after it. The rest of the
    state is held, and neurons whose spike would change are left out. The change of v in the next step, divided by that
    of the membrane, must be `keep`.
    """
    neuron: Neuron[Any] = entry.make().in_population(SHAPE)
    run = moments(neuron, drawn_currents(neuron.steps or STEPS))
    if run[0].gates is None:
        _check_no_memory(neuron, run[0])
        return
    since, followed, barred = torch.zeros_like(run[0].v), set[float](), {1.0, 2.0, 3.0, 4.0}
    for here, there in pairwise(run):
        admitted, _ = _moved_by_current(neuron, here)
        _demand_slope(admitted / (2 * EPSILON), _gates(here).admit.expand_as(here.v), "admit", 1e-6)
        _check_no_spike(neuron, here)
        since = torch.where(here.spikes > 0, 0, since) + 1
        barred -= set(since[(_gates(here).admit != 0) | (_gates(there).keep != 0)].tolist())
        for moved, hybrids in (_moved_by_current(neuron, here), _moved_by_membrane(neuron, here)):
            up, down = (neuron.step(state, there.current)[1].v for state in hybrids)
            same = moved.abs() > 1e-2 * EPSILON
            _demand_slope(((up - down) / moved)[same], _gates(there).keep.expand_as(there.v)[same], "keep", 1e-5)
            followed |= set(since[same].tolist())
    if neuron.spiking:
        _check_threshold(run)
        observed = f"one was followed {sorted(followed)[:4]} steps after a spike alone"
        demand(
            {1, 2, 3, 4} - barred <= followed,
            "small changes pass through the steps after a spike",
            observed,
            "Check `step`",
        )


def _gates(moment: Moment) -> Gates:
    if moment.gates is None:
        demand(False, "a neuron with gates has them in every step", "a step has none", "Put them into `Observed`")
    return moment.gates  # type: ignore[return-value]


def _demand_slope(slope: Tensor, gate: Tensor, name: str, tolerance: float) -> None:
    right = torch.allclose(slope, gate, rtol=1e-5, atol=tolerance)
    observed = f"{name} is not the derivative of v that finite differences of `step` give"
    demand(right, f"the gate `{name}` is a derivative of v with resets held fixed", observed, "Correct it")


def _check_no_memory(neuron: Neuron[Any], first: Moment) -> None:
    advice = "Give `dynamics`, or `gates` of every step"
    demand(membrane_of(first.state) is None, "a neuron with a memory has gates", "it has none", advice)
    up, down = (neuron.step(first.state, first.current + sign * EPSILON)[1].v for sign in (1, -1))
    right = torch.allclose((up - down) / (2 * EPSILON), torch.ones_like(up), rtol=0, atol=1e-6)
    demand(right, "without gates v is the current of the step", "its derivative by the current is not 1", advice)


def _moved_by_current(neuron: Neuron[Any], here: Moment) -> tuple[Tensor, list[Any]]:
    """The change of v by a small current, and the two states with the membranes after it.

    The change is 0 where the current changes the spike. All else in the states is that of the step without the current.
    """
    return _difference(neuron, here, [neuron.step(here.state, here.current + sign * EPSILON) for sign in (1, -1)])


def _moved_by_membrane(neuron: Neuron[Any], here: Moment) -> tuple[Tensor, list[Any]]:
    """The change and the states after a small change of the membrane before the step."""
    membrane = _membrane(here.state)
    moved = (with_membrane(here.state, membrane + sign * EPSILON) for sign in (1, -1))
    return _difference(neuron, here, [neuron.step(state, here.current) for state in moved])


def _difference(neuron: Neuron[Any], here: Moment, runs: list[tuple[Any, Any, Any]]) -> tuple[Tensor, list[Any]]:
    after = neuron.step(here.state, here.current)[2]
    same = (runs[0][0] == here.spikes) & (runs[1][0] == here.spikes) if neuron.spiking else torch.tensor(True)
    hybrids = [with_membrane(after, _membrane(state)) for _, _, state in runs]
    return (runs[0][1].v - runs[1][1].v) * same, hybrids


def _membrane(state: tuple[Any, ...]) -> Tensor:
    membrane = membrane_of(state)
    if membrane is None:
        advice = "Name the membrane after the reset `membrane`"
        demand(False, "the state of a neuron with gates has a field `membrane`", "it has none", advice)
    return membrane  # type: ignore[return-value]


def _can_fire(moment: Moment) -> Tensor:
    """The gate `fires`, which is 1 where a neuron can spike; 1 everywhere for a neuron without that gate."""
    fires = _gates(moment).fires
    return torch.ones_like(moment.v) if fires is None else fires


def _check_no_spike(neuron: Neuron[Any], here: Moment) -> None:
    """Demand that no current, however large, causes a spike where `fires` is 0."""
    if not neuron.spiking:
        return
    can, demands, advice = _can_fire(here), "`fires` says where a spike can come", "Correct it"
    demand(bool(((can == 0) | (can == 1)).all()), demands, "it is neither 0 nor 1", advice)
    pushed = neuron.step(here.state, here.current + LARGE)[0]
    demand(not bool((pushed > can).any()), demands, "a spike came where it is 0", advice)
    silent = bool(((_gates(here).admit > 0) & (pushed < can)).any())
    demand(not silent, demands, "no current brings a spike where it is 1", advice)


def _check_threshold(run: list[Moment]) -> None:
    """Demand that v alone decides whether a neuron spikes where `fires` is 1."""
    v, spikes = torch.stack([here.v for here in run]), torch.stack([here.spikes for here in run]) > 0
    can = torch.stack([_can_fire(here) for here in run]) > 0
    right = bool(v[can & ~spikes].max() <= v[can & spikes].min())
    demand(right, "`fires` says where a spike can come", "it is 1 where a spike is kept back", "Correct it")
