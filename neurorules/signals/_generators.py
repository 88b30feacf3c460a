"""Sigprop's target generators: the input of the target stream, and which of its rows belongs to which sample.

| generator    | the target stream starts from           | rows           | reads                        |
|--------------|-----------------------------------------|----------------|------------------------------|
| target_only  | the class: S_1 c                        | one per class  | the label                    |
| target_input | the class and the input: W_1 x + S_1 c  | one per sample | the label                    |
| target_loop  | the output's error: S_1 (c - y), |.| = 1 | one per sample | the output, so a second pass |

Source: Kohan, Rietman & Siegelmann 2023. In the paper the error of target_loop shrinks as the network learns. Here each
row keeps length 1, because spiking neurons would be silent at a small current.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from neurorules.contracts.phase_drive import Offset, PhaseDrive
from neurorules.contracts.series import Series
from neurorules.contracts.signal import one_hot
from neurorules.contracts.view import require
from neurorules.signals._similarity import Rows, unit

Generator = Literal["target_only", "target_input", "target_loop"]

NEEDS_OF: Mapping[Generator, frozenset[str]] = {
    "target_only": frozenset({"target", "layer_pool"}),
    "target_input": frozenset({"target", "layer_pool", "batch_pool"}),
    "target_loop": frozenset({"target", "layer_pool", "batch_pool", "output_error", "second_pass"}),
}
"""The needs of each generator. With one row per sample, the loss compares a sample with the rows of other samples,
which is the need `batch_pool`."""


def rows_by_sample(labels: Shaped[Tensor, "B *targets"]) -> Rows:
    """The rows of a target stream that has one for each sample: the sample's own.

    Labels are class indices (B,), or target vectors (B, C), each of which counts as a class of its own.
    """
    own = torch.arange(len(labels), device=labels.device)
    return Rows(own, own if labels.is_floating_point() else labels)


def context_of(
    generator: Generator,
    labels: Shaped[Tensor, "B *targets"],
    output_error: Float[Tensor, "B C"] | None,
    like: Float[Tensor, "C *any"],
) -> Float[Tensor, "B C"]:
    """The context c that the embedding maps to a current, for generators with one row per sample.

    Args:
        generator: target_input or target_loop.
        labels: class indices (B,), or target vectors (B, C).
        output_error: derivative of the loss with respect to the output, (B, C), which target_loop reads.
        like: the embedding (C, ...), which gives the number of classes, the device and the precision.

    Returns:
        One-hot labels or target vectors (target_input), or minus the error with rows of length 1 (target_loop); (B, C).
    """
    if generator == "target_input":
        return one_hot(labels, len(like), like)
    return unit(-require(output_error, "output_error"))[0]


def embedded(
    generator: Generator, context: Float[Tensor, "B C"], embedding: Float[Tensor, "C *shape"], sample: Series
) -> PhaseDrive:
    """Drive the target stream by a current S_1 c, which is added to the first layer's own input current.

    Args:
        generator: the name of the generator, which has one row per sample.
        context: c of each row (B, C).
        embedding: S_1, (C, *shape), where *shape is that of the first layer.
        sample: the samples, which target_input also presents.

    Returns:
        The drive of the phase.
    """
    injected = torch.tensordot(context, embedding, 1)
    return PhaseDrive(sample if generator == "target_input" else None, injected=injected, context=context)


def through_weights(
    generator: Generator, context: Float[Tensor, "B C"], means: Float[Tensor, "C *input"], sample: Series
) -> PhaseDrive:
    """Drive the target stream by class means through the first layer's weights, so that S_1 is W_1 times the class
    means.

    Args:
        generator: the name of the generator, which has one row per sample.
        context: c of each row (B, C).
        means: mean input of each class, (C, *input).
        sample: the samples, to which target_input adds the means.

    Returns:
        The drive of the phase.
    """
    rows = torch.tensordot(context, means, 1)
    if generator != "target_input":
        return PhaseDrive(Series(rows, True))
    if sample.constant:
        return PhaseDrive(Series(sample.values + rows, True))
    return PhaseDrive(sample, offset=Offset(rows))
