"""Running a trained model without learning: scores, and the activity of every layer."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from neurorules.contracts.series import Series
from neurorules.network.model import Learned, Model
from neurorules.torch_path.forward.run_layer import Activity
from neurorules.torch_path.trial.phase_record import class_scores
from neurorules.torch_path.trial.trial import PhaseRecord, Trial, observe_phase


class Response(NamedTuple):
    """The scores and the activity of a network for a batch.

    Args:
        scores: one per sample and class, (B, C), the largest one being the prediction; or one per output, (B, O), for
            all steps if each step has a target, (B, T, O).
        activity: the activity of every layer in the phase "input", in order.
    """

    scores: Tensor
    activity: list[Activity]


def respond(model: Model, learned: Learned, drive: Series, steps: int) -> Response:
    """Run a batch through the phase "input", and any other phase that prediction needs, without learning.

    Args:
        model: network, rule and signal.
        learned: parameters and state.
        drive: the samples, (T, B, *input) or constant (B, *input).
        steps: T, >= 1; all of them run at once.

    Returns:
        Class scores, and the activity of every layer.
    """
    model = model.bound(learned.parameters)
    model.scored_steps(steps)
    trial = Trial(model, learned, drive, steps, steps, None, {})
    records: dict[str, PhaseRecord] = {}
    for phase in model.rule.phases:
        read = phase.name in ("input", model.rule.score_phase)
        if read or (phase.name == "target" and model.rule.predict == "prototypes"):
            records[phase.name] = observe_phase(trial, phase, None, training=False, before=records.get("input"))
    return Response(class_scores(model, learned, records), records["input"].activity)
