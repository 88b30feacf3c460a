"""Calls into the compiled products: these functions allocate the outputs and pass addresses."""

from __future__ import annotations

import ctypes
import functools
from ctypes import c_int32, c_int64, c_void_p
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from neurorules.native import compile as compile_c
from neurorules.native.pages import fresh
from neurorules.native.scans.build import load_beside

SOURCES = tuple(
    Path(__file__).with_name(name) for name in ("events.c", "events_template.c", "vectors.c", "vectors_template.c")
)
FLAGS = (*compile_c.FLAGS, "-ffp-contract=fast")
"""Fused multiply-adds are allowed: they change nothing for spikes, which are 1."""
INSTEAD = "spikes are multiplied like any other numbers"
"""What happens without the kernels, for the warning."""
ENTRY_BYTES = {torch.float32: 8, torch.float64: 16}
"""The size of one entry of a list, the structure `Active` of events_template.c."""
GROUP = 64
"""The number of rows whose lists lie together, chunk by chunk, as in events.c."""
CHUNK = 64
"""The smallest number of columns of a chunk of listed values; larger chunks have a multiple of it."""
REPAYING = 8
"""The length of a list for which loading its sum is worth the time; if lists are shorter, chunks are larger."""
FEW = 20
"""The length of a list that is not cut into chunks, so that its sum is made at once."""
LENGTH = 16 * CHUNK
"""The number of rows of a table of 128 float32 columns, which takes 512 KB and fits into a second-level cache. Source
of these numbers: measured on a Zen 4 core; half or twice these numbers make little difference."""
SAMPLED = 16
"""One row of so many is counted before any is listed, as in events.c."""


class Lists(NamedTuple):
    """The values of a matrix that are not 0, listed row by row.

    Args:
        starts: where the list of each row begins, by groups of rows and chunks of columns, (groups, chunks, GROUP + 1);
            the last one of a group and chunk is its end.
        active: the lists, as bytes.
        shape: the shape of the matrix, (R, I).
        entries: the number of values in the lists.
        dtype: the dtype of the matrix.
        chunk: the number of columns of a chunk.
    """

    starts: Tensor
    active: Tensor
    shape: tuple[int, int]
    entries: int
    dtype: torch.dtype
    chunk: int


class _Product(ctypes.Structure):
    """Field for field `Product` of events.c."""

    _fields_ = [
        *((name, c_void_p) for name in ("factor", "out", "tables", "sums", "starts", "active")),
        *((name, c_int64) for name in ("grouped", "group_step", "chunk_step", "sources", "targets", "columns")),
        *((name, c_int64) for name in ("chunk", "length", "room", "entries")),
        *((name, c_int32) for name in ("transposed", "transposed_out", "threads")),
    ]


@functools.cache
def library() -> ctypes.CDLL | None:
    """The compiled products, or None, after one warning, if they cannot be compiled. Each process tries once."""
    return load_beside(SOURCES, FLAGS, INSTEAD)


def serves(tensor: Tensor) -> bool:
    """Whether the compiled kernels can multiply a tensor of this type and device."""
    return tensor.device.type == "cpu" and tensor.dtype in compile_c.DTYPES and library() is not None


def listed(values: Tensor, limit: int) -> Lists | None:
    """List the values of a matrix that are not 0.

    Args:
        values: the matrix (R, I), for which `serves` is true.
        limit: the largest number of entries, >= 0.

    Returns:
        The lists; None if there are more values, or if a sample of the rows predicts many more.
    """
    values = values.contiguous()
    rows, columns = values.shape
    looked_at = -(-rows // SAMPLED)
    sizes = c_int64(rows), c_int64(columns)
    estimate = _function("sample", values.dtype)(*_addresses(values), *sizes) * rows / looked_at
    if looked_at >= SAMPLED and estimate > 1.5 * limit:
        return None
    threads = torch.get_num_threads()
    chunk = _chunk(estimate, rows, columns, CHUNK)
    starts = torch.empty((-(-rows // GROUP), -(-columns // chunk), GROUP + 1), dtype=torch.int64)
    rooms = limit + columns + 8, GROUP * columns + 8  # memory pages that no list uses are never allocated
    active, by_row = (torch.empty(threads * n * ENTRY_BYTES[values.dtype], dtype=torch.uint8) for n in rooms)
    count = _function("list", values.dtype)(
        *_addresses(values),
        *sizes,
        c_int64(chunk),
        c_int64(limit),
        *_addresses(starts, active, by_row),
        c_int32(threads),
    )
    return None if count < 0 else Lists(starts, active, (rows, columns), count, values.dtype, chunk)


def totals(lists: Lists) -> Tensor:
    """The sum of each column of a listed matrix, (I,), rounded once."""
    groups, chunks, _ = lists.starts.shape
    out = torch.empty(lists.shape[1], dtype=torch.float64)
    _function("totals", lists.dtype)(
        *_addresses(lists.starts, lists.active), *(c_int64(n) for n in (groups, chunks, lists.shape[1])),
        *_addresses(out),
    )  # fmt: skip
    return out.to(lists.dtype)


def current(lists: Lists, w: Tensor) -> Tensor:
    """The product s w^T of a listed matrix and weights.

    Args:
        lists: the lists of s, (R, I).
        w: (O, I), of the same type.

    Returns:
        (R, O).
    """
    rows, columns = lists.shape
    group, chunk, _ = lists.starts.stride()
    task = _Task(lists.starts, lists.active, (GROUP, group, chunk), columns, lists.chunk)
    return _product(lists, task, w.contiguous(), fresh(rows, len(w), like=w), False)


def correlation(post: Tensor, lists: Lists) -> Tensor:
    """The product post^T s of a matrix and a listed one.

    Args:
        post: (R, O), of the same type.
        lists: the lists of s, (R, I).

    Returns:
        (O, I).
    """
    rows, columns = lists.shape
    chunk = _chunk(lists.entries, columns, rows, GROUP)
    starts = torch.empty((-(-rows // chunk), columns + 1), dtype=torch.int64)
    active = torch.empty(max(lists.entries, 1) * ENTRY_BYTES[lists.dtype], dtype=torch.uint8)
    _function("turn", lists.dtype)(
        *_addresses(lists.starts, lists.active), *(c_int64(n) for n in (rows, columns, lists.starts.shape[1], chunk)),
        *_addresses(starts, active), c_int32(torch.get_num_threads()),
    )  # fmt: skip
    task = _Task(starts, active, (columns + 1, 0, columns + 1), rows, chunk)
    return _product(lists, task, post.contiguous(), post.new_empty(post.shape[1], columns), True)


class _Task(NamedTuple):
    """The lists of a product. Every target has one list for each chunk of sources.

    Args:
        starts, active: the lists.
        steps: the number of targets whose starts are neighbours, and the distances between such groups, and between
            chunks.
        sources: the number of sources.
        chunk: the number of sources in a chunk.
    """

    starts: Tensor
    active: Tensor
    steps: tuple[int, int, int]
    sources: int
    chunk: int


def _chunk(entries: float, targets: int, sources: int, unit: int) -> int:
    """The number of sources of a chunk whose lists are long enough on average; a multiple of `unit`."""
    if entries <= FEW * targets:
        return unit * max(1, min(LENGTH // unit, -(-sources // unit)))
    chunks = round(REPAYING * targets * sources / max(entries * unit, 1))
    return unit * max(1, min(LENGTH // unit, -(-sources // unit), chunks))


def _product(lists: Lists, task: _Task, factor: Tensor, out: Tensor, turned: bool) -> Tensor:
    """Sum the rows of a factor that the lists name; or columns, for a factor of shape (columns, sources).

    Args:
        lists: the lists of the matrix that is multiplied.
        task: the way in which the lists are read.
        factor: (O, sources), or (sources, O) if the lists are turned.
        out: (targets, O), or (O, targets) if the lists are turned.
        turned: whether targets are the columns of the listed matrix.

    Returns:
        `out`, with the results.
    """
    threads, width = torch.get_num_threads(), _function("width", lists.dtype)()
    columns, targets = out.shape if turned else out.shape[::-1]
    length = task.chunk * max(1, min(LENGTH, task.sources + task.chunk - 1) // task.chunk)
    room = -(-targets // GROUP) * GROUP if turned or length < task.sources else GROUP
    tables, sums = factor.new_empty(threads * length * width), factor.new_empty(threads * room * width)
    arguments = _Product(
        *(None if t is None else t.data_ptr() for t in (factor, out, tables, sums, task.starts, task.active)),
        *(*task.steps, task.sources, targets, columns, task.chunk, length, room, lists.entries),
        *(not turned, turned, threads),
    )
    _function("product", lists.dtype)(ctypes.byref(arguments))
    return out


def _function(name: str, dtype: torch.dtype) -> ctypes._NamedFuncPointer:
    return compile_c.kernel_of(library(), name, dtype)


def _addresses(*tensors: Tensor) -> list[c_void_p]:
    return [c_void_p(tensor.data_ptr()) for tensor in tensors]
