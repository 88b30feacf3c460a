"""Damaged files: whatever the libraries that read them raise becomes one plain line for the user."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from neurorules.language.errors import UserError


@contextmanager
def reading(what: str, advice: str) -> Iterator[None]:
    """Turn every error of the block, which reads a file that may hold any bytes and does nothing else, into a
    `UserError`.

    Args:
        what: how the error names the file, such as "npz: own.npz".
        advice: a sentence on what to do.

    Raises:
        UserError: the block raised anything. zipfile, zlib and NumPy raise a dozen kinds of errors on damaged bytes, of
            which only some are documented.
    """
    try:
        yield
    except UserError:
        raise
    except MemoryError:
        raise UserError(f"{what}: holds more than this machine's memory takes. Cut it into smaller parts") from None
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{what} cannot be read ({reason:.200}). {advice}") from None


def is_hidden(name: str) -> bool:
    """Whether a path is what systems leave beside files: `._x`, `.DS_Store`, or anything below `__MACOSX`."""
    parts = [part for part in name.split("/") if part != "."]
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)
