"""A population step by step: neurons that no fused scan runs, and populations that read their own spikes."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from neurorules.contracts.neuron import Gates, Neuron
from neurorules.contracts.series import Later, Series, summed_over_time
from neurorules.contracts.view import Summary
from neurorules.native import scans
from neurorules.network.layer import Input, Layer
from neurorules.network.network import Parameters
from neurorules.torch_path.forward.drive import Drive


class WindowActivity(NamedTuple):
    """The activity of a population over a window.

    Args:
        v: membrane before the reset, (T, B, *shape), or that as it is computed when it is first read.
        spikes: output of the neurons, (T, B, *shape), or that as it is computed when it is first read.
        after: state of the neurons after the window.
        spike_total: sum of the spikes over time, (B, *shape), if a scan computed it.
        summary: sum over time of the variable that the signal reads, (B, *shape), if a scan computed it.
        scan: all results of the scan, if one ran.
        inner: the result of the inner integration of neurons that have one (T = 1).
        gates: the gates of the steps, (T, B, *shape) each; None for neurons without gates.
        late: the spikes of the previous step for each step, (T, B, *shape), if a scan computed them.
    """

    v: Tensor | Later
    spikes: Tensor | Later
    after: tuple[Any, ...]
    spike_total: Tensor | None = None
    summary: Tensor | None = None
    scan: scans.Scan | None = None
    inner: Any = None
    gates: Gates | None = None
    late: Tensor | None = None

    @property
    def membranes(self) -> Tensor:
        """The membranes of all steps, (T, B, *shape), computed if they have not been."""
        return self.v.values() if isinstance(self.v, Later) else self.v

    @property
    def fired(self) -> Tensor:
        """The output of all steps, (T, B, *shape), computed if it has not been."""
        return self.spikes.values() if isinstance(self.spikes, Later) else self.spikes


def run_steps(neuron: Neuron, drive: Series, steps: int, state: tuple[Any, ...] | None) -> WindowActivity:
    """Run a population without recurrent connections, one step after the other.

    Args:
        neuron: the neuron of the population.
        drive: current, (T, B, *shape) or constant (B, *shape), in units of the threshold.
        steps: T, >= 1.
        state: the state of the neurons before the first step; rest if None.

    Returns:
        Membranes, spikes and gates of all steps, and the state after them.
    """
    currents = drive.over_time(steps)
    state = neuron.initial(currents[0]) if state is None else state
    if steps == 1:
        fired, observed, state = neuron.step(state, currents[0])
        gates = _stacked([observed.gates] if observed.gates is not None else [])
        return WindowActivity(observed.v[None], fired[None], state, inner=observed.inner, gates=gates)
    whole = neuron.many_steps(state, currents)
    if whole is not None:
        fired, observed, state = whole
        return WindowActivity(observed.v, fired, state, gates=observed.gates)
    membranes, spikes, gates_by_step = [], [], []
    for t in range(steps):
        fired, observed, state = neuron.step(state, currents[t])
        membranes.append(observed.v)
        spikes.append(fired)
        gates_by_step += [observed.gates] if observed.gates is not None else []
    return WindowActivity(torch.stack(membranes), torch.stack(spikes), state, gates=_stacked(gates_by_step))


def run_loop(
    layer: Layer,
    parameters: Parameters,
    loops: list[Input],
    drive: Series,
    steps: int,
    before: tuple[tuple[Any, ...] | None, Tensor | None, Tensor | None],
    gain: Tensor | None,
) -> WindowActivity:
    """Run a population with recurrent connections. Each step is fed with the spikes of the step before, or of an
    earlier one where a connection delivers later.

    Args:
        layer: the population.
        parameters: the network's.
        loops: its recurrent connections.
        drive: feed-forward current, normalised, (T, B, *shape) or constant (B, *shape).
        steps: T, >= 1.
        before: the state of the neurons before the first step, rest if None; the spikes of the step before,
            (B, *shape); and those of D steps before, (D, B, *shape), if the longest delay is D > 1; 0 if None.
        gain: 1/sigma of the layer's normalisation, which multiplies the recurrent current too; None for 1.

    Returns:
        Membranes, spikes and gates of all steps, and the state after them.
    """
    currents = drive.over_time(steps)
    state, previous, past = before
    state = layer.neuron.initial(currents[0]) if state is None else state
    longest = _longest_delay(loops)
    past = past if longest > 1 or previous is None else previous[None]
    sent = [torch.zeros_like(currents[0])] * longest if past is None else list(past)
    membranes, fired, gates_by_step = [], [], []
    for t in range(steps):
        late = sum(
            entry.connection.current(parameters[layer.weight_name(entry)], sent[longest + t - entry.connection.delay])
            for entry in loops
        )
        spikes, observed, state = layer.neuron.step(state, currents[t] + (late if gain is None else late * gain))
        membranes.append(observed.v)
        fired.append(spikes)
        sent.append(spikes)
        gates_by_step += [observed.gates] if observed.gates is not None else []
    return WindowActivity(torch.stack(membranes), torch.stack(fired), state, gates=_stacked(gates_by_step))


def _longest_delay(loops: list[Input]) -> int:
    return max(entry.connection.delay for entry in loops)


def own_spikes(
    run: WindowActivity, loops: list[Input], previous: Tensor | None, past: Tensor | None
) -> tuple[dict[str, Series], Tensor | None]:
    """The spikes that a population reads of itself in each step, and those that the next window needs.

    Args:
        run: the activity of the population in a window.
        loops: its recurrent connections.
        previous: spikes of the step before the first, (B, *shape); 0 if None.
        past: spikes of D steps before the first, (D, B, *shape), if the longest delay is D > 1; 0 if None.

    Returns:
        By connection (T, B, *shape), and the spikes of the last D steps; None where all arrive after one step.
    """
    longest = _longest_delay(loops)
    if longest == 1:
        return {entry.name: Series(_spikes_before(run, previous), False) for entry in loops}, None
    fired = run.fired
    past = torch.zeros_like(fired[:1]).expand(longest, *fired.shape[1:]) if past is None else past
    sent = torch.cat([past, fired])
    starts = {entry.name: longest - entry.connection.delay for entry in loops}
    return {name: Series(sent[at : at + len(fired)], False) for name, at in starts.items()}, sent[-longest:]


def _spikes_before(run: WindowActivity, previous: Tensor | None) -> Tensor:
    """The spikes of the step before each, (T, B, *shape)."""
    if run.late is not None:
        return run.late
    previous = torch.zeros_like(run.fired[0]) if previous is None else previous
    return torch.cat([previous[None], run.fired[:-1]])


def _stacked(gates: list[Gates]) -> Gates | None:
    """The gates of all steps together, (T, B, *shape) each; None if there are none."""
    if not gates:
        return None
    keep, admit = torch.stack([g.keep for g in gates]), torch.stack([g.admit for g in gates])
    fires = [g.fires for g in gates if g.fires is not None]
    return Gates(keep, admit, torch.stack(fires) if fires else None)


def sum_of(summary: Summary, layer: Layer, run: WindowActivity, drive: Drive, steps: int) -> Tensor:
    """The sum over time of the variable that a signal reads of a layer, where no scan has computed it.

    Args:
        summary: the variable.
        layer: the layer, whose neurons give the graded output.
        run: the activity of the window, (T, B, *shape) each.
        drive, steps: the currents of the window, for the variable "current", and T.

    Returns:
        The sum, (B, *shape).
    """
    match summary:
        case "current":
            return drive.values().total(steps)
        case "spikes":
            return summed_over_time(run.fired)
        case "v":
            return summed_over_time(run.membranes)
        case "positive_v":
            return summed_over_time(run.membranes.clamp(min=0))
    graded = layer.neuron.primitive(run.membranes)
    fires = None if run.gates is None else run.gates.fires
    return summed_over_time(graded if fires is None else graded * fires)
