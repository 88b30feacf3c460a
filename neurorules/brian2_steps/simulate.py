"""Run networks step by step in Brian2, with or without learning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from neurorules.brian2_steps.backend import Target, generating, load_brian2, run_network
from neurorules.brian2_steps.case import Arrays, Case, LayerNorm, Learning
from neurorules.brian2_steps.describe import describe
from neurorules.brian2_steps.history import declared_traces, variable_of
from neurorules.brian2_steps.network import Built, build
from neurorules.brian2_steps.scale import SCALE, STEP_MS, Scale
from neurorules.brian2_steps.wiring import wiring_of
from neurorules.language.errors import UserError
from neurorules.language.rules import Rule
from neurorules.network.network import Network
from neurorules.runs.kept_interrupt import no_interrupt_lost

LARGEST_RUN = 4_000_000
"""Largest number of synapses of one run, those of all copies together; each takes about 100 bytes. A batch that needs
more runs in parts."""


class Recorded(NamedTuple):
    """The activity of one layer.

    Args:
        S: spikes, or the graded output of a neuron that does not spike, (T, B, N).
        v: the membrane before the reset, in units of the threshold, (T, B, N).
    """

    S: np.ndarray
    v: np.ndarray


class Outcome(NamedTuple):
    """The results of one case.

    Args:
        layers: activity by name of the layer, in order.
        changes: by parameter, the value of its text summed over steps and samples, shaped like the parameter. An
            embedding of targets has one row for each sample, and is not summed over samples. Empty without learning,
            and where learning is online.
        trajectories: by parameter that learned online, its values after each step, (T, *shape), or after the last
            step, (1, *shape), where they are not recorded.
        traces: by "layer.trace", the mean over samples of the last value of a trace that lives across trials, (*shape).
    """

    layers: dict[str, Recorded]
    changes: dict[str, np.ndarray]
    trajectories: dict[str, np.ndarray]
    traces: dict[str, np.ndarray]


def run_together(cases: Sequence[Case], steps: int, *, target: Target = "numpy") -> list[Outcome]:
    """Run independent cases together in one Brian2 run.

    Args:
        cases: networks with their parameters, samples and rules; at least one.
        steps: number of time steps T, >= 1.
        target: what Brian2 generates code for.

    Returns:
        The results of each case, in order.

    Raises:
        MissingExtra: brian2 is not installed.
        UserError: a case has a part that cannot be written for Brian2, or its input or third factor has fewer than T
            steps.
    """
    brian2 = load_brian2()
    for case in cases:
        _check_steps(case, steps)
    prefixes = [""] if len(cases) == 1 else [f"case{number}_" for number in range(len(cases))]
    texts = [describe(case, prefix) for case, prefix in zip(cases, prefixes, strict=True)]

    def run() -> list[Outcome]:
        with generating(brian2, target):
            network, built = build(brian2, texts)
            run_network(network, steps * cases[0].step_ms * brian2.ms)
            return [_outcome(case, one, prefix) for case, one, prefix in zip(cases, built, prefixes, strict=True)]

    with no_interrupt_lost():  # Brian2's objects, whose callbacks would lose it, end after their session.
        return run()


def simulate(
    network: Network,
    parameters: Arrays,
    spikes: np.ndarray,
    steps: int,
    *,
    normalisation: Mapping[str, LayerNorm] | None = None,
    target: Target = "numpy",
) -> dict[str, Recorded]:
    """Run a network in Brian2 without learning.

    Args:
        network: structure of the network.
        parameters: weights and biases by full name.
        spikes: input spikes (T, B, *input_shape), or values (B, *input_shape) that are the same at each step.
        steps: number of time steps T, >= 1.
        normalisation: constants of normalised layers, by name (see `trained.numbers_of`).
        target: what Brian2 generates code for.

    Returns:
        By layer, its spikes and its membrane, (T, B, N) each.

    Raises:
        MissingExtra: brian2 is not installed.
        UserError: the network has a part that cannot be written for Brian2, or `spikes` has fewer than T steps.
    """
    case = Case(network, parameters, spikes, normalisation=normalisation or {})
    each = sum(len(wiring_of(layer, afferent).pre) for layer in network.layers for afferent in layer.inputs)
    at_once = max(1, LARGEST_RUN // max(each, 1))
    parts = [
        run_together([case.rows(start, start + at_once)], steps, target=target)[0].layers
        for start in range(0, case.samples, at_once)
    ]
    return {
        name: Recorded(*(np.concatenate([part[name][k] for part in parts], axis=1) for k in range(2)))
        for name in parts[0]
    }


def show_model(
    network: Network,
    parameters: Arrays,
    *,
    rule: Rule | None = None,
    phase: str = "input",
    normalisation: Mapping[str, LayerNorm] | None = None,
    step_ms: float = STEP_MS,
    scale: Scale = SCALE,
) -> str:
    """Write the equations, statements and slots of the model of one sample as text; Brian2 itself is not needed.

    Args:
        network: structure of the network.
        parameters: weights and biases by full name.
        rule: the rule whose texts are shown as well; None for a network that does not learn.
        phase: name of the phase whose texts are shown.
        normalisation: constants of normalised layers, by name.
        step_ms: length of a time step in ms, > 0.
        scale: the scale of potentials, currents and charges in units.

    Returns:
        Many lines of text.

    Raises:
        UserError: the network or the rule has a part that cannot be written for Brian2.
    """
    learning = None
    if rule is not None:
        learning = Learning(rule, phase, {layer.name: np.zeros((1, *layer.shape)) for layer in network.layers})
    spikes = np.zeros((1, *network.input_shape))
    norms = normalisation or {}
    return describe(Case(network, parameters, spikes, None, None, norms, learning, step_ms, scale)).show()


def _check_steps(case: Case, steps: int) -> None:
    tables: list[tuple[str, np.ndarray | None]] = [("input", case.stimulus())]
    if case.learning is not None:
        shapes = {layer.name: len(layer.shape) for layer in case.network.layers}
        tables += [(f"m of {k}", v) for k, v in case.learning.m.items() if v.ndim == shapes[k] + 2]
    for name, table in tables:
        varies = table is not None and (name != "input" or (case.spikes is not None and case.spikes.ndim == table.ndim))
        if table is not None and varies and table.shape[0] < steps:
            raise UserError(
                f"{steps} steps were asked for, and the {name} has {table.shape[0]}. Ask for at most as many"
            )


def _outcome(case: Case, built: Built, prefix: str) -> Outcome:
    layers = {
        layer.name: Recorded(*(built.recorded(prefix + layer.name, variable) for variable in ("S", "v")))
        for layer in case.network.layers
    }
    changes: dict[str, np.ndarray] = {}
    shapes = {layer.name: layer.shape for layer in case.network.layers}
    for connection in built.text.connections:
        if "w_change" in connection.variables:
            changes[connection.parameter] = built.weight_change(connection)
    for population in built.text.populations:
        for variable in population.variables:
            if variable.endswith("_change"):
                parameter = variable.removesuffix("_change")
                rows = built.neuron_change(population, parameter)
                name = f"{population.name.removeprefix(prefix)}.{parameter}"
                changes[name] = (
                    _of_maps(rows.sum(0), case.parameters[name].shape)
                    if parameter == "b"
                    else (rows.reshape(-1, *shapes[population.name.removeprefix(prefix)]))
                )
    online = None if case.learning is None else case.learning.online
    traces = _lasting(case, built, prefix)
    return Outcome(layers, {}, _trajectories(built, prefix), traces) if online else Outcome(layers, changes, {}, traces)


def _lasting(case: Case, built: Built, prefix: str) -> dict[str, np.ndarray]:
    """The values from which traces that live across trials begin the next one."""
    starts: dict[str, np.ndarray] = {}
    populations = {population.name: population for population in built.text.populations}
    for layer in case.network.layers:
        for trace in declared_traces(case, layer=True):
            if trace.across_trials:
                rows = built.values(populations[prefix + layer.name], variable_of(trace.name))
                starts[f"{layer.name}.{trace.name}"] = rows.mean(0).reshape(layer.shape)
    return starts


def _of_maps(neurons: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Sum values of neurons (N,) over those that share an element of the parameter, such as a map's bias."""
    return neurons.reshape(shape[0], -1).sum(1).reshape(shape)


def _trajectories(built: Built, prefix: str) -> dict[str, np.ndarray]:
    weights = {c.parameter: built.weights(c) for c in built.text.connections if "w_change" in c.variables}
    learned = [population for population in built.text.populations if "b" in population.learned]
    return weights | {f"{population.name.removeprefix(prefix)}.b": built.biases(population) for population in learned}
