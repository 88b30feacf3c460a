"""The outputs of a trial's phases: prediction and error for learning, and the scores."""

from __future__ import annotations

from torch import Tensor

from neurorules.contracts.series import per_step
from neurorules.contracts.target import PER_STEP
from neurorules.network.model import Learned, Model
from neurorules.torch_path.trial import allowance
from neurorules.torch_path.trial.phase_record import PhaseRecord
from neurorules.torch_path.trial.trial import Trial
from neurorules.torch_path.update.output import Output, compare_output, compare_steps


def output_of(trial: Trial, record: PhaseRecord, labels: Tensor) -> Output:
    """Prediction and error of a phase.

    Args:
        trial: the batch.
        record: the record of the phase, in which the read-out has run.
        labels: targets of the batch's own samples.

    Returns:
        Prediction, target and error, of the average output or of each step.
    """
    model, steps = trial.model, trial.steps
    if model.steps_apart:
        return compare_steps(model.rule, record.outputs, labels, model.task, model.scored_steps(steps))
    return compare_output(model.rule, model.score(record.summed_output, steps), labels, model.task)


def class_scores(model: Model, learned: Learned, records: dict[str, PhaseRecord], steps: int) -> Tensor:
    """Scores of a batch: from the read-out, or from the signal if the rule predicts without a read-out.

    Args:
        model: network, rule and signal.
        learned: current parameters and state.
        records: the records of the phases, by name.
        steps: T; the scores are averages over all steps, or over the last ones.

    Returns:
        One score per sample and class or output, (B, O), the largest score being the prediction; where there is a
        target for each step, the outputs of all steps, (B, T, O).
    """
    if model.steps_apart:
        outputs, scored = records[model.rule.score_phase].outputs, model.scored_steps(steps)
        return outputs.transpose(0, 1) if model.task in PER_STEP else outputs[steps - scored :].mean(0)
    if model.rule.predict == "readout" or model.signal is None:
        return model.score(records[model.rule.score_phase].summed_output, steps)
    summary = {
        layer.name: {p: per_step(r.summary[layer.name], steps) for p, r in records.items() if layer.name in r.summary}
        for layer in model.network.hidden
    }
    return allowance.scores(model, learned, summary)
