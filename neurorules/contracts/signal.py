"""What every learning signal declares and offers.

Scale: m is the derivative of the trial's loss, summed over its samples, by the membrane's output at each step. The
machine divides updates by the number of samples, so that a row of class prototypes counts like a row of samples.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, TypeVar

import torch
from torch import Tensor

from neurorules.contracts.neuron import Neuron
from neurorules.contracts.series import Series, per_step
from neurorules.language.errors import UserError

T = TypeVar("T")
SignalState = dict[str, Any]
"""Tensors and running averages a signal keeps, by name; part of every checkpoint."""

NEEDS: Mapping[str, str] = {
    "target": "the label of the sample",
    "output_error": "the error at the output",
    "fixed_feedback": "random weights from the output or the label, fixed",
    "second_pass": "a second pass through the network",
    "weight_transport": "the forward weights of the layer above, read backwards",
    "weight_sign": "the signs of the forward weights of the layer above",
    "reverse_circuit": "a circuit of its own that carries signals backwards",
    "noise_phase": "a phase in which noise travels through the network",
    "above": "the learning signal of the layer above",
    "local_readout": "a read-out of the layer's own",
    "layer_pool": "a sum over the layer's neurons (its similarity to a target, its read-out)",
    "batch_pool": "the other samples of the batch",
    "history": "all steps of the trial, backwards",
}
"""What a signal may need, and what that means."""


class LayerShape(NamedTuple):
    """A layer as a signal sees it: name, population shape, neuron, and the shapes of its weights by input name."""

    name: str
    shape: tuple[int, ...]
    neuron: Neuron
    weights: dict[str, tuple[int, ...]]


class NetShape(NamedTuple):
    """The network as a signal sees it."""

    layers: tuple[LayerShape, ...]
    input_shape: tuple[int, ...]
    classes: int

    @property
    def hidden(self) -> tuple[LayerShape, ...]:
        """All layers but the read-out."""
        return self.layers[:-1]


class Offset(NamedTuple):
    """Constant activity beside a phase's input: shares (rows, K) of K patterns (K, *input_shape).

    Few patterns for many rows spare a product of all rows. Without shares the patterns are the rows themselves. Where
    it is `dense`, it joins a constant input, and texts read the sum as `S_pre`; events stay as they are in any case.
    """

    patterns: Tensor
    shares: Tensor | None = None
    dense: bool = False

    def rows(self) -> Tensor:
        """All of it, (rows, *input_shape)."""
        return self.patterns if self.shares is None else torch.tensordot(self.shares, self.patterns, 1)


class PhaseDrive(NamedTuple):
    """What drives a phase of a signal's own.

    input: replaces the sample's drive, or None to leave the first layer without input.
    offset: reaches the first layer through its weights, beside the input.
    injected: constant (rows, *first layer) current behind the first layer's normalisation; in a linear phase, before.
    context: (rows, n) that a signal's parameter of n rows was multiplied with to make it; None for one row each.
    """

    input: Series | None
    offset: Offset | None = None
    injected: Tensor | None = None
    context: Tensor | None = None


Summary = Literal["spikes", "v", "positive_v", "graded", "current"]
"""Spikes, the membrane v before reset, max(v, 0), the neuron's graded output f(v), whose derivative is psi, or the
current behind normalisation and bias."""
Every = Literal["spikes", "v"]
"""What a signal may read at every step: the neurons' output, or their membrane before reset."""


Above = Callable[..., Series]
"""Of a function from a name to weights, or of nothing: what reaches a layer's spikes from above (see `View`)."""


@dataclass(frozen=True)
class View:
    """What a signal may see of one layer when it makes that layer's third factor: the layer, the net's structure,
    whether it is the last hidden layer or the read-out (of a signal that teaches it), the number of steps T, and

    Args:
        summary: by phase, the time average (rows, *shape) of what its `summary` names.
        every: by phase, what its `every` names at each step, (T, rows, *shape).
        source, source_every: the same of the layer below; empty for the first layer.
        aside: by phase, what its offset adds to the first layer's normalised current; (rows, *shape), first layer only.
        response: by linear phase, the read-out's response, (rows, classes), where `reads_response` is declared.
        inner: by phase, what the neurons' inner integration left, where there is one (neurons of T = 1).
        gain: 1/sigma of the layer's normalisation, (N,) or (C, 1, 1); None where it has none.
        labels, output_error: (B,) and (B, classes). These and what follows are None unless `needs` buy them.
        above: what reaches this layer's spikes from above, through weights by name or, given none, the forward ones.
        weights, signs: copies of the forward weights of those layers and of its own loops, by full name; their signs.
        answer: what a layer, by name, answers to noise (rows, *pre) into it alone: f(W n), (rows, *shape).
    """

    layer: LayerShape
    net: NetShape
    last: bool
    steps: int
    readout: bool
    summary: Mapping[str, Tensor]
    source: Mapping[str, Tensor]
    every: Mapping[str, Tensor]
    source_every: Mapping[str, Tensor]
    aside: Mapping[str, Tensor]
    response: Mapping[str, Tensor]
    inner: Mapping[str, Any]
    gain: Tensor | None
    labels: Tensor | None
    output_error: Tensor | None
    above: Above | None
    weights: Mapping[str, Tensor] | None
    signs: Mapping[str, Tensor] | None
    answer: Callable[[str, Tensor], Tensor] | None


class ThirdFactor(NamedTuple):
    """What a signal answers for one layer.

    Args:
        m: by phase.
        gradients: of the signal's own parameters and of neurons' (by name), summed over samples.
        state: what changes in its own.
        sent: what its reverse circuit sends to the layers below: a derivative of the loss by this layer's raw current,
            as `m` in form; None where they get what the layer's text makes of m.
    """

    m: dict[str, Series]
    gradients: dict[str, Tensor]
    state: SignalState
    sent: Series | None = None


class Signal(ABC):
    """A source of third factors. Frozen: everything that changes is in its state or its parameters.

    It is handed its own parameters and state, and what its `needs` buy, all of it as copies
    (`torch_path.trial.allowance`).
    """

    needs: frozenset[str]
    moves: Mapping[str, str] = MappingProxyType({})
    """Tensors of its state that change while the net learns, by name or pattern (`*.code`), and what each is. Running
    means need no word here; every other tensor is fixed, and the audit holds it to its bits."""
    known: Literal["step", "phase", "trial"] = "trial"
    """When m is known: at each step, at the end of a phase, or at the end of the trial."""
    phases: tuple[str, ...] = ("input",)
    """Phases it makes third factors for, or reads; a rule must run them all."""
    summary: Summary | None = None
    """What it reads of a hidden layer: its average over time reaches `View.summary`; None for nothing."""
    every: Every | None = None
    """What it reads of a hidden layer at every step, as `View.every`; it then needs all steps at once."""
    varies: bool = False
    """Whether m varies within a trial; it then needs all steps at once."""
    teaches_neurons: bool = False
    """Whether it gives gradients of neurons' own parameters, so that layers without a text learn."""
    reads_response: bool = False
    """Whether it reads what linear phases bring about at the read-out."""
    teaches_readout: bool = False
    """Whether it makes the read-out's third factor as well, instead of the output error itself."""

    reads_out: frozenset[str] = frozenset()
    """Names, without the layer, of those of its parameters that read a layer out: they learn at the read-out's rate."""

    def check(self, net: NetShape) -> None:  # noqa: B027 - most signals work with any network
        """Whether a network has what the signal works with.

        Raises:
            UserError: it lacks a part; what can be done is named.
        """

    def initial(self, net: NetShape, generator: torch.Generator) -> SignalState:
        """State before the first trial: fixed feedback, running averages."""
        return {}

    def parameters(self, net: NetShape, generator: torch.Generator) -> dict[str, Tensor]:
        """Parameters that the optimiser learns, named "<layer>.<name>"."""
        return {}

    def observe(self, state: SignalState, sample: Series, labels: Tensor | None) -> SignalState:
        """What changes in its state because it saw these samples, before anything runs."""
        return {}

    def drive(
        self, phase: str, state: SignalState, parameters: Mapping[str, Tensor], net: NetShape, sample: Series,
        output_error: Tensor | None, labels: Tensor | None,
    ) -> PhaseDrive:  # fmt: skip
        """What drives a phase other than "input"."""
        raise LookupError(f"{type(self).__name__} drives no phase '{phase}'")

    def measures(self, state: SignalState, parameters: Mapping[str, Tensor], net: NetShape) -> dict[str, float]:
        """Figures worth keeping after each epoch, by name and unit, such as feedback_angle_deg.

        It teaches nothing, so it is handed copies of all parameters, and gives numbers alone.
        """
        return {}

    def third_factor(self, state: SignalState, parameters: Mapping[str, Tensor], view: View) -> ThirdFactor:
        """m of one layer. Called once a trial for each layer it teaches, the last first."""
        raise LookupError(f"{type(self).__name__} gives no third factor")

    def scores(
        self, state: SignalState, parameters: Mapping[str, Tensor], last: LayerShape, summary: Mapping[str, Tensor]
    ) -> Tensor:
        """Class scores (B, classes) from the last hidden layer, for a rule that predicts without a read-out."""
        raise LookupError(f"{type(self).__name__} predicts nothing by itself")


def bought(value: T | None, need: str) -> T:
    """What one of a signal's needs buys, such as `labels = bought(view.labels, "target")`.

    Args:
        value: a field of `View`, or an argument of a signal's method, that is None unless the need is declared.
        need: the word of `NEEDS` that buys it.

    Raises:
        UserError: the signal does not declare the need.
    """
    if value is None:
        raise UserError(f"a signal reads what its needs do not buy. Add '{need}' to its needs: {NEEDS[need]}")
    return value


def one_hot(labels: Tensor, classes: int, like: Tensor) -> Tensor:
    """(B,) class indices to (B, classes), of the type of `like`."""
    return like.new_zeros(len(labels), classes).scatter_(1, labels[:, None], 1.0)


def constant_in_time(gradient: Tensor, steps: int) -> Series:
    """The third factor of a loss on a time average: the derivative by the average, spread over the steps."""
    return Series(per_step(gradient, steps), True)
