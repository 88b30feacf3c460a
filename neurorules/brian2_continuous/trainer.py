"""`train --path continuous`: a rule learns while its equations run, and the same run folder comes out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from neurorules.brian2_continuous.checks import check_config, neuron_of, warn_of_time
from neurorules.brian2_continuous.parts.choose import machine_for
from neurorules.brian2_continuous.parts.circuit import Circuit
from neurorules.brian2_continuous.parts.currents import Currents, currents_of
from neurorules.brian2_continuous.parts.foresight import check_net
from neurorules.brian2_continuous.parts.layers import Net, hidden_sizes, recurrent_layers
from neurorules.brian2_continuous.parts.plan import Plan
from neurorules.brian2_continuous.parts.report import result_of
from neurorules.brian2_continuous.parts.stream import Stream, check_arrays
from neurorules.contracts.data_set import DataPlace
from neurorules.language.config import SettledConfig, TrainConfig
from neurorules.language.rates import rate_schedule
from neurorules.rules import RULES
from neurorules.runs import checkpoint
from neurorules.runs.beginning import own_run
from neurorules.runs.folder import RunFolder
from neurorules.runs.interrupt import Interrupted, StopFlag, polite_stop
from neurorules.runs.progress import progress
from neurorules.runs.tensors import from_arrays, to_arrays
from neurorules.torch_path.training.batches import Data, Part, TrainingData, epoch_order, load_data, settled_by_data

PRESENTATIONS = 500
"""Of one run of the compiled model: tables in memory stay small, and a stop is heeded soon."""


def settle(config: TrainConfig) -> SettledConfig:
    """The configuration with what the rule's circuit fills in where the user left it open.

    Raises:
        UserError: a rule without a circuit, or a setting that equations in continuous time have no use for.
    """
    plan = check_config(config)
    neuron = config.neuron or plan.neuron
    made = neuron_of(neuron)
    given = config.as_dict()
    given |= {
        "neuron": neuron,
        "readout_neuron": "leaky_readout",
        "steps": round(made.period_ms / made.dt_ms),
        "norm": "none",
        "init": "he",
        "connection": "dense",
        "optimizer": "sgd",
        "readout_optimizer": "sgd",
        "signal_lr": None,
        "lr": plan.lr * made.lr_scale if config.lr is None else config.lr,
        "readout_lr": plan.readout_lr if config.readout_lr is None else config.readout_lr,
        "batch_size": 1,
    }
    return SettledConfig(**given)


@dataclass
class Position:
    """Where a run is: epoch, presentation to begin with, samples learned and answered right, seconds."""

    epoch: int = 0
    presentation: int = 0
    learned: int = 0
    right: int = 0
    seconds: float = 0.0
    validation: list[float | None] = field(default_factory=list)


def train(
    config: TrainConfig,
    out: Path | None = None,
    *,
    data_dir: DataPlace = None,
    resume: bool = False,
    force: bool = False,
    quiet: bool = False,
    data: Data | None = None,
) -> dict[str, Any]:
    """Train one network in continuous time and return its result (see `torch_path.training.trainer.train`).

    Raises:
        UserError: a mistake in the configuration, the data or the folder.
        MissingExtra: brian2 is not installed.
        Interrupted: the user stopped it; what has been learned is saved.
    """
    settled = settle(config)
    data = data or load_data(settled, data_dir)
    settled = settled_by_data(settled, data.source)
    run = prepare(settled, data, quiet)
    source = data.source
    with ExitStack() as held:
        if out is not None:
            # Only now: a mistake in the settings must not leave a folder behind, or replace a run.
            own = own_run(out, settled, resume, force, lambda stored: settled_by_data(settle(stored), source))
            run.folder = held.enter_context(own)
            if resume:
                run.restore(run.folder)
        with polite_stop() as stop:
            run.learn(stop)
            return run.finish(data)


def validation_accuracy(config: TrainConfig, data: TrainingData) -> float | None:
    """Train one network, keep nothing, and return its last validation accuracy (see `torch_path.training.trainer`)."""
    run = prepare(settled_by_data(settle(config), data.source), data, quiet=True)
    with polite_stop() as stop:
        run.learn(stop)
    return run.at.validation[-1]


def prepare(config: SettledConfig, data: TrainingData, quiet: bool) -> CircuitRun:
    """A fresh circuit for a configuration and its data, on the fastest machine there is."""
    plan, net = check_config(config), _net(config, data)
    check_net(net)
    warn_of_time(net.neuron)
    settings = plan.numbers(config.lr, config.readout_lr)
    circuit = plan.make(net, RULES.make(config.rule), settings, np.random.default_rng(config.seed))
    currents = currents_of(data.train)
    return CircuitRun(config, data, plan, circuit, Stream(machine_for(circuit), circuit, settings), currents, quiet)


def _net(config: SettledConfig, data: TrainingData) -> Net:
    inputs = int(np.prod(data.source.shape))
    sizes, loops = hidden_sizes(config.net), recurrent_layers(config.net)
    return Net(inputs, sizes, data.source.classes, neuron_of(config.neuron), PRESENTATIONS, loops)


@dataclass
class CircuitRun:
    """One training run under way."""

    config: SettledConfig
    data: TrainingData
    plan: Plan
    circuit: Circuit
    stream: Stream
    currents: Currents
    quiet: bool
    folder: RunFolder | None = None
    at: Position = field(default_factory=Position)

    def learn(self, stop: StopFlag) -> None:
        """All epochs from where the run is."""
        samples = len(self.data.train)
        with progress("training", self.config.epochs * samples, self.quiet) as bar:
            bar.advance(self.at.epoch * samples + self.at.learned)
            while self.at.epoch < self.config.epochs:
                for seen in self._epoch(stop):
                    bar.advance(seen, f"epoch {self.at.epoch + 1}, accuracy {self.at.right / self.at.learned:.3f}")
                self._close_epoch()

    def _epoch(self, stop: StopFlag) -> Iterator[int]:
        """Learn one epoch; yields how many samples each run of the model has shown."""
        chosen = epoch_order(self.config.seed, self.at.epoch, len(self.data.train))
        labels = self.data.train.labels[chosen]
        order = self.plan.order(labels, self.data.source.classes)
        total = len(order.samples)
        rate = rate_schedule(self.config.lr_schedule)
        steps = self.at.epoch + np.arange(total) / total
        eta = np.array([rate(float(at), self.config.epochs) for at in steps])
        rest = order.after(self.at.presentation)
        started = time.perf_counter()
        for scores in self.stream.learn(rest, lambda k: self.currents(chosen[k]), eta[self.at.presentation :]):
            now = labels[self.at.learned : self.at.learned + len(scores)]
            self.at.right += int((scores.argmax(1) == now).sum())
            self.at.learned += len(scores)
            self.at.presentation += min(self.circuit.presentations, total - self.at.presentation)
            self.at.seconds += time.perf_counter() - started
            yield len(scores)
            if stop.requested:
                self._interrupt()
            started = time.perf_counter()

    def _interrupt(self) -> None:
        self.save()
        line = f"stopped in epoch {self.at.epoch + 1}."
        if self.folder is not None:
            again = f"neurorules train --out {self.folder.path} --resume"
            line += f" What was learned is saved. Go on with the same options and: {again}"
        raise Interrupted(line)

    def _close_epoch(self) -> None:
        accuracy = None
        if self.data.validation is not None:
            accuracy, _ = self._evaluate(self.data.validation)
        row: dict[str, Any] = {
            "epoch": self.at.epoch + 1,
            "train_loss": None,
            "train_accuracy": self.at.right / self.at.learned,
            "validation_accuracy": accuracy,
            "train_seconds": self.at.seconds,
            "measures": {},
        }
        self.at = Position(self.at.epoch + 1, seconds=self.at.seconds, validation=[*self.at.validation, accuracy])
        if self.folder is not None:
            self.folder.append_metrics(row)
        self.save()

    def _evaluate(self, part: Part) -> tuple[float, dict[str, float]]:
        """Accuracy, and spikes a sample by layer."""
        scores, spikes = self.answer(part)
        return float((scores.argmax(1) == part.labels).mean()), spikes

    def answer(self, part: Part) -> tuple[np.ndarray, dict[str, float]]:
        """Scores (N, C) of samples that are not learned from, and spikes a sample by layer."""
        found, spikes = [], dict.fromkeys(self._spiking(), 0.0)
        for scores in self.stream.scores(len(part), self.currents.of(part)):
            found.append(scores)
            for name in spikes:
                spikes[name] += float(self.stream.machine.read(f"{name}.spikes").sum())
        return np.concatenate(found), {name: count / len(part) for name, count in spikes.items()}

    def _spiking(self) -> list[str]:
        return [units.name for units in self.circuit.units if units.threshold is not None]

    def save(self) -> None:
        """Write a checkpoint, where the run has a folder."""
        if self.folder is not None:
            checkpoint.save(self.folder.path, from_arrays(self.stream.kept()), vars(self.at), self.folder.config())

    def restore(self, folder: RunFolder) -> None:
        """Go back to the last whole checkpoint; from the start where there is none."""
        found = checkpoint.load(folder.path, folder.config())
        if found is None:
            folder.truncate_metrics(0)
            return
        kept = to_arrays(found.tensors)
        check_arrays(kept, self.stream.kept(), "checkpoint's numbers")
        self.stream.values |= kept
        self.at = Position(**found.state)
        folder.truncate_metrics(self.at.epoch)

    def finish(self, data: Data) -> dict[str, Any]:
        """Read the test set, once, and write the result."""
        accuracy, spikes = self._evaluate(data.test)
        parameters = self.stream.parameters()
        result = result_of(
            self.config, data, self.circuit, parameters, accuracy, spikes, self.at.validation, self.at.seconds
        )
        result["needs"] = sorted(self.plan.needs)
        if self.folder is not None:
            self.folder.save_weights(from_arrays(parameters))
            self.folder.write_result(result)
        return result
