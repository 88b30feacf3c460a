"""The learner: a network, a rule, and the loop's two verbs, `step` and `scores`. For your own loop, and for `train`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from neurorules.language.config import PIPELINED, Init, Targets, check_numbers, check_schedule, window_of
from neurorules.language.devices import Device
from neurorules.language.errors import UserError
from neurorules.language.ranges import NonNegative, check_range
from neurorules.language.rules import Rule
from neurorules.rules import RULES
from neurorules.series import Series
from neurorules.torch_path import kernels
from neurorules.torch_path.checks import check_device, check_drive, check_finite, check_labels, check_precision
from neurorules.torch_path.device_chain import chain
from neurorules.torch_path.layer import draw_masks
from neurorules.torch_path.learn import TrialResult, learn_trial
from neurorules.torch_path.model import Learned, Model, build_model, initialise, place
from neurorules.torch_path.network import Network, settled_network
from neurorules.torch_path.observe import Response, respond
from neurorules.torch_path.optimiser import optimiser_of
from neurorules.torch_path.output import metrics_of
from neurorules.torch_path.pipeline import Parcel, Pipe, merged
from neurorules.torch_path.precision import matrix_precision
from neurorules.torch_path.state import from_tensors, to_tensors


class Learner:
    """Trains one network with one rule. Keyword settings are `TrainConfig`'s, where they have the same name.

    Args:
        net: a `Network`, a text such as "800-800", or a `torch.nn.Sequential` of torch and snnTorch layers.
        rule: name and options, such as "sigprop:form=voltage".
        input_shape: of one sample at one step, (C, H, W) or (N,); not needed for a `Network`.
        classes: number of classes, >= 2; not needed for a `Network` or a Sequential.
        steps: T of a constant drive; a time-varying one brings its own.
        seed: of weights and of every draw.

    Raises:
        UserError: anything unknown, or a net that does not fit.
    """

    def __init__(
        self,
        net: Network | str | torch.nn.Sequential,
        rule: str = "sigprop",
        *,
        input_shape: tuple[int, ...] | None = None,
        classes: int | None = None,
        steps: int | None = None,
        neuron: str | None = None,
        readout_neuron: str | None = None,
        norm: str | None = None,
        init: Init | None = None,
        connection: str | None = None,
        readout: str = "last",
        optimizer: str | None = None,
        lr: float | None = None,
        readout_lr: float | None = None,
        weight_decay: float = 0.0,
        schedule: str = "by_layer",
        seed: int = 0,
        device: str = "auto",
        precision: str = "float32",
        signal: str | None = None,
        dw: str | None = None,
        targets: Targets = "own",
        hardware: str = "none",
    ) -> None:
        self.device = check_device(device)
        self.dtype = check_precision(precision)
        check_schedule(schedule)
        check_numbers({"steps": steps, "lr": lr, "readout_lr": readout_lr, "weight_decay": weight_decay, "seed": seed})
        self.fast = precision == "fast"
        if self.device.type == "cpu":
            kernels.keep_freed_memory()
        made: Rule = RULES.make(rule)
        own = made.defaults
        given: dict[str, Tensor] = {}
        if isinstance(net, torch.nn.Sequential):
            from neurorules.torch_path.snntorch_bridge import from_sequential

            net, given = from_sequential(net, input_shape)
        elif isinstance(net, str):
            asked = {"neuron": neuron, "readout_neuron": readout_neuron, "norm": norm, "connection": connection}
            net = settled_network(net, input_shape, classes, own, readout, asked)
        if classes is not None and classes != net.classes:
            raise UserError(f"the net has {net.classes} outputs, and classes is {classes}. Make them the same")
        network = net.on(self.device, self.dtype)
        self.model: Model = build_model(network, made, signal, dw, targets)
        self.steps, self.schedule, self.seed = steps or own.steps, schedule, seed
        self.learned: Learned = initialise(self.model, seed, self.device, self.dtype, init or own.init)
        for name, value in given.items():
            self.learned.parameters[name] = value.to(self.device, self.dtype).clone()
        self.generator = torch.Generator(self.device).manual_seed(seed + 2_000_003)
        self.hardware: Device | None = None if hardware == "none" else chain(hardware)
        self.hardware_state = self._program()
        self.optimiser = optimiser_of(self.model, self.learned.parameters, optimizer, lr, readout_lr, weight_decay)
        self.pipe: Pipe | None = None
        if schedule in PIPELINED:
            self.pipe = Pipe(self.model, schedule == "pipelined_threads", self.hardware is not None)

    def step(self, spikes: Tensor | Series, labels: Tensor, fraction: float = 1.0) -> dict[str, float]:
        """Learn from one batch.

        Args:
            spikes: (T, B, *input) spikes or currents, or a `Series` that is constant over `steps`.
            labels: (B,) class indices.
            fraction: of the learning rate, >= 0.

        Returns:
            loss (cross-entropy of the scores), accuracy in 0..1, and spikes a sample by layer.

        Raises:
            UserError: wrong shapes, values that are not finite, labels out of range.
            Diverged: the trial's changes are not finite; none of them has been applied.
        """
        if self.pipe is not None:
            return [found for found in (self.push(spikes, labels, fraction), *self.flush()) if found is not None][-1]
        trial, labels = self.learn(spikes, labels, fraction)
        return metrics_of(trial.scores, labels, trial.spikes)

    def learn(self, spikes: Tensor | Series, labels: Tensor, fraction: float = 1.0) -> tuple[TrialResult, Tensor]:
        """`step` for those who look into it: all that the trial found, and the labels on its device."""
        check_range("fraction", fraction, NonNegative)
        with torch.no_grad(), matrix_precision(self.fast):
            drive, steps, labels = self._checked(spikes, labels)
            trial = learn_trial(
                self.model, self.seen(), drive, steps, labels, self.generator, window_of(self.schedule, steps),
                lambda gradients: self.apply_and_read(gradients, fraction),
            )  # fmt: skip
            check_finite(trial.gradients, self.model.network, trial.scores)
            self._apply(trial.gradients, fraction)
            self.learned = replace(trial.learned, parameters=self.learned.parameters)
            return trial, labels

    def _checked(self, spikes: Tensor | Series, labels: Tensor) -> tuple[Series, int, Tensor]:
        drive, steps = check_drive(spikes, self.model.network, self.steps, self.device, self.dtype)
        return drive, steps, check_labels(labels, drive, self.model.network.classes, self.device)

    def push(self, spikes: Tensor | Series, labels: Tensor, fraction: float = 1.0) -> dict[str, float] | None:
        """Learn from batches in a pipeline: the first layer learns this one, each other layer the one before it.

        Arguments and errors are those of `step`.

        Returns:
            What `step` returns, of the batch that the last layer has learned; None while the pipe fills.
        """
        if self.pipe is None:
            return self.step(spikes, labels, fraction)
        check_range("fraction", fraction, NonNegative)
        with torch.no_grad(), matrix_precision(self.fast):
            drive, steps, labels = self._checked(spikes, labels)
            signal, network = self.model.signal, self.model.network
            seen = {} if signal is None else signal.observe(self.learned.signal, drive, self.model.told(labels))
            self.learned = replace(self.learned, signal={**self.learned.signal, **seen})
            masks = draw_masks(network.layers, len(labels), self.generator)
            self.pipe.slots[0] = Parcel(drive, steps, labels, masks, fraction, seen)
            return self._tick(self.pipe)

    def flush(self) -> list[dict[str, float]]:
        """Let the batches under way be learned to the end, without new ones: what `step` returns of each, in order."""
        found: list[dict[str, float] | None] = []
        with torch.no_grad(), matrix_precision(self.fast):
            while self.pipe is not None and self.pipe.under_way:
                found.append(self._tick(self.pipe))
        return [metrics for metrics in found if metrics is not None]

    def _tick(self, pipe: Pipe) -> dict[str, float] | None:
        found = pipe.work(self.seen())
        for parcel, stage in found:
            if stage.gradients:
                check_finite(stage.gradients, self.model.network, parcel.scores)
        for parcel, stage in found:
            self._apply(stage.gradients, parcel.fraction)
        self.learned = merged(self.learned, [stage for _, stage in found])
        done = pipe.move()
        return None if done is None or done.scores is None else metrics_of(done.scores, done.labels, done.spikes)

    def respond(self, spikes: Tensor | Series) -> Response:
        """Run a batch without learning: class scores and the activity of every layer.

        Raises:
            UserError: wrong shapes, or batches under way in a pipeline.
        """
        if self.pipe is not None:
            self.pipe.check_empty()
        with torch.no_grad(), matrix_precision(self.fast):
            drive, steps = check_drive(spikes, self.model.network, self.steps, self.device, self.dtype)
            return respond(self.model, self.seen(), drive, steps)

    def scores(self, spikes: Tensor | Series) -> Tensor:
        """Class scores (B, classes) of a batch."""
        return self.respond(spikes).scores

    def measures(self) -> dict[str, float]:
        """What the signal reports of itself, such as the angle between its feedback and the weights."""
        signal = self.model.signal
        if signal is None:
            return {}
        with torch.no_grad():
            return signal.measures(self.learned.signal, self.read(), self.model.shape)

    def seen(self) -> Learned:
        """Everything learned, the parameters as a trial sees them."""
        return replace(self.learned, parameters=self.read())

    def read(self) -> dict[str, Tensor]:
        """The parameters a trial computes with: as the hardware shows them."""
        if self.hardware is None:
            return self.learned.parameters
        return {
            name: self.hardware.on_read(self.hardware_state, name, w) if name.endswith(".w") else w
            for name, w in self.learned.parameters.items()
        }

    def to_snntorch(self) -> torch.nn.Sequential:
        """The trained network as torch and snnTorch layers.

        Raises:
            UserError: a part that snnTorch has no layer for.
        """
        from neurorules.torch_path.snntorch_bridge import to_sequential

        return to_sequential(self.model.network, self.learned)

    def state(self) -> dict[str, Tensor]:
        """Everything needed to go on: parameters, statistics, optimiser, generator, hardware.

        Raises:
            UserError: batches are under way in a pipeline.
        """
        if self.pipe is not None:
            self.pipe.check_empty()
        found = to_tensors(self.learned)
        found |= {f"optimiser/{name}": value.clone() for name, value in self.optimiser.state().items()}
        found |= {f"hardware/{name}": value.clone() for name, value in self.hardware_state.items()}
        found["generator"] = self.generator.get_state().clone()
        return found

    def load(self, state: Mapping[str, Tensor], weights_only: bool = False) -> None:
        """Take over what `state` gave, in place; with `weights_only`, all but optimiser and generator."""
        found = place(from_tensors(state), self.device, self.dtype)
        for name, value in found.parameters.items():
            self.learned.parameters[name].copy_(value)
        self.learned = replace(found, parameters=self.learned.parameters)
        self.hardware_state = {k[9:]: v.to(self.device) for k, v in state.items() if k.startswith("hardware/")}
        if not weights_only:
            self.optimiser.load({k[10:]: v for k, v in state.items() if k.startswith("optimiser/")})
            self.generator.set_state(state["generator"])

    def _program(self) -> dict[str, Any]:
        if self.hardware is None:
            return {}
        shapes = {name: tuple(w.shape) for name, w in self.learned.parameters.items() if name.endswith(".w")}
        state = self.hardware.init(shapes, self.seed)
        for name in shapes:
            stored, state = self.hardware.on_parameters(state, name, self.learned.parameters[name])
            self.learned.parameters[name] = stored.clone()
        return state

    def apply_and_read(self, gradients: Mapping[str, Tensor], fraction: float = 1.0) -> dict[str, Tensor]:
        """Change the parameters by one step of the optimiser; what a trial computes with from then on."""
        check_finite(gradients, self.model.network)
        self._apply(gradients, fraction)
        return self.read()

    def _apply(self, gradients: Mapping[str, Tensor], fraction: float) -> None:
        bounds = self.model.rule.bounds
        before = {}
        if self.hardware is not None:
            before = {name: self.learned.parameters[name].clone() for name in gradients if name.endswith(".w")}
        self.optimiser.step(gradients, fraction)
        if bounds is not None:
            for name in gradients:
                if name.startswith("hidden"):
                    self.learned.parameters[name].clamp_(*bounds)
        for name, old in before.items():
            asked = self.learned.parameters[name] - old
            assert self.hardware is not None
            stored, self.hardware_state = self.hardware.on_update(self.hardware_state, name, old, asked)
            self.learned.parameters[name].copy_(stored)
