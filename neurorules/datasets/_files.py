"""Where a data set's files are sought, and how missing ones are fetched and checked."""

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

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from neurorules.disk.cache_folder import cache_folder
from neurorules.language.errors import UserError

log = logging.getLogger(__name__)
TIMEOUT_S = 10.0  # of one network operation: a machine without network must say so quickly


def search_folders(name: str, data_dir: Path | None) -> list[Path]:
    """The folders that may hold the files of `name`, in the order they are sought.

    `--data-dir` D: D/<name>, D; the environment's NEURORULES_DATA likewise; last the cache folder's data/<name>.
    A hyphen in a folder's name is as good as an underscore.

    Raises:
        UserError: `data_dir` is no folder.
    """
    if data_dir is not None and not data_dir.expanduser().is_dir():
        raise UserError(f"--data-dir {data_dir}: there is no such folder. Name the folder that holds '{name}'")
    given = os.environ.get("NEURORULES_DATA")
    roots = [Path(root).expanduser() for root in (data_dir, given) if root]
    spellings = dict.fromkeys([name, name.replace("_", "-")])
    given_folders = [folder for root in roots for folder in (*(root / word for word in spellings), root)]
    return [*given_folders, download_folder(name)]


def expanded(path: str) -> Path:
    """A path, with the user's folder for a leading `~`.

    Raises:
        UserError: `~NAME` of a user that is not there.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UserError(f"'{path}': there is no such user's folder. Check the path") from None


def given_path(entry: str, path: str, data_dir: Path | None) -> Path:
    """The path a user gave as an option; a relative one that is not here is sought in `data_dir`.

    Raises:
        UserError: no path was given, or nothing is there.
    """
    if not path:
        raise UserError(f"data '{entry}' needs a path. Write {entry}:path=PATH")
    found = expanded(path)
    if not found.exists() and data_dir is not None:
        found = data_dir.expanduser() / found
    if not found.exists():
        raise UserError(f"data '{entry}': there is no '{path}'. Check the path")
    return found


def download_folder(name: str) -> Path:
    """Where downloaded files of `name` are kept."""
    return cache_folder() / "data" / name


def md5_of(path: Path) -> str:
    """Hex MD5 of a file (an identity check of published files, not a protection)."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def fetch_again_where_damaged(url: str, target: Path, md5: str) -> None:
    """Fetch a file of the cache once more, after a line that says so, where it is not what was published.

    Raises:
        UserError: it cannot be fetched.
    """
    if target.is_file() and md5_of(target) != md5:
        log.warning(f"{target} is damaged: fetching it again")
        download(url, target, md5)


def download(url: str, target: Path, md5: str) -> None:
    """Fetch `url` to `target`; the file appears there only when complete and of the right checksum.

    A progress bar is drawn on stderr where that is a terminal.

    Raises:
        UserError: no network, a server's refusal, a full disk, or a wrong checksum; says how to do it by hand.
    """
    by_hand = f"Download {url} yourself and put it at {target}, or name its folder with --data-dir"
    partial: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, written = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        partial = Path(written)
        with os.fdopen(handle, "wb") as file:
            _fetch(url, file, target.name)
        found = md5_of(partial)
        if found != md5:
            raise UserError(f"{url} came with md5 {found}, expected {md5}. {by_hand}")
        os.replace(partial, target)
    except (OSError, http.client.HTTPException) as error:
        reason = " ".join(str(getattr(error, "reason", error)).split())
        raise UserError(f"{target.name} could not be downloaded ({reason}). {by_hand}") from None
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)


def _fetch(url: str, file: BinaryIO, title: str) -> None:
    """Copy what `url` gives into the open binary `file`."""
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
