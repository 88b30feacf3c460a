"""The view of one layer that a learning signal receives, and the needs that let it see more than the layer.

The machine fills a `View` for each layer, and leaves out everything that the signal does not declare in `needs`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from jaxtyping import Float, Shaped
from torch import Tensor

from neurorules.contracts.net_shape import LayerShape, NetShape
from neurorules.contracts.series import Series
from neurorules.language.errors import UserError

T = TypeVar("T")

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
"""The words that a signal's `needs` may hold, and what each means: what learning depends on beside the two neurons that
a synapse joins."""

Summary = Literal["spikes", "v", "positive_v", "graded", "current"]
"""What a signal may read of a layer as an average over time: the spikes, the membrane v before the reset, max(v, 0),
the graded output f(v) whose derivative is psi, or the current after normalisation and bias."""
Every = Literal["spikes", "v"]
"""What a signal may read of a layer at every step: the neurons' output, or their membrane before the reset."""

Above = Callable[..., Series]
"""What reaches a layer's spikes from the layers above. Called with a function that maps a parameter's name to weights
of the same shape, it carries the post factors of the layers above back through those weights. Called without arguments,
it uses the forward weights, which requires the need `weight_transport`. The negative of its values is the derivative of
the loss with respect to the spikes, if the texts above descend the gradient."""


@dataclass(frozen=True)
class View:
    """The variables that a signal receives to compute the third factor of one layer. The batch size B differs by phase.

    Args:
        layer, net, last, steps, readout: the layer and the network, whether the layer is the last hidden one, the
            number of steps T, and whether the layer is the read-out (of a signal that teaches it).
        summary: by phase, the average over time (B, *shape) of what the signal's `summary` names.
        source, source_every: the same as `summary` and `every`, for the layer below; empty for the first layer, and
            for a signal that declares `reads_below = False`.
        every: by phase, what the signal's `every` names at each step, (T, B, *shape); only the steps of the window if
            the signal is momentary (`Signal.momentary`).
        aside: for the first layer, by phase, what an offset adds to its normalised current, (B, *shape).
        response: by linear phase, the response of the read-out (B, C), if the signal declares `reads_response`.
        inner: by phase, the result of the neurons' inner integration, for neurons that have one (T = 1).
        gain: 1/sigma of the layer's normalisation, (N,) or (C, 1, 1); None for a layer without normalisation.
        first: the step at which `every` begins.
        scored: how many of the last steps are scored, if each step has an error of its own; None if all steps are
            scored.
        labels: class indices (B,), or the targets of another task (`Signal.tasks`). This field and all that follow are
            None unless the signal declares the need that provides them (see `require`).
        output_error: derivative of the loss with respect to the average output, (B, C); or with respect to that of each
            step, (T, B, C), if each step has an error of its own.
        above: what reaches this layer's spikes from the layers above.
        weights, signs: copies of the forward weights that read this layer, by parameter name, and their signs.
        answer: a function. From a layer's name and noise n (R, *pre) into that layer alone it computes the layer's
            graded output f(W n), (R, *shape); from the name of weights and noise at the synapses of each neuron, (R,
            *fan-in), the current W n, (R, O).
    """

    layer: LayerShape
    net: NetShape
    last: bool
    steps: int
    readout: bool
    summary: Mapping[str, Float[Tensor, "_ *shape"]]
    source: Mapping[str, Float[Tensor, "_ *below"]]
    every: Mapping[str, Float[Tensor, "T _ *shape"]]
    source_every: Mapping[str, Float[Tensor, "T _ *below"]]
    aside: Mapping[str, Float[Tensor, "_ *shape"]]
    response: Mapping[str, Float[Tensor, "_ C"]]
    inner: Mapping[str, Any]
    gain: Float[Tensor, "*statistics"] | None
    labels: Shaped[Tensor, "B *targets"] | None
    output_error: Float[Tensor, "*lead C"] | None
    above: Above | None
    weights: Mapping[str, Tensor] | None
    signs: Mapping[str, Tensor] | None
    answer: Callable[[str, Tensor], Tensor] | None
    scored: int | None = None
    first: int = 0


def require(value: T | None, need: str) -> T:
    """Read a field that one of the signal's needs provides, as in `labels = require(view.labels, "target")`.

    Args:
        value: a field of `View`, or an argument of a signal's method, which is None unless the need is declared.
        need: the word of `NEEDS` that provides the field.

    Returns:
        The value.

    Raises:
        UserError: the value is None, because the signal does not declare the need.
    """
    if value is None:
        raise UserError(f"the signal reads {NEEDS[need]}, and its needs do not declare that. Add '{need}' to its needs")
    return value


def from_above(view: View, feedback: Callable[[str], Tensor] | None = None) -> Series:
    """The third factor that the layers above pass down: the derivative of the loss with respect to the layer's output,
    or what feedback weights make of it. The texts above descend the gradient, so this is the negative of `View.above`.

    Args:
        view: the signal's view of the layer.
        feedback: from the name of forward weights, the weights that are read in their place, of the same shape; None
            for the forward weights themselves, which requires the need `weight_transport`.

    Returns:
        m: (T, B, *shape), or (B, *shape) if it is the same at every step.

    Raises:
        UserError: the signal does not declare the need "above".
    """
    above = require(view.above, "above")
    errors = above() if feedback is None else above(feedback)
    return errors.like(-errors.values)
