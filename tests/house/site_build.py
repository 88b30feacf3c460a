"""The site of the documents as tests look at it: built once for all of them, without the gallery's scripts."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

from sources import ROOT

COPIED = ("docs", "demos", "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")
BUILD = ("-W", "--keep-going", "-n", "-q", "-D", "plot_gallery=0")
"""As `make docs` builds, but for the gallery's scripts."""


def site(temporary: Path) -> Path:
    """The folder of the built site.

    Args:
        temporary: folder of the tests of this process; processes of one round of tests share the folder above it.
    """
    shared = temporary.parent if "PYTEST_XDIST_WORKER" in os.environ else temporary
    out = shared / "site" / "build"
    with (shared / "site.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (out / "whole").exists():
            copied(shared / "site")
            done = built(shared / "site", out)
            assert done.returncode == 0, done.stderr[-4000:]
            (out / "whole").touch()
    return out


def copied(root: Path) -> None:
    """Copy the documents: the gallery writes beside them."""
    left_out = shutil.ignore_patterns("__pycache__", "gallery")
    shutil.rmtree(root, ignore_errors=True)
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, root / name, ignore=left_out)
        else:
            shutil.copy(ROOT / name, root / name)
    (root / "neurorules").symlink_to(ROOT / "neurorules")


def built(root: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """Build the site of a copy."""
    words = [sys.executable, "-m", "sphinx", *BUILD, "-d", str(out / "doctrees"), str(root / "docs"), str(out)]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    return subprocess.run(words, capture_output=True, text=True, check=False, cwd=root, env=environment, timeout=600)
