"""Running networks in Brian2, and comparing spikes with those of another path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from neurorules.brian2_steps.backend import Target, generating, load_brian2
from neurorules.brian2_steps.case import Arrays, Case, LayerNorm, Learning
from neurorules.brian2_steps.describe import describe
from neurorules.brian2_steps.network import Built, build
from neurorules.brian2_steps.scale import STEP_MS
from neurorules.brian2_steps.wiring import wiring_of
from neurorules.language.errors import UserError
from neurorules.language.rules import Rule
from neurorules.network.network import Network

LARGEST_RUN = 4_000_000
"""Synapses of one run, copies included (some 100 bytes each); where more samples are asked for, they run in parts."""


class Recorded(NamedTuple):
    """One layer over time: spikes (or graded output) and membrane before the reset, (T, B, N) each."""

    S: np.ndarray
    v: np.ndarray


class Outcome(NamedTuple):
    """What one case did.

    layers: by name, in order.
    changes: by parameter, the sum of the texts over steps and samples, shaped like the parameter; a parameter that
        has a row a sample, such as a target's embedding, keeps its rows. Empty where nothing learns, or online.
    trajectories: of what learned online, its value after each step, (T, *shape); the last alone unless recorded.
    """

    layers: dict[str, Recorded]
    changes: dict[str, np.ndarray]
    trajectories: dict[str, np.ndarray]


def run_together(cases: Sequence[Case], steps: int, *, target: Target = "numpy") -> list[Outcome]:
    """Run independent cases side by side in one Brian2 run.

    Args:
        cases: networks, each with its numbers, samples, and perhaps a rule.
        steps: T, >= 1.
        target: what Brian2 generates.

    Raises:
        MissingExtra: brian2 is not installed.
        UserError: something that has no lowering, or an input table shorter than T.
    """
    brian2 = load_brian2()
    for case in cases:
        _check_steps(case, steps)
    prefixes = [""] if len(cases) == 1 else [f"case{number}_" for number in range(len(cases))]
    texts = [describe(case, prefix) for case, prefix in zip(cases, prefixes, strict=True)]
    with generating(brian2, target):
        network, built = build(brian2, texts)
        # An empty namespace: names are never looked up in the frames of whoever called.
        network.run(steps * STEP_MS * brian2.ms, namespace={})
        return [_outcome(case, one, prefix) for case, one, prefix in zip(cases, built, prefixes, strict=True)]


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
        network: its structure.
        parameters: weights and biases by full name, numpy arrays.
        spikes: input (T, B, *input_shape), or constant currents (B, *input_shape).
        steps: T.
        normalisation: constants of its normalised layers (see `trained.numbers_of`).
        target: what Brian2 generates.

    Returns:
        Layer name -> (S, v), (T, B, N) each. Raises as `run_together` does.
    """
    case = Case(network, parameters, spikes, normalisation=normalisation or {})
    each = sum(len(wiring_of(layer, entry).pre) for layer in network.layers for entry in layer.inputs)
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
) -> str:
    """The equations, statements and slots that Brian2 is handed for one sample; Brian2 itself is not needed.

    Args:
        network: its structure.
        parameters: weights and biases by full name, numpy arrays.
        rule: whose texts are shown too, in one of its phases.
        phase: name of that phase.
        normalisation: constants of its normalised layers.

    Raises:
        UserError: something that has no lowering.
    """
    learning = None
    if rule is not None:
        learning = Learning(rule, phase, {layer.name: np.zeros((1, *layer.shape)) for layer in network.layers})
    spikes = np.zeros((1, *network.input_shape))
    return describe(Case(network, parameters, spikes, normalisation=normalisation or {}, learning=learning)).show()


def _check_steps(case: Case, steps: int) -> None:
    tables: list[tuple[str, np.ndarray | None]] = [("input", case.stimulus())]
    if case.learning is not None:
        shapes = {layer.name: len(layer.shape) for layer in case.network.layers}
        tables += [(f"m of {k}", v) for k, v in case.learning.m.items() if v.ndim == shapes[k] + 2]
    for name, table in tables:
        varies = table is not None and (name != "input" or (case.spikes is not None and case.spikes.ndim == table.ndim))
        if table is not None and varies and table.shape[0] < steps:
            raise UserError(f"the {name} has {table.shape[0]} steps, asked for {steps}. Ask for fewer steps")


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
    return Outcome(layers, {}, _trajectories(built, prefix)) if online else Outcome(layers, changes, {})


def _of_maps(neurons: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A value a neuron to one a parameter, which the neurons of a map share."""
    return neurons.reshape(shape[0], -1).sum(1).reshape(shape)


def _trajectories(built: Built, prefix: str) -> dict[str, np.ndarray]:
    found = {c.parameter: built.weights(c) for c in built.text.connections if "w_change" in c.variables}
    for population in built.text.populations:
        if "b" in population.learned:
            found[f"{population.name.removeprefix(prefix)}.b"] = built.biases(population)
    return found
