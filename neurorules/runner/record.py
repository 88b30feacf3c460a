"""One name for recording a trained run, on the path on which it learned."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurorules.language.config import in_todays_words
from neurorules.runs.folder import RunFolder

if TYPE_CHECKING:
    from neurorules.torch_path.recording.record import PartName


def record_run(
    run: Path, out: Path, samples: str, variables: Sequence[str], layers: Collection[str] | None = None,
    part: PartName = "test", data_dir: Path | None = None, quiet: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Record samples of a run's data, on the path that trained it.

    Arguments, result and errors are those of `torch_path.recording.record.record_run`, and for a run in continuous
    time those of `brian2_continuous.record.record_circuit`.
    """
    if in_todays_words(RunFolder.finished(run).config()).get("path") == "continuous":
        from neurorules.brian2_continuous.record import record_circuit

        return record_circuit(run, out, samples, variables, layers, part, data_dir, quiet)
    from neurorules.torch_path.recording.record import record_run as record_torch

    return record_torch(run, out, samples, variables, layers, part, data_dir, quiet)
