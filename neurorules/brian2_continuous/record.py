"""Recording what a circuit in continuous time does on samples: its equations run, its spikes and variables are kept."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from neurorules.brian2_continuous.checks import check_config, neuron_of
from neurorules.brian2_continuous.parts.choose import machine_for
from neurorules.brian2_continuous.parts.circuit import Circuit, Units
from neurorules.brian2_continuous.parts.currents import currents_of
from neurorules.brian2_continuous.parts.interpreted import Interpreted
from neurorules.brian2_continuous.parts.layers import Net, hidden_sizes
from neurorules.brian2_continuous.parts.machine import Machine
from neurorules.brian2_continuous.parts.plan import samples_only
from neurorules.brian2_continuous.parts.stream import Rows, Stream
from neurorules.brian2_continuous.trainer import settle
from neurorules.contracts.data_set import DataPlace
from neurorules.language.config import SettledConfig, config_from
from neurorules.language.errors import UserError, unknown
from neurorules.rules import RULES
from neurorules.runs.folder import RunFolder
from neurorules.runs.outputs import check_output
from neurorules.runs.progress import progress
from neurorules.runs.tensors import to_arrays
from neurorules.torch_path.recording.record import PartName, part_of, sample_places, whole_or_none
from neurorules.torch_path.training.batches import Data, load_data
from neurorules.torch_path.training.report import versions
from neurorules.traces.header import TraceHeader
from neurorules.traces.writer import TraceWriter

AT_ONCE = 10
"""Presentations of one run: what is watched at every step of it stands in memory."""
REPAYS = 100
"""Samples from which on compiling the circuit repays. Source: measured, compiling 10 to 60 s, 0.1 s a sample else."""
PARAMETERS = ("w", "b")
TAUGHT = "m"
"""The third factor, made where a presentation has ended: a sample's stands in the step behind its last one."""
_DECLARED = re.compile(r"(?:d(\w+)/dt\s*=|(\w+)\s*[:=])")


@dataclass(frozen=True)
class Watched:
    """A population and what is recorded of it.

    Args:
        units: it.
        variables: name in the trace -> variable of its equations; "" for its spikes.
    """

    units: Units
    variables: dict[str, str]


def record_circuit(
    run: Path, out: Path, samples: str, variables: Sequence[str], layers: Collection[str] | None = None,
    part: PartName = "test", data_dir: DataPlace = None, quiet: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Record samples of a run in continuous time; arguments are those of `torch_path.recording.record.record_run`.

    A step of the trace is one of the integration, `dt_ms` long; variables are read at its end. `S` of units that do not
    spike is their activity `a`; `m` is one number a sample, made at its end. Samples
    follow one another as in training, ten from rest at a time.

    Raises:
        UserError: no such run, variable, population or samples.
        MissingExtra: brian2 is not installed.
    """
    check_output(out)
    folder = RunFolder.finished(run)
    config = settle(config_from(folder.config(), str(run)))
    data = load_data(config, data_dir)
    chosen = part_of(data, part)
    places = sample_places(samples, len(chosen), "--samples", part)
    circuit, settings = _circuit(config, data, min(AT_ONCE, len(places)))
    watched = watched_of(circuit, variables, layers)
    circuit = _watching(circuit, watched)
    stream = Stream(machine_for(circuit) if len(places) >= REPAYS else Interpreted(circuit), circuit, settings)
    stream.load(to_arrays(folder.load_weights()))
    kept = {n: w for n, w in stream.parameters().items() if n in variables or n.rsplit(".", 1)[1] in variables}
    asked = {"variables": list(variables), "layers": layers and sorted(layers), "samples": samples, "part": part}
    header = TraceHeader(
        config.rule, {one.units.name: (one.units.size,) for one in watched}, dt_ms=circuit.dt_ms, seed=config.seed,
        config=config.as_dict(), versions=versions(), parameters={n: w.shape for n, w in kept.items()}, recording=asked,
    )  # fmt: skip
    steps, spikes, rows = round(circuit.period_ms / circuit.dt_ms), 0, currents_of(data.train).of(chosen)
    with (
        TraceWriter(out, header) as writer,
        whole_or_none(writer),
        progress("recording", len(places), quiet) as bar,
    ):
        labels = chosen.labels[places]
        for said in _present(stream, labels, lambda k: rows(places[k]), TAUGHT in variables) if watched else ():
            here = places[len(writer) : len(writer) + len(said)]
            found = dict(_read(stream.machine, watched, (len(said), steps), circuit.dt_ms))
            spikes += sum(int(np.count_nonzero(x["S"])) for x in found.values() if "S" in x)
            writer.append_batch(here, chosen.labels[here], found, said.argmax(1), config.epochs)
            bar.advance(len(said))
        if kept:
            writer.snapshot(config.epochs, kept)
        many = len(writer)
    return {"samples": many, "spikes": spikes, "out": str(out)}


def _present(stream: Stream, labels: np.ndarray, rows: Rows, taught: bool) -> Iterator[np.ndarray]:
    """Scores run by run; nothing is learned. Labels are shown where what they make is recorded."""
    if not taught:
        yield from stream.scores(len(labels), rows)
        return
    yield from stream.learn(samples_only(labels, 0), rows, np.zeros(len(labels)))


def _circuit(config: SettledConfig, data: Data, presentations: int) -> tuple[Circuit, dict[str, float]]:
    plan = check_config(config)
    inputs, neuron = int(np.prod(data.source.shape)), neuron_of(config.neuron)
    net = Net(inputs, hidden_sizes(config.net), data.source.classes, neuron, presentations)
    settings = plan.numbers(config.lr, config.readout_lr)
    return plan.make(net, RULES.make(config.rule), settings, np.random.default_rng(config.seed)), settings


def declared(units: Units) -> list[str]:
    """Variables of a population's equations."""
    found = (_DECLARED.match(line.strip()) for line in units.equations)
    return [match[1] or match[2] for match in found if match is not None]


def watched_of(circuit: Circuit, variables: Sequence[str], layers: Collection[str] | None) -> list[Watched]:
    """What is recorded of which population, by the names that the user gave.

    Raises:
        UserError: an unknown variable or population; the nearest one is offered.
    """
    names = [units.name for units in circuit.units]
    for layer in layers or ():
        if layer not in names:
            raise unknown("layer", layer, names)
    full = [f"{part.name.replace('_ff', '.ff')}.{variable}" for part, variable in circuit.kept()]
    known = {"S", *PARAMETERS, *full, *(v for units in circuit.units for v in declared(units))}
    for variable in variables:
        if variable not in known:
            raise unknown("variable", variable, known)
    found = []
    for units in circuit.units:
        if layers is not None and units.name not in layers:
            continue
        own = {v: v for v in variables if v in declared(units) and v not in PARAMETERS}
        if "S" in variables and (units.threshold is not None or {"a", "v"} <= set(declared(units))):
            own["S"] = "" if units.threshold is not None else "a"
        if own:
            found.append(Watched(units, own))
    if not found and not {*PARAMETERS, *full} & set(variables):
        raise UserError(f"no population asked for has {', '.join(variables)}. Name others, or leave --layers out")
    return found


def _watching(circuit: Circuit, watched: list[Watched]) -> Circuit:
    """The circuit with its recorders."""
    own = {one.units.name: one.variables.values() for one in watched}
    units = tuple(
        replace(u, watch=tuple(dict.fromkeys(v for v in own[u.name] if v)), spikes="" in own[u.name])
        if u.name in own
        else u
        for u in circuit.units
    )
    return replace(circuit, units=units)


def _read(
    machine: Machine, watched: list[Watched], shape: tuple[int, int], dt_ms: float
) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Arrays (T, samples, N) of the last run, by population; `shape` is (samples, T)."""
    many = shape[0] * shape[1]
    for one in watched:
        size, found = one.units.size, {}
        for name, variable in one.variables.items():
            if variable == TAUGHT:
                ended = machine.watched(one.units.name, variable)[shape[1] :: shape[1]][: shape[0]]
                values = np.repeat(ended, shape[1], axis=0)
            elif variable:
                values = machine.watched(one.units.name, variable)[:many]
            else:
                values = np.zeros((many, size), dtype=bool)
                fired = machine.spikes(one.units.name)
                at = np.rint(fired.times_ms / dt_ms).astype(np.int64)
                inside = at < many  # the last step is the first after the last presentation
                values[at[inside], fired.units[inside]] = True
            found[name] = values.reshape(*shape, size).transpose(1, 0, 2)
        yield one.units.name, found
