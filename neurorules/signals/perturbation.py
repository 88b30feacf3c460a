"""PEPITA's learning signal: the change in each layer's activity when the error is projected onto the input."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from neurorules.contracts.net_shape import NetShape
from neurorules.contracts.phase_drive import Offset, PhaseDrive
from neurorules.contracts.running_mean import start_at
from neurorules.contracts.series import Series
from neurorules.contracts.signal import Signal, SignalState, ThirdFactor, constant_in_time, one_hot
from neurorules.contracts.target import CLASSES, PER_SAMPLE
from neurorules.contracts.view import Summary, View, require
from neurorules.language.errors import UserError
from neurorules.language.ranges import Positive, ranged
from neurorules.language.settings import Task
from neurorules.signals._mirroring import (
    MEMORY,
    WARM_UP,
    moved_feedback,
    moved_mirror,
    noise_like,
    rescaled_feedback,
)
from neurorules.signals._projection import (
    ProjectionInit,
    angle_deg,
    deviation,
    forward_product,
    is_dense_chain,
    layer_feedback,
    product_of,
    scaled_to,
    uniform_projection,
)

Form = Literal["rate_difference", "contrastive", "graded", "dendritic"]
Mirror = Literal["none", "running", "layers"]
RATE_KAPPA, SPIKE_KAPPA, CAREFUL_SPIKE_KAPPA, GRADED_KAPPA = 0.05, 2.0, 0.5, 1.0
"""Default scales kappa of F. In order: for rate nets (Dellaferrera & Kreiman 2022); for spiking nets, where spike
counts have to change; for spiking nets in which the perturbation grows from layer to layer and would otherwise be too
large (with a mirrored F, and in nets deeper than `FEW_LAYERS`); and for forms that compare currents."""
USUAL_INPUTS, GROWTH = 784, 0.25
"""The number of inputs for which the larger scale of spiking nets was chosen, on validation samples of MNIST, and the
power of the inputs with which it grows. The first layer's current by F e is about kappa sqrt(2 / (3 inputs)) |e|, where
weights are uniform in +- 1 / sqrt(inputs), so that one kappa for all nets pushes harder where inputs are few. Chosen on
validation samples of digits (64 inputs, where the scale of MNIST unlearned what it had learned) and of N-MNIST
(2312)."""
FEW_LAYERS = 2
"""Largest number of hidden layers with the larger scale."""
SIGN_SCALE = 0.1
"""A further factor of F if only the sign of the error is projected. Source: public code of Dellaferrera & Kreiman
2022."""


@ranged("signal 'perturbation'")
@dataclass(frozen=True)
class InputPerturbation(Signal):
    """x^err = x + F e, and m_l is minus the change that this causes in layer l. Source: Dellaferrera & Kreiman 2022.

    Args:
        form: what is compared: the mean outputs of two passes (rate_difference), the mean currents of two passes
            (graded), or a current that is propagated in addition to the spikes of one pass (dendritic). In the form
            "contrastive" the texts of the two passes do the comparison, and not the signal.
        kappa: scale of F, > 0; the entries of F have the standard deviation kappa sqrt(2 / inputs). None means .05 for
            rate nets, 2 (inputs / 784)^(1/4) for spiking nets that compare spikes (.5 with a mirrored F, or with three
            or more hidden layers), and 1 for spiking nets that compare currents.
        init: initial F: uniform; normal, the product of one matrix per layer; or class_means, the mean input of each
            class so far (a control).
        sign: plus for x + F e, minus for x - F e.
        error_sign: whether only the sign of the error is projected, with a tenth of F.
        dense: whether texts of the first layer read F e as part of `S_pre`, if the input is constant.
        mirror: whether F learns to approach -(W_L ... W_1)^T, from noise through the whole net (running) or through
            each layer (layers).
    """

    form: Form = "rate_difference"
    kappa: Positive | None = None
    init: ProjectionInit = "uniform"
    sign: Literal["plus", "minus"] = "plus"
    error_sign: bool = False
    dense: bool = False
    mirror: Mirror = "none"

    @cached_property
    def tasks(self) -> frozenset[Task]:  # type: ignore[override]
        """Any task with one target per sample; only classes if F consists of class means."""
        return CLASSES if self.init == "class_means" else PER_SAMPLE

    @cached_property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        """The needs of every form, and those of F: class means of the batch, fixed random weights, or noise."""
        needs = {"target", "output_error", "second_pass"}
        if self.init == "class_means":
            return frozenset(needs | {"batch_pool"})
        return frozenset(needs | ({"fixed_feedback"} if self.mirror == "none" else {"noise_phase"}))

    @cached_property
    def moves(self) -> Mapping[str, str]:  # type: ignore[override]
        """F, if it follows a mirror or class means, and the tensors that it is computed from."""
        if self.init == "class_means":
            return {"class_means": "mean input of each class", "projection": "the same, of F's size"}
        if self.mirror == "none":
            return {}
        matrices = {"feedback.*": "mirrors of the forward weights, layer by layer", "mirror": "of their product"}
        return {"trial": "count", "projection": "follows the mirror", **matrices}

    @cached_property
    def phases(self) -> tuple[str, ...]:  # type: ignore[override]
        """The pass of the samples, the pass with the error added, and a pass of noise if F mirrors the whole net."""
        return ("input", "modulated", "noise") if self.mirror == "running" else ("input", "modulated")

    @cached_property
    def summary(self) -> Summary | None:  # type: ignore[override]
        """The average that the form compares; None if the texts compare, or if a linear phase supplies the current."""
        return {"rate_difference": "spikes", "graded": "current"}.get(self.form)  # type: ignore[return-value]

    @cached_property
    def reads_response(self) -> bool:  # type: ignore[override]
        """Whether F is learned from the read-out's response to noise."""
        return self.mirror == "running"

    def check(self, net: NetShape) -> None:
        if not net.hidden or not net.layers[0].weights:
            raise UserError(
                "pepita sends the error to hidden layers through the weights of the first one, and the net has no "
                "hidden layer with weights. Add one, such as --net 400"
            )
        by_matrix = "init=normal" if self.init == "normal" else "mirror=layers" if self.mirror == "layers" else None
        if by_matrix and not is_dense_chain(net):
            instead = "init=uniform" if self.init == "normal" else "mirror=running"
            raise UserError(
                f"{by_matrix} needs one matrix for each layer, and the net is not a chain of dense layers. Use "
                f"{instead}"
            )
        if self.mirror == "layers" and net.layers[0].neuron.spiking:
            raise UserError("mirror=layers sends noise through rate neurons, and these spike. Use mirror=running")
        if self.mirror != "none" and self.init == "class_means":
            raise UserError("init=class_means is a control with a projection of its own. Leave mirror out")

    def initial(self, net: NetShape, generator: torch.Generator) -> SignalState:
        kappa, like = self._kappa(net), torch.zeros((), dtype=torch.float64)
        state: SignalState = {"push": start_at(0.0, (), like)}
        if self.init == "normal" or self.mirror == "layers":
            feedback = layer_feedback(net, kappa, generator)
            state["projection"] = product_of(feedback, net)
            if self.mirror == "layers":
                state |= {f"feedback.{name}": matrix for name, matrix in feedback.items()}
        else:
            state["projection"] = uniform_projection(net, kappa, generator)
        if self.mirror != "none":
            state["seed"] = torch.randint(2**31, (), generator=generator)
            state["trial"] = torch.zeros((), dtype=torch.int64)
        if self.mirror == "running":
            state["mirror"] = torch.zeros_like(state["projection"])
        if self.init == "class_means":
            state["class_means"] = torch.zeros_like(state["projection"])
        return state

    def observe(self, state: SignalState, sample: Series, labels: Shaped[Tensor, "B *targets"] | None) -> SignalState:
        if self.mirror != "none":
            return {"trial": state["trial"] + 1}
        if self.init != "class_means":
            return {}
        labels = require(labels, "target")
        members = one_hot(labels, len(state["class_means"]), state["class_means"])
        mean_input = sample.values if sample.constant else sample.values.mean(0)
        centred = members - members.mean(0)
        means = MEMORY * state["class_means"] + (1 - MEMORY) * torch.tensordot(centred.T, mean_input, 1) / len(labels)
        return {"class_means": means, "projection": scaled_to(means, state["projection"].std())}

    def drive(
        self, phase: str, state: SignalState, parameters: Mapping[str, Tensor], net: NetShape, sample: Series,
        output_error: Float[Tensor, "*lead C"] | None, labels: Shaped[Tensor, "B *targets"] | None,
    ) -> PhaseDrive:  # fmt: skip
        if phase == "noise":
            rows = sample.values if sample.constant else sample.values[0]
            return PhaseDrive(None, Offset(noise_like(rows, state["seed"], state["trial"])))
        output_error = require(output_error, "output_error")
        error = SIGN_SCALE * output_error.sign() if self.error_sign else output_error
        return PhaseDrive(sample, Offset(state["projection"], error if self.sign == "plus" else -error, self.dense))

    def third_factor(self, state: SignalState, parameters: Mapping[str, Tensor], view: View) -> ThirdFactor:
        after = self._moved(state, view)
        if self.form == "contrastive":
            return ThirdFactor({}, {}, after)
        moved = view.summary["modulated"]
        m = constant_in_time(-moved if self.form == "dendritic" else view.summary["input"] - moved, view.steps)
        return ThirdFactor({"input": m, "modulated": m}, {}, after)

    def measures(self, state: SignalState, parameters: Mapping[str, Tensor], net: NetShape) -> dict[str, float]:
        figures = {"perturbation_rms_thresholds": math.sqrt(max(float(state["push"].value), 0.0))}
        if is_dense_chain(net):
            towards = state["projection"] if self.sign == "plus" else -state["projection"]
            figures["anti_alignment_deg"] = angle_deg(towards, forward_product(parameters, net))
        return figures

    def _kappa(self, net: NetShape) -> float:
        """The scale of F: the option, or the default for this network."""
        if self.kappa is not None:
            return self.kappa
        if not net.layers[0].neuron.spiking:
            return RATE_KAPPA
        if self.form in ("graded", "dendritic"):
            return GRADED_KAPPA
        if len(net.hidden) > FEW_LAYERS or self.mirror != "none":
            return CAREFUL_SPIKE_KAPPA
        return SPIKE_KAPPA * (math.prod(net.input_shape) / USUAL_INPUTS) ** GROWTH

    def _moved(self, state: SignalState, view: View) -> SignalState:
        """The parts of the state that a trial changes: the size of the first layer's perturbation, and the mirrored
        F."""
        after: SignalState = {}
        if "modulated" in view.aside:
            push = view.aside["modulated"] / view.layer.neuron.scale
            mean_square = torch.linalg.vector_norm(push).square() / push.numel()
            after["push"] = state["push"].updated(mean_square, len(push), 1 - MEMORY)
        if not view.last or self.mirror == "none":
            return after
        against = -1.0 if self.sign == "plus" else 1.0
        if self.mirror == "layers":
            rows = len(require(view.output_error, "output_error"))
            answers = require(view.answer, "noise_phase")
            moved = {f"feedback.{a.name}": moved_feedback(a, state, answers, rows) for a in view.net.layers}
            feedback, direction = rescaled_feedback(view.net, moved, self._kappa(view.net))
            return {**after, **feedback, "projection": against * direction}
        answer = view.response["noise"]
        noise = noise_like(answer.new_empty(len(answer), *view.net.input_shape), state["seed"], state["trial"])
        mirror = moved_mirror(state["mirror"], noise, answer)
        if int(state["trial"]) > WARM_UP:
            after["projection"] = against * scaled_to(mirror, deviation(view.net, self._kappa(view.net)))
        return {**after, "mirror": mirror}


ENTRY = InputPerturbation
