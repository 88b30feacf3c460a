"""The input of a phase that a learning signal adds to a trial: samples, constant activity beside them, or a current."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from neurorules.contracts.series import Series


class Offset(NamedTuple):
    """Constant activity that is added to the input of a phase.

    If many rows are mixtures of few patterns, pass the patterns and the shares: the weights are then multiplied with
    the patterns only.

    Args:
        patterns: (K, *input), K patterns; or (B, *input), one per row of the batch, if `shares` is None.
        shares: (B, K), the share of each pattern in each row; None if the patterns are the rows themselves.
        dense: whether texts read the sum of input and offset as `S_pre`. This applies to constant input only: events
            stay unchanged.
    """

    patterns: Float[Tensor, "K *input"]
    shares: Float[Tensor, "B K"] | None = None
    dense: bool = False

    def rows(self) -> Float[Tensor, "B *input"]:
        """The activity that is added to each row of the batch."""
        return self.patterns if self.shares is None else torch.tensordot(self.shares, self.patterns, 1)


class PhaseDrive(NamedTuple):
    """The input of one phase that a signal adds to a trial. The rows B may be samples, or class prototypes that are
    treated like samples.

    Args:
        input: replaces the samples as input of the network; None for a first layer without input.
        offset: constant activity that reaches the first layer through its weights, in addition to the input.
        injected: constant current (B, *shape) into the first layer, added after its normalisation; in a linear phase,
            before it.
        context: (B, n). The injected current is this matrix times a parameter of the signal with n rows; None where
            each row of the batch is one row of that parameter.
        repeats: how many times the input is repeated along the batch, to match more rows of injected current. For
            example, a prediction by one pass per class is a phase of C B rows. The first layer's weights are multiplied
            with the samples only once. No text may hold in such a phase.
    """

    input: Series | None
    offset: Offset | None = None
    injected: Float[Tensor, "B *shape"] | None = None
    context: Float[Tensor, "B n"] | None = None
    repeats: int = 1

    @property
    def presented(self) -> Series | None:
        """The input with its repeats, one row for each row of the phase; None for a phase without input."""
        return None if self.input is None else self.input.repeated(self.repeats)

    @property
    def in_common(self) -> bool:
        """Whether the rows are the same for all samples of the batch, as class prototypes are."""
        return self.input is None and self.context is None and self.injected is not None
