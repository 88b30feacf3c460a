"""One process at a time writes into a folder or a file: a lock of the operating system, held for the writer's life.

The lock ends with its process, however that ends, so none is ever stale. Its file says who holds it, is removed with
the lock, and means nothing by itself where a killed process has left it.
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
"""Name of the lock in a folder that is owned, and ending of the one beside a file."""
WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
"""Errors of a file system that has no locks."""
_log = logging.getLogger(__name__)


@contextmanager
def owned_folder(path: Path) -> Iterator[None]:
    """Own a folder inside the block. It is made where it is missing; what was made and stays empty is removed again.

    Raises:
        UserError: another process owns it, or a file stands there.
    """
    if path.is_symlink() and not path.exists():
        raise UserError(f"{path} is a link that leads nowhere. Give another --out")
    if path.exists() and not path.is_dir():
        raise UserError(f"{path} is a file, a run needs a folder. Give another --out")
    with _made(path), _held(path / LOCK, path):
        yield


@contextmanager
def owned_file(path: Path) -> Iterator[None]:
    """Own a file that is to be written, inside the block; folders on the way are made as in `owned_folder`.

    Raises:
        UserError: another process owns it.
    """
    real = Path(os.path.realpath(path))
    with _made(real.parent), _held(real.with_name(f".{real.name}{LOCK}"), path):
        yield


@contextmanager
def waiting_for(lock: Path) -> Iterator[None]:
    """Hold a lock inside the block, after whoever holds it now: for work that is done once, such as compiling."""
    descriptor = _locked(lock, wait=True)
    try:
        yield
    finally:
        _release(lock, descriptor)


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    finally:
        for one in missing:
            with suppress(OSError):  # something stands in it now
                one.rmdir()


@contextmanager
def _held(lock: Path, what: Path) -> Iterator[None]:
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
    """An open descriptor that holds the lock; None where the file system has no locks.

    Raises:
        BlockingIOError: somebody else holds it, and nobody waits.
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
    told = {"pid": os.getpid(), "host": socket.gethostname(), "since": datetime.now().isoformat(" ", "seconds")}
    with suppress(OSError):  # a full disk, or a file of another user: the lock holds without a name
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(told).encode(), 0)
    return descriptor


def _opened(lock: Path) -> int:
    try:
        return os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except PermissionError:
        if not lock.exists():
            raise
        return os.open(lock, os.O_RDONLY | os.O_CLOEXEC)  # left behind by another user


def _is_there(lock: Path, descriptor: int) -> bool:
    """Whether the open file is the one of that name."""
    try:
        return os.path.samestat(os.fstat(descriptor), lock.stat())
    except FileNotFoundError:
        return False


def _release(lock: Path, descriptor: int | None) -> None:
    if descriptor is None:
        return
    if _is_there(lock, descriptor):
        with suppress(OSError):
            lock.unlink()
    os.close(descriptor)


def _holder(lock: Path) -> str:
    try:
        told = json.loads(lock.read_text(encoding="utf-8"))
        return f"process {int(told['pid'])} on {told['host']} since {told['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
