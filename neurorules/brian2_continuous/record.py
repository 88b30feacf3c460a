"""Record the spikes and variables of a circuit in continuous time while samples are presented to it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from neurorules.brian2_continuous.parts.choose import machine_for
from neurorules.brian2_continuous.parts.circuit import Circuit
from neurorules.brian2_continuous.parts.currents import currents_of
from neurorules.brian2_continuous.parts.interpreted import Interpreted
from neurorules.brian2_continuous.parts.plan import samples_only
from neurorules.brian2_continuous.parts.stream import Rows, Stream
from neurorules.brian2_continuous.trainer import circuit_of, net_of, settle
from neurorules.brian2_continuous.watched import (
    CHARGE,
    THIRD_FACTOR,
    WatchedReader,
    declared,
    units_of,
    watched_of,
    watching,
)
from neurorules.contracts.data_set import DataPlace
from neurorules.language.config import SettledConfig, config_from
from neurorules.language.own_files import standing_for
from neurorules.runs.folder import RunFolder
from neurorules.runs.kept_interrupt import no_interrupt_lost
from neurorules.runs.outputs import check_output
from neurorules.runs.own_copies import files_of
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


@own_session()
def record_circuit(
    run: Path, out: Path, samples: str, variables: Sequence[str], layers: Collection[str] | None = None,
    part: PartName = "test", data_dir: DataPlace = None, quiet: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Record samples of a run in continuous time.

    The circuit begins at rest, and its state goes on from sample to sample. A step of the trace is one integration
    step, at whose end variables are read. `S` of units that do not spike is their activity, and `m` is constant during
    a sample.

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
    with standing_for(files_of(run)):
        config = settle(config_from(folder.config(), str(run)))
        data = load_data(config, data_dir)
        chosen = part_of(data, part)
        places = sample_places(samples, len(chosen), "--samples", part)
        circuit = circuit_of(config, net_of(config, data, min(AT_ONCE, len(places))))
    recording = Recording(circuit, variables, layers, len(places))
    recording.stream.load(to_arrays(folder.load_weights()))
    options = {"variables": list(variables), "layers": layers and sorted(layers), "samples": samples, "part": part}
    rows = currents_of(data.train).of(chosen)
    with (
        TraceWriter(out, recording.header(config, options)) as writer,
        whole_or_none(writer),
        no_interrupt_lost(),
        progress("recording", len(places), quiet) as bar,
    ):
        spikes = recording.write(writer, chosen.labels, rows, places, config.epochs, bar.advance)
        many = len(writer)
    return {"samples": many, "spikes": spikes, "out": str(out)}


class Recording:
    """The circuit of a recording, with monitors of what is watched, on the fastest machine for so many samples.

    Args:
        circuit: the equations.
        variables, layers: what is recorded, and of which populations: see `watched_of`.
        samples: how many are recorded in all.

    Raises:
        UserError: a variable or a population does not exist.
    """

    def __init__(
        self, circuit: Circuit, variables: Sequence[str], layers: Collection[str] | None, samples: int
    ) -> None:  # fmt: skip
        self.watched = watched_of(circuit, variables, layers)
        self.circuit = circuit = watching(circuit, self.watched)
        machine = machine_for(circuit) if samples >= REPAYS else Interpreted(circuit)
        self.stream = Stream(machine, circuit, dict(circuit.settings))
        self._variables = variables

    def parameters(self) -> dict[str, np.ndarray]:
        """The recorded parameters as they are now, by their full names."""
        wanted = self._variables
        return {n: w for n, w in self.stream.parameters().items() if n in wanted or n.rsplit(".", 1)[1] in wanted}

    def header(self, config: SettledConfig, options: Mapping[str, Any]) -> TraceHeader:
        """Describe what is recorded, of which run, and in which units.

        Args:
            config: the config of the run.
            options: what was asked for, as `TraceHeader.recording`.

        Returns:
            The header of its trace.
        """
        circuit, parameters = self.circuit, self.parameters()
        charges = {wires.name for wires in circuit.wires if CHARGE in declared(wires)}
        units = {name: unit for one in self.watched for name, unit in units_of(one.units).items()
                 if name in one.variables}  # fmt: skip
        return TraceHeader(
            config.rule, {one.units.name: (one.units.size,) for one in self.watched}, circuit.dt_ms,
            units | {name: "threshold capacitance" for name in parameters if _wires_of(name) in charges},
            seed=config.seed, config=config.as_dict(), versions=versions(), recording=options,
            parameters={n: w.shape for n, w in parameters.items()}, scale=asdict(circuit.scale),
            spiking=any(units.threshold is not None for units in circuit.units),
        )  # fmt: skip

    def write(
        self, writer: TraceWriter, labels: np.ndarray, rows: Rows, places: np.ndarray, epoch: int,
        wrote: Callable[[int], None],
    ) -> int:  # fmt: skip
        """Present samples without learning, and write what they did and then the parameters.

        Args:
            writer: the writer of the trace.
            labels: classes of all samples of the part, (N,).
            rows: gives the currents of samples of the part.
            places: those that are recorded, (n,).
            epoch: number of epochs that the circuit has learned.
            wrote: told how many samples have been written, after each run.

        Returns:
            The number of spikes.
        """
        circuit, spikes, done = self.circuit, 0, 0
        steps, shown = round(circuit.period_ms / circuit.dt_ms), labels[places]
        reader = WatchedReader(self.watched, steps, circuit.dt_ms)
        for scores in self._present(shown, lambda k: rows(places[k])) if self.watched else ():
            here = places[done : done + len(scores)]
            done += len(here)
            arrays = dict(reader.read(self.stream.machine, len(here)))
            spikes += sum(int(np.count_nonzero(x["S"])) for x in arrays.values() if "S" in x)
            writer.append_batch(here, labels[here], arrays, scores.argmax(1), epoch)
            wrote(len(here))
        if parameters := self.parameters():
            writer.snapshot(epoch, parameters)
        return spikes

    def _present(self, labels: np.ndarray, rows: Rows) -> Iterator[np.ndarray]:
        """Scores of each run, without learning. Labels are shown where a variable that depends on them is recorded."""
        if THIRD_FACTOR not in self._variables:
            yield from self.stream.scores(len(labels), rows)
            return
        with self.stream.aside():
            yield from self.stream.learn(samples_only(labels, 0), rows, np.zeros(len(labels)))


def _wires_of(parameter: str) -> str:
    """The name of the wires whose weights a parameter is: of "hidden1.ff.w" it is "hidden1_ff"."""
    return parameter.removesuffix(".w").replace(".", "_")
