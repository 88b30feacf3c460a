"""Recording what a trained network does on test samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from neurorules.language.errors import UserError, unknown
from neurorules.runs.progress import track
from neurorules.torch_path.report import versions
from neurorules.torch_path.restore import Restored, restore
from neurorules.traces.header import TraceHeader
from neurorules.traces.writer import TraceWriter

VARIABLES = ("S", "v")
ROWS = 32
"""Samples run at once."""


def record_run(
    run: Path, out: Path, samples: int, variables: list[str], data_dir: Path | None = None, quiet: bool = False
) -> dict[str, Any]:
    """Record the first test samples of a run's data.

    Args:
        run: folder of a finished run.
        out: trace file to write.
        samples: how many, >= 1.
        variables: of `VARIABLES`.

    Returns:
        samples, spikes, and the trace file's path.

    Raises:
        UserError: no such run or variable, or fewer test samples than asked.
    """
    for variable in variables:
        if variable not in VARIABLES:
            raise unknown("variable", variable, VARIABLES)
    restored = restore(run, data_dir)
    test = restored.data.test
    if not 1 <= samples <= len(test):
        raise UserError(f"--samples is {samples}, the test set holds {len(test)}. Ask for 1 to {len(test)}")
    generator = torch.Generator().manual_seed(restored.config.seed)
    spikes = 0.0
    with TraceWriter(out, _header(restored)) as writer:
        for start in track(range(0, samples, ROWS), "recording", quiet=quiet):
            positions = np.arange(start, min(start + ROWS, samples))
            drive, labels = test.batch(positions, generator)
            response = restored.learner.respond(drive)
            said = response.scores.argmax(1).cpu()
            layers = restored.learner.model.network.layers
            for row, position in enumerate(positions):
                found: dict[str, dict[str, np.ndarray]] = {}
                for layer, activity in zip(layers, response.activity, strict=True):
                    values = {"S": activity.S.values, "v": activity.v.values}
                    wanted = [v for v in variables if layer.role == "hidden" or v == "v"]
                    found[layer.name] = {v: values[v][:, row].cpu().numpy() for v in wanted}
                spikes += sum(float(x["S"].sum()) for x in found.values() if "S" in x)
                writer.append(int(position), int(labels[row]), found, int(said[row]))
    return {"samples": samples, "spikes": int(spikes), "out": str(out)}


def _header(restored: Restored) -> TraceHeader:
    layers = {layer.name: layer.shape for layer in restored.learner.model.network.layers}
    return TraceHeader(
        restored.config.rule, layers, units={"v": "threshold"}, seed=restored.config.seed,
        config=restored.config.as_dict(), versions=versions(),
    )  # fmt: skip
