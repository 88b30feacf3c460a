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
from neurorules.native.scans import build as scans

SOURCES = tuple(Path(__file__).with_name(name) for name in ("events.c", "events_template.c"))
FLAGS = (*compile_c.FLAGS, "-ffp-contract=fast")
"""Fused multiply-adds are allowed: they change nothing for spikes, which are 1."""
DTYPES = {torch.float32: "float32", torch.float64: "float64"}
ENTRY_BYTES = {torch.float32: 8, torch.float64: 16}
"""The size of one entry of a list, the structure `Active` of events_template.c."""
CHUNK = 64
"""The number of sources of a chunk; lists are cut at the ends of chunks."""
REPAYING = 16
"""The length of a list for which loading its sum is worth the time; if lists are shorter, several chunks are summed at
once."""
LENGTH = 16 * CHUNK
"""The number of rows of a table of 128 float32 columns, which takes 512 KB and fits into a second-level cache. Source
of these three numbers: measured with benchmarks/events.py --costs on a Zen 4 core; half or twice these numbers make
little difference."""


class Lists(NamedTuple):
    """The values of a matrix that are not 0, listed row by row.

    Args:
        starts: the beginning of the list of each row and chunk of `CHUNK` columns, (R, chunks + 1); the last one is the
            end.
        active: the lists, as bytes.
        shape: the shape of the matrix, (R, I).
        entries: the number of values in the lists.
        dtype: the dtype of the matrix.
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
    """The compiled products, or None, after one warning, if they cannot be compiled. Each process tries once.

    The warning is that of the scans, which every run needs as well, so that users see it once.
    """
    compiled = None if scans.library() is None else compile_c.load(scans.find_compiler(), SOURCES, FLAGS, INSTEAD)
    if compiled is not None:
        for name in DTYPES.values():
            compiled[f"list_{name}"].restype = compiled[f"width_{name}"].restype = c_int64
    return compiled


INSTEAD = "spikes are multiplied like any other numbers"


def serves(tensor: Tensor) -> bool:
    """Whether the compiled kernels can multiply a tensor of this type and device."""
    return tensor.device.type == "cpu" and tensor.dtype in DTYPES and library() is not None


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
    threads = torch.get_num_threads()
    starts = torch.empty((rows, _chunks(columns) + 1), dtype=torch.int64)
    room = threads * (limit + columns + 8)  # memory pages that no list uses are never allocated
    active = torch.empty(room * ENTRY_BYTES[values.dtype], dtype=torch.uint8)
    count = _function("list", values.dtype)(
        *_addresses(values), *(c_int64(n) for n in (rows, columns, CHUNK, limit)), *_addresses(starts, active),
        c_int32(threads),
    )  # fmt: skip
    return None if count < 0 else Lists(starts, active, (rows, columns), count, values.dtype)


def current(lists: Lists, w: Tensor) -> Tensor:
    """The product s w^T of a listed matrix and weights.

    Args:
        lists: the lists of s, (R, I).
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
        lists: the lists of s, (R, I).

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
    """The lists of a product. Every target has one list for each chunk of sources.

    Args:
        starts, active: the lists.
        steps: the distances between the starts of neighbouring targets, and of neighbouring chunks.
        sources: the number of sources.
        chunk: the number of sources in a chunk.
        span: the number of chunks that are summed at once.
    """

    starts: Tensor
    active: Tensor
    steps: tuple[int, int]
    sources: int
    chunk: int
    span: int


def _span(entries: int, targets: int, sources: int) -> int:
    """The number of chunks whose lists are long enough on average."""
    in_chunk = entries * CHUNK
    return max(1, min(LENGTH // CHUNK, -(-REPAYING * targets * sources // max(in_chunk, 1))))


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
    return compile_c.kernels_of(library())[f"{name}_{DTYPES[dtype]}"]


def _addresses(*tensors: Tensor) -> list[c_void_p]:
    return [c_void_p(tensor.data_ptr()) for tensor in tensors]
