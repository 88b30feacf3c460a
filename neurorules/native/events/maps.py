"""Calls into the compiled convolutions of sparse maps: these functions allocate the outputs and pass addresses."""

from __future__ import annotations

import ctypes
import functools
from ctypes import c_int32, c_int64, c_void_p
from math import prod
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from neurorules.native import compile as compile_c
from neurorules.native.events.native import FLAGS, INSTEAD
from neurorules.native.events.reach import Convolved, Reach, reach_of
from neurorules.native.pages import fresh
from neurorules.native.scans.build import load_beside

TEMPLATES = ("maps_template.c", "maps_current_template.c", "maps_change_template.c", "vectors_template.c")
SOURCES = tuple(Path(__file__).with_name(name) for name in ("maps.c", "vectors.c", *TEMPLATES))
CELL_BYTES = 16
"""The size of the structure `Cell` of maps.c."""
EVERY = 13
"""One row of so many is counted, as in maps.c."""
PARTS = 2
"""The largest number of vectors of outputs that are summed together."""
SPAN = 32
"""The largest number of maps whose weights stand together, one for each bit of a cell."""
HELD_BYTES, MOST_HELD = 1 << 15, 16
"""The bytes of the grids of rows that are worked on at once, which stay in the first-level cache, and the largest
number of such rows."""
SHARES, SHARE_NUMBERS = 16, 1 << 18
"""The number of shares of a batch whose changes are summed apart, each by one thread, and the largest number of sums
of all shares together. They depend on sizes alone, so that the number of threads changes no bit."""


class _Maps(ctypes.Structure):
    """Field for field `Maps` of maps.c."""

    _fields_ = [
        *((name, c_void_p) for name in ("maps", "kernels", "post", "tables", "room", "pixels_of_cells")),
        *((name, c_void_p) for name in ("places_of_cells", "places", "class_bits", "class_cells", "class_blocks")),
        *((name, c_void_p) for name in ("blocks", "slot_tap", "slot_part", "slot_start", "slot_row")),
        *((name, c_int64) for name in ("rows", "channels", "pixels", "outputs", "groups", "taps", "high", "wide")),
        *((name, c_int64) for name in ("grid", "grid_wide", "corner", "parts", "classes", "slots", "span", "held")),
        *((name, c_int64) for name in ("shares", "strips", "room_bytes", "entries")),
        ("threads", c_int32),
    ]


@functools.cache
def library() -> ctypes.CDLL | None:
    """The compiled convolutions, or None, after one warning, if they cannot be compiled. Each process tries once."""
    return load_beside(SOURCES, FLAGS, INSTEAD)


def serves(maps: Tensor) -> bool:
    """Whether the compiled kernels can convolve maps of this type and device."""
    return maps.device.type == "cpu" and maps.dtype in compile_c.DTYPES and library() is not None


def lanes(dtype: torch.dtype) -> int:
    """The number of numbers of a vector of this type."""
    number: int = _function("lanes", dtype)()
    return number


def active(maps: Tensor) -> float:
    """Estimate how many values of some maps are not 0, from one row of some.

    Args:
        maps: (R, C, H, W) with R >= 1, for which `serves` is true.

    Returns:
        The number.
    """
    maps = maps.contiguous()
    rows = len(maps)
    sizes = c_int64(rows), c_int64(maps[0].numel())
    count: int = _function("sample", maps.dtype)(c_void_p(maps.data_ptr()), *sizes)
    return count * rows / -(-rows // EVERY)


def current(maps: Tensor, kernels: Tensor, sizes: Convolved, entries: float) -> Tensor:
    """The convolution of maps, of which those values are multiplied that are not 0.

    Args:
        maps: (R, C, H, W) with R >= 1.
        kernels: (O, C / groups, height, width), of the same type.
        sizes: the sizes of the convolution.
        entries: about how many values are not 0, for the number of threads.

    Returns:
        (R, O, H_post, W_post).
    """
    out = fresh(len(maps), sizes.outputs, *sizes.out_sides, like=maps)
    plan = plan_of(sizes, maps.dtype)
    spans = -(-(sizes.channels // sizes.groups) // plan.span)
    cells = plan.rows * spans * (plan.pixels + 3) * CELL_BYTES
    ends = (plan.rows * spans * (plan.classes + 1) + plan.pixels + 1) * 4
    room = cells + (plan.rows * plan.grid_numbers + plan.pixels) * maps.itemsize + ends
    _run("current", plan, (maps.contiguous(), kernels.contiguous(), out), room, 1, 1, entries)
    return out


def change(post: Tensor, maps: Tensor, sizes: Convolved, entries: float) -> Tensor:
    """The sum over rows of post factors times maps at each weight, of which those values are read that are not 0.

    Args:
        post: (R, O, H_post, W_post), of the same type.
        maps: (R, C, H, W) with R >= 1.
        sizes: the sizes of the convolution.
        entries: about how many values are not 0, for the number of threads.

    Returns:
        (O, C / groups, height, width).
    """
    plan, each = plan_of(sizes, maps.dtype), sizes.channels // sizes.groups
    out = maps.new_empty(sizes.outputs, each, *sizes.kernel)
    shares = max(1, min(SHARES, -(-len(maps) // plan.rows), SHARE_NUMBERS // plan.table_numbers))
    words = -(-plan.pixels // 64)
    room = plan.rows * (plan.grid_numbers * maps.itemsize + each * words * 8)
    strips = min(plan.bands, -(-SHARES // shares))
    _run("change", plan, (maps.contiguous(), out, post.contiguous()), room, shares, strips, entries)
    return out


class Plan(NamedTuple):
    """The part of a product that follows from the sizes and the type of numbers alone.

    Args:
        reach: the arrays.
        fixed: the numbers of the structure from `channels` to `held`.
        pixels, classes, span, rows: some of them; the last is the number of rows that are worked on at once.
        grid_numbers: numbers of the grid of one row.
        bands: bands of all groups.
        table_numbers: numbers of the tables of all bands.
    """

    reach: Reach
    fixed: tuple[int, ...]
    pixels: int
    classes: int
    span: int
    rows: int
    grid_numbers: int
    bands: int
    table_numbers: int


@functools.lru_cache(maxsize=256)
def plan_of(sizes: Convolved, dtype: torch.dtype) -> Plan:
    """Find the part of a product that follows from the sizes of a convolution and the type of its numbers.

    Args:
        sizes: the sizes of the convolution.
        dtype: float32 or float64.

    Returns:
        The arrays and numbers.
    """
    width = lanes(dtype)
    each, of_group = sizes.channels // sizes.groups, sizes.outputs // sizes.groups
    parts = min(PARTS, -(-of_group // width))
    reach = reach_of(sizes, parts, compile_c.kernels_of(library())["sums"]())
    pixels, grid, slots = prod(sizes.sides), prod(reach.grid), reach.slots.shape[1]
    bands = sizes.groups * -(-of_group // (parts * width))
    span = -(-each // -(-each // SPAN))  # parts of about one length
    rows = max(1, min(MOST_HELD, HELD_BYTES // (grid * parts * width * dtype.itemsize)))
    classes = len(reach.class_cells) - 1
    fixed = (
        *(sizes.channels, pixels, sizes.outputs, sizes.groups, prod(sizes.kernel), *sizes.out_sides),
        *(grid, reach.grid[1], reach.corner, parts, classes, slots, span, rows),
    )
    table = bands * each * slots * width
    return Plan(reach, fixed, pixels, classes, span, rows, grid * parts * width, bands, table)


def _run(
    name: str, plan: Plan, tensors: tuple[Tensor, Tensor, Tensor], room_bytes: int, shares: int, strips: int,
    entries: float,
) -> None:  # fmt: skip
    """Run one of the two kernels.

    Args:
        name: "current" or "change".
        plan: the sizes.
        tensors: maps, kernels and post factors, contiguous; one of the latter two is written.
        room_bytes: the room of each thread.
        shares, strips: parts of the rows and of the bands that are summed apart.
        entries: about how many values are not 0.
    """
    maps, threads = tensors[0], torch.get_num_threads()
    room_bytes = -(-room_bytes // 64) * 64
    tables = maps.new_empty(shares * plan.table_numbers)
    room = torch.empty(threads * room_bytes, dtype=torch.uint8)
    reach = plan.reach
    arrays = (*reach.cells, reach.places, reach.class_bits, reach.class_cells, reach.class_blocks, reach.blocks)
    arguments = _Maps(
        *(t.data_ptr() for t in (*tensors, tables, room, *arrays, *reach.slots)),
        *(len(maps), *plan.fixed, shares, strips, room_bytes, int(entries), threads),
    )
    _function(name, maps.dtype)(ctypes.byref(arguments))


def _function(name: str, dtype: torch.dtype) -> ctypes._NamedFuncPointer:
    return compile_c.kernel_of(library(), name, dtype)
