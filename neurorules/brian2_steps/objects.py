"""The Brian2 objects of networks that run step by step, the same for a run and for a script.

Each sample runs on a copy of its network, and several networks can share one run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from neurorules.brian2_objects.specs import (
    ClockSpec,
    GroupSpec,
    ModelSpec,
    MonitorSpec,
    PathwaySpec,
    RegularSpec,
    SynapsesSpec,
    TableSpec,
)
from neurorules.brian2_steps.model_text import Code, ConnectionText, NetworkText, PopulationText, slots

RECORD = "record"
"""The ends of the names of monitors; they begin with the name of the recorded population or connection."""
NOTES = {
    "start": "",
    "stimulus": "values of this step are read from tables",
    "input_fires": "the input sends its spikes",
    "gather": "a pool sums the spikes of its window",
    "pool": "the pool computes what it sends",
    "pooled": "the pool sends it",
    "arrive": "spikes arrive: they are summed in I_in",
    "step": "one step of the membranes, which reads and clears I_in",
    "fire": "spikes are sent",
    "traces": "traces move",
    "learn": "the rule acts",
    "loop": "recurrent spikes arrive, for the next step",
    RECORD: "variables are recorded",
}
"""The activity in the slots of a step, by the beginnings of their names, for a reader."""


def objects_of(texts: Sequence[NetworkText]) -> ModelSpec:
    """List the Brian2 objects of networks that run together.

    Args:
        texts: equations of networks with steps of one length, at least one; no two of their objects have the same name.

    Returns:
        The objects as data, with the weights and numbers of the texts as initial values.
    """
    populations = [(one, text.samples) for text in texts for one in text.populations]
    connections = [(one, text) for text in texts for one in text.connections]
    order = slots(max(text.layers for text in texts), max(text.pools for text in texts))
    return ModelSpec(
        clocks={"step": ClockSpec(texts[0].step_ms)},
        tables=tuple(table for one, _ in populations for table in _tables(one, texts[0].step_ms)),
        groups=tuple(_group(one, samples) for one, samples in populations),
        synapses=tuple(_synapses(one, text) for one, text in connections),
        monitors=tuple(one for text in texts for one in _monitors(text)),
        schedule={slot: NOTES.get(slot, NOTES.get(slot.split("_")[0], "")) for slot in order},
    )


def _tables(population: PopulationText, step_ms: float) -> Iterator[TableSpec]:
    for name, values in population.tables.items():
        rows = values.reshape(values.shape[0], -1)
        yield TableSpec(f"{population.name}_{name}_table", f"{name}_table", rows, population.table_steps * step_ms)


def _group(text: PopulationText, samples: int) -> GroupSpec:
    # The statements of a step reset the membrane, so that Brian2's own reset has nothing to do.
    read = tuple(
        RegularSpec(f"{text.name}_{name}_code", (f"{name} = {name}_table(t, i)",), "stimulus", 0, "step")
        for name in text.tables
    )
    return GroupSpec(
        text.name,
        text.size * samples,
        tuple(text.equations().splitlines()),
        "step",
        note=f"{text.size} neurons" + (f", and a copy of them for each of {samples} samples" if samples > 1 else ""),
        threshold=None if text.fires is None else "S != 0",
        spikes_in=text.fires,
        regular=(*read, *_regular(text.name, text.codes)),
        tables=tuple(f"{text.name}_{name}_table" for name in text.tables),
        # A number of shape (N,) is the same for each sample; one of shape (B, N) is not.
        values={
            name: np.tile(value, samples) if np.ndim(value) == 1 else np.reshape(value, -1)
            for name, value in text.numbers.items()
        },
        copies=samples,
    )


def _synapses(text: ConnectionText, network: NetworkText) -> SynapsesSpec:
    samples, sizes = network.samples, {one.name: one.size for one in network.populations}
    numbers = {name: np.tile(value[text.wiring.pre], samples) for name, value in text.numbers.items()}
    return SynapsesSpec(
        text.name,
        text.source,
        text.target,
        tuple(text.equations().splitlines()),
        "step",
        note=f"w is {text.parameter}",
        pathways=tuple(PathwaySpec(p.name, p.event, p.lines, p.slot, p.order) for p in text.pathways),
        regular=_regular(text.name, text.codes),
        pairs=(
            (np.arange(samples)[:, None] * sizes[text.source] + text.wiring.pre).reshape(-1),
            (np.arange(samples)[:, None] * sizes[text.target] + text.wiring.post).reshape(-1),
        ),
        values={"w": np.tile(text.weights, samples), **numbers},
        copies=samples,
    )


def _regular(name: str, codes: tuple[Code, ...]) -> tuple[RegularSpec, ...]:
    return tuple(
        RegularSpec(f"{name}_code_{number}", code.lines, code.slot, code.order, "step", code.every)
        for number, code in enumerate(codes)
    )


def _monitors(text: NetworkText) -> Iterator[MonitorSpec]:
    parts: list[PopulationText | ConnectionText] = [*text.populations, *text.connections]
    for part in parts:
        if part.recorded:
            yield MonitorSpec(f"{part.name}_{RECORD}", part.name, part.recorded, when=RECORD)
