"""Recording what a trained network does on test samples, and what it would learn from them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from neurorules.language.errors import UserError, unknown
from neurorules.runs.progress import track
from neurorules.series import Series
from neurorules.torch_path.learn import learn_trial
from neurorules.torch_path.learner import Learner
from neurorules.torch_path.model import Model
from neurorules.torch_path.report import versions
from neurorules.torch_path.restore import Restored, restore
from neurorules.torch_path.simulate import Activity
from neurorules.traces.header import TraceHeader
from neurorules.traces.writer import TraceWriter

VARIABLES = {
    "S": "spikes, or a graded output",
    "v": "membrane before reset",
    "forward": "the forward signal: the same as S, stored densely",
    "m": "third factor, as the texts read it",
    "reverse": "what the rule's reverse circuit sends to the layers below",
    "G1": "reverse times forward signal at each connection, by step",
}
"""What can be recorded. The last three are those of a trial in which the network would learn from the sample."""
LEARNING = frozenset({"m", "reverse", "G1"})
ROWS = 32
"""Samples run at once."""


class Seen(NamedTuple):
    """What a batch brought: predicted classes, activity by layer, third factors and reverse signals by layer's name."""

    said: Tensor
    activity: list[Activity]
    m: dict[str, Series]
    sent: dict[str, Series]


def record_run(
    run: Path, out: Path, samples: int, variables: list[str], data_dir: Path | None = None, quiet: bool = False
) -> dict[str, Any]:
    """Record the first test samples of a run's data.

    Args:
        run: folder of a finished run.
        out: trace file to write.
        samples: how many, >= 1.
        variables: of `VARIABLES`.

    Returns:
        samples, spikes, and the trace file's path.

    Raises:
        UserError: no such run or variable, a variable that its rule does not have, or fewer test samples than asked.
    """
    for variable in variables:
        if variable not in VARIABLES:
            raise unknown("variable", variable, VARIABLES)
    restored = restore(run, data_dir)
    _check_signal(restored.learner.model, variables)
    test = restored.data.test
    if not 1 <= samples <= len(test):
        raise UserError(f"--samples is {samples}, the test set holds {len(test)}. Ask for 1 to {len(test)}")
    generator = torch.Generator().manual_seed(restored.config.seed)
    spikes = 0.0
    with TraceWriter(out, _header(restored, "G1" in variables)) as writer:
        for start in track(range(0, samples, ROWS), "recording", quiet=quiet):
            positions = np.arange(start, min(start + ROWS, samples))
            drive, labels = test.batch(positions, generator)
            seen = _see(restored.learner, drive, labels, bool(LEARNING & set(variables)))
            for row, position in enumerate(positions):
                found = _row(restored.learner, seen, row, variables)
                spikes += sum(float(x["S"].sum()) for x in found.values() if "S" in x)
                writer.append(int(position), int(labels[row]), found, int(seen.said[row]))
    return {"samples": samples, "spikes": int(spikes), "out": str(out)}


def _check_signal(model: Model, variables: list[str]) -> None:
    asked = sorted(LEARNING & set(variables))
    if asked and model.signal is None:
        raise UserError(f"rule '{model.rule.name}' has no learning signal, so no '{asked[0]}'. Record S or v")
    if "reverse" in asked and model.signal is not None and "reverse_circuit" not in model.signal.needs:
        raise UserError(f"rule '{model.rule.name}' has no reverse circuit. Record m, its third factor, instead")


def _see(learner: Learner, drive: Series, labels: Tensor, learning: bool) -> Seen:
    response = learner.respond(drive)
    said = response.scores.argmax(1).cpu()
    if not learning:
        return Seen(said, response.activity, {}, {})
    steps = response.activity[-1].steps
    given = Series(drive.values.to(learner.device, learner.dtype), drive.constant)
    with torch.no_grad():
        trial = learn_trial(
            learner.model, learner.seen(), given, steps, labels.to(learner.device), learner.generator
        )  # nothing of it is applied
    return Seen(said, trial.activity, trial.third_factors, trial.sent)


def _row(learner: Learner, seen: Seen, row: int, variables: list[str]) -> dict[str, dict[str, np.ndarray]]:
    """One sample's arrays (T, ...) by layer, and by connection for G1."""
    found: dict[str, dict[str, np.ndarray]] = {}
    for layer, activity in zip(learner.model.network.layers, seen.activity, strict=True):
        steps = activity.steps
        values = {"S": activity.S, "v": activity.v, "forward": activity.S}
        values |= {"m": seen.m[layer.name]} if layer.name in seen.m else {}
        values |= {"reverse": seen.sent[layer.name]} if layer.name in seen.sent else {}
        wanted = [v for v in variables if v in values and (layer.role == "hidden" or v != "S")]
        found[layer.name] = {v: values[v].over_time(steps)[:, row].cpu().numpy() for v in wanted}
    if "G1" in variables:
        found |= {name: {"G1": value} for name, value in _products(learner, seen, row)}
    return found


def _products(learner: Learner, seen: Seen, row: int) -> Iterator[tuple[str, np.ndarray]]:
    """G1 of one sample: what a connection's update is made of at each step, before normalisation and optimiser."""
    parameters = learner.read()
    for layer, activity in zip(learner.model.network.layers, seen.activity, strict=True):
        for entry in layer.inputs:
            if layer.name not in seen.m:
                continue
            reverse = seen.m[layer.name].over_time(activity.steps)[:, row]
            forward = activity.pre[entry.name].over_time(activity.steps)[:, row]
            weights = parameters[layer.weight(entry)]
            rows = [
                entry.connection.correlate(weights, r[None], f[None]) for r, f in zip(reverse, forward, strict=True)
            ]
            yield f"{layer.name}.{entry.name}", torch.stack(rows).cpu().numpy()


def _header(restored: Restored, connections: bool) -> TraceHeader:
    layers = {layer.name: layer.shape for layer in restored.learner.model.network.layers}
    if connections:
        parameters = restored.learner.learned.parameters
        for layer, entry, name in restored.learner.model.network.weights():
            layers[f"{layer.name}.{entry.name}"] = tuple(parameters[name].shape)
    return TraceHeader(
        restored.config.rule, layers, units={"v": "threshold"}, seed=restored.config.seed,
        config=restored.config.as_dict(), versions=versions(),
    )  # fmt: skip
