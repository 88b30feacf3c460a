"""The state of this machine: the installed packages, and what is slow or missing without others. The examination
changes no setting.

Scans are compiled during the examination, as the first training would do, since only that shows whether it works.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neurorules.doctor import advice, compilers, folders, gpu, machine, packages


def examine(data_dir: Path | None = None) -> dict[str, Any]:
    """Look at the packages, compilers, threads, memory, GPU and folders that neurorules finds.

    Args:
        data_dir: where the user keeps data sets (`--data-dir`), or None.

    Returns:
        One entry for each of these, as plain values, and under `advice` one entry for each thing that is slow or
        missing: `problem`, `because` and `do`.

    Raises:
        UserError: `data_dir` is no folder.
    """
    findings: dict[str, Any] = {
        **machine.look(),
        "packages": packages.look(),
        "compilers": compilers.look(),
        "gpu": gpu.look(),
        "cache": folders.look_at_cache(),
        "data": folders.look_at_data(data_dir),
    }
    return {**findings, "advice": [one._asdict() for one in advice.of(findings)]}
