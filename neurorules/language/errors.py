"""One kind of error for a user's mistake: it says what was asked, what stands there, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake of the user, described in one plain line. The command line exits with 2."""

    def __init__(self, line: str) -> None:
        super().__init__(" ".join(line.splitlines()))  # a path may hold anything


class MissingExtra(UserError):
    """A part needs a package of an optional extra that is not installed."""

    def __init__(self, part: str, package: str, extra: str) -> None:
        super().__init__(
            f"{part} needs the package {package}, which is not installed. "
            f"Install the extra: pip install 'neurorules[{extra}]'"
        )


class OwnRankError(UserError):
    """An error that only one rank of several can tell, so that its line is shown whichever rank it is."""


def nearest(word: str, legal: Iterable[str]) -> str | None:
    """Find the word that is closest in spelling.

    Args:
        word: what the user wrote.
        legal: the legal words.

    Returns:
        One of the legal words; None where nothing is close.
    """
    folded = {name.lower(): name for name in legal}
    matches = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=0.5)
    return folded[matches[0]] if matches else None


def unknown(kind: str, word: str, legal: Iterable[str]) -> UserError:
    """The error for a word that no list holds. It names the nearest legal word, or all of them where none is near.

    Args:
        kind: what the word was meant to be, such as "rule" or "option of rule 'sigprop'".
        word: what the user wrote.
        legal: the legal words.

    Returns:
        The error, to be raised.
    """
    names = sorted(legal)
    close = nearest(word, names)
    hint = f"Did you mean '{close}'?" if close else f"Known: {', '.join(names) or 'none'}."
    return UserError(f"unknown {kind} '{word}'. {hint}")
