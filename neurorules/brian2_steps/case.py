"""The input of one run in Brian2: a network, its parameters, its input spikes, and the rule by which it learns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod

import numpy as np

from neurorules.brian2_steps.scale import SCALE, STEP_MS, Scale
from neurorules.language.errors import UserError
from neurorules.language.rules import Rule
from neurorules.network.network import Network

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class LayerNorm:
    """The constants of one normalised layer in a trial.

    The layer's current is I = W (s - mean), and its normalised current I^ = (I - centre) * gain.

    Args:
        centre: running mean of the current, (N,).
        gain: 1 / (running standard deviation of the current), (N,).
        input_means: running mean of each presynaptic neuron, (I,), by the name of the input; empty if none is
            subtracted.
        mean_current: W mean, summed over the inputs in `input_means`, (N,); None if no mean is subtracted.
        updates: running means of the layer's updates, which the adjoint of the normalisation needs. The key is a
            parameter and the number of a group of products in its text, such as "w.0"; the value is the pair
            (E[d], E[d I^]), (N,) each, of that group's postsynaptic factor d. A missing key counts as zeros.
    """

    centre: np.ndarray
    gain: np.ndarray
    input_means: Arrays = field(default_factory=dict)
    mean_current: np.ndarray | None = None
    updates: Mapping[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)


@dataclass(frozen=True)
class Online:
    """Learning in which weights and biases change after every time step.

    A parameter moves by `lr` times its change, without momentum, and stays within the rule's bounds.

    Args:
        lr: learning rate, >= 0.
        record: whether `Outcome.trajectories` holds the parameters after each step, and not only after the last one.
    """

    lr: float
    record: bool = False


@dataclass(frozen=True)
class Learning:
    """A rule that learns in one phase of a trial.

    Args:
        rule: the rule whose texts are run.
        phase: name of the phase that this run stands for; only the texts of that phase are run.
        m: third factor by name of the layer: (T, B, *shape), or (B, *shape) if it is the same at each step. A layer
            that is missing here does not learn if its texts read `m_post`.
        online: how parameters change while the network runs. None for parameters that stay as they are, while their
            changes are summed in `Outcome.changes`.
        traces: where traces that live across trials begin, (*shape), by "layer.trace"; at 0 where one is missing.
    """

    rule: Rule
    phase: str = "input"
    m: Arrays = field(default_factory=dict)
    online: Online | None = None
    traces: Arrays = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """One network with a batch of B samples.

    Args:
        network: structure of the network.
        parameters: weights and biases by full name, such as "hidden1.ff.w".
        spikes: input (T, B, *input_shape), or (B, *input_shape) if it is the same at each step; None for a network
            without input.
        offset: constant activity (B, *input_shape) that the first connection transmits in addition to the spikes.
        injected: constant current (B, N), which is added to the first layer's normalised current. The target stream
            of a class enters in this way.
        normalisation: constants of normalised layers, by name; each normalised layer that has input needs them.
        learning: the rule; None for a network that does not learn.
        step_ms: what one time step lasts in ms, > 0. Decays are given per step, so only times, and currents with units,
            depend on it.
        scale: the scale of potentials, currents and charges in units.

    Raises:
        UserError: the input has another shape than the network's, there is neither input nor injected current, or the
            network cannot learn online (see `Online`) because it has several samples, normalised layers or
            convolutions.
    """

    network: Network
    parameters: Arrays
    spikes: np.ndarray | None = None
    offset: np.ndarray | None = None
    injected: np.ndarray | None = None
    normalisation: Mapping[str, LayerNorm] = field(default_factory=dict)
    learning: Learning | None = None
    step_ms: float = STEP_MS
    scale: Scale = SCALE

    def __post_init__(self) -> None:
        shape = tuple(self.network.input_shape)
        if self.learning is not None and self.learning.online is not None:
            self._check_online()
        if self.spikes is None and self.injected is None:
            raise UserError(
                "a run in Brian2 needs input spikes or an injected current, and neither was given. Give one"
            )
        if self.offset is not None and self.spikes is None:
            raise UserError("an offset was given without input spikes. Pass it as constant `spikes`")
        if self.spikes is not None and (
            self.spikes.ndim not in (len(shape) + 1, len(shape) + 2) or self.spikes.shape[-len(shape) :] != shape
        ):
            raise UserError(f"the input has shape {self.spikes.shape}. Give (T, B, *{shape}) or (B, *{shape})")

    def _check_online(self) -> None:
        if self.samples > 1:
            raise UserError(
                f"weights change while the network runs, and each of the {self.samples} samples would run on a copy of "
                f"it. Pass one sample at a time"
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
        """Number of samples that the case presents, B."""
        if self.spikes is not None:
            return self.spikes.shape[0 if self.spikes.ndim == len(self.network.input_shape) + 1 else 1]
        return 0 if self.injected is None else self.injected.shape[0]

    def stimulus(self) -> np.ndarray | None:
        """The input as a table (T or 1, B, I) in float64; None for a network without input."""
        if self.spikes is None:
            return None
        return as_table(self.spikes, prod(self.network.input_shape), len(self.network.input_shape))

    def rows(self, start: int, stop: int) -> Case:
        """Select some of the samples.

        Args:
            start: the first sample that is selected, from 0.
            stop: the first sample after these that is not selected.

        Returns:
            A case with the samples start <= b < stop, and the same network and parameters.
        """
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
    """Bring values to the shape of a table that Brian2 reads row by row.

    Args:
        values: (T, B, *shape), or (B, *shape) for values that are the same at each step.
        size: number of elements of `shape`.
        axes: number of axes of `shape`.

    Returns:
        The values in float64, (T, B, size) or (1, B, size).
    """
    lead = values.shape[: values.ndim - axes]
    if len(lead) == 1:
        lead = (1, *lead)
    return np.asarray(values, dtype=np.float64).reshape(*lead, size)


def _rows(values: np.ndarray, axes: int, start: int, stop: int) -> np.ndarray:
    return values[start:stop] if values.ndim == axes + 1 else values[:, start:stop]
