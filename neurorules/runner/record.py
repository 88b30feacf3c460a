"""Recording of a trained run under one name, on the path on which it learned."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurorules.brian2_steps.scale import scale_from
from neurorules.contracts.data_set import DataPlace
from neurorules.language.config import in_todays_words
from neurorules.language.errors import UserError
from neurorules.language.ranges import Positive, check_range
from neurorules.runs.folder import RunFolder
from neurorules.runs.outputs import A_TRACE, check_output, kind_of

if TYPE_CHECKING:
    from neurorules.torch_path.recording.record import PartName


def record_run(
    run: Path, out: Path, samples: str, variables: Sequence[str], layers: Collection[str] | None = None,
    part: PartName = "test", data_dir: DataPlace = None, quiet: bool = False, step_ms: float | None = None,
    force: bool = False, scale: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Record samples of a run's data, on the path that trained it.

    `torch_path.recording.record.record_run` does it, and `brian2_continuous.record.record_circuit` for a run in
    continuous time.

    Args:
        run: folder of a finished run.
        out: trace file to write.
        samples: number of samples from the first on, or their places.
        variables: names of the variables that are recorded.
        layers: names of the layers that are recorded; None for all.
        part: part of the data that the samples belong to.
        data_dir: folder of the data sets, None for the usual one; or the data set itself.
        quiet: shows no progress bar.
        step_ms: length of a time step in ms, > 0, of a run that learned step by step; None for 1 ms.
        force: replace an older trace in `out`.
        scale: what a threshold is in mV, and a capacitance in pF (see `brian2_steps.scale`), of a run that learned step
            by step; None for a trace that does not say it.

    Returns:
        Number of samples, number of spikes and path of the trace file, by name.

    Raises:
        UserError: there is no such run, variable, layer or sample, or the run's rule lacks a variable;
            or `out` holds a trace.
    """
    check_output(out)
    if not force and out.is_file() and out.stat().st_size and kind_of(out) == A_TRACE:
        raise UserError(f"{out} holds a recorded trace. Add --force to replace it, or name another file with --out")
    if step_ms is not None:
        check_range("--dt-ms", step_ms, Positive)
    if in_todays_words(RunFolder.finished(run).config()).get("path") == "continuous":
        from neurorules.brian2_continuous.record import record_circuit

        if step_ms is not None:
            raise UserError("--dt-ms is for runs step by step, and this one has its neuron's dt_ms. Leave it out")
        if scale is not None:
            raise UserError(
                "--scale is for runs step by step, and this one has its neuron's threshold_mV. Leave it out"
            )
        return record_circuit(run, out, samples, variables, layers, part, data_dir, quiet)
    from neurorules.torch_path.recording.record import record_run as record_torch

    counts = {} if scale is None else asdict(scale_from(scale))
    return record_torch(run, out, samples, variables, layers, part, data_dir, quiet, step_ms or 1.0, counts)
