"""The report of a finished run: the keys of `result.json`."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from neurorules.contracts.target import FIGURES_OF, OF_VALUES
from neurorules.language.config import SettledConfig
from neurorules.network.description import line_of
from neurorules.network.network import count_parameters
from neurorules.runs.memory import PeakMemory
from neurorules.torch_path.training.account import energy_of
from neurorules.torch_path.training.batches import Data, TrainingData
from neurorules.torch_path.training.evaluate import Evaluation
from neurorules.torch_path.training.learner import Learner
from neurorules.torch_path.training.rank_pipe import RankPipe
from neurorules.torch_path.training.stored_net import SIGN
from neurorules.torch_path.training.use_of_ranks import use_of_ranks

PACKAGES = ("neurorules", "torch", "numpy", "snntorch", "brian2")
"""The packages that a result depends on."""


def result_of(
    config: SettledConfig,
    data: Data,
    learner: Learner,
    test: Evaluation,
    validation: Evaluation | None,
    seconds: float,
    memory: PeakMemory,
) -> dict[str, Any]:
    """The result of a run.

    Args:
        config: the settled configuration.
        data: the data that it learned from.
        learner: the learner after training.
        test: its evaluation on the test samples.
        validation: its evaluation on held-out samples; None if no samples are held out.
        seconds: the time spent learning.
        memory: the memory of the process.

    Returns:
        Settings and figures by name. Accuracies are in 0..1, times in seconds, memory in MB. Tasks other than classes
        have their own figures instead of test_accuracy and validation_accuracy (`contracts.target.FIGURES_OF`).
    """
    names = FIGURES_OF[learner.model.task]
    samples = len(data.train)
    return {
        **config.as_dict(),
        "rule": config.rule,
        "train_samples": samples,
        "validation_samples": 0 if data.validation is None else len(data.validation),
        "test_samples": len(data.test),
        **{f"test_{name}": test.figures[name] for name in names},
        **{f"validation_{name}": validation.figures[name] if validation else None for name in names},
        "train_seconds": seconds,
        "samples_per_second": samples * config.epochs / seconds if seconds else None,
        "peak_memory_mb": memory.mb(),
        "peak_memory_of": memory.of,
        "parameters": count_parameters(learner.learned.parameters),
        "spikes_per_sample": test.spikes_per_sample,
        "synops_per_sample": test.synops_per_sample,
        **({} if learner.hardware is None else {"energy": energy_of(learner, test, data.test.steps)}),
        "mean_rates": test.mean_rates,
        "needs": needs_of(learner),
        "measures": learner.measures(),
        "device": str(learner.device),
        "threads": torch.get_num_threads(),
        "ranks": 1 if learner.ranks is None else learner.ranks.count,
        **({"pipeline": use_of_ranks(learner.pipe)} if isinstance(learner.pipe, RankPipe) else {}),
        **about_data(data),
        **({"net_layers": line_of(learner.model.network)} if SIGN in config.net else {}),
        "versions": versions(),
    }


def about_data(data: TrainingData) -> dict[str, Any]:
    """The facts about its data that a run folder stores, from which its network can be rebuilt and driven in the same
    way without the data.

    Args:
        data: the data of the run.

    Returns:
        Checksum and origin of the samples, kind and shape of one, number and names of classes, and the encoder's
        measurements on the training samples.
    """
    source = data.source
    return {
        "data_checksum": source.checksum,
        "data_origin": source.origin or source.name,
        "data_kind": source.kind,
        "input_shape": list(source.shape),
        **({"outputs": source.classes} if source.task in OF_VALUES else {"classes": source.classes}),
        "class_names": list(source.class_names),
        "task": source.task,
        "encoder_statistics": dict(data.train.encoder.statistics),
    }


def needs_of(learner: Learner) -> list[str]:
    """The needs of the rule's signal, and those that shuffled targets, normalisation and neurons add."""
    signal = learner.model.signal
    needs = set() if signal is None else set(signal.needs)
    if learner.model.targets == "shuffled":
        needs.add("batch_pool")
    if any(a.normalisation is not None and a.normalisation.reads_batch for a in learner.model.network.layers):
        needs.add("batch_pool")
    if any(a.neuron.pools_layer for a in learner.model.network.layers):
        needs.add("layer_pool")
    return sorted(needs)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a result depends on, where they are installed."""
    versions_by_name = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions_by_name[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions_by_name
