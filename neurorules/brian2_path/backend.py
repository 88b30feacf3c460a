"""Brian2 itself: imported where it is used, quiet, and with its preferences put back afterwards."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Literal

from neurorules.language.errors import MissingExtra

Target = Literal["numpy", "cython"]
"""Where generated code runs. numpy needs no compiler; cython compiles every block of statements that it has not
seen before, which takes minutes, and repays only long runs."""


def load_brian2() -> ModuleType:
    """The package brian2.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        brian2 = importlib.import_module("brian2")
    except ModuleNotFoundError as error:
        if error.name != "brian2":
            raise
        raise MissingExtra("the Brian2 path", "brian2", "brian2") from None
    return brian2


@contextmanager
def generating(brian2: ModuleType, target: Target) -> Iterator[None]:
    """Generate code for `target` inside, as before outside."""
    before = brian2.prefs["codegen.target"]
    brian2.prefs["codegen.target"] = target
    try:
        yield
    finally:
        brian2.prefs["codegen.target"] = before
