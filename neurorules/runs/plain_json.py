"""Strict JSON, without NaN, infinity and Python types, which every reader accepts."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from neurorules.language.errors import UserError


def plain(value: Any) -> Any:
    """Convert a value to the types of JSON: tuples become lists, NumPy scalars numbers, and paths strings.

    A number that is not finite becomes None, because standard JSON cannot express it.

    Raises:
        TypeError: the value holds something that has no form in JSON.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in (sorted(value) if isinstance(value, set | frozenset) else value)]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Path):
        return str(value)
    if value is None or isinstance(value, str | int):
        return value
    raise TypeError(f"{type(value).__name__} has no form in JSON: {value!r}")


def to_json(value: Any, indent: int | None = None, ascii_only: bool = False) -> str:
    """Write a value as JSON.

    Args:
        value: any value that `plain` accepts.
        indent: number of spaces per level; None for one line.
        ascii_only: whether to write every other letter by its number, as JSON allows.

    Returns:
        The text.

    Raises:
        TypeError: the value holds something that has no form in JSON.
    """
    return json.dumps(plain(value), indent=indent, ensure_ascii=ascii_only, allow_nan=False)


def read_json(path: Path) -> Any:
    """Read the value that a JSON file holds.

    Raises:
        UserError: the file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"there is no file {path}. Check the path") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged: it is not JSON ({error}). Remove it or restore it") from None
