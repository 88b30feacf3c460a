"""One-line messages for errors of the operating system and of memory: what happened, where, and what to do."""

from __future__ import annotations

import errno
import os
import re

from neurorules.disk.space import gigabytes
from neurorules.language.errors import UserError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""The system's error numbers for a disk without room."""
ADVICE = {
    errno.ENOSPC: "Free some space there, or name a place on another disk",
    errno.EDQUOT: "Free some space there, or name a place on another disk",
    errno.EFBIG: "Raise the limit (ulimit -f), or name a place on another disk",
    errno.EACCES: "Name a place that you may read and write",
    errno.EPERM: "Name a place that you may read and write",
    errno.EROFS: "Name a place that you may write to",
    errno.ENAMETOOLONG: "Use a shorter name",
    errno.ELOOP: "The link leads back to itself: name another place",
    errno.ENOTDIR: "A part of that path is a file: name another place",
    errno.EISDIR: "A folder stands there: name a file",
    errno.EEXIST: "A file or link stands there: name another place",
    errno.ENOENT: "A part of that path is missing and cannot be made: name another place",
    errno.ENOTEMPTY: "Empty it, or name another place",
    errno.EMFILE: "Raise the limit of open files (ulimit -n), or use fewer --jobs",
    errno.ENFILE: "Close some programs, or use fewer --jobs",
    errno.EAGAIN: "Use fewer --threads or --jobs",
    errno.ENOMEM: "Use a smaller --net, --batch-size or --steps",
}
"""Advice to the user, by the system's error number."""
LESS_MEMORY = "Use a smaller --net, --batch-size or --steps, fewer --jobs, or a machine with more memory"
ALLOCATION = re.compile(
    r"can't allocate memory|not enough memory|out of memory|bad_alloc|Storage size calculation overflowed"
    r"|numel: integer multiplication overflow|[Ii]nvalid buffer size|array is too big|maximum allowed dimension",
    re.IGNORECASE,
)
"""A pattern for the messages of torch and NumPy about a lack of memory."""
REQUESTED = re.compile(r"allocate (\d+) bytes|allocate ([\d.]+ \w+)")
"""A pattern for the requested size in these messages."""


def line_of_failure(error: BaseException) -> str | None:
    """The one-line message for an error of the operating system, of memory or of nesting; None for any other error."""
    if isinstance(error, MemoryError):
        return f"there is not enough memory{_how_much(error)}. {LESS_MEMORY}"
    if isinstance(error, RecursionError):
        return (
            "something given is nested too deeply or too long to be read. Make it shorter: a text, a file of settings"
        )
    if isinstance(error, OSError):
        return _of_system(error)
    if isinstance(error, RuntimeError | ValueError) and ALLOCATION.search(str(error)):
        return f"there is not enough memory{_how_much(error)}. {LESS_MEMORY}"
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        return "the system starts no more threads. Use fewer --threads or --jobs"
    if type(error).__name__ == "TerminatedWorkerError":
        return f"a process that trained was killed by the system, most likely for want of memory. {LESS_MEMORY}"
    return None


def cannot_write(what: str, error: OSError) -> UserError:
    """The error to raise if a file or folder cannot be written.

    Args:
        what: the thing that could not be written, such as "the trace traces.h5".
        error: the error of the system.

    Returns:
        An error whose message names the reason and says what to do.
    """
    reason, advice = _reason(error), ADVICE.get(error.errno or 0, "Name another place")
    return UserError(f"cannot write {what} ({reason}). {advice}")


def _of_system(error: OSError) -> str:
    """One line for an error of the operating system: the place, the reason, and what to do."""
    where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes | os.PathLike) else ""
    reason = _reason(error)
    advice = ADVICE.get(error.errno or 0, "Check that the place is there and works, and try again")
    return f"{where}{reason[:1].lower()}{reason[1:]}. {advice}" if where else f"{reason}. {advice}"


def _reason(error: OSError) -> str:
    """The reason in the system's own words, without the words that a library added."""
    if error.errno is not None and error.errno in errno.errorcode:
        return os.strerror(error.errno)
    return " ".join(str(error).split()) or type(error).__name__


def _how_much(error: BaseException) -> str:
    """The part of the message that says how much memory was requested; empty if the error does not say it."""
    match = REQUESTED.search(str(error))
    if match is None:
        return ""
    size = next(group for group in match.groups() if group is not None)
    return f": {gigabytes(int(size)) if size.isdecimal() else size} were asked for at once"
