"""The learner: a network, a rule, and the two verbs of a training loop, `step` and `scores`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from inspect import getdoc
from typing import Any

import torch
from torch import Tensor

from neurorules.contracts.chip import Chip
from neurorules.contracts.device import Device
from neurorules.contracts.device_chain import chain
from neurorules.contracts.encoder import Encoder
from neurorules.language.config import window_of
from neurorules.language.keywords import built_from, with_settings
from neurorules.language.paths import path_from
from neurorules.language.rules import Rule
from neurorules.network.initial import initialise
from neurorules.network.model import Learned, build_model
from neurorules.rules import RULES
from neurorules.runs.state_file import save_state
from neurorules.runs.tensors import load_tensors
from neurorules.torch_path.process.ranks import ranks_here
from neurorules.torch_path.process.session import own_session
from neurorules.torch_path.training.arguments import Labels, Spikes
from neurorules.torch_path.training.checks import check_device, check_drive, check_precision
from neurorules.torch_path.training.doubts import Outstanding, check_finite
from neurorules.torch_path.training.drives import batch_of
from neurorules.torch_path.training.given_net import brought_by, drawn
from neurorules.torch_path.training.graphed import recorder_of
from neurorules.torch_path.training.learner_settings import LearnerSettings
from neurorules.torch_path.training.loops import evaluate_loader, fit, predict
from neurorules.torch_path.training.off_chip import handed_over
from neurorules.torch_path.training.on_ranks import check_ranks
from neurorules.torch_path.training.one_step import take_step, whole_step
from neurorules.torch_path.training.piped import drain, pipe_of, push
from neurorules.torch_path.training.queued import may_queue, queue_step, settle
from neurorules.torch_path.training.shown import as_html, as_line
from neurorules.torch_path.training.store import Store
from neurorules.torch_path.training.stored_state import state_of, take_over
from neurorules.torch_path.trial.allowance import measures
from neurorules.torch_path.trial.learn import TrialResult
from neurorules.torch_path.trial.observe import Response, respond
from neurorules.torch_path.trial.probe import Probe
from neurorules.torch_path.update.figures import metrics_of, scoring_of
from neurorules.torch_path.update.optimiser import optimiser_of


class Learner:
    """Trains one network with one rule.

    Args:
        net: a `Network`, a text such as "800-800", a `torch.nn.Module` of torch and snnTorch layers, whose parameters
            with requires_grad=False stay as they are, or a NIR graph or its file, "net.nir".
        input_shape: the input shape of one sample at one step, (C, H, W) or (N,); a `Network` has its own.
        classes: number of classes, >= 2; a `Network` or a module has its own.
        task, outputs: the kind of targets if they are not classes, and the number of values of a regression.
        settings: those of `LearnerSettings`; a drive that varies over time has its own number of steps.

    Raises:
        UserError: a setting is unknown, or the net does not fit.
    """

    @own_session()
    @built_from(LearnerSettings)
    def __init__(self, settings: LearnerSettings) -> None:
        self.device = check_device(settings.device)
        self.dtype = check_precision(settings.precision)
        self.fast = settings.precision == "fast"
        rule: Rule = RULES.make(settings.rule)
        own = rule.defaults
        self.steps, self.schedule, self.seed = settings.steps or own.steps, settings.schedule, settings.seed
        self.window = window_of(self.schedule, sys.maxsize)  # steps that run at once; a shorter trial runs whole
        imported = brought_by(settings, own)
        network = imported.network.on(self.device, self.dtype)
        self.model = build_model(network, rule, *settings.of_model)
        self.learned: Learned = initialise(self.model, self.seed, self.device, self.dtype, drawn(settings, own))
        self.learned.parameters.update(imported.parameters_on(self.device, self.dtype))
        # The averages of batch normalisation before any learning.
        self.averages = imported.statistics_on(self.device, self.dtype)
        self.learned.current |= self.averages
        self.generator = torch.Generator(self.device).manual_seed(self.seed + 2_000_003)
        self.optimiser = optimiser_of(self.model, self.learned.parameters, settings)
        self.hardware: Device | None = None if settings.hardware == "none" else chain(settings.hardware)
        if self.hardware is not None:
            Chip(self.hardware, {}).check_rule(rule)
        self.store = Store(
            self.model, self.learned.parameters, self.optimiser, imported.frozen, self.hardware, self.seed,
            settings.weight_sum,
        )  # fmt: skip
        self.scoring = scoring_of(self.model)
        self.ranks, self.alike = ranks_here(), False  # whether all ranks have begun with the same numbers
        self.pipe = pipe_of(self.model, self.schedule, self.hardware, self.ranks)
        if self.ranks is not None and self.pipe is None:
            check_ranks(self.model, self.learned, self.hardware is not None)
        self.probe: Probe | None = None
        self.encoder: Encoder | None = None  # the encoder of the run that the learner was loaded from
        self.outstanding, self.queues, self.recorder = Outstanding(), may_queue(self), recorder_of(self)

    def step(self, spikes: Spikes, labels: Labels, fraction: float = 1.0) -> dict[str, float]:
        """Learn from one batch of samples.

        Args:
            spikes: (T, B, *input) spikes or currents of any real type, a tensor (dense or sparse) or an array; samples
                that are the same at each of the learner's steps, (B, *input); a list of events; or a `Series`.
            labels: (B,) class indices, a tensor, array or list of whole numbers; one-hot rows (B, C); or the targets of
                another task, samples first (`contracts.target`).
            fraction: the share of the learning rate, >= 0.

        Returns:
            loss (cross-entropy), accuracy in 0..1 or figures of another task, and spikes per sample by layer.

        Raises:
            UserError: shapes are wrong, values are not finite, or labels are out of range.
            Diverged: the trial's changes are not finite; none of them has been applied.
        """
        if self.queues:
            queue_step(self, spikes, labels, fraction, metrics=True)
            return self.flush()[-1]
        if self.pipe is not None:
            with whole_step(self, every_weight=True):
                first = self.push(spikes, labels, fraction)
                return [metrics for metrics in (first, *self.flush()) if metrics is not None][-1]
        trial, labels = self.learn(spikes, labels, fraction)
        if trial.figures is not None:
            return {name: float(value) for name, value in trial.figures.items()}
        return metrics_of(trial.scores, labels, trial.spikes, self.scoring)

    def learn(self, spikes: Spikes, labels: Labels, fraction: float = 1.0) -> tuple[TrialResult, Tensor]:
        """Learn from one batch as `step` does, and return the trial. On a GPU errors come one call later.

        Args:
            spikes, labels, fraction: as in `step`, which lists the errors.

        Returns:
            The trial, and class indices (B,), or other targets, on the device; on several ranks scores, activity and
            targets are those of this rank's samples.
        """
        if self.queues:
            return queue_step(self, spikes, labels, fraction)
        return take_step(self, spikes, labels, fraction)

    def push(self, spikes: Spikes, labels: Labels, fraction: float = 1.0) -> dict[str, float] | None:
        """Learn from batches in a pipeline: the first layer learns this one, each other layer the one before it.

        Args:
            spikes, labels, fraction: as in `step`, which lists the errors. On a GPU batches are queued.

        Returns:
            The result of `step` for the batch that has passed all layers; None while pipe or queue fill, and always if
            layers lie on several ranks (`flush` returns the results).
        """
        if self.queues:
            queue_step(self, spikes, labels, fraction, metrics=True)
            return self.outstanding.metrics.popleft() if self.outstanding.metrics else None
        if self.pipe is None:
            return self.step(spikes, labels, fraction)
        return push(self, self.pipe, spikes, labels, fraction)

    def flush(self) -> list[dict[str, float]]:
        """Learn the batches under way to the end, and return the result of `step` for each, in order.

        If layers lie on several ranks, all of them call this after the same batch, and each then has the whole network.
        """
        return [*self.outstanding.take(), *([] if self.pipe is None else drain(self, self.pipe))]

    def discard(self) -> int:
        """Drop the batches under way, and return their number. Layers keep what they have learned from them."""
        return 0 if self.pipe is None else self.pipe.discard()

    def respond(self, spikes: Spikes) -> Response:
        """Run a batch without learning, and return class scores and the activity of every layer.

        Raises:
            UserError: shapes are wrong, or batches are under way in a pipeline.
        """
        settle(self)
        with own_session(self.fast):
            spikes = batch_of(self, spikes, learning=False)
            drive, steps = check_drive(spikes, self.model.network, self.steps, self.device, self.dtype)
            return respond(self.store.on_hardware(self.model), self.trial_state(), drive, steps)

    def scores(self, spikes: Spikes) -> Tensor:
        """Class scores of a batch, (B, C), the largest being the prediction; or outputs, (B, O) or (B, T, O)."""
        return self.respond(spikes).scores

    fit = fit
    evaluate = evaluate_loader
    predict = predict

    __repr__ = as_line
    _repr_html_ = as_html

    def measures(self) -> dict[str, float]:
        """The measures that the signal reports of itself, such as the angle between its feedback and the weights."""
        self.outstanding.settle()
        with own_session():
            return measures(self.model, self.learned.signal, self.read())

    def trial_state(self) -> Learned:
        """Everything learned, with the parameters that a trial computes with."""
        return replace(self.learned, parameters=self.read())

    def read(self) -> dict[str, Tensor]:
        """The parameters that a trial computes with, as the hardware presents them."""
        return self.store.read()

    @own_session()
    def to_snntorch(self) -> torch.nn.Sequential:
        """The trained network as torch and snnTorch layers.

        Raises:
            UserError: snnTorch has no layer for a part of the network.
        """
        from neurorules.torch_path.snntorch.to_sequential import to_sequential

        learned = handed_over(self, "the result of to_snntorch")
        return to_sequential(self.model.network.bound(learned.parameters), learned, self.store.frozen)

    @own_session()
    def to_nir(self, **options: Any) -> Any:
        """The trained network as a `nir.NIRGraph`; options and errors are those of `exchange.nir.write.graph_of`."""
        from neurorules.exchange.nir.write import graph_of

        return graph_of(self.model.network, handed_over(self, "a graph of NIR"), self.store.frozen, **options)

    @own_session()
    def write_back(self, module: torch.nn.Module) -> None:
        """Copy the trained weights into the module that the learner was made from, or one like it.

        Args:
            module: a module with the same layers; its `state_dict` keeps its names.

        Raises:
            UserError: the module has other layers, shapes or neurons; it is unchanged.
        """
        from neurorules.torch_path.snntorch.write_back import write_back

        write_back(self.model.network, handed_over(self, "the module"), module, self.model.scores)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything that is needed to continue into one safetensors file, atomically.

        Raises:
            UserError: the file cannot be written, or batches are under way in a pipeline.
        """
        save_state(path_from("path", path), self.state())

    def state(self) -> dict[str, Tensor]:
        """Everything that is needed to continue: parameters, statistics, optimiser, generator, hardware.

        Raises:
            UserError: batches are under way in a pipeline.
        """
        return state_of(self)

    def load(self, state: Mapping[str, Tensor] | str | os.PathLike[str] | Any, weights_only: bool = False) -> None:
        """Load a state that `state` returned or `save` wrote, completely or not at all.

        Args:
            state: named tensors, or the path of a file.
            weights_only: leave optimiser and random generator as they are.

        Raises:
            UserError: the state belongs to another learner, is incomplete, or has wrong names, shapes, types or values;
                or batches are under way in a pipeline.
        """
        if isinstance(state, str | os.PathLike):
            state, _ = load_tensors(path_from("state", state))
        take_over(self, state, weights_only)

    def apply_and_read(self, gradients: Mapping[str, Tensor], fraction: float = 1.0) -> dict[str, Tensor]:
        """Change the parameters by one step of the optimiser.

        Args:
            gradients: by parameter, averaged over samples.
            fraction: the share of the learning rate, >= 0.

        Returns:
            The parameters that trials compute with afterwards.

        Raises:
            Diverged: a gradient is not finite; nothing has been applied.
        """
        with own_session(self.fast):
            check_finite(gradients, self.model.network)
            self.store.change([(gradients, fraction)])
        return self.store.read()


Learner.__doc__ = with_settings(getdoc(Learner) or "", LearnerSettings)
