"""Recordings of an event camera: N-MNIST."""

from __future__ import annotations

from neurorules.benchmark.suite import Suite, Task
from neurorules.language.config import TrainConfig


def events(quick: bool = False) -> Suite:
    """At most 6,000 recordings of N-MNIST; if `quick`, 200 of them, a small net and one epoch."""
    nmnist = TrainConfig(data="nmnist", net="200-200", epochs=5, limit=6_000, batch_size=32)
    if quick:
        nmnist = TrainConfig(data="nmnist", net="32", epochs=1, limit=200, batch_size=32)
    return Suite(
        title="Events of a camera",
        tasks=(Task("nmnist", "which digit an event camera sees in three saccades", nmnist),),
        notes=(
            "Any subset of the published recordings will do; the table of tasks says how many there were.",
            "Every rule brings its own neuron and number of steps.",
            "`reward_stdp` tells all synapses the same number, and its layers drift.",
        ),
    )


ENTRY = events
