"""The drive of a phase that a learning signal adds to a trial: the samples, a constant beside them, or a current."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from neurorules.contracts.series import Series


class Offset(NamedTuple):
    """Constant activity that is added beside the input of a phase.

    Where few patterns make up many rows, each row is given as its shares of the patterns, which spares a product of
    weights with all rows.

    Args:
        patterns: (K, *input), K patterns; or (B, *input), one per row of the batch, where there are no shares.
        shares: (B, K), how much of each pattern every row is given; None where the patterns are the rows themselves.
        dense: whether texts read the sum of input and offset as `S_pre`. That holds for a constant input alone: events
            stay as they are.
    """

    patterns: Float[Tensor, "K *input"]
    shares: Float[Tensor, "B K"] | None = None
    dense: bool = False

    def rows(self) -> Float[Tensor, "B *input"]:
        """The activity that is added to each row of the batch."""
        return self.patterns if self.shares is None else torch.tensordot(self.shares, self.patterns, 1)


class PhaseDrive(NamedTuple):
    """The drive of one phase that a signal adds to a trial. The rows B may be samples, or class prototypes that travel
    like samples.

    Args:
        input: replaces the samples as input of the network; None leaves the first layer without input.
        offset: reaches the first layer through its weights, beside the input.
        injected: constant current (B, *shape) into the first layer, added behind its normalisation; in a linear phase,
            before it.
        context: (B, n), what a parameter of the signal with n rows was multiplied by to give the injected current; None
            where each row of the batch is one row of that parameter.
        repeats: how often the samples of the input stand behind each other, for as many more rows of injected current:
            a prediction by one pass for each class is a phase of C B rows. The first layer's weights are multiplied
            with the samples once. No text may hold in such a phase.
    """

    input: Series | None
    offset: Offset | None = None
    injected: Float[Tensor, "B *shape"] | None = None
    context: Float[Tensor, "B n"] | None = None
    repeats: int = 1

    @property
    def presented(self) -> Series | None:
        """The input with its repeats, a row for each row of the phase; None without input."""
        return None if self.input is None else self.input.repeated(self.repeats)

    @property
    def in_common(self) -> bool:
        """Whether the rows are the same whatever the samples of the batch are, as class prototypes are."""
        return self.input is None and self.context is None and self.injected is not None
