"""The errors for mistakes of the user: each message says what was asked, what was found, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake of the user, described in one plain line. The command line exits with 2."""

    def __init__(self, line: str) -> None:
        super().__init__(" ".join(line.splitlines()))  # a path may contain line breaks


RAISED = (Exception, SystemExit)
"""What code of the user's own may raise: a `sys.exit()` in it is a mistake in that code, as any other error is."""


class MissingExtra(UserError):
    """A part needs a package of an optional extra that is not installed."""

    def __init__(self, part: str, package: str, extra: str) -> None:
        super().__init__(
            f"{part} needs the package {package}, which is not installed. "
            f"Install the extra: pip install 'neurorules[{extra}]'"
        )


class OwnRankError(UserError):
    """An error that only one of several ranks can detect; its message is shown by whichever rank raises it."""


def nearest(word: str, legal: Iterable[str]) -> str | None:
    """The legal word that is closest in spelling.

    Args:
        word: what the user wrote.
        legal: the legal words.

    Returns:
        One of the legal words; None if none is close.
    """
    folded = {name.lower(): name for name in legal}
    matches = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=0.5)
    return folded[matches[0]] if matches else None


def unknown(kind: str, word: str, legal: Iterable[str]) -> UserError:
    """The error for an unknown word. The message names the nearest legal word, or all of them if none is close.

    Args:
        kind: what the word should have been, such as "rule" or "option of rule 'sigprop'".
        word: what the user wrote.
        legal: the legal words.

    Returns:
        The error, to be raised.
    """
    names = sorted(legal)
    close = nearest(word, names)
    hint = f"Did you mean '{close}'?" if close else f"Known: {', '.join(names) or 'none'}."
    return UserError(f"unknown {kind} '{word}'. {hint}")
