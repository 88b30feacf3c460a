"""The contract of transforms: a map that activity passes through before a connection, and its adjoint."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from neurorules.contracts.members import Contract

Shape = tuple[int, ...]
Adjoint = Callable[[Tensor], Tensor]


class Transform(Contract, kind="transform"):
    """A map from rows (R, *pre) to rows (R, *post) that learns nothing, such as pooling or dropout.

    Randomness is a mask, which is drawn once per trial and used at all steps and in all phases.
    """

    linear: bool = False
    """Whether the transform is one linear map, the same for every row."""
    by_neuron: bool = False
    """Whether each output value is the value of a single neuron, scaled or moved to another position, and never
    combined with the values of others."""

    @abstractmethod
    def post_shape(self, pre: Shape) -> Shape:
        """Shape of a population behind the transform.

        Raises:
            UserError: the transform cannot read a population of shape `pre`.
        """

    def draw(self, batch: int, pre: Shape, generator: torch.Generator) -> Float[Tensor, "B *pre"] | None:
        """Draw the mask of one training trial.

        Args:
            batch: number of rows B, >= 1.
            pre: shape of the population before the transform.
            generator: the only source of random numbers; the mask is created on its device.

        Returns:
            The mask (B, *pre), or None for a transform without anything random.
        """
        return None

    @abstractmethod
    def forward(self, rows: Float[Tensor, "R *pre"], mask: Float[Tensor, "B *pre"] | None) -> Float[Tensor, "R *post"]:
        """Transform the activity that travels forward.

        Args:
            rows: activity (R, *pre), time and batch merged.
            mask: the mask that `draw` returned for this trial; None outside training, or for a transform without
                randomness.

        Returns:
            The activity behind the transform (R, *post).
        """

    def tangent(
        self, rows: Float[Tensor, "R *pre"], mask: Float[Tensor, "B *pre"] | None, change: Float[Tensor, "R *pre"]
    ) -> Float[Tensor, "R *post"]:
        """The derivative of the transform in the direction of a small change of the activity.

        Args:
            rows: the activity that goes forward, (R, *pre).
            mask: the mask that `forward` received.
            change: the small change of it, (R, *pre).

        Returns:
            The change behind the transform, (R, *post).
        """
        return self.forward(change, mask)

    @abstractmethod
    def adjoint(
        self, rows: Float[Tensor, "R *pre"], mask: Float[Tensor, "B *pre"] | None, gradient: Float[Tensor, "R *post"]
    ) -> Float[Tensor, "R *pre"]:
        """Carry derivatives back through the transform.

        Args:
            rows: the activity of the forward pass, (R, *pre).
            mask: the mask that `forward` received.
            gradient: derivatives with respect to the output, (R, *post).

        Returns:
            Derivatives with respect to the input, (R, *pre).
        """


def repeat_over_time(mask: Float[Tensor, "B *shape"], rows: Float[Tensor, "R *shape"]) -> Float[Tensor, "R *shape"]:
    """Repeat a trial's mask for all its steps.

    Args:
        mask: (B, *shape).
        rows: activity (R, *shape), R = T B, which gives the number of steps.

    Returns:
        The mask repeated T times: (R, *shape).
    """
    return mask.repeat(rows.shape[0] // mask.shape[0], *(1,) * (mask.ndim - 1))
