"""The changes by a trial apart from those of parameters: running averages, the signal's state, and traces of
neurons.
"""

from __future__ import annotations

from neurorules.contracts.normalisation import (
    CurrentStatistics,
    UpdateStatistics,
    first_current_statistics,
    first_update_statistics,
)
from neurorules.contracts.running_mean import RATE, RunningMean, start_at
from neurorules.network.model import Learned
from neurorules.torch_path.trial.third_factors import ThirdFactors
from neurorules.torch_path.trial.trial import PhaseRecord, Trial
from neurorules.torch_path.update.local_view import ChangeSums


def moved(factors: ThirdFactors, before: Learned) -> Learned:
    """Give everything that is learned after a trial, apart from the parameters.

    Args:
        factors: the third factors of the trial, after every layer has learned.
        before: everything learned before the trial; it is not modified.

    Returns:
        Everything learned, with running averages, signal state and traces after the trial, and unchanged parameters.
    """
    trial, records, samples = factors.trial, factors.records, factors.samples
    return Learned(
        before.parameters, _moved_currents(trial, records, samples), _moved_pre(trial, records, samples),
        _moved_updates(before, factors.sums, samples), factors.state,
        {**before.traces, **factors.sums.traces},
    )  # fmt: skip


def _moved_currents(trial: Trial, records: dict[str, PhaseRecord], samples: int) -> dict[str, CurrentStatistics]:
    averages = dict(trial.learned.current)
    for phase, record in records.items():
        for layer in trial.model.network.layers:
            name = f"{phase}.{layer.name}"
            if layer.name not in record.currents or trial.model.phase_statistics(phase, layer.name) != name:
                continue
            mean, square = (value / trial.steps for value in record.currents[layer.name])
            before = averages.get(name) or first_current_statistics(layer.shape, mean)
            averages[name] = CurrentStatistics(
                before.mean.updated(mean, samples, RATE),
                before.square.updated(square, samples, RATE),
            )
    return averages


def _moved_pre(trial: Trial, records: dict[str, PhaseRecord], samples: int) -> dict[str, RunningMean]:
    averages = dict(trial.learned.pre)
    for phase, record in records.items():
        for key, total in record.pre.items():
            name = f"{phase}.{key}"
            if trial.model.phase_statistics(phase, key.split(".")[0]) != f"{phase}.{key.split('.')[0]}":
                continue
            before = averages.get(name) or start_at(0.0, tuple(total.shape), total)
            averages[name] = before.updated(total / trial.steps, samples, RATE)
    return averages


def _moved_updates(learned: Learned, sums: ChangeSums, samples: int) -> dict[str, UpdateStatistics]:
    averages = dict(learned.update)
    for name, (mean, product, steps) in sums.update_sums.items():
        before = averages.get(name) or first_update_statistics(tuple(mean.shape), mean)
        averages[name] = UpdateStatistics(
            before.mean.updated(mean / steps, samples, RATE),
            before.product.updated(product / steps, samples, RATE),
        )
    return averages
