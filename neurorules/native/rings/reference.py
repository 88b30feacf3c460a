"""Rings in plain torch: the definition and the oracle of the C kernels, and their replacement on CUDA and without a
compiler.

The first axis holds a ring's variables, and all other axes are rings. Drives are already saturated.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from neurorules.native.rings.system import Mode, RingSystem

J, S, T = 0, 1, 4  # the indices of metal, water and earth on the ring


def couple(a: Tensor, d: Tensor) -> Tensor:
    """Multiply displacements by the matrix of the ring.

    Args:
        a: A (5, 5), or A^T, which is the same ring run through in the opposite sense.
        d: displacements (5, ...).

    Returns:
        A d, (5, ...).
    """
    return (a @ d.reshape(5, -1)).reshape(d.shape)


def _matrix_like(system: RingSystem, like: Tensor) -> Tensor:
    """`RingSystem.matrix` with the device and type of `like`. It is filled on the device, since a copy from the host
    would make the CPU wait.
    """
    a = like.new_zeros(5, 5)
    a.diagonal().fill_(-system.k2)
    for ahead, rate in ((-1, system.k3), (4, system.k3), (1, -system.k3), (-4, -system.k3)):
        a.diagonal(ahead).fill_(rate)
    return a


def run(system: RingSystem, drive: Tensor, rest: Tensor) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
    """Run rings from rest under a constant drive.

    Args:
        system: the numbers of the rings.
        drive: saturated, (...).
        rest: x* (5, ...), which broadcasts with the drive.

    Returns:
        The final x (5, ...), and for each step the x before it and at its Heun predictor.
    """
    shape = (5, *torch.broadcast_shapes(rest.shape[1:], drive.shape))
    matrix = _matrix_like(system, drive)
    x = rest.expand(shape)
    z, h = torch.zeros_like(x), system.h
    path = []
    for _ in range(system.steps):
        f = couple(matrix, x - rest)
        f[J] += drive
        predicted = torch.add(z, f, alpha=h).exp_().mul_(rest)
        path.append((x, predicted))
        g = couple(matrix, predicted - rest)
        g[J] += drive
        z.add_(f.add_(g), alpha=h / 2)
        x = z.exp().mul_(rest)
    return x, path


def output(taps: Sequence[float], x: Tensor, rest: Tensor) -> Tensor:
    """Compute the output of rings from their state.

    Args:
        taps: weights of the five displacements.
        x: state (5, ...).
        rest: x* (5, ...).

    Returns:
        Sum of taps times displacements from the fixed point, (...).
    """
    return sum((x[i] - rest[i]) * tap for i, tap in enumerate(taps) if tap)  # type: ignore[return-value]


def back(
    system: RingSystem, taps: Sequence[float], mode: Mode, error: Tensor, drive: Tensor, rest: Tensor, last: Tensor,
    learn: bool = True,
) -> tuple[Tensor, Tensor | None]:  # fmt: skip
    """Carry an output's error backwards through rings, by the reverse circuit.

    Args:
        system: the numbers of the rings.
        taps: weights of the five displacements in the output.
        mode: the way in which the reverse signal travels.
        error: the error of the output (...).
        drive, rest: as in `run`.
        last: final x (5, ...).
        learn: whether the gradient of ln x* is needed.

    Returns:
        The gradient of the drive (...), and that of ln x* (5, ...). The second one is None unless `learn` is true; the
        mode LEAD always computes it.
    """
    weight = last.new_zeros(5, *[1] * (last.ndim - 1))
    for place, tap in enumerate(taps):
        weight[place] = tap
    along = rest.expand_as(last) if mode is Mode.FIXED else last
    a = error * last * weight  # from the gradient of x to that of ln x, at the driven element
    if mode is Mode.LEAD:
        return _lead(system, taps, a, error * drive, last, rest)
    matrix = _matrix_like(system, last).T
    sums = error * (last - rest) * weight if learn else None
    if mode is Mode.DISCRETE:
        return _discrete(system, matrix, run(system, drive, rest)[1], a, rest, sums)
    if mode is Mode.EXACT:
        path = [x for x, _ in run(system, drive, rest)[1]] + [last]
        return _continuous(system, matrix, path, path, a, rest, sums)
    every = [along] * (system.steps + 1)
    return _continuous(system, matrix, every, [last] * len(every), a, rest, sums)


def _discrete(
    system: RingSystem, matrix: Tensor, path: list[tuple[Tensor, Tensor]], a: Tensor, rest: Tensor, sums: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """Adjoint of each Heun step z' = z + h/2 (f(z) + f(z + h f(z)))."""
    h, arrived = system.h, torch.zeros_like(a[J])
    for x, predicted in reversed(path):
        q = couple(matrix, a)
        b = (h / 2) * predicted * q
        m = couple(matrix, (h / 2) * a + h * b)
        arrived = arrived + h * (a[J] + b[J])
        if sums is not None:
            sums = sums + (h / 2) * q * (predicted - rest) + m * (x - rest)
        a = a + b + x * m
    return arrived, sums


def _continuous(
    system: RingSystem, matrix: Tensor, carriers: list[Tensor], states: list[Tensor], a: Tensor, rest: Tensor,
    sums: Tensor | None,
) -> tuple[Tensor, Tensor | None]:  # fmt: skip
    """Heun steps of a' = carrier A^T a in reversed time."""
    h, q = system.h, couple(matrix, a)
    arrived = torch.zeros_like(a[J])
    for n in range(system.steps, 0, -1):
        first = carriers[n] * q
        second = couple(matrix, torch.add(a, first, alpha=h)).mul_(carriers[n - 1])
        after = torch.add(a, first.add_(second), alpha=h / 2)
        arrived.add_(a[J] + after[J], alpha=h / 2)
        a, before, q = after, q, couple(matrix, after)
        if sums is not None:
            sums = sums + (h / 2) * (before * (states[n] - rest) + q * (states[n - 1] - rest))
    return arrived, sums


def _lead(
    system: RingSystem, taps: Sequence[float], a: Tensor, pushed: Tensor, last: Tensor, rest: Tensor
) -> tuple[Tensor, Tensor]:
    """Drive -> J at distance 1, -> S and T at distance 2: the leading terms in T = steps h, without a run."""
    span = system.steps * system.h
    two = system.k3 * span**2 / 2
    sums = torch.zeros_like(a)
    up, down = (pushed * rest[J] * rest[i] * (two * taps[i]) for i in (S, T))
    sums[J], sums[S], sums[T] = up - down, up, -down
    return a[J] * span + (a[S] - a[T]) * last[J] * two, sums
