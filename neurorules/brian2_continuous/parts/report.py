"""The result of a finished run in continuous time, as it is written to `result.json`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from neurorules.brian2_continuous.parts.circuit import Circuit
from neurorules.language.config import SettledConfig
from neurorules.runs.memory import peak_memory_mb
from neurorules.torch_path.training.batches import Data
from neurorules.torch_path.training.report import versions


def result_of(
    config: SettledConfig,
    data: Data,
    circuit: Circuit,
    parameters: Mapping[str, np.ndarray],
    accuracy: float,
    spikes: Mapping[str, float],
    validation: list[float | None],
    seconds: float,
) -> dict[str, Any]:
    """Collect the result of a run.

    Args:
        config: configuration of the run.
        data: its data, with the test samples.
        circuit: the circuit that was trained.
        parameters: weights and biases by name.
        accuracy: accuracy on the test samples, in 0..1.
        spikes: mean number of spikes of a test sample, by name of the population; only populations that spike.
        validation: accuracy on the validation samples after each epoch, in 0..1; None without such samples.
        seconds: time that learning took, in seconds.

    Returns:
        The settings of the run and its measurements by name: accuracies in 0..1, spikes and synaptic operations of a
        sample, times in seconds, memory in MB.
    """
    samples = len(data.train)
    sizes = {units.name: units.size for units in circuit.units}
    targets = dict.fromkeys(sizes, 0)
    for wires in circuit.wires:
        if wires.name in (f"{wires.target}_ff", f"{wires.target}_rec"):
            targets[wires.source] += sizes[wires.target]
    return {
        **config.as_dict(),
        "train_samples": samples,
        "validation_samples": 0 if data.validation is None else len(data.validation),
        "test_samples": len(data.test),
        "test_accuracy": accuracy,
        "validation_accuracy": validation[-1] if validation else None,
        "train_seconds": seconds,
        "samples_per_second": samples * config.epochs / seconds if seconds else None,
        "peak_memory_mb": peak_memory_mb(),
        "peak_memory_of": "process",
        "parameters": sum(values.size for values in parameters.values()),
        "spikes_per_sample": sum(spikes.values()),
        "synops_per_sample": sum(count * targets[name] for name, count in spikes.items()),
        "measures": {},
        "model_hash": circuit.model_hash(),
        "data_checksum": data.source.checksum,
        "versions": versions(),
    }
