"""The header of a trace file, which describes its content."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

from neurorules.runs.plain_json import plain, to_json


@dataclass(frozen=True)
class TraceHeader:
    """The origin of a trace, and the information that is needed to read it.

    Args:
        rule: the learning rule, as the user wrote it.
        layers: layer name -> shape of its population, input first, such as {"input": (1, 8, 8), "hidden1": (64,)};
            connections have the shape of their weights, such as {"hidden1.ff": (64, 64)}.
        dt_ms: length of one time step, ms, > 0.
        units: variable -> unit, such as {"v": "threshold"}; a variable without one is a pure number. The key of a
            parameter's unit is its full name.
        seed: the seed of the run.
        config: the run's whole configuration.
        versions: package -> version.
        classes: names of the classes; empty if labels have no names.
        parameters: name -> shape of the parameters in snapshots, such as {"hidden1.ff.w": (64, 64)}.
        recording: the request of the recording: variables, layers, samples, part of the data set.
        scale: the potential and the capacitance that count as 1, {"threshold_mV": 20.0, "capacitance_pF": 100.0}; empty
            if there is no scale.
        spiking: whether `S` are spikes; for units that do not spike, `S` is their activity.
    """

    rule: str
    layers: Mapping[str, tuple[int, ...]]
    dt_ms: float = 1.0
    units: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    config: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    parameters: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    recording: Mapping[str, Any] = field(default_factory=dict)
    scale: Mapping[str, float] = field(default_factory=dict)
    spiking: bool = True

    @property
    def continuous(self) -> bool:
        """Whether the trace belongs to equations in continuous time, whose membranes are read after their reset."""
        return self.config.get("path") == "continuous"

    def neurons(self, layer: str) -> int:
        """The number of neurons that a layer has."""
        return prod(self.layers[layer])

    def label_name(self, label: int) -> str:
        """The name of a class; "unknown" for -1."""
        if label < 0:
            return "unknown"
        return self.classes[label] if label < len(self.classes) else str(label)

    def to_text(self) -> str:
        """The header as one line of JSON."""
        return to_json({key: plain(value) for key, value in vars(self).items()})

    @classmethod
    def from_text(cls, text: str) -> TraceHeader:
        """Read a text of `to_text`; keys of later versions are ignored."""
        values = {key: value for key, value in json.loads(text).items() if key in cls.__dataclass_fields__}
        for key in ("layers", "parameters"):
            values[key] = {name: tuple(shape) for name, shape in values.get(key, {}).items()}
        values["classes"] = tuple(values.get("classes", ()))
        return cls(**values)
