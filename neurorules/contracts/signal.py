"""The contract of learning signals. A signal computes the third factor m, which rule texts read as `m_post`.

Scale: m is the derivative of the trial's loss, summed over its samples, with respect to the neuron's output at each
step; or, for a signal with a `least_rise`, with respect to how many steps earlier its spike comes. The machine divides
updates by the number of samples, so a row of class prototypes counts as much as a row of samples.

A signal declares what it depends on (`needs`) and what it reads (`summary`, `every`, `phases`). It receives these
quantities and no others, as a `View` of one layer at a time. `neurorules/signals/dfa.py` is a short example.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from neurorules.contracts.members import Contract
from neurorules.contracts.net_shape import NetShape
from neurorules.contracts.phase_drive import PhaseDrive
from neurorules.contracts.series import Series, constant_in_time, spread_in_time
from neurorules.contracts.target import CLASSES, target_rows
from neurorules.contracts.view import Every, Summary, View
from neurorules.language.settings import Task

SignalState = dict[str, Any]
"""Tensors and running averages that a signal keeps from trial to trial, by name. They are part of every checkpoint."""


class ThirdFactor(NamedTuple):
    """The result of a signal for one layer.

    Args:
        m: by phase, the third factor: values (T, B, *shape), or (B, *shape) if it is the same at every step.
        gradients: by full parameter name, derivatives of the loss, summed over samples, with respect to parameters of
            the signal itself and of the layer's neurons.
        state: the parts of the signal's state that change, by name.
        sent: what the signal's own reverse circuit sends to the layers below: a derivative of the loss with respect to
            this layer's current before normalisation, in the form of m. If it is None, the layers below receive what
            the layer's text computes from m.
    """

    m: dict[str, Series]
    gradients: dict[str, Tensor]
    state: SignalState
    sent: Series | None = None


class Signal(Contract, kind="signal", older={"known": "timing"}):
    """A source of third factors: a frozen dataclass whose fields are its options. Whatever changes while the network
    learns is in its state or in its parameters, never in the object.

    Parameters, labels, errors and weights are passed to it as copies; the activity of a layer is not copied.
    """

    needs: frozenset[str]
    """What the signal depends on beside the layer itself: words of `neurorules.contracts.view.NEEDS`."""
    moves: Mapping[str, str] = MappingProxyType({})
    """The tensors of the state that change while the network learns, by name or pattern (`*.code`), each with a short
    description. Running means need not be listed. The audit checks that every other tensor keeps its bits, and that
    every tensor listed here does change, so that nobody can hide fixed feedback by declaring it."""
    tasks: frozenset[Task] = CLASSES
    """The kinds of targets that the signal can work with (`neurorules.contracts.target`); networks for other tasks are
    refused. If targets are vectors, `labels` are (B, O), or (B, T, O) if there is one for each step. If the steps of
    the output have errors of their own, `output_error` is (T, B, O), one derivative for each step (`steps_apart`)."""
    steps_apart: bool = False
    """Whether the signal accepts an output error for each step, which `last_steps` produces for every kind of
    target."""
    timing: Literal["step", "phase", "trial", "error"] = "trial"
    """When m is known: at each step, at the end of its phase, at the end of the trial, or as soon as the output error
    is known. The output error is known at each step if the output of each step has an error of its own."""
    phases: tuple[str, ...] = ("input",)
    """The phases that the signal computes third factors for, or reads. A rule must run all of them."""
    summary: Summary | None = None
    """What the signal reads of a hidden layer as an average over time (`View.summary`), or None."""
    every: Every | None = None
    """What the signal reads of a hidden layer at every step (`View.every`), or None. All steps must then run at once,
    unless the signal is momentary."""
    momentary: bool = False
    """Whether m of a step in the phase "input" is computed from `every` at that step alone."""
    varies: bool = False
    """Whether m varies within a trial. If so, all steps must run at once, unless the signal is instant."""
    draws: bool = False
    """Whether the signal draws random numbers for each sample. If so, several ranks are refused, since their samples
    would draw the same ones."""
    teaches_neurons: bool = False
    """Whether the signal returns gradients of the neurons' own parameters, so that layers without a text can learn."""
    reads_below: bool = True
    """Whether the signal reads what the layer below did (`View.source` and `View.source_every`, which otherwise are
    empty). If layers lie on several ranks, less is sent between them for a signal that does not."""
    reads_response: bool = False
    """Whether the signal reads the response of the read-out to linear phases (`View.response`)."""
    teaches_readout: bool = False
    """Whether the signal also computes the third factor of the read-out, which otherwise is the output error itself."""
    least_rise: float | None = None
    """For a signal that takes derivatives by the times of spikes, the lowest rise of a membrane at its spike that is
    divided by, in thresholds per synaptic time constant, > 0. `above` then tells what it costs that a spike comes
    earlier, texts read as psi how much earlier it comes for a higher membrane, and neurons need a `crossing`. None, as
    for nearly all signals: spikes have no times but steps, and psi is the neuron's own."""
    reads_out: frozenset[str] = frozenset()
    """Names, without the layer, of the signal's parameters that form a read-out and so learn at the read-out's rate."""

    @property
    def instant(self) -> bool:
        """Whether m of a step depends only on that step: on what the layers above pass down at that step (the need
        "above" without "history"), or on what the layer itself did at that step (`momentary`). The third factors of
        such a signal are computed for each window of steps, with `above` and `every` of the window, and the gradients
        of the signal's parameters are summed over the windows."""
        return self.momentary or ("above" in self.needs and "history" not in self.needs and self.every is None)

    def repeats(self, phase: str, net: NetShape) -> int:
        """The number of times that a phase repeats the samples of a batch (`PhaseDrive.repeats`).

        Evaluation takes smaller batches accordingly.

        Args:
            phase: the name of the phase.
            net: the structure of the network.

        Returns:
            The number of rows for each sample, >= 1.
        """
        return 1

    def by_steps(self) -> Signal:
        """The variant of this signal for output errors at single steps, possibly with other options; see
        `steps_apart`."""
        return self

    def check(self, net: NetShape) -> None:
        """Refuse a network that lacks something that the signal requires.

        Raises:
            UserError: something is missing; the message names it and says what to do.
        """

    def initial(self, net: NetShape, generator: torch.Generator) -> SignalState:
        """The state before the first trial, such as fixed feedback and running averages.

        Args:
            net: the structure of the network.
            generator: the only source of random numbers.

        Returns:
            Tensors in float64 on the CPU, or running averages, by name; the learner moves them to its device and type.
        """
        return {}

    def parameters(self, net: NetShape, generator: torch.Generator) -> dict[str, Tensor]:
        """The signal's own parameters, which the optimiser changes by the gradients that `third_factor` returns.

        Args:
            net: the structure of the network.
            generator: the only source of random numbers.

        Returns:
            The initial values, float64 on the CPU, named "<layer>.<name>".
        """
        return {}

    def observe(self, state: SignalState, sample: Series, labels: Shaped[Tensor, "B *targets"] | None) -> SignalState:
        """Update the state from new samples, before the network runs on them.

        Args:
            state: the signal's state before the update.
            sample: the samples as they drive the network: (T, B, *input), or constant (B, *input).
            labels: class indices (B,), or the targets of another task; None unless the signal needs "target".

        Returns:
            The parts of the state that change, by name.
        """
        return {}

    def drive(
        self, phase: str, state: SignalState, parameters: Mapping[str, Tensor], net: NetShape, sample: Series,
        output_error: Float[Tensor, "*lead C"] | None, labels: Shaped[Tensor, "B *targets"] | None,
    ) -> PhaseDrive:  # fmt: skip
        """Make the drive of a phase other than "input".

        Args:
            phase: its name.
            state: the signal's.
            parameters: the signal's own parameters, by full name.
            net: the structure of the network.
            sample: the samples: (T, B, *input), or constant (B, *input).
            output_error: derivative of the loss with respect to the output, (B, C); None unless the signal needs
                "output_error".
            labels: class indices (B,); None unless the signal needs "target", and in phases of a prediction.

        Returns:
            The input, the offset and the current of the phase.

        Raises:
            LookupError: the signal has no such phase.
        """
        raise LookupError(f"{type(self).__name__} drives no phase '{phase}'")

    def measures(self, state: SignalState, parameters: Mapping[str, Tensor], net: NetShape) -> dict[str, float]:
        """Figures worth writing down after each epoch. They teach nothing, so that they may be made of all parameters.

        Args:
            state: the signal's.
            parameters: copies of all parameters, the network's too, by full name.
            net: the structure of the network.

        Returns:
            Numbers by a name that ends in the unit, such as feedback_angle_deg.
        """
        return {}

    def third_factor(self, state: SignalState, parameters: Mapping[str, Tensor], view: View) -> ThirdFactor:
        """Make m of one layer. Called once per trial for each layer that the signal teaches, the last layer first.

        Args:
            state: the signal's.
            parameters: the signal's own parameters, by full name.
            view: what it may see of the layer.

        Returns:
            m by phase, gradients of the signal's own parameters, and what changes in its state.

        Raises:
            LookupError: the signal makes none.
        """
        raise LookupError(f"{type(self).__name__} gives no third factor")

    def scores(
        self, state: SignalState, parameters: Mapping[str, Tensor], net: NetShape,
        summary: Mapping[str, Mapping[str, Tensor]],
    ) -> Float[Tensor, "B C"]:  # fmt: skip
        """Predict classes from what hidden layers did, for a rule that has no read-out. Nothing here knows a label.

        Args:
            state: the signal's.
            parameters: the signal's own parameters, by full name.
            net: the structure of the network.
            summary: by hidden layer and phase, the average over time of what `summary` names of that layer, (R,
                *shape). Rows R are the samples, or those of `drive`: a prediction by one pass for each class drives a
                phase of C times B rows.

        Returns:
            A score per sample and class (B, C); the largest one is the prediction.

        Raises:
            LookupError: the signal predicts nothing.
        """
        raise LookupError(f"{type(self).__name__} predicts nothing by itself")


def one_hot(labels: Shaped[Tensor, "*targets"], classes: int, like: Float[Tensor, "..."]) -> Float[Tensor, "*lead C"]:
    """Turn class indices into rows that are 1 at the class and 0 elsewhere; targets that are vectors stay as they are.

    Args:
        labels: class indices (B,), 0 .. classes - 1, or the targets of another task (`target_rows`).
        classes: number of classes C.
        like: a tensor that gives the device and the precision of the result.

    Returns:
        (B, C).
    """
    return target_rows(labels, classes, like)


__all__ = ["Signal", "SignalState", "ThirdFactor", "constant_in_time", "one_hot", "spread_in_time"]
