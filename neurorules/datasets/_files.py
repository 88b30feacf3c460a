"""The places where the files of a data set are looked for, and the download and check of missing ones."""

from __future__ import annotations

import hashlib
import http.client
import logging
import os
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import BinaryIO

from neurorules.disk.cache_folder import cache_folder
from neurorules.language.errors import UserError

log = logging.getLogger(__name__)
TIMEOUT_S = 10.0  # of one network operation: a machine without network must say so quickly


def search_folders(name: str, data_dir: Path | None) -> list[Path]:
    """The folders that may hold the files of a data set.

    With `--data-dir` D these are D/<name> and D; then the same two for NEURORULES_DATA of the environment; and at last
    data/<name> in the cache folder. In the name of a folder a hyphen is as good as an underscore.

    Args:
        name: registered name of the data set.
        data_dir: the user's --data-dir, or None.

    Returns:
        The folders, in the order in which they are looked through; not all of them need exist.

    Raises:
        UserError: `data_dir` is no folder.
    """
    if data_dir is not None and not data_dir.expanduser().is_dir():
        raise UserError(f"--data-dir {data_dir}: there is no such folder. Name the folder that holds '{name}'")
    environment = os.environ.get("NEURORULES_DATA")
    roots = [Path(root).expanduser() for root in (data_dir, environment) if root]
    spellings = dict.fromkeys([name, name.replace("_", "-")])
    user_folders = [folder for root in roots for folder in (*(root / word for word in spellings), root)]
    return [*user_folders, download_folder(name)]


def expanded(path: str) -> Path:
    """A path in which a leading `~` is replaced by the user's folder.

    Raises:
        UserError: the path begins with `~NAME`, and there is no such user.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UserError(f"'{path}': there is no such user's folder. Check the path") from None


def given_path(entry: str, path: str, data_dir: Path | None) -> Path:
    """The path that a user gave as an option. A relative one that does not exist is looked for in `data_dir`.

    Args:
        entry: registered name of the data set, for messages.
        path: the option.
        data_dir: the user's --data-dir, or None.

    Returns:
        A path that exists.

    Raises:
        UserError: the option is empty, or nothing lies at the path.
    """
    if not path:
        raise UserError(f"data '{entry}' needs a path. Write {entry}:path=PATH")
    place = expanded(path)
    if not place.exists() and data_dir is not None:
        place = data_dir.expanduser() / place
    if not place.exists():
        raise UserError(f"data '{entry}': there is no '{path}'. Check the path")
    return place


def download_folder(name: str) -> Path:
    """The folder in which downloaded files of a data set are kept."""
    return cache_folder() / "data" / name


def md5_of(path: Path) -> str:
    """MD5 of a file as hex digits. It tells whether a file is the published one, and protects from nothing."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def fetch_again_where_damaged(url: str, target: Path, md5: str) -> None:
    """Download a file of the cache once more, after a line that says so, where it is not the published one.

    Args:
        url: where it is published.
        target: its place in the cache.
        md5: its hex MD5.

    Raises:
        UserError: it cannot be downloaded.
    """
    if target.is_file() and md5_of(target) != md5:
        log.warning(f"{target} is damaged: fetching it again")
        download(url, target, md5)


def download(url: str, target: Path, md5: str) -> None:
    """Download a file and check it. It appears at its place only when it is complete and has the right checksum.

    A progress bar is drawn on stderr where that is a terminal.

    Args:
        url: where it is published.
        target: the place of the file; its folder is created where it is missing.
        md5: its hex MD5.

    Raises:
        UserError: there is no network, the server refuses, the disk is full, or the checksum is wrong. The message says
            how to download the file by hand.
    """
    by_hand = f"Download {url} yourself and put it at {target}, or name its folder with --data-dir"
    partial: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, written = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        partial = Path(written)
        with os.fdopen(handle, "wb") as file:
            _fetch(url, file, target.name)
        received = md5_of(partial)
        if received != md5:
            raise UserError(f"{url} came with md5 {received}, expected {md5}. {by_hand}")
        os.replace(partial, target)
    except (OSError, http.client.HTTPException) as error:
        reason = " ".join(str(getattr(error, "reason", error)).split())
        raise UserError(f"{target.name} could not be downloaded ({reason}). {by_hand}") from None
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)


def _fetch(url: str, file: BinaryIO, title: str) -> None:
    """Copy what a server sends for `url` into an open binary file."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    console = Console(stderr=True)
    quiet = not sys.stderr.isatty()
    with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
        total = int(answer.headers.get("Content-Length") or 0) or None
        with Progress(*columns, console=console, transient=True, disable=quiet) as bar:
            task = bar.add_task(title, total=total)
            while piece := answer.read(1 << 16):
                file.write(piece)
                bar.advance(task, len(piece))
