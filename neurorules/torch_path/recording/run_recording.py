"""The recording of a run while it learns, as both machines make it: which samples, of which variables, in one trace."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np

from neurorules.runs.outputs import TRACES
from neurorules.torch_path.recording.record import PartName, sample_places
from neurorules.torch_path.training.batches import Part, TrainingData
from neurorules.traces.continued import check_same
from neurorules.traces.store import TraceReader


class Shown(NamedTuple):
    """The samples of a recording.

    Args:
        name: the part of the data set that they are from.
        part: its samples.
        places: positions of the recorded samples in the part.
    """

    name: PartName
    part: Part
    places: np.ndarray


class RunRecording(ABC):
    """A recording of validation samples, or of training samples if none are held out, between the epochs of a run.

    If a resumed run repeats an epoch, the new recording replaces the earlier one. Use it as a context manager around
    the run: a run that failed before anything was written leaves no trace behind.

    Args:
        variables, layers: names, as the machine that records takes them.
        samples: see `sample_places`.
        resumed: folder of the run to continue; None for a new one.

    Raises:
        UserError: the folder holds a recording of something else.
    """

    def __init__(
        self, variables: Sequence[str], samples: str = "10", layers: Collection[str] | None = None,
        resumed: Path | None = None,
    ) -> None:  # fmt: skip
        self.variables, self.samples = list(variables), samples
        self.layers = None if layers is None else sorted(layers)
        if resumed is not None and (resumed / TRACES).is_file():
            with TraceReader(resumed / TRACES) as old:
                check_same(old, self.options(old.header.recording.get("part")))

    def __enter__(self) -> RunRecording:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Close the trace, if there is one yet."""

    def shown(self, data: TrainingData) -> Shown:
        """Choose the samples, which are the same each time.

        Args:
            data: what the run learns from.

        Returns:
            The samples.

        Raises:
            UserError: there are no such samples.
        """
        name: PartName = "train" if data.validation is None else "validation"
        part = data.train if data.validation is None else data.validation
        return Shown(name, part, sample_places(self.samples, len(part), "--record-samples", name))

    def options(self, part: Any) -> dict[str, Any]:
        """Describe what was asked for, as `TraceHeader.recording`; recordings that differ in it are not continued.

        Args:
            part: the part of the data set.

        Returns:
            The settings by name.
        """
        return {"variables": self.variables, "layers": self.layers, "samples": self.samples, "part": part}
