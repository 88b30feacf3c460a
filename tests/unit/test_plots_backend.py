"""Pictures are drawn whatever backend the environment asks matplotlib for, and the user's own is left to the user."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import os, sys
from pathlib import Path

from neurorules.audit import picture
from neurorules.audit.matrix import Matrix
from neurorules.causal import ring_chain
from neurorules.traces.plots._causal import draw_graph
from neurorules.traces.plots._shared import new_figure, save
import numpy as np

out = Path(sys.argv[1])
draw_graph(ring_chain(0.5, 1.0, np.ones(5)), "J", out / "causal.png")
for kind in ("png", "svg", "pdf"):
    save(new_figure(2, 1, "title"), out / f"figure.{kind}")
import matplotlib
print("matplotlib.pyplot" in sys.modules, os.environ["MPLBACKEND"], matplotlib.rcParams._get("backend"))
"""


@pytest.mark.parametrize(
    ("backend", "settled"), [("module://matplotlib_inline_that_is_not_here.backend_inline", None), ("svg", "svg")]
)
def test_a_backend_that_is_not_here_breaks_no_picture(tmp_path: Path, backend: str, settled: str | None) -> None:
    environment = {**os.environ, "MPLBACKEND": backend}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    pyplot, left, chosen = done.stdout.split(maxsplit=2)
    assert pyplot == "False" and left == backend
    assert settled is None or chosen.strip() == settled
    assert sorted(path.name for path in tmp_path.iterdir()) == ["causal.png", "figure.pdf", "figure.png", "figure.svg"]
