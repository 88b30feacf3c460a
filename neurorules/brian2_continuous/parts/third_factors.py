"""The signals whose third factor a circuit makes from what is there at a moment, and why others have none."""

from __future__ import annotations

from collections.abc import Mapping

from neurorules.brian2_continuous.parts.broadcasts import (
    Make,
    from_error,
    from_label,
    from_layer_above,
    from_reward,
)
from neurorules.brian2_continuous.parts.own_readouts import from_class_vectors, from_own_readout, from_patterns
from neurorules.contracts.signal import Signal
from neurorules.signals.class_vectors import ClassVectors
from neurorules.signals.dfa import DirectFeedback
from neurorules.signals.drtp import TargetProjection
from neurorules.signals.echo import Echo
from neurorules.signals.goodness import Goodness
from neurorules.signals.local_readout import LocalReadout
from neurorules.signals.patterns import Patterns
from neurorules.signals.reward import Reward
from neurorules.signals.spatial import SpatialBackpropagation
from neurorules.signals.target_traces import TargetTraces

LOCAL: Mapping[type[Signal], Make] = {
    TargetProjection: from_label,
    DirectFeedback: from_error,
    SpatialBackpropagation: from_layer_above,
    Reward: from_reward,
    LocalReadout: from_own_readout,
    Patterns: from_patterns,
    ClassVectors: from_class_vectors,
}
"""Functions that make the parts of a third factor, by the class of its signal: those that are local in time."""
REASONS: Mapping[type[Signal], str] = {
    Goodness: "shows each sample twice, with its own label in its input and with a wrong one, and compares the two",
    TargetTraces: "sends every class through the same weights beside the sample, all of them at each step",
    Echo: "keeps a running mean of whole samples for each class, for which no circuit has been written",
}
"""Why a signal has no such parts, as what it does."""
