"""One linear map or transform at a time between torch's modules and this library's connections and transforms."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from neurorules.connections._convolution import Convolution
from neurorules.connections.conv2d import Conv2d
from neurorules.connections.conv2d_pooled import Conv2dPooled
from neurorules.connections.dense import Dense
from neurorules.contracts.connection import Connection, Shape
from neurorules.contracts.transform import Transform
from neurorules.language.errors import UserError
from neurorules.transforms.dropout import Dropout
from neurorules.transforms.flatten import Flatten
from neurorules.transforms.pool import Pool

KNOWN = ("Linear", "Conv2d", "MaxPool2d", "AvgPool2d", "Flatten", "Dropout", "BatchNorm", "neurons of snnTorch")
"""What a module may be made of."""


class PositionBias(nn.Module):
    """Adds a bias (C, H, W): what a centred input lacks where a convolution's border of zeros meets it."""

    bias: Tensor

    def __init__(self, bias: Tensor) -> None:
        super().__init__()
        self.register_buffer("bias", bias.detach().clone())

    def forward(self, current: Tensor) -> Tensor:
        """The current (B, C, H, W), with the bias of each position."""
        return current + self.bias


def to_connection(module: nn.Module, where: str, pooled: tuple[str, nn.Module] | None) -> tuple[Connection, int]:
    """The connection that a Linear or Conv2d is, and how many inputs or maps it reads.

    Args:
        module: the Linear or Conv2d.
        where: names it in messages.
        pooled: the name and module of a pool of its current; None for none.

    Returns:
        The connection, and the number of its inputs or maps.

    Raises:
        UserError: an option that connections here do not have.
    """
    if isinstance(module, nn.Linear):
        if pooled is not None:
            raise UserError(f"{pooled[0]} pools what {where} gives, which are no maps. Remove it")
        return Dense(module.out_features), module.in_features
    assert isinstance(module, nn.Conv2d)
    side, stride = module.kernel_size[0], module.stride[0]
    plain = module.dilation == (1, 1) and module.groups == 1 and module.padding_mode == "zeros"
    if module.kernel_size != (side, side) or module.stride != (stride, stride) or not plain:
        raise UserError(f"{where} needs a square kernel and stride, no dilation, one group, zeros around. Change it")
    around = {"valid": 0, "same": side // 2}.get(module.padding, module.padding)  # type: ignore[arg-type]
    border: Literal["valid", "same"] = "valid" if around in (0, (0, 0)) else "same"
    if border == "valid" or (side % 2 and around in (side // 2, (side // 2, side // 2))):
        pool = None if pooled is None else _pool(pooled[0], pooled[1])
        if pool is None:
            return Conv2d(module.out_channels, side, stride, border), module.in_channels
        return Conv2dPooled(module.out_channels, side, stride, border, pool.size, pool.kind), module.in_channels
    raise UserError(f"{where} has padding {module.padding}. Use 0, or kernel // 2 with an odd kernel")


def to_transform(where: str, module: nn.Module, shape: Shape | None = None) -> Transform | None:
    """The transform that a module is.

    Args:
        where: names the module in messages.
        module: Flatten, Dropout, MaxPool2d, AvgPool2d, or AdaptiveAvgPool2d to one number for each map.
        shape: of what reaches it, (C, H, W); None where it is not known yet.

    Returns:
        The transform; None for a module that changes nothing.

    Raises:
        UserError: any other module, or an option that transforms here do not have.
    """
    if isinstance(module, nn.Flatten):
        if (module.start_dim, module.end_dim) != (1, -1):
            raise UserError(f"{where} keeps some dimensions apart. Use nn.Flatten() as it is")
        return Flatten()
    if isinstance(module, nn.Dropout):
        return Dropout(module.p) if module.p else None
    if isinstance(module, nn.MaxPool2d | nn.AvgPool2d):
        return _pool(where, module)
    if isinstance(module, nn.AdaptiveAvgPool2d):
        return _whole_pool(where, module, shape)
    name = type(module).__name__
    advice = "Remove it, or use a Leaky"
    if "Norm" in name:
        advice = "Use BatchNorm1d or BatchNorm2d, or give the net as text with norm='streaming'"
    raise UserError(f"{where} has no counterpart here. Known: {', '.join(KNOWN)}. {advice}")


def _whole_pool(where: str, module: nn.AdaptiveAvgPool2d, shape: Shape | None) -> Pool | None:
    if module.output_size not in (1, (1, 1)):
        raise UserError(f"{where} leaves {module.output_size} numbers of a map. Use 1, or AvgPool2d")
    side = 2 if shape is None else shape[-1]
    if shape is not None and (len(shape) != 3 or shape[1] != side):
        raise UserError(f"{where} needs square maps (C, H, H), and gets shape {shape}. Use AvgPool2d")
    return Pool(side, "average") if side > 1 else None


def _pool(where: str, module: nn.Module) -> Pool | None:
    assert isinstance(module, nn.MaxPool2d | nn.AvgPool2d)
    sides = {_pair(module.kernel_size), _pair(module.stride)}
    size = min(min(side) for side in sides)
    if isinstance(module, nn.AvgPool2d):
        odd = module.divisor_override is not None
    else:
        odd = module.return_indices or _pair(module.dilation) != (1, 1)
    if sides != {(size, size)} or _pair(module.padding) != (0, 0) or module.ceil_mode or odd:
        raise UserError(f"{where} must have square windows, stride = kernel_size and no other option. Change it")
    if size == 1:
        return None
    return Pool(size, "max" if isinstance(module, nn.MaxPool2d) else "average")


def _pair(value: int | tuple[int, ...]) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (value, value)


def to_module(transform: Transform) -> nn.Module:
    """The torch module of a transform.

    Raises:
        UserError: there is none.
    """
    match transform:
        case Flatten():
            return nn.Flatten()
        case Dropout():
            return nn.Dropout(transform.p)
        case Pool():
            return nn.MaxPool2d(transform.size) if transform.kind == "max" else nn.AvgPool2d(transform.size)
    raise UserError(f"torch has no layer for the transform '{type(transform).__name__}'")


def to_linear(connection: Connection, w: Tensor, bias: Tensor) -> list[nn.Module]:
    """A Linear or Conv2d; behind a convolution its pool, and with a border of zeros what its bias lacks by position.

    Args:
        connection: dense or convolutional.
        w: weights, shaped like the connection's own.
        bias: (N,) or (C, H, W).

    Returns:
        The modules, in the order in which they run.

    Raises:
        UserError: torch has no such layer.
    """
    if isinstance(connection, Convolution):
        linear: nn.Linear | nn.Conv2d = nn.Conv2d(
            w.shape[1], w.shape[0], connection.kernel, connection.stride, connection.zeros_around, dtype=w.dtype
        )
        inside = bias[:, bias.shape[1] // 2, bias.shape[2] // 2]
        rest = bias - inside.reshape(-1, 1, 1)
        behind: list[nn.Module] = [PositionBias(rest)] if connection.zeros_around and bool(rest.any()) else []
        if isinstance(connection, Conv2dPooled):
            behind = [to_module(Pool(connection.pool, connection.kind)), *behind]
    elif isinstance(connection, Dense):
        linear, inside, behind = nn.Linear(w.shape[1], w.shape[0], dtype=w.dtype), bias, []
    else:
        name = type(connection).__name__
        raise UserError(f"torch has no layer for the connection '{name}'. Use a dense or convolutional net")
    with torch.no_grad():
        linear.weight.copy_(w)
        assert linear.bias is not None
        linear.bias.copy_(inside)
    return [linear, *behind]
