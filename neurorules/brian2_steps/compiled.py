"""Run a network that does not learn as a compiled C++ program.

`simulate` makes one copy of the network for each sample. This module runs the same equations on a single copy, through
which samples pass one after another, and sets every state variable to 0 where a sample begins. The weights are
therefore in memory only once, and a run of many samples needs no more memory than a run of one.
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
"""Number of samples of one run, which bounds the memory of its recordings."""


class Streamed(NamedTuple):
    """A compiled network, which can be run again on other samples.

    Args:
        text: equations of the network, with its parameters.
        program: the compiled program, which runs `SAMPLES` samples.
        steps: T of each sample.
    """

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
    """Compile a network, or take its program from the cache.

    The program does not depend on weights, biases and constants, which it reads when it runs.

    Args:
        network: structure of the network.
        parameters: weights and biases by full name.
        steps: number of time steps T of a sample, >= 1.
        constant: whether the input is the same at each step of a sample.
        normalisation: constants of normalised layers, by name; None if no layer is normalised.

    Returns:
        The program with the numbers that `run_compiled` passes to it.

    Raises:
        MissingExtra: brian2 is not installed.
        UserError: the network has a part that cannot be written for Brian2, or the compiler fails.
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
        streamed: from `compile_network`.
        network: the network that was compiled.
        samples: spikes (T, B, *input_shape), or (B, *input_shape) where the network was compiled for constant input;
            B <= `SAMPLES`.

    Returns:
        By layer, its spikes and its membrane before the reset, (T, B, N) each.

    Raises:
        RuntimeError: the program failed.
        UserError: the disk is full, or the system ended the program.
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
    """Write the equations of one copy of the network, whose state variables return to 0 as each sample begins."""
    length = SAMPLES if constant else SAMPLES * steps
    nothing = np.zeros((length, 1, *network.input_shape))
    text = describe(Case(network, parameters, nothing, normalisation=normalisation or {}))
    populations = tuple(_resting(population, steps, constant) for population in text.populations)
    return replace(text, populations=populations)


def _resting(population: PopulationText, steps: int, constant: bool) -> PopulationText:
    if population.tables:  # This is the input, whose table has one row for each sample where it is constant.
        return replace(population, table_steps=steps if constant else 1)
    rest = Code(tuple(f"{name} = 0" for name in population.variables), "start", every=steps)
    return replace(population, codes=(rest, *population.codes))


def _table(samples: np.ndarray, constant: bool) -> np.ndarray:
    """Bring samples into the order of time, followed by samples of zeros up to `SAMPLES`."""
    in_order = samples if constant else samples.swapaxes(0, 1)
    rows = np.zeros((SAMPLES, *in_order.shape[1:]))
    rows[: len(in_order)] = in_order
    return rows.reshape(-1)


def _hash(text: NetworkText, steps: int) -> str:
    """Hash everything that the compiled program depends on."""
    digest = hashlib.sha256(f"{SAMPLES} {steps} {text.layers} {text.pools}".encode())
    for population in text.populations:
        shape = [values.shape for values in population.tables.values()]
        parts = (population.name, population.size, population.equations(), population.codes, population.fires, shape)
        digest.update(repr((parts, population.table_steps)).encode())
    for connection in text.connections:
        ends = (connection.name, connection.source, connection.target, connection.pathways, connection.codes)
        digest.update(repr(ends).encode() + connection.equations().encode())
        digest.update(connection.wiring.pre.tobytes() + connection.wiring.post.tobytes())
    return digest.hexdigest()[:20]
