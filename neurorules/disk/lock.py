"""Only one process at a time writes into a folder or a file: it holds a lock of the operating system while it does.

The lock ends with its process, however that ends, so no lock is ever stale. The file of a lock says which process holds
it, and is removed with it. Where a killed process has left the file behind, it locks nothing.
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

from neurorules.language.errors import UserError

LOCK = ".lock"
"""Name of the lock file in a folder that is owned, and end of the name of the lock file beside a file that is."""
WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
"""Numbers of the errors of a file system that has no locks."""
_log = logging.getLogger(__name__)


@contextmanager
def owned_folder(path: Path) -> Iterator[None]:
    """Own a folder inside the block. Folders that are missing are created, and removed again if they stay empty.

    Raises:
        UserError: another process owns it, or there is a file of that name.
    """
    if path.is_symlink() and not path.exists():
        raise UserError(f"{path} is a link that leads nowhere. Give another --out")
    if path.exists() and not path.is_dir():
        raise UserError(f"{path} is a file, a run needs a folder. Give another --out")
    with _created(path), _locking(path / LOCK, path):
        yield


@contextmanager
def owned_file(path: Path) -> Iterator[None]:
    """Own a file inside the block, which writes it. Folders that are missing are created as by `owned_folder`.

    Raises:
        UserError: another process owns it.
    """
    real = Path(os.path.realpath(path))
    with _created(real.parent), _locking(real.with_name(f".{real.name}{LOCK}"), path):
        yield


@contextmanager
def waiting_for(lock: Path) -> Iterator[None]:
    """Hold a lock inside the block, after waiting for its holder: for work that is done once, such as compiling."""
    descriptor = _locked(lock, wait=True)
    try:
        yield
    finally:
        _release(lock, descriptor)


@contextmanager
def _created(folder: Path) -> Iterator[None]:
    """Create a folder and those above it where they are missing; after the block, remove those of them that are
    empty."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    finally:
        for one in missing:
            with suppress(OSError):  # something stands in it now
                one.rmdir()


@contextmanager
def _locking(lock: Path, what: Path) -> Iterator[None]:
    """Hold a lock inside the block.

    Args:
        lock: its file.
        what: the folder or file that it is for, as the message names it.

    Raises:
        UserError: another process holds it.
    """
    try:
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
    """Take the lock of a file. Gives the open descriptor that holds it, or None where the file system has no locks.

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
        os.close(descriptor)  # whoever held it has removed it meanwhile
    holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": datetime.now().isoformat(" ", "seconds")}
    with suppress(OSError):  # a full disk, or a file of another user: the lock holds without a name
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(holder).encode(), 0)
    return descriptor


def _opened(lock: Path) -> int:
    """Open the file of a lock, which is created where it is missing."""
    try:
        return os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except PermissionError:
        if not lock.exists():
            raise
        return os.open(lock, os.O_RDONLY | os.O_CLOEXEC)  # left behind by another user


def _is_there(lock: Path, descriptor: int) -> bool:
    """Whether an open file is the one that has the name now."""
    try:
        return os.path.samestat(os.fstat(descriptor), lock.stat())
    except FileNotFoundError:
        return False


def _release(lock: Path, descriptor: int | None) -> None:
    """Give a lock back and remove its file."""
    if descriptor is None:
        return
    if _is_there(lock, descriptor):
        with suppress(OSError):
            lock.unlink()
    os.close(descriptor)


def _holder(lock: Path) -> str:
    """Name the holder of a lock, as messages say it."""
    try:
        holder = json.loads(lock.read_text(encoding="utf-8"))
        return f"process {int(holder['pid'])} on {holder['host']} since {holder['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
