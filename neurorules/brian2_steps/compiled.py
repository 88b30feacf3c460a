"""A network that does not learn, compiled: samples pass through one copy of it, one after another.

Where `simulate` makes a copy of the network for each sample, this runs the same texts on one copy and puts every state
back to rest where a sample ends, so that weights are held once and thousands of samples pass in one run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import ModuleType
from typing import NamedTuple

import numpy as np

from neurorules.brian2_steps.case import Arrays, Case, LayerNorm
from neurorules.brian2_steps.describe import describe
from neurorules.brian2_steps.model_text import Code, NetworkText, PopulationText
from neurorules.brian2_steps.network import build
from neurorules.brian2_steps.program import EXACT, Owners, Program, program_of
from neurorules.brian2_steps.scale import STEP_MS
from neurorules.brian2_steps.simulate import Recorded
from neurorules.network.network import Network

SAMPLES = 100
"""Of one run: what it records stays small."""


class Streamed(NamedTuple):
    """A network, its numbers in `text`, for runs of `SAMPLES` samples of T steps."""

    text: NetworkText
    program: Program
    steps: int


def compile_network(
    network: Network,
    parameters: Arrays,
    steps: int,
    *,
    constant: bool,
    normalisation: Mapping[str, LayerNorm] | None = None,
) -> Streamed:
    """A network with its program, which is compiled once for all weights and constants.

    Args:
        network: its structure.
        parameters: weights and biases by full name.
        steps: T of a sample.
        constant: whether the input is the same at each step of a sample.
        normalisation: constants of its normalised layers.

    Raises:
        MissingExtra: brian2 is not installed.
        UserError: a part without a lowering, or the compiler fails.
    """
    text = _text(network, parameters, steps, constant, normalisation)

    def make(brian2: ModuleType, started: Callable[[], None]) -> Owners:
        whole, (built,) = build(brian2, [text])
        started()
        whole.run(SAMPLES * steps * STEP_MS * brian2.ms, namespace={})
        records = {f"{name}_record": monitor for name, monitor in built.monitors.items()}
        return {**built.groups, **built.synapses, **records}

    return Streamed(text, program_of(f"network-{_hash(text, steps)}", make, EXACT), steps)


def run_compiled(streamed: Streamed, network: Network, samples: np.ndarray) -> dict[str, Recorded]:
    """Run samples through a compiled network.

    Args:
        samples: (T, B, *input_shape), or (B, *input_shape) where the input is constant; B <= `SAMPLES`.

    Returns:
        Layer name -> (S, v), (T, B, N) each.
    """
    constant = samples.ndim == len(network.input_shape) + 1
    text = streamed.text
    count = samples.shape[0 if constant else 1]
    values: dict[str, float | np.ndarray] = {"input_S_table.values": _table(samples, constant)}
    for population in text.populations:
        values |= {f"{population.name}.{name}": value for name, value in population.numbers.items()}
    values |= {f"{connection.name}.w": connection.weights for connection in text.connections}
    streamed.program.run(values)
    sizes = {population.name: population.size for population in text.populations}

    def recorded(layer: str, variable: str) -> np.ndarray:
        rows = streamed.program.read(f"{layer}_record.{variable}").reshape(SAMPLES, streamed.steps, sizes[layer])
        return np.ascontiguousarray(rows[:count].swapaxes(0, 1))

    return {layer.name: Recorded(recorded(layer.name, "S"), recorded(layer.name, "v")) for layer in network.layers}


def _text(
    network: Network,
    parameters: Arrays,
    steps: int,
    constant: bool,
    normalisation: Mapping[str, LayerNorm] | None,
) -> NetworkText:
    """One copy of the network, whose states go back to rest as each sample begins."""
    length = SAMPLES if constant else SAMPLES * steps
    nothing = np.zeros((length, 1, *network.input_shape))
    text = describe(Case(network, parameters, nothing, normalisation=normalisation or {}))
    populations = tuple(_resting(population, steps, constant) for population in text.populations)
    return replace(text, populations=populations)


def _resting(population: PopulationText, steps: int, constant: bool) -> PopulationText:
    if population.tables:  # the input: a row a sample where it is constant
        return replace(population, table_steps=steps if constant else 1)
    rest = Code(tuple(f"{name} = 0" for name in population.variables), "start", every=steps)
    return replace(population, codes=(rest, *population.codes))


def _table(samples: np.ndarray, constant: bool) -> np.ndarray:
    """Rows in the order of time, filled up with zeros to whole runs."""
    in_order = samples if constant else samples.swapaxes(0, 1)
    rows = np.zeros((SAMPLES, *in_order.shape[1:]))
    rows[: len(in_order)] = in_order
    return rows.reshape(-1)


def _hash(text: NetworkText, steps: int) -> str:
    """Of all that is compiled."""
    found = hashlib.sha256(f"{SAMPLES} {steps} {text.layers} {text.pools}".encode())
    for population in text.populations:
        shape = [values.shape for values in population.tables.values()]
        told = (population.name, population.size, population.equations(), population.codes, population.fires, shape)
        found.update(repr((told, population.table_steps)).encode())
    for connection in text.connections:
        told_of = (connection.name, connection.source, connection.target, connection.pathways, connection.codes)
        found.update(repr(told_of).encode() + connection.equations().encode())
        found.update(connection.wiring.pre.tobytes() + connection.wiring.post.tobytes())
    return found.hexdigest()[:20]
