"""The learner: a network, a rule, and the loop's two verbs, `step` and `scores`. For your own loop, and for `train`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from neurorules.contracts.device import Device
from neurorules.contracts.series import Series
from neurorules.language.config import PIPELINED, window_of
from neurorules.language.errors import UserError
from neurorules.language.keywords import built_from, with_settings
from neurorules.language.ranges import NonNegative, check_range
from neurorules.language.rules import Defaults, Rule
from neurorules.network.layer import draw_masks
from neurorules.network.model import Learned, build_model, initialise, place
from neurorules.network.network import Network, settled_network
from neurorules.rules import RULES
from neurorules.runs.interrupt import interrupts_wait
from neurorules.torch_path.process.session import own_session
from neurorules.torch_path.training.arguments import Labels, Spikes
from neurorules.torch_path.training.check_state import check_state
from neurorules.torch_path.training.checks import check_device, check_drive, check_finite, check_labels, check_precision
from neurorules.torch_path.training.device_chain import chain
from neurorules.torch_path.training.identity import IDENTITY, identity
from neurorules.torch_path.training.learner_settings import LearnerSettings
from neurorules.torch_path.training.state import from_tensors, to_tensors
from neurorules.torch_path.training.store import Store
from neurorules.torch_path.training.whole_step import whole_step
from neurorules.torch_path.trial.allowance import measures, observe
from neurorules.torch_path.trial.learn import TrialResult, learn_trial
from neurorules.torch_path.trial.observe import Response, respond
from neurorules.torch_path.trial.pipeline import Parcel, Pipe, merged
from neurorules.torch_path.trial.probe import Probe
from neurorules.torch_path.update.optimiser import optimiser_of
from neurorules.torch_path.update.output import metrics_of


class Learner:
    """Trains one network with one rule.

    Args:
        net: a `Network`, a text such as "800-800", or a `torch.nn.Sequential` of torch and snnTorch layers, whose
            parameters with requires_grad=False stay as they are.
        input_shape: of one sample at one step, (C, H, W) or (N,); not needed for a `Network`.
        classes: number of classes, >= 2; not needed for a `Network` or a Sequential.
        settings: as below; a drive that varies over time brings its own number of steps.

    Raises:
        UserError: anything unknown, or a net that does not fit.
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
        network, given, frozen = _network(settings, own)
        if settings.classes is not None and settings.classes != network.classes:
            raise UserError(
                f"the net has {network.classes} outputs, and classes is {settings.classes}. Make them the same"
            )
        self.model = build_model(
            network.on(self.device, self.dtype), rule, settings.signal, settings.dw, settings.targets
        )
        self.learned: Learned = initialise(self.model, self.seed, self.device, self.dtype, settings.init or own.init)
        for name, value in given.items():
            self.learned.parameters[name] = value.to(self.device, self.dtype).clone()
        self.generator = torch.Generator(self.device).manual_seed(self.seed + 2_000_003)
        self.optimiser = optimiser_of(self.model, self.learned.parameters, settings)
        self.hardware: Device | None = None if settings.hardware == "none" else chain(settings.hardware)
        self.store = Store(self.model, self.learned.parameters, self.optimiser, frozen, self.hardware, self.seed)
        self.pipe = self._pipe() if self.schedule in PIPELINED else None
        self.probe: Probe | None = None

    def _pipe(self) -> Pipe:
        """The stages in which layers work on different batches at a time."""
        return Pipe(self.model, self.schedule == "pipelined_threads", self.hardware is not None)

    def step(self, spikes: Spikes, labels: Labels, fraction: float = 1.0) -> dict[str, float]:
        """Learn from one batch.

        Args:
            spikes: (T, B, *input) spikes or currents of any real type, a tensor (dense or sparse) or an array; or a
                `Series` that is constant over `steps`.
            labels: (B,) class indices, a tensor, array or list of whole numbers; or one-hot rows (B, classes).
            fraction: of the learning rate, >= 0.

        Returns:
            loss (cross-entropy of the scores), accuracy in 0..1, and spikes a sample by layer.

        Raises:
            UserError: wrong shapes, values that are not finite, labels out of range.
            Diverged: the trial's changes are not finite; none of them has been applied.
        """
        if self.pipe is not None:
            with whole_step(self, every_weight=True):
                found = [self.push(spikes, labels, fraction), *self.flush()]
            return [metrics for metrics in found if metrics is not None][-1]
        trial, labels = self.learn(spikes, labels, fraction)
        return metrics_of(trial.scores, labels, trial.spikes)

    def learn(self, spikes: Spikes, labels: Labels, fraction: float = 1.0) -> tuple[TrialResult, Tensor]:
        """`step` for those who look into it: all that the trial found, and the labels on its device."""
        check_range("fraction", fraction, NonNegative)
        applies = any(phase.applies for phase in self.model.rule.phases)
        with whole_step(self, every_weight=applies) as hold:
            drive, steps, labels = self._checked(spikes, labels)
            trial = learn_trial(
                self.model, self.seen(), drive, steps, labels, self.generator, window_of(self.schedule, steps),
                lambda gradients: self.apply_and_read(gradients, fraction), self.probe,
            )  # fmt: skip
            check_finite(trial.gradients, self.model.network, trial.scores)
            hold()
            self.store.change([(trial.gradients, fraction)])
            self.learned = replace(trial.learned, parameters=self.learned.parameters)
            return trial, labels

    def _checked(self, spikes: Spikes, labels: Labels) -> tuple[Series, int, Tensor]:
        drive, steps = check_drive(spikes, self.model.network, self.steps, self.device, self.dtype)
        return drive, steps, check_labels(labels, drive, self.model.network.classes, self.device)

    def push(self, spikes: Spikes, labels: Labels, fraction: float = 1.0) -> dict[str, float] | None:
        """Learn from batches in a pipeline: the first layer learns this one, each other layer the one before it.

        Arguments and errors are those of `step`.

        Returns:
            What `step` returns, of the batch that the last layer has learned; None while the pipe fills.
        """
        if self.pipe is None:
            return self.step(spikes, labels, fraction)
        check_range("fraction", fraction, NonNegative)
        with whole_step(self) as hold:
            drive, steps, labels = self._checked(spikes, labels)
            seen = observe(self.model, self.learned.signal, drive, self.model.told(labels))
            self.learned = replace(self.learned, signal={**self.learned.signal, **seen})
            masks = draw_masks(self.model.network.layers, len(labels), self.generator)
            parcel = Parcel(drive, steps, labels, masks, fraction, seen)
            return self._tick(self.pipe, [parcel, *self.pipe.slots[1:]], hold)

    def flush(self) -> list[dict[str, float]]:
        """Let the batches under way be learned to the end, without new ones: what `step` returns of each, in order."""
        found: list[dict[str, float] | None] = []
        while self.pipe is not None and self.pipe.under_way:
            with whole_step(self) as hold:
                found.append(self._tick(self.pipe, self.pipe.slots, hold))
        return [metrics for metrics in found if metrics is not None]

    def discard(self) -> int:
        """Forget the batches under way in a pipeline, such as one that cannot be learned to the end.

        Returns:
            How many there were. Layers keep what they have learned from them.
        """
        if self.pipe is None:
            return 0
        under_way, self.pipe.slots = self.pipe.under_way, [None] * len(self.pipe.slots)
        return under_way

    def _tick(self, pipe: Pipe, slots: list[Parcel | None], hold: Callable[[], None]) -> dict[str, float] | None:
        stages = pipe.work(self.seen(), slots)
        for stage in stages:
            if stage.gradients:
                check_finite(stage.gradients, self.model.network, stage.parcel.scores)
        hold()
        self.store.change([(stage.gradients, stage.parcel.fraction) for stage in stages])
        self.learned = merged(self.learned, stages)
        done = pipe.move(slots, stages)
        return None if done is None or done.scores is None else metrics_of(done.scores, done.labels, done.spikes)

    def respond(self, spikes: Spikes) -> Response:
        """Run a batch without learning: class scores and the activity of every layer.

        Raises:
            UserError: wrong shapes, or batches under way in a pipeline.
        """
        if self.pipe is not None:
            self.pipe.check_empty()
        with own_session(self.fast):
            drive, steps = check_drive(spikes, self.model.network, self.steps, self.device, self.dtype)
            return respond(self.model, self.seen(), drive, steps)

    def scores(self, spikes: Spikes) -> Tensor:
        """Class scores (B, classes) of a batch."""
        return self.respond(spikes).scores

    def measures(self) -> dict[str, float]:
        """What the signal reports of itself, such as the angle between its feedback and the weights."""
        with own_session():
            return measures(self.model, self.learned.signal, self.read())

    def seen(self) -> Learned:
        """Everything learned, the parameters as a trial sees them."""
        return replace(self.learned, parameters=self.read())

    def read(self) -> dict[str, Tensor]:
        """The parameters a trial computes with: as the hardware shows them."""
        return self.store.read()

    @own_session()
    def to_snntorch(self) -> torch.nn.Sequential:
        """The trained network as torch and snnTorch layers.

        Raises:
            UserError: a part that snnTorch has no layer for.
        """
        from neurorules.torch_path.snntorch.bridge import to_sequential

        return to_sequential(self.model.network, self.learned, self.store.frozen)

    def state(self) -> dict[str, Tensor]:
        """Everything needed to go on: parameters, statistics, optimiser, generator, hardware.

        Raises:
            UserError: batches are under way in a pipeline.
        """
        if self.pipe is not None:
            self.pipe.check_empty()
        with own_session():
            found = to_tensors(self.learned) | self.store.state()
            return found | {"generator": self.generator.get_state(), IDENTITY: identity(self)}

    def load(self, state: Mapping[str, Tensor] | Any, weights_only: bool = False) -> None:
        """Take over what `state` gave, all of it or nothing; with `weights_only`, all but optimiser and generator.

        Raises:
            UserError: a state of another learner (net, rule, signal, optimiser, hardware), with something missing, too
                much, of another shape or type, or not finite; or batches are under way in a pipeline.
        """
        if self.pipe is not None:
            self.pipe.check_empty()
        with own_session(), interrupts_wait() as hold:
            check_state(self, state, weights_only)
            found = place(from_tensors(state), self.device, self.dtype)
            hold()
            self.store.load(found.parameters, state, weights_only)
            self.learned = replace(found, parameters=self.learned.parameters)
            if not weights_only:
                self.generator.set_state(state["generator"].cpu())

    def apply_and_read(self, gradients: Mapping[str, Tensor], fraction: float = 1.0) -> dict[str, Tensor]:
        """Change the parameters by one step of the optimiser; what a trial computes with from then on."""
        with own_session(self.fast):
            check_finite(gradients, self.model.network)
            self.store.change([(gradients, fraction)])
            return self.store.read()


def _network(settings: LearnerSettings, own: Defaults) -> tuple[Network, dict[str, Tensor], frozenset[str]]:
    """The network of a learner, the parameters that it brings by name, and the names of those that stay as they are."""
    net = settings.net
    if isinstance(net, str):
        asked = {name: getattr(settings, name) for name in ("neuron", "readout_neuron", "norm", "connection")}
        net = settled_network(net, settings.input_shape, settings.classes, own, settings.readout, asked)
    if isinstance(net, Network):
        return net, {}, frozenset()
    from neurorules.torch_path.snntorch.bridge import from_module

    return from_module(net, settings.input_shape, settings.steps or own.steps)


Learner.__doc__ = with_settings(Learner.__doc__ or "", LearnerSettings)
