"""A trained run goes on learning in torch and in stepped Brian2, side by side."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from neurorules.brian2_steps.backend import load_brian2
from neurorules.contracts.data_set import DataPlace
from neurorules.language.errors import UserError
from neurorules.language.own_files import standing_for
from neurorules.language.ranges import Count, check_range
from neurorules.runner.side_by_side import Listen, Update, check_can_learn, compare_updates
from neurorules.runs.kept_interrupt import no_interrupt_lost
from neurorules.runs.own_copies import files_of
from neurorules.runs.plain_json import plain
from neurorules.torch_path.training.restore import restore
from neurorules.torch_path.training.trainer import make_learner


def simulate_learning(
    run: Path, updates: int, samples: int, data_dir: DataPlace = None, watch: Callable[[Update], None] | None = None,
    listen: Listen | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Let a run's net learn some batches of its training samples in torch and in Brian2, and compare the two.

    Args:
        run: folder of a finished run; it is read, and not changed.
        updates: how many, >= 1; update k learns the samples from (k - 1) `samples` on.
        samples: in each update, >= 1.
        data_dir: where its data lie.
        watch: is handed each update as soon as it is compared.
        listen: is handed what Brian2 runs, before each update.

    Returns:
        rule, samples, updates (a list, see `side_by_side.Update`); spikes_equal, changes_equal and weights_equal over
        all of them, and largest_difference of two weights.

    Raises:
        UserError: no such run, a rule or net that Brian2 cannot learn step by step, or too few training samples.
        MissingExtra: brian2 is not installed.
    """
    check_range("--learn", updates, Count)
    check_range("--samples", samples, Count)
    with standing_for(files_of(run)):
        restored = restore(run, data_dir, precision="float64", device="cpu", schedule="by_layer")
        train = restored.data.train
        if updates * samples > len(train):
            raise UserError(
                f"--learn {updates} with --samples {samples} learns {updates * samples} samples, and the run has "
                f"{len(train)} to train on. Ask for fewer"
            )
        here, there = restored.learner, make_learner(restored.config, restored.data, restored.net)
        there.load(here.state(), weights_only=True)
        check_can_learn(here, samples)
        generator = torch.Generator().manual_seed(restored.config.seed)
        batches = (train.batch(np.arange(k * samples, (k + 1) * samples), generator) for k in range(updates))
        compared = []
        load_brian2()
        with no_interrupt_lost() as keeper:
            for update in compare_updates(here, there, batches, listen):
                keeper.check()
                compared.append(update)
                if watch is not None:
                    watch(update)
    first = {"first_difference": None}
    return {
        "rule": restored.config.rule,
        "samples": samples,
        "updates": [{**update._asdict(), **first, **_difference(update)} for update in compared],
        "spikes_equal": all(update.spikes_equal for update in compared),
        "changes_equal": all(update.changes_equal for update in compared),
        "weights_equal": all(update.weights_equal for update in compared),
        "largest_difference": max(update.largest_difference for update in compared),
    }


def _difference(update: Update) -> dict[str, Any]:
    return {} if update.first_difference is None else {"first_difference": plain(vars(update.first_difference))}
