"""The places that a position of a map reaches through the kernels of a convolution, in the form that `maps.c` takes."""

from __future__ import annotations

import functools
from itertools import pairwise
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor

MOST_RUNS, MOST_LENGTH = 5, 6
"""The most runs of a block, and vectors of a run, as in maps.c."""

Pair = tuple[int, int]


class Convolved(NamedTuple):
    """The sizes of a convolution without its rows. Pairs are numbers along the height and along the width.

    Args:
        channels, sides: number and size of the maps in front.
        outputs, out_sides: number and size of the maps behind.
        groups: number of groups of maps.
        kernel, strides, borders, dilations: sides of a kernel, steps between its positions, widths of the border of
            zeros, and distances between neighbouring weights.
    """

    channels: int
    sides: Pair
    outputs: int
    out_sides: Pair
    groups: int
    kernel: Pair
    strides: Pair
    borders: Pair
    dilations: Pair


class Reach(NamedTuple):
    """The arrays of the structure `Maps` of maps.c that follow from the sizes, and the sizes of the grid.

    Args:
        cells: the positions in front and their places, class by class, (2, cells).
        places: the place of each position in front, (pixels,).
        class_bits: a bit for each position of a class, (classes, words).
        class_cells, class_blocks: where the cells and the blocks of each class begin, (classes + 1,) each.
        blocks: one row (length, runs, start, reach of each run) for each block.
        slots: weight, part of the place, start of the block, and vectors of the block, for each vector of a map's
            weights, (4, slots).
        grid: height and width of the grid.
        corner: the place of the first position behind.
    """

    cells: Tensor
    places: Tensor
    class_bits: Tensor
    class_cells: Tensor
    class_blocks: Tensor
    blocks: Tensor
    slots: Tensor
    grid: Pair
    corner: int


class _Axis(NamedTuple):
    """The reach along one axis.

    Args:
        classes: for each remainder, the weights that positions with it use, as (index, places before the position's
            own), the farthest place first.
        remainders, places: of each position in front.
        border: number of places before the first position behind.
        length: number of places.
    """

    classes: list[list[Pair]]
    remainders: list[int]
    places: list[int]
    border: int
    length: int


def _axis(size: int, out: int, side: int, stride: int, border: int, distance: int) -> _Axis:
    classes: list[list[Pair]] = [[] for _ in range(stride)]
    for index in reversed(range(side)):
        before, remainder = divmod(index * distance, stride)
        classes[remainder].append((index, before))
    before = (side - 1) * distance // stride
    own, remainders = zip(*(divmod(i + border, stride) for i in range(size)), strict=True)
    return _Axis(classes, list(remainders), [n + before for n in own], before, before + max(own[-1] + 1, out))


class _Block(NamedTuple):
    """Vectors of a map's weights that are summed in registers at once.

    Args:
        length: vectors of a run.
        reach: vectors from a position's place to each run.
        slots: the weight of the kernel and the part of the place for each vector.
    """

    length: int
    reach: list[int]
    slots: list[Pair]


def _shares(count: int, most: int) -> list[range]:
    """Split a range into as few parts of almost equal length as there can be, none longer than `most`."""
    parts = -(-count // most)
    size = -(-count // parts)
    return [range(start, min(start + size, count)) for start in range(0, count, size)]


def _blocks(rows: list[Pair], columns: list[Pair], kernel_wide: int, wide: int, parts: int, sums: int) -> list[_Block]:
    """The blocks of a class.

    Args:
        rows, columns: the weights that the class uses along both axes (`_Axis.classes`).
        kernel_wide: width of the kernel.
        wide: places of a row of the grid.
        parts: vectors of a place.
        sums: vectors that there is room for in registers.
    """
    neighbours = all(a[1] - b[1] == 1 for a, b in pairwise(columns))
    pieces = [columns] if neighbours else [[column] for column in columns]
    runs = [(row, piece) for row in rows for piece in pieces if piece]
    blocks = []
    for vectors in _shares(len(pieces[0]) * parts, MOST_LENGTH):
        for some in _shares(len(runs), min(MOST_RUNS, sums // len(vectors))):
            chosen = [runs[r] for r in some]
            reach = [parts * -(row[1] * wide + piece[0][1]) + vectors[0] for row, piece in chosen]
            slots = [(row[0] * kernel_wide + piece[v // parts][0], v % parts) for row, piece in chosen for v in vectors]
            blocks.append(_Block(len(vectors), reach, slots))
    return blocks


@functools.lru_cache(maxsize=256)
def reach_of(sizes: Convolved, parts: int, sums: int) -> Reach:
    """Find the places that each position in front reaches.

    Args:
        sizes: the sizes of the convolution.
        parts: the number of vectors of a place.
        sums: the number of vectors that there is room for in registers.

    Returns:
        The arrays, on the CPU.
    """
    down, across = (_axis(*(pair[axis] for pair in _pairs(sizes))) for axis in (0, 1))
    remainders = [(y, x) for y in range(sizes.strides[0]) for x in range(sizes.strides[1])]
    used = [(y, x) for y, x in remainders if down.classes[y] and across.classes[x]]
    places: list[int] = []
    members: dict[Pair, list[int]] = {pair: [] for pair in remainders}
    for y, row in enumerate(down.places):
        for x, column in enumerate(across.places):
            members[down.remainders[y], across.remainders[x]].append(len(places))
            places.append(row * across.length + column)
    by_class = [
        _blocks(down.classes[y], across.classes[x], sizes.kernel[1], across.length, parts, sums) for y, x in used
    ]
    cells = [pixel for pair in used for pixel in members[pair]]
    rows, slots, start = [], [], 0
    for block in (block for blocks in by_class for block in blocks):
        rows.append([block.length, len(block.reach), start, *block.reach, *[0] * (MOST_RUNS - len(block.reach))])
        slots += [(*slot, start, len(block.slots)) for slot in block.slots]
        start += len(block.slots)
    return Reach(
        torch.tensor([cells, [places[pixel] for pixel in cells]], dtype=torch.int32),
        torch.tensor(places, dtype=torch.int32),
        _bits([members[pair] for pair in used], prod(sizes.sides)),
        _starts([len(members[pair]) for pair in used]),
        _starts([len(blocks) for blocks in by_class]),
        torch.tensor(rows, dtype=torch.int64),
        torch.tensor(slots, dtype=torch.int32).T.contiguous(),
        (down.length, across.length),
        down.border * across.length + across.border,
    )


def _pairs(sizes: Convolved) -> tuple[Pair, ...]:
    return sizes.sides, sizes.out_sides, sizes.kernel, sizes.strides, sizes.borders, sizes.dilations


def _starts(lengths: list[int]) -> Tensor:
    """Where parts of these lengths begin that follow each other, and where the last one ends."""
    return torch.tensor([0, *lengths], dtype=torch.int64).cumsum(0)


def _bits(members: list[list[int]], numbers: int) -> Tensor:
    """A bit for each of some numbers that is a member, 64 of them in one element."""
    flags = torch.zeros(len(members), -(-numbers // 64) * 64, dtype=torch.int64)
    for row, some in zip(flags, members, strict=True):
        row[some] = 1
    return (flags.reshape(len(members), -1, 64) << torch.arange(64)).sum(-1)
