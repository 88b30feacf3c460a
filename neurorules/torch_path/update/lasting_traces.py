"""Traces that live across trials: their values at the beginning of a trial, and those that the next trial begins
with.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from torch import Tensor

from neurorules.torch_path.update.local_view import ChangeSums, LocalView


def begin_traces(view: LocalView, stored: Mapping[str, Tensor]) -> None:
    """Let the traces of a layer begin, in every row, at the values that the previous trial stored; at 0 in the first
    trial.

    Args:
        view: the local view of the layer, before the first step of a trial; its carry is changed.
        stored: by "phase.layer.trace", (*shape).
    """
    shape = view.layer.shape
    rows = view.activity.v.values.shape[-len(shape) - 1]
    for name, trace in view.traces.items():
        value = stored.get(f"{view.phase}.{view.layer.name}.{name}") if trace.across_trials else None
        if value is not None:
            first = value.expand(rows, *shape)
            view.carry.traces[f"post.{name}"] = first if trace.spikes == "nearest" else first.reshape(rows, prod(shape))


def keep_traces(view: LocalView, sums: ChangeSums) -> None:
    """Store the values at which the traces of a layer begin the next trial: the mean over rows of their last values.

    Args:
        view: the local view of the layer, after the last step of a trial.
        sums: the sums that the means of all traces read by texts are added to.
    """
    for name, trace in view.traces.items():
        value = view.carry.traces.get(f"post.{name}") if trace.across_trials else None
        if value is not None:
            means = value.reshape(len(value), *view.layer.shape).mean(0)
            sums.traces[f"{view.phase}.{view.layer.name}.{name}"] = means
