"""Compiled kernels as tests watch them: which of them are called, and how it is without a compiler."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest

from neurorules.native.scans import build


def note_calls(monkeypatch: pytest.MonkeyPatch, module: ModuleType, *functions: str) -> list[str]:
    """The names of some functions of a module, in the order in which they are called from now on."""
    names: list[str] = []

    def noted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*factors: object) -> Any:
            names.append(name)
            return function(*factors)

        return call

    for name in functions:
        monkeypatch.setattr(module, name, noted(name, getattr(module, name)))
    return names


@contextmanager
def without_compiler(monkeypatch: pytest.MonkeyPatch, module: ModuleType) -> Iterator[None]:
    """Inside the block there is no compiler for the scans and for the kernels of a module, which is told once."""
    monkeypatch.setattr(build, "find_compiler", lambda: None)
    libraries: tuple[Any, ...] = (build.library, module.library)
    for cached in libraries:
        cached.cache_clear()
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
        assert len(caught) == 1 and "no C compiler was found" in str(caught[0].message)
    finally:
        for cached in libraries:
            cached.cache_clear()
