"""Locks by which only one process at a time writes into a folder or a file.

A lock of the operating system ends with its process in any case, so there are no stale locks. The lock file says which
process holds the lock, and is removed with it. A lock file that a killed process has left behind does not lock
anything.
"""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from neurorules.disk.failures import line_of_failure
from neurorules.language.errors import UserError

LOCK = ".lock"
"""Name of the lock file in a folder, and the end of the name of the lock file for a single file."""
WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
"""The error numbers of a file system without locks."""
_log = logging.getLogger(__name__)


@contextmanager
def owned_folder(path: Path) -> Iterator[None]:
    """Lock a folder inside the block. Missing folders are created, and removed again if they stay empty.

    Raises:
        UserError: another process has locked it, a file has that name, or the system does not let it be made.
    """
    with _in_one_line():
        if path.is_symlink() and not path.exists():
            raise UserError(f"{path} is a link that leads nowhere. Give another --out")
        if path.exists() and not path.is_dir():
            raise UserError(f"{path} is a file, a run needs a folder. Give another --out")
    with _created(path), _locking(path / LOCK, path):
        yield


@contextmanager
def owned_file(path: Path) -> Iterator[None]:
    """Lock a file inside the block, which writes it. Missing folders are created as by `owned_folder`.

    Raises:
        UserError: another process has locked it.
    """
    real = Path(os.path.realpath(path))
    with _created(real.parent), _locking(real.with_name(f".{real.name}{LOCK}"), path):
        yield


@contextmanager
def waiting_for(lock: Path) -> Iterator[None]:
    """Wait for a lock and hold it inside the block, for work that should be done only once, such as compiling."""
    descriptor = _locked(lock, wait=True)
    try:
        yield
    finally:
        _release(lock, descriptor)


@contextmanager
def _in_one_line(but: type[OSError] | tuple[()] = ()) -> Iterator[None]:
    """Say an error of the operating system in the line that the command line prints for it, also to Python programs.

    Args:
        but: a kind of error that is left as it is.

    Raises:
        UserError: the operating system has refused something.
    """
    try:
        yield
    except but:
        raise
    except OSError as error:
        raise UserError(line_of_failure(error) or str(error)) from error


@contextmanager
def _created(folder: Path) -> Iterator[None]:
    """Create a folder and its missing parents; after the block, remove those of them that are empty."""
    with _in_one_line():
        missing = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        with _in_one_line():
            folder.mkdir(parents=True, exist_ok=True)
        yield
    finally:
        for one in missing:
            with suppress(OSError):  # it is not empty
                one.rmdir()


@contextmanager
def _locking(lock: Path, what: Path) -> Iterator[None]:
    """Hold a lock inside the block.

    Args:
        lock: the lock file.
        what: the locked folder or file, for the message.

    Raises:
        UserError: another process holds it.
    """
    try:
        with _in_one_line(but=BlockingIOError):
            descriptor = _locked(lock, wait=False)
    except BlockingIOError:
        raise UserError(
            f"{what} is being written by {_holder(lock)}. Wait until it ends, stop it, or give another --out"
        ) from None
    try:
        yield
    finally:
        _release(lock, descriptor)


def _locked(lock: Path, wait: bool) -> int | None:
    """Take a lock, and return the open descriptor that holds it, or None if the file system has no locks.

    Raises:
        BlockingIOError: another process holds it, and `wait` is false.
    """
    while True:
        descriptor = _opened(lock)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError as error:
            os.close(descriptor)
            if error.errno not in WITHOUT_LOCKS:
                raise
            _log.warning(f"{lock.parent} has no locks ({error.strerror}): see that no second process writes there")
            return None
        if _is_there(lock, descriptor):
            break
        os.close(descriptor)  # the previous holder has removed the file meanwhile
    holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": datetime.now().isoformat(" ", "seconds")}
    with suppress(OSError):  # a full disk, or a file of another user: the lock works without a name in its file
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(holder).encode(), 0)
    return descriptor


def _opened(lock: Path) -> int:
    """Open a lock file, and create it if it is missing."""
    try:
        return os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except PermissionError:
        if not lock.exists():
            raise
        return os.open(lock, os.O_RDONLY | os.O_CLOEXEC)  # left behind by another user


def _is_there(lock: Path, descriptor: int) -> bool:
    """Whether an open file still is the one with this name."""
    try:
        return os.path.samestat(os.fstat(descriptor), lock.stat())
    except FileNotFoundError:
        return False


def _release(lock: Path, descriptor: int | None) -> None:
    """Release a lock and remove its file."""
    if descriptor is None:
        return
    if _is_there(lock, descriptor):
        with suppress(OSError):
            lock.unlink()
    os.close(descriptor)


def _holder(lock: Path) -> str:
    """Describe the process that holds a lock, for messages."""
    try:
        holder = json.loads(lock.read_text(encoding="utf-8"))
        return f"process {int(holder['pid'])} on {holder['host']} since {holder['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
