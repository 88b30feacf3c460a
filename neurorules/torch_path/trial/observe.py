"""Running a trained model without learning: scores, and the activity of every layer."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from neurorules.contracts.series import Series
from neurorules.network.model import Learned, Model
from neurorules.torch_path.forward.run_layer import Activity
from neurorules.torch_path.trial.trial import PhaseRecord, Trial, class_scores, observe_phase


class Response(NamedTuple):
    """Class scores (B, classes), and the activity of every layer in the phase "input", in order."""

    scores: Tensor
    activity: list[Activity]


def respond(model: Model, learned: Learned, drive: Series, steps: int) -> Response:
    """Run a batch through the phase "input", and through what prediction needs beside it."""
    model = model.bound(learned.parameters)
    trial = Trial(model, learned, drive, steps, steps, None, {})
    records: dict[str, PhaseRecord] = {}
    for phase in model.rule.phases:
        read = phase.name in ("input", model.rule.score_phase)
        if read or (phase.name == "target" and model.rule.predict == "prototypes"):
            records[phase.name] = observe_phase(trial, phase, None, training=False)
    return Response(class_scores(model, learned, records, steps), records["input"].activity)
