"""A trained net with its first test samples, as Brian2 runs it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from neurorules.brian2_steps.case import Case
from neurorules.brian2_steps.scale import SCALE, STEP_MS, Scale
from neurorules.brian2_steps.trained import numbers_of
from neurorules.contracts.data_set import DataPlace
from neurorules.contracts.series import Series
from neurorules.language.config import SettledConfig
from neurorules.runner.simulate import check_samples, restored_for_brian2
from neurorules.torch_path.training.learner import Learner


class TrainedCase(NamedTuple):
    """A trained net with some of its test samples.

    Args:
        case: what Brian2 runs, in float64.
        drive: the same samples for torch.
        learner: the net in torch.
        config: configuration of the run.
    """

    case: Case
    drive: Series
    learner: Learner
    config: SettledConfig


def trained_case(
    run: Path, samples: int, data_dir: DataPlace = None, step_ms: float = STEP_MS, scale: Scale = SCALE
) -> TrainedCase:
    """Read a run, and encode its first test samples.

    Args:
        run: folder of a finished run of the torch path.
        samples: number of test samples, >= 1.
        data_dir: folder of the data sets, None for the usual one; or the data set itself.
        step_ms: length of a time step in ms, > 0.
        scale: the scale of potentials, currents and charges in units.

    Returns:
        The net and the samples.

    Raises:
        UserError: there is no such run, or there are fewer test samples.
    """
    restored = restored_for_brian2(run, data_dir)
    test, config, learner = restored.data.test, restored.config, restored.learner
    check_samples(samples, len(test))
    drive = test.batch(np.arange(samples), torch.Generator().manual_seed(config.seed))[0]
    parameters, norms = numbers_of(learner.model, learner.trial_state(), sent=True)
    spikes = drive.values.double().numpy()
    case = Case(learner.model.network, parameters, spikes, normalisation=norms, step_ms=step_ms, scale=scale)
    return TrainedCase(case, drive, learner, config)
