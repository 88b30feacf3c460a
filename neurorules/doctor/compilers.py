"""The check that C kernels and Brian2's programs can be compiled here. Each compiler is tried, not only looked for."""

from __future__ import annotations

import subprocess
import warnings
from typing import Any

from neurorules.brian2_steps.program import find_cpp_compiler
from neurorules.native.compile import find_compiler
from neurorules.native.scans.dispatch import compiled

LONGEST_S = 60
"""The number of seconds that a compiler may take for an empty program."""
PROGRAM = "#include <vector>\nint main() { return std::vector<int>(1)[0]; }\n"


def look() -> dict[str, Any]:
    """The C and the C++ compiler: `path` or None, whether what it compiles `works`, and else what it `said`."""
    return {"c": _c(), "c++": _cpp()}


def _c() -> dict[str, Any]:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        works = compiled()
    lines = [str(warning.message) for warning in said]
    return {"path": find_compiler(), "works": works, "said": " ".join(lines) or None}


def _cpp() -> dict[str, Any]:
    path = find_cpp_compiler()
    said = "no g++ and make were found" if path is None else _refusal(path)
    return {"path": path, "works": said is None, "said": said}


def _refusal(path: str) -> str | None:
    """The complaint of a C++ compiler about a small program with a header of the standard library; None if there is
    none.
    """
    command = [path, "-x", "c++", "-fsyntax-only", "-"]
    try:
        done = subprocess.run(
            command, input=PROGRAM, capture_output=True, text=True, errors="replace", check=False, timeout=LONGEST_S
        )
    except (OSError, subprocess.SubprocessError) as failure:
        return str(failure)
    return None if done.returncode == 0 else (done.stderr.strip().splitlines() or [f"code {done.returncode}"])[0]
