"""Write a network, its parameters and its rule as the equations of Brian2 populations and synapses."""

from __future__ import annotations

from math import prod

import numpy as np

from neurorules.brian2_steps.case import Case
from neurorules.brian2_steps.expression_texts import Place
from neurorules.brian2_steps.history import registers
from neurorules.brian2_steps.layer_texts import LayerTexts
from neurorules.brian2_steps.model_text import Code, ConnectionText, NetworkText, Pathway, PopulationText
from neurorules.brian2_steps.trace_texts import moved_traces
from neurorules.brian2_steps.wiring import Wiring, pooled, pools_of
from neurorules.contracts.efficacy import VARIABLES
from neurorules.language.errors import UserError
from neurorules.network.layer import NETWORK_INPUT, Input, Layer
from neurorules.transforms.pool import Pool


def describe(case: Case, prefix: str = "") -> NetworkText:
    """Write the equations of a whole network.

    Args:
        case: the network with its parameters, input and rule.
        prefix: the beginning of the name of each Brian2 object, so that several networks can share one run.

    Returns:
        One population for each layer, for the input and for each pool, and the connections between them.

    Raises:
        UserError: a neuron, connection, transform or rule cannot be written for Brian2; the message names it.
    """
    populations, connections, most = [], [], 0
    stimulus = case.stimulus()
    if stimulus is not None:
        populations.append(_input_population(case, stimulus, prefix))
    for index, layer in enumerate(case.network.layers):
        afferents = _afferents(case, layer)
        texts = LayerTexts(case, index, layer, afferents)
        for afferent in afferents:
            source = case.network.name_of(afferent.source)
            relays, links = _pools(case, index, layer, afferent, prefix + source, prefix)
            populations += relays
            connections += [*links, texts.connection(afferent, relays[-1].name if relays else prefix + source, prefix)]
            most = max(most, len(relays))
        populations.append(texts.population(prefix))
    return NetworkText(
        tuple(populations), tuple(connections), case.samples, len(case.network.layers), most, case.step_ms, case.scale
    )


def _afferents(case: Case, layer: Layer) -> tuple[Input, ...]:
    """The connections that bring input to a layer in this run: not those from an input that the case lacks."""
    return tuple(
        afferent
        for afferent in layer.inputs
        if afferent.connection.recurrent or afferent.source != NETWORK_INPUT or case.spikes is not None
    )


def _input_population(case: Case, stimulus: np.ndarray, prefix: str) -> PopulationText:
    traced, codes = _traces(case)
    numbers: dict[str, float | np.ndarray] = {}
    if case.offset is not None and case.learning is not None and case.learning.online is not None:
        numbers["aside"] = np.asarray(case.offset, dtype=np.float64).reshape(case.samples, -1)
    size, tables = stimulus.shape[-1], {"S": stimulus}
    return PopulationText(f"{prefix}input", size, traced, codes, "input_fires", numbers, tables)


def _traces(case: Case) -> tuple[tuple[str, ...], tuple[Code, ...]]:
    """Variables and statements for the past of a population that is no layer: its traces and its delayed spikes."""
    variables, codes = registers(case, layer=False)
    traced, moved = moved_traces(case, Place(None, normalised=False), layer=False)
    return (*variables, *traced), (*codes, *moved)


def _pools(
    case: Case, index: int, layer: Layer, afferent: Input, source: str, prefix: str
) -> tuple[list[PopulationText], list[ConnectionText]]:
    """Write a population for each pool of a connection, and the synapses that fill it within the time step.

    The average over a window is the sum of its spikes divided by its size. The maximum of spikes is 1 if there was any
    spike. A connection with short-term plasticity has one more population, after the pools, which sends the transmitted
    share of each spike.
    """
    relays: list[PopulationText] = []
    links: list[ConnectionText] = []
    binary = _binary(case, afferent)
    variables, codes = _traces(case)
    for number, (pool, shape) in enumerate(pools_of(layer, afferent, case.learning is not None)):
        if pool.kind == "max" and not binary:
            raise UserError(
                f"connection '{afferent.name}' of layer '{layer.name}' takes the maximum of values that are not "
                f"spikes, which synapses, that add, do not. Use a run with average pooling"
            )
        binary = pool.kind == "max"
        name, slot = f"{prefix}{layer.name}_{afferent.name}_pool{number}", f"{index}_{number}"
        wiring, each = pooled(pool, shape), f"each {pool.sides[0]}x{pool.sides[1]} window"
        links.append(_gathering(f"{name}_in", source, name, each, wiring, f"gather_{slot}"))
        step = Code((_pool_text(pool), "I_in = 0"), f"pool_{slot}")
        cells = int(np.prod(pool.post_shape(shape)))
        relays.append(PopulationText(name, cells, ("S", "I_in", *variables), (step, *codes), f"pooled_{slot}"))
        source = name
    efficacy = afferent.connection.efficacy
    if efficacy is not None:
        if index == 0 and case.offset is not None:
            raise UserError(
                f"layer '{layer.name}' has synapses with short-term plasticity, which transmit single spikes and no "
                f"constant activity beside them. Use --connection dense"
            )
        name, slot = f"{prefix}{layer.name}_{afferent.name}_sent", f"{index}_{len(relays)}"
        cells = prod(afferent.pre_shape)
        straight = Wiring(np.arange(cells), np.arange(cells), np.zeros(cells, dtype=int), (1,))
        links.append(_gathering(f"{name}_in", source, name, "each its own", straight, f"gather_{slot}"))
        step = Code((*efficacy.brian2(), "I_in = 0"), f"pool_{slot}")
        own = ("S", "I_in", *VARIABLES, *variables)
        relays.append(PopulationText(name, cells, own, (step, *codes), f"pooled_{slot}"))
    return relays, links


def _gathering(name: str, source: str, target: str, parameter: str, wiring: Wiring, slot: str) -> ConnectionText:
    deliver = Pathway("deliver", "pre", ("I_in_post += w*S_pre",), slot)
    return ConnectionText(name, source, target, parameter, np.ones(len(wiring.pre)), wiring, (), (deliver,), ())


def _pool_text(pool: Pool) -> str:
    return "S = int(I_in > 0)" if pool.kind == "max" else f"S = I_in/{float(np.prod(pool.sides))!r}"


def _binary(case: Case, afferent: Input) -> bool:
    """Whether the source of a connection sends only 0 or 1."""
    if afferent.source != NETWORK_INPUT:
        return case.network.layers[afferent.source].neuron.spiking
    return case.spikes is not None and bool(np.isin(case.spikes, (0, 1)).all())
