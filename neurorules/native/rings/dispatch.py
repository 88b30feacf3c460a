"""The functions that neurons, connections and reverse circuits call: compiled rings, or plain torch without them."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from neurorules.native.rings import native, reference
from neurorules.native.rings.system import EDGE_TAPS, NODE_TAPS, Mode, RingSystem

RINGS_AT_ONCE = 2**18
"""The number of rings of connections that plain torch runs at once, to limit its memory."""


def run_nodes(system: RingSystem, drive: Tensor, rest: Tensor) -> tuple[Tensor, Tensor]:
    """Run the rings of neurons. R is the number of rows.

    Args:
        system: the numbers of the rings.
        drive: (R, N), before saturation.
        rest: fixed points x* (5, N), > 0.

    Returns:
        Displacement of S (R, N), and the final state (R, 5, N).
    """
    drive = system.saturated(drive)
    if native.serves(drive):
        return native.nodes(system, NODE_TAPS, drive.contiguous(), rest.contiguous())
    final, _ = reference.run(system, drive, rest[:, None])
    return reference.output(NODE_TAPS, final, rest[:, None]), final.movedim(0, 1)


def reverse_nodes(
    system: RingSystem, mode: Mode, error: Tensor, drive: Tensor, rest: Tensor, final: Tensor, sums: bool = False
) -> tuple[Tensor, Tensor | None]:
    """Run the reverse circuit of neurons' rings. The modes EXACT and DISCRETE run the forward path again instead of
    storing it.

    Args:
        system: the numbers of the rings.
        mode: the way in which the reverse signal travels.
        error: the error of the output, (R, N).
        drive, rest, final: as in `run_nodes`.
        sums: whether the fixed points learn, so that their gradient is needed.

    Returns:
        The gradient of the drives before saturation (R, N), and the gradient of ln x* (5, N), summed over rows; None
        for the gradient unless `sums`.
    """
    drive = system.saturated(drive)
    if native.serves(drive):
        tensors = [x.contiguous() for x in (error, drive, rest, final)]
        return native.nodes_back(system, NODE_TAPS, mode, tensors[0], tensors[1], tensors[2], tensors[3], sums)
    arrived, every = reference.back(system, NODE_TAPS, mode, error, drive, rest[:, None], final.movedim(1, 0), sums)
    return arrived * system.saturation_slope(drive), None if every is None or not sums else every.sum(1)


def run_edges(system: RingSystem, drive: Tensor, rest: Tensor) -> Tensor:
    """Run the rings of connections. Those with a drive of 0 stay at rest.

    Args:
        system: the numbers of the rings.
        drive: (R, I), before saturation.
        rest: fixed points x* (5, I, O), > 0.

    Returns:
        Displacements of S and T, summed over I: (R, O).
    """
    drive = system.saturated(drive)
    if native.serves(drive):
        return native.edges(system, EDGE_TAPS, drive.contiguous(), rest.contiguous())
    total = drive.new_zeros(drive.shape[0], rest.shape[2])
    for some in _pieces(drive, rest):
        x, _ = reference.run(system, drive[:, some, None], rest[:, None, some])
        total += reference.output(EDGE_TAPS, x, rest[:, None, some]).sum(1)
    return total


def reverse_edges(system: RingSystem, mode: Mode, error: Tensor, drive: Tensor, rest: Tensor) -> Tensor:
    """Run the reverse circuit of connections' rings.

    Args:
        system: the numbers of the rings.
        mode: the way in which the reverse signal travels.
        error: the error of the summed output, (R, O).
        drive, rest: as in `run_edges`.

    Returns:
        The gradient of the drives before saturation, (R, I).
    """
    drive = system.saturated(drive)
    if native.serves(drive):
        return native.edges_back(system, EDGE_TAPS, mode, error.contiguous(), drive.contiguous(), rest.contiguous())
    pieces = [_back(system, mode, error, drive, rest, some, False)[0].sum(2) for some in _pieces(drive, rest)]
    return system.saturation_slope(drive) * torch.cat(pieces, 1)


def fixed_point_gradient(system: RingSystem, mode: Mode, error: Tensor, drive: Tensor, rest: Tensor) -> Tensor:
    """The gradient of connections' ln x*, which teaches their fixed points.

    Args:
        system: the numbers of the rings.
        mode: the way in which the reverse signal travels.
        error: the error of the summed output, (R, O).
        drive, rest: as in `run_edges`.

    Returns:
        The gradient (5, I, O), summed over rows.
    """
    drive = system.saturated(drive)
    if native.serves(drive):
        return native.edges_sums(system, EDGE_TAPS, mode, error.contiguous(), drive.contiguous(), rest.contiguous())
    pieces = []
    for some in _pieces(drive, rest):
        every = _back(system, mode, error, drive, rest, some, True)[1]
        assert every is not None
        pieces.append(every.sum(1))
    return torch.cat(pieces, 1)


def _pieces(drive: Tensor, rest: Tensor) -> Iterator[slice]:
    size = max(1, RINGS_AT_ONCE // (drive.shape[0] * rest.shape[2]))
    for start in range(0, drive.shape[1], size):
        yield slice(start, start + size)


def _back(
    system: RingSystem, mode: Mode, error: Tensor, drive: Tensor, rest: Tensor, some: slice, learn: bool
) -> tuple[Tensor, Tensor | None]:
    here, still = drive[:, some, None], rest[:, None, some]
    last, _ = reference.run(system, here, still)
    return reference.back(system, EDGE_TAPS, mode, error[:, None], here.expand(last.shape[1:]), still, last, learn)
