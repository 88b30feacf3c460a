"""One linear map or transform at a time between torch's modules and this library's connections and transforms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from neurorules.connections._convolution import Convolution, Pair
from neurorules.connections.conv2d import Conv2d
from neurorules.connections.conv2d_grouped import Conv2dGrouped
from neurorules.connections.conv2d_pooled import Conv2dPooled
from neurorules.connections.dense import Dense
from neurorules.contracts.connection import Connection, Shape
from neurorules.contracts.transform import Transform
from neurorules.language.errors import UserError
from neurorules.torch_path.snntorch.values import Placed
from neurorules.transforms.dropout import Dropout
from neurorules.transforms.flatten import Flatten
from neurorules.transforms.one_row import OneRow
from neurorules.transforms.pool import Pool

LAYER_KINDS = (
    "Linear",
    "Conv1d",
    "Conv2d",
    "MaxPool",
    "AvgPool",
    "Flatten",
    "Dropout",
    "BatchNorm",
    "neurons of snnTorch",
)
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


class Lines(nn.Module):
    """Lines (B, C, L), or (B, 1, C, L) as data sets hold them, as maps of one row, (B, C, 1, L)."""

    def forward(self, lines: Tensor) -> Tensor:
        """Lines (B, C, L) or (B, 1, C, L) with the axis of a row, (B, C, 1, L)."""
        return lines.reshape(len(lines), lines.shape[-2], 1, lines.shape[-1])


def to_connection(module: nn.Module, where: str, pooled: tuple[str, nn.Module] | None) -> tuple[Connection, int]:
    """The connection that a Linear or a convolution is, and how many inputs or maps it reads.

    Args:
        module: the Linear, Conv2d or Conv1d.
        where: names it in messages.
        pooled: the name and module of a pool of its current; None for none.

    Returns:
        The connection, and the number of its inputs or maps.

    Raises:
        UserError: an option that connections here do not have.
    """
    if isinstance(module, nn.Linear):
        if pooled is not None:
            raise UserError(f"{pooled[0]} pools the output of {where}, which has no maps. Remove it")
        return Dense(module.out_features), module.in_features
    assert isinstance(module, nn.Conv2d | nn.Conv1d)
    if module.padding_mode != "zeros":
        raise UserError(f"{where} has padding_mode='{module.padding_mode}', and borders here are zeros. Change it")
    sides, strides, dilations = (_over_map(one) for one in (module.kernel_size, module.stride, module.dilation))
    borders = _borders(module, where)
    pool = None if pooled is None else _pool(pooled[0], pooled[1])
    square = all(len(set(one)) == 1 for one in (sides, strides, borders))
    plain = square and dilations == (1, 1) and module.groups == 1
    if not plain or (pool is not None and pool.lines):
        pools, kind = ((1, 1), "max") if pool is None else (pool.sides, pool.kind)
        grouped = Conv2dGrouped(
            module.out_channels,
            sides,
            strides,
            borders,
            dilations,
            module.groups,
            pools,
            kind,  # type: ignore[arg-type]
        )
        return grouped, module.in_channels
    side, stride = sides[0], strides[0]
    border: Literal["valid", "same"] | int = borders[0]
    border = "valid" if border == 0 else "same" if side % 2 and border == side // 2 else border
    if pool is None:
        return Conv2d(module.out_channels, side, stride, border), module.in_channels
    return Conv2dPooled(module.out_channels, side, stride, border, pool.size, pool.kind), module.in_channels


def _over_map(numbers: tuple[int, ...]) -> Pair:
    """Numbers along the height and the width of a map; of a Conv1d along its one row."""
    return (1, numbers[0]) if len(numbers) == 1 else (numbers[0], numbers[1])


def _borders(module: nn.Conv2d | nn.Conv1d, where: str) -> Pair:
    """Widths of the border of zeros around a map."""
    if not isinstance(module.padding, str):
        return (0, module.padding[0]) if len(module.padding) == 1 else (module.padding[0], module.padding[1])
    if module.padding == "valid":
        return 0, 0
    whole = [distance * (side - 1) for side, distance in zip(module.kernel_size, module.dilation, strict=True)]
    if any(one % 2 for one in whole):
        raise UserError(f"{where} has padding='same' with an even kernel, a border wider on one side. Use odd sides")
    return (0, whole[0] // 2) if len(whole) == 1 else (whole[0] // 2, whole[1] // 2)


def to_transform(where: str, module: nn.Module, shape: Shape | None = None) -> Transform | None:
    """The transform that a module is.

    Args:
        where: names the module in messages.
        module: Flatten, Dropout, MaxPool2d, AvgPool2d, or AdaptiveAvgPool2d to one number for each map.
        shape: of what reaches it, (C, H, W); None if it is not known yet.

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
    if isinstance(module, nn.MaxPool2d | nn.AvgPool2d | nn.MaxPool1d | nn.AvgPool1d):
        return _pool(where, module)
    if isinstance(module, nn.AdaptiveAvgPool2d | nn.AdaptiveAvgPool1d):
        return _whole_pool(where, module, shape)
    name = type(module).__name__
    advice = "Remove it, or use a Leaky"
    if "Norm" in name:
        advice = "Use BatchNorm1d or BatchNorm2d, or give the net as text with norm='streaming'"
    raise UserError(f"{where} has no counterpart here. Known: {', '.join(LAYER_KINDS)}. {advice}")


def to_transforms(
    before: Sequence[Placed], shape: Shape, linear: nn.Module | None = None
) -> tuple[list[Transform], Shape]:
    """The transforms that modules are, one behind another.

    Args:
        before: the modules.
        shape: of what reaches the first one.
        linear: what stands behind them; a convolution reads lines (C, L) as maps of one row, and a Conv1d those of a
            data set, (1, C, L), as well.

    Returns:
        The transforms, without those that change nothing, and the shape behind them.

    Raises:
        UserError: a module that cannot read what reaches it, by its place.
    """
    transforms: list[Transform] = []
    for at, module in before:
        if len(shape) == 2 and not isinstance(module, nn.Flatten | nn.Dropout):
            transforms.append(OneRow())
            shape = OneRow().post_shape(shape)
        transform = to_transform(at, module, shape)
        if transform is not None and not (isinstance(transform, Flatten) and len(shape) == 1):
            transforms.append(transform)
            shape = shape_after(transform, at, shape)
    lines = isinstance(linear, nn.Conv1d) and shape[:-1] == (1, linear.in_channels) and shape[1] > 1
    if (isinstance(linear, nn.Conv1d | nn.Conv2d) and len(shape) == 2) or lines:
        transforms.append(OneRow())
        shape = OneRow().post_shape(shape)
    return transforms, shape


def shape_after(part: Connection | Transform, where: str, shape: Shape) -> Shape:
    """The shape behind a connection or a transform.

    Args:
        part: the connection or transform.
        where: names it in messages.
        shape: of what it reads.

    Returns:
        The shape.

    Raises:
        UserError: it cannot read that shape, by its place.
    """
    try:
        return part.post_shape(shape)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None


def _whole_pool(where: str, module: nn.AdaptiveAvgPool2d | nn.AdaptiveAvgPool1d, shape: Shape | None) -> Pool | None:
    if module.output_size not in (1, (1,), (1, 1)):
        raise UserError(f"{where} leaves {module.output_size} numbers of a map. Use 1, or AvgPool2d")
    side = 2 if shape is None else shape[-1]
    if isinstance(module, nn.AdaptiveAvgPool1d):
        return Pool(side, "average", lines=True) if side > 1 else None
    if shape is not None and (len(shape) != 3 or shape[1] != side):
        raise UserError(f"{where} needs square maps (C, H, H), and gets shape {shape}. Use AvgPool2d")
    return Pool(side, "average") if side > 1 else None


def _pool(where: str, module: nn.Module) -> Pool | None:
    assert isinstance(module, nn.MaxPool2d | nn.AvgPool2d | nn.MaxPool1d | nn.AvgPool1d)
    largest, lines = isinstance(module, nn.MaxPool2d | nn.MaxPool1d), isinstance(module, nn.MaxPool1d | nn.AvgPool1d)
    sides = _numbers(module.kernel_size) | _numbers(module.stride)
    odd = (
        bool(module.ceil_mode)
        or _numbers(module.padding) != {0}
        or getattr(module, "divisor_override", None) is not None
    )
    odd = odd or (largest and (bool(module.return_indices) or _numbers(module.dilation) != {1}))
    if len(sides) > 1 or odd:
        windows = "" if lines else "square windows, "
        raise UserError(f"{where} must have {windows}stride = kernel_size and no other option. Change it")
    size = min(sides)
    return Pool(size, "max" if largest else "average", lines) if size > 1 else None


def _numbers(value: Any) -> set[int]:
    return set(value) if isinstance(value, tuple) else {value}


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
            return nn.MaxPool2d(transform.sides) if transform.kind == "max" else nn.AvgPool2d(transform.sides)
        case OneRow():
            return Lines()
    raise UserError(f"torch has no layer for the transform '{type(transform).__name__}'. Use a net without it")


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
            w.shape[1] * connection.groups, w.shape[0], connection.sides, connection.strides, connection.borders,
            connection.dilations, connection.groups, dtype=w.dtype,
        )  # fmt: skip
        inside = bias[:, bias.shape[1] // 2, bias.shape[2] // 2]
        rest = bias - inside.reshape(-1, 1, 1)
        behind: list[nn.Module] = [PositionBias(rest)] if any(connection.borders) and bool(rest.any()) else []
        if connection.pools != (1, 1):
            pool = nn.MaxPool2d if connection.kind == "max" else nn.AvgPool2d
            behind = [pool(connection.pools), *behind]
    elif isinstance(connection, Dense):
        linear, inside, behind = nn.Linear(w.shape[1], w.shape[0], dtype=w.dtype), bias, []
    else:
        name = type(connection).__name__
        raise UserError(f"torch has no layer for the connection '{name}'. Use a dense or convolutional net")
    with torch.no_grad():
        linear.weight.copy_(w)
        if linear.bias is not None:  # each of them is made with one
            linear.bias.copy_(inside)
    return [linear, *behind]
