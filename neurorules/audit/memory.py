"""Measurement of peak memory: it follows every storage that torch allocates until the storage is freed."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveBytes(TorchDispatchMode):
    """A dispatch mode that sums the bytes of storages allocated while it is active, and records the largest sum."""

    def __init__(self) -> None:
        super().__init__()
        self.alive, self.peak = 0, 0
        self.sizes: dict[int, int] = {}

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        for value in tree_leaves((args, kwargs)):
            if isinstance(value, Tensor):
                self._follow(value, counts=False)
        result = func(*args, **kwargs)
        for value in tree_leaves(result):
            if isinstance(value, Tensor):
                self._follow(value, counts=True)
        self.peak = max(self.peak, self.alive)
        return result

    def _follow(self, value: Tensor, counts: bool) -> None:
        storage = value.untyped_storage()
        key = storage._cdata
        if key not in self.sizes:
            size = storage.nbytes() if counts else 0
            self.sizes[key] = size
            self.alive += size
            weakref.finalize(storage, self._forget, key)

    def _forget(self, key: int) -> None:
        self.alive -= self.sizes.pop(key, 0)


def peak_bytes(work: Callable[[], object]) -> int:
    """Run a function, and return the largest number of bytes in new tensors that existed at the same time."""
    counter = LiveBytes()
    with torch.no_grad(), counter:
        work()
    return counter.peak
