"""Everything that learning changes, as one flat dictionary of tensors, as files hold it, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from neurorules.contracts.normalisation import CurrentStatistics, UpdateStatistics
from neurorules.contracts.running_mean import RunningMean
from neurorules.network.model import Learned

RUNNING = ("value", "samples")


def to_tensors(learned: Learned) -> dict[str, Tensor]:
    """Copies of all tensors, by names such as "parameters/hidden1.ff.w", "current/input.hidden1/mean/value",
    "signal/embedding".
    """
    return {name: value.detach().clone() for name, value in tensors_of(learned).items()}


def tensors_of(learned: Learned) -> dict[str, Tensor]:
    """The tensors themselves, by the names that `to_tensors` gives their copies."""
    flat = {f"parameters/{name}": value for name, value in learned.parameters.items()}
    for name, current in learned.current.items():
        flat |= _running(f"current/{name}/mean", current.mean) | _running(f"current/{name}/square", current.square)
    for name, mean in learned.pre.items():
        flat |= _running(f"pre/{name}", mean)
    for name, update in learned.update.items():
        flat |= _running(f"update/{name}/mean", update.mean) | _running(f"update/{name}/product", update.product)
    for name, value in learned.signal.items():
        flat |= _running(f"signal/{name}", value) if isinstance(value, RunningMean) else {f"signal/{name}": value}
    return flat | {f"traces/{name}": value for name, value in learned.traces.items()}


def from_tensors(flat: Mapping[str, Tensor]) -> Learned:
    """Read a learned state from named tensors, the inverse of `to_tensors`."""
    learned = Learned({})
    for path, value in flat.items():
        kind, _, rest = path.partition("/")
        if kind == "parameters":
            learned.parameters[rest] = value
        elif kind == "current":
            name = rest.split("/")[0]
            learned.current[name] = CurrentStatistics(
                _mean(flat, f"current/{name}/mean"), _mean(flat, f"current/{name}/square")
            )
        elif kind == "pre":
            name = rest.split("/")[0]
            learned.pre[name] = _mean(flat, f"pre/{name}")
        elif kind == "update":
            name = rest.split("/")[0]
            learned.update[name] = UpdateStatistics(
                _mean(flat, f"update/{name}/mean"), _mean(flat, f"update/{name}/product")
            )
        elif kind == "traces":
            learned.traces[rest] = value
        elif kind == "signal":
            _add_signal(learned.signal, flat, rest, value)
    return learned


def _add_signal(signal: dict[str, Any], flat: Mapping[str, Tensor], rest: str, value: Tensor) -> None:
    name, _, last = rest.rpartition("/")
    if last in RUNNING:
        signal[name] = _mean(flat, f"signal/{name}")
    else:
        signal[rest] = value


def _running(name: str, running: RunningMean) -> dict[str, Tensor]:
    return {f"{name}/value": running.value, f"{name}/samples": running.samples}


def _mean(flat: Mapping[str, Tensor], name: str) -> RunningMean:
    return RunningMean(flat[f"{name}/value"], flat[f"{name}/samples"])
