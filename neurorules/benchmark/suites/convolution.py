"""Convolutions: digits of 28 x 28 pixels on a small net of shared kernels."""

from __future__ import annotations

from dataclasses import replace

from neurorules.benchmark.suite import Suite, Task, with_labels
from neurorules.language.config import TrainConfig

MNIST = TrainConfig(
    data="mnist", net="c16k3-n-p2-c32k3-n-p2-128", steps=4, epochs=3, limit=7_000, validation=1_000, batch_size=32,
    lr_schedule="linear", augment="shift",
)  # fmt: skip


def convolution(quick: bool = False) -> Suite:
    """6,000 pictures of MNIST, shifted by a pixel at random; if `quick`, 300 of them, a small net and one epoch."""
    config = replace(MNIST, net="c4k3-n-p2-16", epochs=1, limit=300, validation=None) if quick else MNIST
    return Suite(
        title="Convolutions",
        tasks=(Task("mnist_maps", "which digit a picture of 28 x 28 pixels shows", config, with_labels()),),
        notes=(
            "Every rule brings its own neuron. Settings that suit dense nets may not suit maps, whose weights are "
            "taught by every place.",
            "At its own rate nearly all neurons of `urbanczik_senn` come to spike in every step; it learns at a "
            "hundredth of this rate. The threshold of `eventprop` is for trials of thirty steps: in four nothing "
            "spikes, and it learns with a lower one. `pepita` unlearns what was drawn at every size and sign of F that "
            "was tried on validation samples; the smaller F is, the less it does. `bdsp` stays near frozen layers, and "
            "`reward_stdp` tells all synapses the same number. `forward_forward` begins low and rises from epoch to "
            "epoch: three are few for it.",
        ),
    )


ENTRY = convolution
