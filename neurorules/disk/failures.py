"""Errors of the operating system and of memory in words: what happened, where, and what to do."""

from __future__ import annotations

import errno
import os
import re

from neurorules.disk.space import gigabytes
from neurorules.language.errors import UserError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors of writing where there is no room."""
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
"""What to do, by the system's number of the error."""
LESS_MEMORY = "Use a smaller --net, --batch-size or --steps, fewer --jobs, or a machine with more memory"
ALLOCATION = re.compile(
    r"can't allocate memory|not enough memory|out of memory|bad_alloc|Storage size calculation overflowed"
    r"|numel: integer multiplication overflow|[Ii]nvalid buffer size|array is too big|maximum allowed dimension",
    re.IGNORECASE,
)
"""What torch and NumPy write where memory cannot be had."""
ASKED = re.compile(r"allocate (\d+) bytes|allocate ([\d.]+ \w+)")


def told(error: BaseException) -> str | None:
    """One line for an error of the operating system, of memory or of depth; None for any other."""
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
    """The refusal where a file or folder cannot be written.

    Args:
        what: such as "the trace traces.h5".
        error: as the system raised it.
    """
    reason, advice = _reason(error), ADVICE.get(error.errno or 0, "Name another place")
    return UserError(f"cannot write {what} ({reason}). {advice}")


def _of_system(error: OSError) -> str:
    where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes | os.PathLike) else ""
    reason = _reason(error)
    advice = ADVICE.get(error.errno or 0, "Check that the place is there and works, and try again")
    return f"{where}{reason[:1].lower()}{reason[1:]}. {advice}" if where else f"{reason}. {advice}"


def _reason(error: OSError) -> str:
    """The system's own words, without those of a library around them."""
    if error.errno is not None and error.errno in errno.errorcode:
        return os.strerror(error.errno)
    return " ".join(str(error).split()) or type(error).__name__


def _how_much(error: BaseException) -> str:
    found = ASKED.search(str(error))
    if found is None:
        return ""
    size = next(group for group in found.groups() if group is not None)
    return f": {gigabytes(int(size)) if size.isdecimal() else size} were asked for at once"
