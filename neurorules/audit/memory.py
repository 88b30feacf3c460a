"""Bytes that are alive while something runs: every storage that torch allocates is followed until nobody holds it."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveBytes(TorchDispatchMode):
    """Sums the bytes of storages allocated while it is on, and keeps the largest sum. Older storages do not count."""

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
    """Do some work, and return the most bytes of new tensors that were alive at once."""
    counter = LiveBytes()
    with torch.no_grad(), counter:
        work()
    return counter.peak
