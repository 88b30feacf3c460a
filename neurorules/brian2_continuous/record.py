"""Record the spikes and variables of a circuit in continuous time while samples are presented to it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from neurorules.brian2_continuous.parts.choose import machine_for
from neurorules.brian2_continuous.parts.circuit import Circuit, Units
from neurorules.brian2_continuous.parts.currents import currents_of
from neurorules.brian2_continuous.parts.interpreted import Interpreted
from neurorules.brian2_continuous.parts.machine import Machine
from neurorules.brian2_continuous.parts.plan import samples_only
from neurorules.brian2_continuous.parts.stream import Rows, Stream
from neurorules.brian2_continuous.trainer import circuit_of, net_of, settle
from neurorules.contracts.data_set import DataPlace
from neurorules.language.config import config_from
from neurorules.language.errors import UserError, unknown
from neurorules.runs.folder import RunFolder
from neurorules.runs.outputs import check_output
from neurorules.runs.progress import progress
from neurorules.runs.tensors import to_arrays
from neurorules.torch_path.process.session import own_session
from neurorules.torch_path.recording.record import PartName, part_of, sample_places, whole_or_none
from neurorules.torch_path.training.batches import load_data
from neurorules.torch_path.training.report import versions
from neurorules.traces.header import TraceHeader
from neurorules.traces.writer import TraceWriter

AT_ONCE = 10
"""Number of presentations of one run, whose variables at each step are in memory together."""
REPAYS = 100
"""Number of samples from which on a compiled circuit is faster. Source: measured, compilation takes 10 to 60 s, and a
sample 0.1 s without it."""
PARAMETERS = ("w", "b")
"""Variables that are written once, as parameters, and not at each step."""
THIRD_FACTOR = "m"
"""A variable that is computed once, after a presentation: a sample's is read at the step behind its last one."""
_DECLARED = re.compile(r"(?:d(\w+)/dt\s*=|(\w+)\s*[:=])")
_UNIT = re.compile(r" : (\w+)(?: \(.*\))?$")
POTENTIALS = ("v", "u", "theta")
"""Variables of a population that count in thresholds where its equations have a membrane in volt, `V_m`."""


@dataclass(frozen=True)
class Watched:
    """A population with its recorded variables.

    Args:
        units: the population.
        variables: variables of its equations, by name in the trace; "" stands for its spikes.
    """

    units: Units
    variables: dict[str, str]


@own_session()
def record_circuit(
    run: Path, out: Path, samples: str, variables: Sequence[str], layers: Collection[str] | None = None,
    part: PartName = "test", data_dir: DataPlace = None, quiet: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Record samples of a run in continuous time.

    The circuit starts from rest at every tenth sample. A step of the trace is one integration step, at whose end
    variables are read. `S` of units that do not spike is their activity, and `m` is constant during a sample.

    Args:
        run: folder of the run.
        out: trace file to write.
        samples: how many from the first on, or their places: see `sample_places`.
        variables, layers: what is recorded, and of which populations: see `watched_of`.
        part: the part of the data that the samples are from.
        data_dir: folder in which data sets lie; None for the usual one.
        quiet: show no progress bar.

    Returns:
        The numbers of samples and of spikes, and the path of the trace file.

    Raises:
        UserError: the run, a variable, a population or a sample does not exist, or the trace cannot be written there.
        MissingExtra: brian2 is not installed.
    """
    check_output(out)
    folder = RunFolder.finished(run)
    config = settle(config_from(folder.config(), str(run)))
    data = load_data(config, data_dir)
    chosen = part_of(data, part)
    places = sample_places(samples, len(chosen), "--samples", part)
    circuit = circuit_of(config, net_of(config, data, min(AT_ONCE, len(places))))
    watched = watched_of(circuit, variables, layers)
    circuit = _watching(circuit, watched)
    stream = _stream(circuit, len(places))
    stream.load(to_arrays(folder.load_weights()))
    parameters = {n: w for n, w in stream.parameters().items() if n in variables or n.rsplit(".", 1)[1] in variables}
    options = {"variables": list(variables), "layers": layers and sorted(layers), "samples": samples, "part": part}
    header = TraceHeader(
        config.rule, {one.units.name: (one.units.size,) for one in watched}, circuit.dt_ms, _units(watched),
        seed=config.seed, config=config.as_dict(), versions=versions(), recording=options,
        parameters={n: w.shape for n, w in parameters.items()},
    )  # fmt: skip
    steps, spikes, rows = round(circuit.period_ms / circuit.dt_ms), 0, currents_of(data.train).of(chosen)
    with (
        TraceWriter(out, header) as writer,
        whole_or_none(writer),
        progress("recording", len(places), quiet) as bar,
    ):
        labels = chosen.labels[places]
        for scores in _present(stream, labels, lambda k: rows(places[k]), THIRD_FACTOR in variables) if watched else ():
            here = places[len(writer) : len(writer) + len(scores)]
            arrays = dict(_read(stream.machine, watched, (len(scores), steps), circuit.dt_ms))
            spikes += sum(int(np.count_nonzero(x["S"])) for x in arrays.values() if "S" in x)
            writer.append_batch(here, chosen.labels[here], arrays, scores.argmax(1), config.epochs)
            bar.advance(len(scores))
        if parameters:
            writer.snapshot(config.epochs, parameters)
        many = len(writer)
    return {"samples": many, "spikes": spikes, "out": str(out)}


def _stream(circuit: Circuit, samples: int) -> Stream:
    """The circuit on the machine that is the fastest for so many samples."""
    machine = machine_for(circuit) if samples >= REPAYS else Interpreted(circuit)
    return Stream(machine, circuit, dict(circuit.settings))


def _units(watched: Sequence[Watched]) -> dict[str, str]:
    """The units of what is recorded, by variable."""
    return {name: unit for one in watched for name, unit in units_of(one.units).items() if name in one.variables}


def _present(stream: Stream, labels: np.ndarray, rows: Rows, with_labels: bool) -> Iterator[np.ndarray]:
    """Scores of each run, without learning. Labels are shown where a variable that depends on them is recorded."""
    if not with_labels:
        yield from stream.scores(len(labels), rows)
        return
    yield from stream.learn(samples_only(labels, 0), rows, np.zeros(len(labels)))


def declared(units: Units) -> list[str]:
    """List the variables that a population's equations declare."""
    matches = (_DECLARED.match(line.strip()) for line in units.equations)
    return [match[1] or match[2] for match in matches if match is not None]


def units_of(units: Units) -> dict[str, str]:
    """Give the units of a population's variables.

    Args:
        units: the population.

    Returns:
        By variable "volt", "amp" or "coulomb", or "threshold" for a potential that counts in thresholds. A variable
        that is missing here is a pure number.
    """
    matches = {name: _UNIT.search(line.strip()) for name, line in zip(declared(units), units.equations, strict=True)}
    unit_names = {name: match[1] for name, match in matches.items() if match is not None and match[1] != "1"}
    return unit_names | {name: "threshold" for name in POTENTIALS if name in matches and "V_m" in matches}


def watched_of(circuit: Circuit, variables: Sequence[str], layers: Collection[str] | None) -> list[Watched]:
    """Find the populations and variables that a user asks to record.

    Args:
        circuit: the equations.
        variables: names of variables, "S" for spikes, or names of parameters.
        layers: names of populations; None for all.

    Returns:
        The populations that have at least one of the variables, other than parameters.

    Raises:
        UserError: a variable or a population is unknown, and the message offers the nearest one; or no population that
            is asked for has any of the variables.
    """
    names = [units.name for units in circuit.units]
    for layer in layers or ():
        if layer not in names:
            raise unknown("layer", layer, names)
    full = [f"{part.name.replace('_ff', '.ff')}.{variable}" for part, variable in circuit.state()]
    legal = {"S", *PARAMETERS, *full, *(v for units in circuit.units for v in declared(units))}
    for variable in variables:
        if variable not in legal:
            raise unknown("variable", variable, legal)
    watched = []
    for units in circuit.units:
        if layers is not None and units.name not in layers:
            continue
        own = {v: v for v in variables if v in declared(units) and v not in PARAMETERS}
        if "S" in variables and (units.threshold is not None or {"a", "v"} <= set(declared(units))):
            own["S"] = "" if units.threshold is not None else "a"
        if own:
            watched.append(Watched(units, own))
    if not watched and not {*PARAMETERS, *full} & set(variables):
        raise UserError(f"no population asked for has {', '.join(variables)}. Name others, or leave --layers out")
    return watched


def _watching(circuit: Circuit, watched: list[Watched]) -> Circuit:
    """Give the circuit with monitors of the watched variables added."""
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
    """Read what the last run recorded, by population, as arrays (T, samples, N); `shape` is (samples, T)."""
    many = shape[0] * shape[1]
    for one in watched:
        size, arrays = one.units.size, {}
        for name, variable in one.variables.items():
            if variable == THIRD_FACTOR:
                ended = machine.watched(one.units.name, variable)[shape[1] :: shape[1]][: shape[0]]
                values = np.repeat(ended, shape[1], axis=0)
            elif variable:
                values = machine.watched(one.units.name, variable)[:many]
            else:
                values = np.zeros((many, size), dtype=bool)
                spikes = machine.spikes(one.units.name)
                at = np.rint(spikes.times_ms / dt_ms).astype(np.int64)
                inside = at < many  # The last step of a run belongs to no presentation.
                values[at[inside], spikes.units[inside]] = True
            arrays[name] = values.reshape(*shape, size).transpose(1, 0, 2)
        yield one.units.name, arrays
