"""The folder in which downloads, decoded pictures, binned events and compiled programs are cached."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """The user's cache folder: the environment variable `NEURORULES_CACHE`, or `~/.cache/neurorules`.

    The folder may not exist yet; code that writes into it creates it.
    """
    chosen = os.environ.get("NEURORULES_CACHE")
    return Path(chosen).expanduser() if chosen else Path.home() / ".cache" / "neurorules"
