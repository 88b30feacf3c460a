"""Sigprop's target generators: what drives the target stream into the first layer, and which row is whose.

| generator    | the target stream starts from           | rows          | reads                     |
|--------------|-----------------------------------------|---------------|---------------------------|
| target_only  | the class: S_1 c                        | one a class   | the label                 |
| target_input | the class and the input: W_1 x + S_1 c  | one a sample  | the label                 |
| target_loop  | the output's error: S_1 (c - y), |.| = 1 | one a sample  | the output, so a second pass |

Source: Kohan, Rietman & Siegelmann 2023. Its target-loop error shrinks as the net learns; here each row keeps length 1,
since a spiking stream falls silent on a small current.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from neurorules.contracts.phase_drive import Offset, PhaseDrive
from neurorules.contracts.series import Series
from neurorules.contracts.signal import one_hot
from neurorules.contracts.view import bought
from neurorules.signals._similarity import Rows, unit

Generator = Literal["target_only", "target_input", "target_loop"]

NEEDS_OF: Mapping[Generator, frozenset[str]] = {
    "target_only": frozenset({"target", "layer_pool"}),
    "target_input": frozenset({"target", "layer_pool", "batch_pool"}),
    "target_loop": frozenset({"target", "layer_pool", "batch_pool", "output_error", "second_pass"}),
}
"""With a row a sample, the rows of the other samples are what it is told apart from."""


def rows_of(generator: Generator, labels: Tensor, classes: int) -> Rows:
    """The rows of a generator's target stream for samples of these labels."""
    if generator == "target_only":
        return Rows(labels, torch.arange(classes, device=labels.device))
    return Rows(torch.arange(len(labels), device=labels.device), labels)


def context_of(generator: Generator, labels: Tensor, output_error: Tensor | None, like: Tensor) -> Tensor:
    """What is embedded: (rows, classes), of a row a sample.

    Args:
        labels: (B,) class indices.
        output_error: (B, classes), of the loss by the output.
        like: the embedding, (classes, ...).
    """
    if generator == "target_input":
        return one_hot(labels, len(like), like)
    return unit(-bought(output_error, "output_error"))[0]


def embedded(generator: Generator, context: Tensor | None, embedding: Tensor, sample: Series) -> PhaseDrive:
    """S_1 c as a current of the first layer's own; `context` (rows, classes), None for one row a class."""
    if context is None:
        return PhaseDrive(None, injected=embedding)
    injected = torch.tensordot(context, embedding, 1)
    return PhaseDrive(sample if generator == "target_input" else None, injected=injected, context=context)


def through_weights(generator: Generator, context: Tensor | None, means: Tensor, sample: Series) -> PhaseDrive:
    """S_1 = W_1 times the mean input of each class: the context reaches the first layer as an input does."""
    rows = means if context is None else torch.tensordot(context, means, 1)
    if generator != "target_input":
        return PhaseDrive(Series(rows, True))
    if sample.constant:
        return PhaseDrive(Series(sample.values + rows, True))
    return PhaseDrive(sample, offset=Offset(rows))
