"""Pictures, each shown for the whole trial: handwritten digits of 8 x 8 pixels, and MNIST."""

from __future__ import annotations

from neurorules.benchmark.suite import Suite, Task, with_labels
from neurorules.language.config import TrainConfig


def static(quick: bool = False) -> Suite:
    """Digits, and all of MNIST on the net 784-256-10 of NeuroTrain (arXiv 2605.15058) with ten steps and ten epochs; if
    `quick`, 300 samples of each, a small net and one epoch."""
    digits = TrainConfig(data="digits", net="64-64", epochs=15, batch_size=32)
    mnist = TrainConfig(data="mnist", net="256", steps=10, epochs=10)
    if quick:
        digits = TrainConfig(data="digits", net="32", epochs=1, limit=300, batch_size=32)
        mnist = TrainConfig(data="mnist", net="32", epochs=1, limit=300, batch_size=32)
    return Suite(
        title="Static pictures",
        tasks=(
            Task("digits", "which digit a picture of 8 x 8 pixels shows", digits),
            Task("mnist", "which digit a picture of 28 x 28 pixels shows", mnist, with_labels()),
        ),
        notes=(
            "Every rule brings its own neuron.",
            "Rules that are told no labels learn the small task alone: `neurorules reproduce diehl-cook` shows what "
            "one of them makes of MNIST.",
            "`reward_stdp` tells all synapses the same number, the reward of a step, of which each of hundreds of "
            "neurons is a small cause: its hidden layers drift, and the faster they learn, the less is left of what "
            "was drawn. At a hundredth of its rate it reaches what frozen layers do.",
        ),
    )


ENTRY = static
