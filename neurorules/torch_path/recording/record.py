"""Recording the activity of a trained network on samples of its data, and the changes that it would learn from them."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from neurorules.contracts.data_set import DataPlace
from neurorules.language.errors import RAISED, UserError
from neurorules.runs.interrupt import Interrupted
from neurorules.runs.kept_interrupt import no_interrupt_lost
from neurorules.runs.outputs import check_output
from neurorules.runs.progress import track
from neurorules.torch_path.recording.plan import INPUT
from neurorules.torch_path.recording.recorder import Recorder
from neurorules.torch_path.training.batches import Data, Part
from neurorules.torch_path.training.report import versions
from neurorules.torch_path.training.restore import restore
from neurorules.traces.header import TraceHeader
from neurorules.traces.store import TraceReader
from neurorules.traces.writer import TraceWriter

PartName = Literal["test", "validation", "train"]
"""The parts of a data set."""
ROWS = 32
"""How many samples run at once."""
LARGE = 2**30
"""The number of bytes before compression from which on the user is warned."""
_log = logging.getLogger(__name__)


def record_run(
    run: Path, out: Path, samples: str, variables: Sequence[str], layers: Collection[str] | None = None,
    part: PartName = "test", data_dir: DataPlace = None, quiet: bool = False,
    step_ms: float = 1.0, scale: Mapping[str, float] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Record samples of a run's data.

    Args:
        run: folder of a finished run.
        out: trace file to write.
        samples: the number of samples from the first one on, or their positions (see `sample_places`).
        variables, layers: see `record_plan`.
        part: the part of the data set.
        data_dir: the folder of the data sets; None for the default folder.
        quiet: no progress bar.
        step_ms: length of a time step in ms, > 0, from which readers of the trace compute times and rates.
        scale: as `TraceHeader.scale`; None if the network has no scale.

    Returns:
        samples, spikes of its layers, and the trace file's path.

    Raises:
        UserError: there is no such run, variable, layer or sample, or its rule has no such variable.
    """
    check_output(out)
    restored = restore(run, data_dir)
    learner, config = restored.learner, restored.config
    chosen = part_of(restored.data, part)
    places = sample_places(samples, len(chosen), "--samples", part)
    options = {"variables": list(variables), "layers": layers and sorted(layers), "samples": samples, "part": part}
    stored = config.as_dict()
    header = TraceHeader(
        config.rule, {}, dt_ms=step_ms, seed=config.seed, config=stored, versions=versions(), recording=options,
        scale=scale or {},
    )  # fmt: skip
    generator = torch.Generator().manual_seed(config.seed)
    with (
        Recorder(learner, out, variables, layers, header) as recorder,
        whole_or_none(recorder),
        no_interrupt_lost() as keeper,
    ):
        total = len(places) * recorder.plan.sample_bytes(learner.learned.parameters, config.steps)
        if total > LARGE:
            _log.warning(f"recording about {total / 1e9:.1f} GB, before compression")
        rows = ROWS if recorder.plan.samples else len(places)
        for start in track(range(0, len(places) if recorder.plan.samples else 0, rows), "recording", quiet=quiet):
            keeper.check()
            here = places[start : start + rows]
            recorder.record(*chosen.batch(here, generator), here, config.epochs)
        if recorder.plan.parameters:
            recorder.snapshot(config.epochs)
    with TraceReader(out) as reader:
        own = [layer for layer in reader.layers if layer != INPUT and "S" in reader.variables(layer)]
        spikes = sum(reader.count(layer) for layer in own)
    return {"samples": len(reader), "spikes": spikes, "out": str(out)}


@contextmanager
def whole_or_none(recording: Recorder | TraceWriter) -> Iterator[None]:
    """Remove the recording if the block fails. If the user stops it, the samples until then are kept, unless an older
    trace would be lost by it.

    Args:
        recording: which the block writes.

    Returns:
        A context manager, which gives nothing to its block.

    Raises:
        Interrupted: the user stopped it; the message says what lies where, and how to record all samples.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise _stopped(recording.writer if isinstance(recording, Recorder) else recording) from None
    except RAISED:
        recording.discard()
        raise


def _stopped(writer: TraceWriter | None) -> Interrupted:
    """End a recording early; None for one whose file was not opened yet."""
    if writer is None or not len(writer):
        if writer is not None:
            writer.discard()
        return Interrupted("stopped before a sample was recorded; nothing was written. Give the same command again")
    if writer.replaces:
        writer.discard()
        line = f"stopped. {writer.path} is the trace that was there before, and nothing of the new one is kept."
        return Interrupted(f"{line} Give the same command again to replace it")
    writer.close()
    line = f"stopped. {writer.path} holds the {len(writer)} samples that were recorded until then."
    return Interrupted(f"{line} Give the same command with --force to record all of them")


def part_of(data: Data, name: PartName) -> Part:
    """Choose a part of a data set.

    Args:
        data: all of it.
        name: the name of the part.

    Returns:
        The samples of the part.

    Raises:
        UserError: validation samples are asked for, and the run holds none out.
    """
    chosen = {"test": data.test, "validation": data.validation, "train": data.train}[name]
    if chosen is None:
        raise UserError("the run holds no validation samples out. Record its --part test or train")
    return chosen


def sample_places(text: str, size: int, option: str, part: str) -> np.ndarray:
    """Read positions in a part of the data set: "10" means the first ten; "3,7,20-30" and "3," are positions, counted
    from 0.

    Args:
        text: as the user wrote it.
        size: the number of samples in the part.
        option, part: the names of both in messages.

    Returns:
        The positions, whole numbers in 0 .. size - 1, in the user's order.

    Raises:
        UserError: the text is not understood, or there are no such samples.
    """
    there = f"the {part} set holds {size}"
    if re.fullmatch(r"\s*\d+\s*", text):
        if not 1 <= int(text) <= size:
            raise UserError(f"{option} is {text}, {there}. Ask for 1 to {size}")
        return np.arange(int(text))
    numbers: list[int] = []
    for piece in filter(None, (piece.strip() for piece in text.split(","))):
        match = re.fullmatch(r"(\d+)(?:\s*-\s*(\d+))?", piece)
        if match is None:
            raise UserError(f"{option} is '{text}', and '{piece}' is not a place. Write 10, or 3,7,20-30")
        first, last = int(match[1]), int(match[2] or match[1])
        if not first <= last < size:
            raise UserError(f"{option} asks for {piece}, {there}. Ask for places from 0 to {size - 1}, in order")
        numbers += range(first, last + 1)
    if not numbers:
        raise UserError(f"{option} is '{text}', which names no sample. Write 10, or 3,7,20-30")
    return np.array(numbers)
