"""Trials as CUDA graphs: the kernels of a trial are recorded once for each shape of batch, and then replayed.

A trial of a small net is some hundred short kernels, and launching each from Python takes longer than running it. A
graph launches all of them at once. It reads and writes fixed memory: the batch is copied there, everything learned
except for the parameters is in one tensor per type (`Static`), and the result is valid until the graph is replayed. The
kernels are the same as without recording, so the numbers are the same, bit for bit.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from neurorules.contracts.series import Series
from neurorules.network.model import Learned
from neurorules.network.network import Network
from neurorules.torch_path.training.doubts import Doubt, finite_doubts
from neurorules.torch_path.training.state import from_tensors, tensors_of
from neurorules.torch_path.trial.learn import TrialResult
from neurorules.torch_path.update.figures import Scoring, metrics_on_device, scoring_of

GRAPHS = "NEURORULES_GRAPHS"
"""The environment variable that switches recording on if it is 1."""
EAGER = 2
"""The number of trials of a shape that run first without recording, in which kernels are compiled and running averages
are created."""
MOST = 4
"""The largest number of shapes that are recorded: full batches, an epoch's last one, and few more."""
ALIGNED = 4
"""The number of elements at whose multiples the parts of `Static` begin: 16 bytes of float32."""

Run = Callable[[Learned, Series, Tensor], TrialResult]
"""A function that runs a trial from everything learned, a batch and its labels."""


class Static:
    """Everything learned except for the parameters, in memory that does not move.

    Args:
        learned: the initial values, which are copied into one flat tensor per type.
    """

    def __init__(self, learned: Learned) -> None:
        parts = _parts(learned)
        self.shapes = {name: (value.shape, value.dtype) for name, value in parts.items()}
        self.flat = _packed(parts)
        self.learned = replace(from_tensors(self._views()), parameters=learned.parameters)

    def fits(self, learned: Learned) -> bool:
        """Whether this has the same names, shapes and types as the memory."""
        return self.shapes == {name: (value.shape, value.dtype) for name, value in _parts(learned).items()}

    def take(self, packed: list[Tensor], unless: Tensor) -> None:
        """Copy the results of a trial, unless one of its checks failed.

        Args:
            packed: the parts of each type, concatenated to one flat tensor.
            unless: a truth value () on the device; if it is true, nothing changes.
        """
        for mine, other in zip(self.flat, packed, strict=True):
            mine.copy_(torch.where(unless, mine, other))

    def _views(self) -> dict[str, Tensor]:
        views, at = {}, dict.fromkeys(_dtypes(self.shapes), 0)
        for name, (shape, dtype) in self.shapes.items():
            flat = self.flat[_dtypes(self.shapes).index(dtype)]
            views[name] = flat[at[dtype] : at[dtype] + shape.numel()].view(shape)
            at[dtype] += _room(shape.numel())
        return views


class Recorded(NamedTuple):
    """One trial that a CUDA graph has recorded.

    Args:
        play: a function that replays the trial.
        drive, labels: the memory that its batch is copied to.
        trial: its result when it last ran.
        doubts: the doubts about that result.
        metrics: the metrics of that result.
        packed: the new values for `Static`, one flat tensor per type.
    """

    play: Callable[[], None]
    drive: Series
    labels: Tensor
    trial: TrialResult
    doubts: list[Doubt]
    metrics: dict[str, Tensor]
    packed: list[Tensor]


def as_cuda_graph(run: Callable[[], Any]) -> tuple[Any, Callable[[], None]]:
    """Record the kernels that a function launches: return its result, and a function that launches all of them
    again.
    """
    graph = torch.cuda.CUDAGraph()
    torch.cuda.synchronize()
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        result = run()
    return result, graph.replay


@dataclass
class Recorder:
    """The recorded trials of one learner.

    Args:
        network: the network of the learner.
        usable: whether its trials can be recorded.
        record: a function that records another function, and returns its result and a function that repeats it in the
            same memory.
        static: the memory that recorded trials start from; None before the first one.
        recorded: the recorded trials, by shape of the batch and settings.
        eager_trials: the number of trials without recording, by the same key.
        scoring: the targets and the loss that scores are compared with.
    """

    network: Network
    usable: bool
    record: Callable[[Callable[[], Any]], tuple[Any, Callable[[], None]]] = as_cuda_graph
    static: Static | None = None
    recorded: dict[tuple[Any, ...], Recorded] = field(default_factory=dict)
    eager_trials: Counter[tuple[Any, ...]] = field(default_factory=Counter)
    scoring: Scoring = Scoring()  # noqa: RUF009 - it is frozen

    def play(
        self, learned: Learned, drive: Series, labels: Tensor, run: Run, settings: Hashable, stuck: Tensor
    ) -> Recorded | None:
        """Run the trial of a batch by its recording, if it is recorded or can be.

        Args:
            learned: everything learned before the trial.
            drive, labels: the batch, on the device.
            run: the trial itself.
            settings: everything else that determines the trial; each value has a recording of its own.
            stuck: whether nothing learned may change, a truth value () on the device.

        Returns:
            The recorded trial with its result; None if the trial has to run without a recording.
        """
        if not self.usable:
            return None
        places = tuple(value.data_ptr() for value in learned.parameters.values())
        key = (tuple(drive.values.shape), drive.constant, drive.values.dtype, places, settings)
        static = self._place(learned, stuck)
        if key not in self.recorded:
            self.eager_trials[key] += 1
            if (
                self.eager_trials[key] <= EAGER
                or len(self.recorded) >= MOST
                or not self._record(static, key, drive, labels, run)
            ):
                return None
        trial = self.recorded[key]
        trial.drive.values.copy_(drive.values)
        trial.labels.copy_(labels)
        trial.play()
        return trial

    def moved(self, played: Recorded, unless: Tensor) -> Learned:
        """Give everything learned after a replayed trial.

        Args:
            played: the trial.
            unless: a truth value () on the device; if it is true, nothing changes.

        Returns:
            Everything learned, in the memory that recorded trials start from.

        Raises:
            LookupError: no trial has been replayed.
        """
        if self.static is None:
            raise LookupError("no trial has been played")
        self.static.take(played.packed, unless)
        return self.static.learned

    def _place(self, learned: Learned, stuck: Tensor) -> Static:
        """Copy everything learned to the memory that graphs read. If its parts have changed, all recordings are
        dropped.
        """
        if self.static is None or not self.static.fits(learned):
            self.static = Static(learned)
            self.recorded.clear()
            self.eager_trials.clear()
        elif learned is not self.static.learned:
            self.static.take(_packed(_parts(learned)), stuck)
        return self.static

    def _record(self, static: Static, key: tuple[Any, ...], drive: Series, labels: Tensor, run: Run) -> bool:
        """Record a trial, and return False if it cannot be recorded."""
        drive, labels = drive._replace(values=drive.values.clone()), labels.clone()

        def recorded() -> tuple[TrialResult, list[Doubt], dict[str, Tensor], list[Tensor]]:
            trial = run(static.learned, drive, labels)
            doubts = finite_doubts(trial.gradients, self.network, trial.scores)
            doubts = [doubt._replace(answer=doubt.wrong()) for doubt in doubts]
            figures = metrics_on_device(trial.scores, labels, trial.spikes, self.scoring)
            return trial, doubts, figures, _packed(_parts(trial.learned))

        try:
            result, play = self.record(recorded)
        except RuntimeError:  # an operation waits for the host, or the memory is too small
            self.usable = False
            return False
        if not static.fits(result[0].learned):
            return False
        self.recorded[key] = Recorded(play, drive, labels, *result)
        return True


def recorder_of(learner: Any) -> Recorder:
    """A recorder for a learner; trials that draw dropout masks or teaching steps are not recorded.

    Until its tests have run on a GPU, recording has to be switched on by NEURORULES_GRAPHS=1.
    """
    wanted = learner.device.type == "cuda" and os.environ.get(GRAPHS, "0") == "1"
    drawn = learner.model.network.drops or learner.model.rule.teaching < 1
    usable = wanted and not drawn
    return Recorder(learner.model.network, usable=usable, scoring=scoring_of(learner.model))


def _parts(learned: Learned) -> dict[str, Tensor]:
    return dict(sorted(tensors_of(replace(learned, parameters={})).items()))


def _dtypes(shapes: dict[str, Any]) -> list[torch.dtype]:
    return list(dict.fromkeys(dtype for _, dtype in shapes.values()))


def _room(numbers: int) -> int:
    return -(-numbers // ALIGNED) * ALIGNED


def _packed(parts: dict[str, Tensor]) -> list[Tensor]:
    """The parts of each type in one tensor, each at a multiple of `ALIGNED`."""
    by_type: dict[torch.dtype, list[Tensor]] = {}
    for value in parts.values():
        rest = _room(value.numel()) - value.numel()
        by_type.setdefault(value.dtype, []).extend([value.reshape(-1), *([value.new_zeros(rest)] if rest else [])])
    return [torch.cat(pieces) for pieces in by_type.values()]
