"""Batch normalisation of torch as a normalisation of this library."""

from __future__ import annotations

from torch import nn

from neurorules.contracts.connection import Shape
from neurorules.contracts.normalisation import statistics_shape
from neurorules.language.errors import UserError
from neurorules.normalisations.batch import Batch, WeightedBatch


def to_normalisation(where: str, module: nn.Module, shape: Shape) -> Batch:
    """The normalisation that a BatchNorm is; its weight stays as it is.

    Args:
        where: names the module in messages.
        module: BatchNorm1d or BatchNorm2d.
        shape: of the population, (N,) or (C, H, W).

    Returns:
        The normalisation.

    Raises:
        UserError: a weight that is not positive.
    """
    assert isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)
    weight = None if module.weight is None else module.weight.detach()
    if weight is None or bool((weight == 1).all()):
        return Batch(float(module.eps))
    if not bool((weight > 0).all()):
        raise UserError(
            f"{where} has a weight that is not positive, and those here are. Fold it into the layer before it with "
            f"torch.nn.utils.fusion.fuse_linear_bn_eval or fuse_conv_bn_eval"
        )
    return WeightedBatch(float(module.eps), weight=weight.reshape(statistics_shape(shape)).clone())
