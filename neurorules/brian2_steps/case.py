"""What one run in Brian2 is given: a network, its numbers, what drives it, and what it learns from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod

import numpy as np

from neurorules.language.errors import UserError
from neurorules.language.rules import Rule
from neurorules.network.network import Network

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class LayerNorm:
    """Constants of one normalised layer during a trial: I^ = (I - centre) gain, I = W (s - mean).

    Args:
        centre: running mean of the current, (N,).
        gain: 1/sigma, (N,).
        input_means: running means that are taken away from its inputs, (I,), by input; empty for none.
        mean_current: W mean, summed over these inputs, (N,); None for none.
        updates: by parameter and group of products, "w.0": (E[d], E[d I^]), (N,) each; 0 where none is named.
    """

    centre: np.ndarray
    gain: np.ndarray
    input_means: Arrays = field(default_factory=dict)
    mean_current: np.ndarray | None = None
    updates: Mapping[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)


@dataclass(frozen=True)
class Online:
    """Weights and biases change after every step, by plain steps and within the rule's bounds.

    Args:
        lr: learning rate, >= 0.
        record: whether they are kept after each step (`Outcome.trajectories`).
    """

    lr: float
    record: bool = False


@dataclass(frozen=True)
class Learning:
    """A rule at work in one phase. Weights stay as they are and changes are gathered, unless `online`.

    Args:
        rule: whose texts act.
        phase: which of its phases this run is.
        m: third factor by layer, (B, N) constant or (T, B, N). A layer that it does not name, and whose texts read
            m, does not learn.
        online: None for weights that stay.
    """

    rule: Rule
    phase: str = "input"
    m: Arrays = field(default_factory=dict)
    online: Online | None = None


@dataclass(frozen=True)
class Case:
    """One network and B samples.

    Args:
        network: its structure.
        parameters: its weights and biases by full name, numpy arrays.
        spikes: input (T, B, *input_shape), or (B, *input_shape) where it is the same at each step; None for none.
        offset: constant activity (B, *input_shape) that reaches the first connection beside the spikes.
        injected: constant current (B, N) behind the first layer's normalisation, such as a class prototype's.
        normalisation: by layer; every normalised layer that has input must be there.
        learning: None for a network that only runs.

    Raises:
        UserError: shapes that do not fit, or nothing that drives it.
    """

    network: Network
    parameters: Arrays
    spikes: np.ndarray | None = None
    offset: np.ndarray | None = None
    injected: np.ndarray | None = None
    normalisation: Mapping[str, LayerNorm] = field(default_factory=dict)
    learning: Learning | None = None

    def __post_init__(self) -> None:
        shape = tuple(self.network.input_shape)
        if self.learning is not None and self.learning.online is not None:
            self._check_online()
        if self.spikes is None and self.injected is None:
            raise UserError("a run in Brian2 needs input spikes or an injected current, found neither")
        if self.offset is not None and self.spikes is None:
            raise UserError("an offset goes beside input spikes, and there are none. Pass it as constant `spikes`")
        if self.spikes is not None and (
            self.spikes.ndim not in (len(shape) + 1, len(shape) + 2) or self.spikes.shape[-len(shape) :] != shape
        ):
            raise UserError(f"input must be (T, B, *{shape}) or (B, *{shape}), found {self.spikes.shape}")

    def _check_online(self) -> None:
        if self.samples > 1:
            raise UserError(
                f"weights that change while they run belong to one network, and each of the {self.samples} samples "
                f"would run on a copy of it. Pass one sample at a time"
            )
        for layer in self.network.layers:
            if layer.normalisation is not None:
                raise UserError(
                    f"layer '{layer.name}' is normalised by running statistics, which stand still while weights "
                    f"change. Use --norm none"
                )
            if len(layer.shape) > 1:
                raise UserError(
                    f"layer '{layer.name}' shares its weights between positions, and each synapse would change its "
                    f"own. Gather the changes, or use a net of dense layers"
                )

    @property
    def samples(self) -> int:
        """B."""
        if self.spikes is not None:
            return self.spikes.shape[0 if self.spikes.ndim == len(self.network.input_shape) + 1 else 1]
        assert self.injected is not None
        return self.injected.shape[0]

    def stimulus(self) -> np.ndarray | None:
        """The input as a table (T or 1, B, N)."""
        if self.spikes is None:
            return None
        return as_table(self.spikes, prod(self.network.input_shape), len(self.network.input_shape))

    def rows(self, start: int, stop: int) -> Case:
        """The same with the samples start <= b < stop only."""
        axes = len(self.network.input_shape)
        spikes = None if self.spikes is None else _rows(self.spikes, axes, start, stop)
        offset = None if self.offset is None else self.offset[start:stop]
        injected = None if self.injected is None else self.injected[start:stop]
        learning = self.learning
        if learning is not None:
            shapes = {layer.name: len(layer.shape) for layer in self.network.layers}
            m = {name: _rows(value, shapes[name], start, stop) for name, value in learning.m.items()}
            learning = replace(learning, m=m)
        return replace(self, spikes=spikes, offset=offset, injected=injected, learning=learning)


def as_table(values: np.ndarray, size: int, axes: int) -> np.ndarray:
    """(T, B, *shape), or (B, *shape) with `axes` axes of shape, to (T or 1, B, size) in float64."""
    lead = values.shape[: values.ndim - axes]
    if len(lead) == 1:
        lead = (1, *lead)
    return np.asarray(values, dtype=np.float64).reshape(*lead, size)


def _rows(values: np.ndarray, axes: int, start: int, stop: int) -> np.ndarray:
    return values[start:stop] if values.ndim == axes + 1 else values[:, start:stop]
