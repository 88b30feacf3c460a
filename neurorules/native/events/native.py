"""Calls into the compiled products: allocates the outputs and hands over addresses."""

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
from neurorules.native.scans import build as scans

SOURCES = tuple(Path(__file__).with_name(name) for name in ("events.c", "events_template.c"))
FLAGS = (*compile_c.FLAGS, "-ffp-contract=fast")
"""A value times a weight may be added with one rounding. For a spike, which is 1, that changes nothing."""
DTYPES = {torch.float32: "float32", torch.float64: "float64"}
ENTRY_BYTES = {torch.float32: 8, torch.float64: 16}
"""Size of one entry of a list, the structure `Active` of events_template.c."""
CHUNK = 64
"""Sources of a chunk: lists are cut where chunks end."""
REPAYING = 16
"""Length of a list that repays fetching its sum: where lists are shorter, several chunks are gathered from at once."""
LENGTH = 16 * CHUNK
"""Rows of a table, which is 512 KB of 128 float32 columns and stays in a second-level cache. Source of the three:
measured with benchmarks/events.py --costs on a Zen 4 core; from half to twice these numbers little changes."""


class Lists(NamedTuple):
    """The values of a matrix that are not 0, listed row by row.

    Args:
        starts: where the list of a row and a chunk of `CHUNK` columns begins, (R, chunks + 1); the last is its end.
        active: the lists, as bytes.
        shape: of the matrix, (R, I).
        entries: number of values in them.
        dtype: of the matrix.
    """

    starts: Tensor
    active: Tensor
    shape: tuple[int, int]
    entries: int
    dtype: torch.dtype


class _Product(ctypes.Structure):
    """Field for field `Product` of events.c."""

    _fields_ = [
        *((name, c_void_p) for name in ("factor", "out", "tables", "sums", "starts", "active")),
        *((name, c_int64) for name in ("target_step", "chunk_step")),
        *((name, c_int64) for name in ("sources", "targets", "columns", "chunk", "span", "length", "entries")),
        *((name, c_int32) for name in ("transposed", "transposed_out", "threads")),
    ]


@functools.cache
def library() -> ctypes.CDLL | None:
    """The compiled products, or None after one warning where kernels cannot be had. Each process asks once.

    The warning is that of the scans, which every run needs as well: a machine without a compiler is told once.
    """
    compiled = None if scans.library() is None else compile_c.load(scans.find_compiler(), SOURCES, FLAGS, INSTEAD)
    if compiled is not None:
        for name in DTYPES.values():
            compiled[f"list_{name}"].restype = compiled[f"width_{name}"].restype = c_int64
    return compiled


INSTEAD = "spikes are multiplied like any other numbers"


def serves(tensor: Tensor) -> bool:
    """Whether products of a tensor like this one are made by the compiled kernels."""
    return tensor.device.type == "cpu" and tensor.dtype in DTYPES and library() is not None


def listed(values: Tensor, limit: int) -> Lists | None:
    """List the values of a matrix that are not 0.

    Args:
        values: (R, I), served.
        limit: the most that there may be, >= 0.

    Returns:
        The lists; None where there are more values, or a sample of rows says that there are many more.
    """
    values = values.contiguous()
    rows, columns = values.shape
    threads = torch.get_num_threads()
    starts = torch.empty((rows, _chunks(columns) + 1), dtype=torch.int64)
    room = threads * (limit + columns + 8)  # the pages that no list reaches are never touched
    active = torch.empty(room * ENTRY_BYTES[values.dtype], dtype=torch.uint8)
    count = _function("list", values.dtype)(
        *_addresses(values), *(c_int64(n) for n in (rows, columns, CHUNK, limit)), *_addresses(starts, active),
        c_int32(threads),
    )  # fmt: skip
    return None if count < 0 else Lists(starts, active, (rows, columns), count, values.dtype)


def current(lists: Lists, w: Tensor) -> Tensor:
    """The product s w^T of a listed matrix and weights.

    Args:
        lists: of s, (R, I).
        w: (O, I), of the same type.

    Returns:
        (R, O).
    """
    rows, columns = lists.shape
    task = _Task(
        lists.starts, lists.active, (lists.starts.shape[1], 1), columns, CHUNK, _span(lists.entries, rows, columns)
    )
    return _product(lists, task, w.contiguous(), fresh(rows, len(w), like=w), False)


def correlation(post: Tensor, lists: Lists) -> Tensor:
    """The product post^T s of a matrix and a listed one.

    Args:
        post: (R, O), of the same type.
        lists: of s, (R, I).

    Returns:
        (O, I).
    """
    rows, columns = lists.shape
    chunk = CHUNK * _span(lists.entries, columns, rows)
    starts = torch.empty((-(-rows // chunk), columns + 1), dtype=torch.int64)
    active = torch.empty(max(lists.entries, 1) * ENTRY_BYTES[lists.dtype], dtype=torch.uint8)
    _function("turn", lists.dtype)(
        *_addresses(lists.starts, lists.active), *(c_int64(n) for n in (rows, columns, lists.starts.shape[1], chunk)),
        *_addresses(starts, active), c_int32(torch.get_num_threads()),
    )  # fmt: skip
    task = _Task(starts, active, (1, columns + 1), rows, chunk, 1)
    return _product(lists, task, post.contiguous(), post.new_empty(post.shape[1], columns), True)


class _Task(NamedTuple):
    """Lists of sources, of which every target has one for each chunk of them.

    Args:
        starts, active: the lists.
        steps: between the starts of neighbouring targets, and of neighbouring chunks.
        sources: how many there are.
        chunk: how many of them are in a chunk.
        span: chunks that are gathered from at once.
    """

    starts: Tensor
    active: Tensor
    steps: tuple[int, int]
    sources: int
    chunk: int
    span: int


def _span(entries: int, targets: int, sources: int) -> int:
    """The number of chunks of sources that hold enough of the average list."""
    in_chunk = entries * CHUNK
    return max(1, min(LENGTH // CHUNK, -(-REPAYING * targets * sources // max(in_chunk, 1))))


def _product(lists: Lists, task: _Task, factor: Tensor, out: Tensor, turned: bool) -> Tensor:
    """Sum rows of a factor, or columns of one that is (columns, sources), by lists of them.

    Args:
        lists: of the matrix that is multiplied.
        task: its lists, as they are read.
        factor: (O, sources), or (sources, O) where the lists are turned.
        out: (targets, O), or (O, targets) where the lists are turned.
        turned: whether targets are the columns of the listed matrix.

    Returns:
        `out`, filled.
    """
    threads, width = torch.get_num_threads(), _function("width", lists.dtype)()
    columns, targets = out.shape if turned else out.shape[::-1]
    piece = task.chunk * task.span
    length = piece * max(1, min(LENGTH, task.sources + piece - 1) // piece)
    tables = factor.new_empty(threads * length * width)
    sums = factor.new_empty(threads * targets * width) if turned else None
    arguments = _Product(
        *(None if t is None else t.data_ptr() for t in (factor, out, tables, sums, task.starts, task.active)),
        *(*task.steps, task.sources, targets, columns, task.chunk, task.span, length, lists.entries),
        *(not turned, turned, threads),
    )
    _function("product", lists.dtype)(ctypes.byref(arguments))
    return out


def _chunks(size: int) -> int:
    return -(-size // CHUNK)


def _function(name: str, dtype: torch.dtype) -> ctypes._NamedFuncPointer:
    compiled = library()
    assert compiled is not None
    return compiled[f"{name}_{DTYPES[dtype]}"]


def _addresses(*tensors: Tensor) -> list[c_void_p]:
    return [c_void_p(tensor.data_ptr()) for tensor in tensors]
