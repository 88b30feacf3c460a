"""Goodness: a layer learns to be active if the label in its input is right, and silent if it is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from neurorules.contracts.net_shape import NetShape
from neurorules.contracts.phase_drive import PhaseDrive
from neurorules.contracts.series import Series
from neurorules.contracts.signal import Signal, SignalState, ThirdFactor, constant_in_time, one_hot
from neurorules.contracts.view import View, require
from neurorules.language.ranges import NonNegative, Positive, ranged

DRAWS = 1009
"""Number of stored draws of wrong labels, which trials use in turn; a prime, so that most epochs differ."""


@ranged("signal 'goodness'")
@dataclass(frozen=True)
class Goodness(Signal):
    """L = -log p(positive) - log(1 - p(negative)), with p = sigmoid(gain (G - theta)), the layer's goodness G = mean_i
    r_i^2, and the mean output r_i of neuron i. m = dL/dr in both passes.

    The label enters in addition to the sample: its row of the embedding is a current into the first layer. In the phase
    "positive" it is the sample's label, in "negative" a wrong label, and in "candidates" each class in turn, to predict
    the class of samples with unknown label. Sources: Hinton 2022; goodness of spike counts: Ghader et al. 2025; the
    difference: Lee & Song 2023.

    Args:
        theta: the goodness at which p is 1/2, >= 0; not read by the loss of the difference.
        gain: steepness of p, > 0.
        loss: threshold, as above; or difference, L = -log sigmoid(gain (G+ - G-)) of the sample's two passes.
    """

    theta: NonNegative = 0.3
    gain: Positive = 30.0
    loss: Literal["threshold", "difference"] = "difference"
    needs = frozenset({"target", "layer_pool"})
    moves = MappingProxyType({"trial": "count"})
    phases = ("positive", "negative")
    summary = "spikes"

    def repeats(self, phase: str, net: NetShape) -> int:
        return net.classes if phase == "candidates" else 1

    def initial(self, net: NetShape, generator: torch.Generator) -> SignalState:
        shifts = torch.randint(1, max(net.classes, 2), (DRAWS, net.classes), generator=generator)
        return {"shifts": shifts, "trial": torch.zeros((), dtype=torch.int64)}

    def parameters(self, net: NetShape, generator: torch.Generator) -> dict[str, Tensor]:
        first = net.layers[0]
        rows = torch.randn(net.classes, *first.shape, generator=generator, dtype=torch.float64)
        return {f"{first.name}.embedding": rows}

    def observe(self, state: SignalState, sample: Series, labels: Shaped[Tensor, "B *targets"] | None) -> SignalState:
        return {"trial": state["trial"] + 1}

    def drive(
        self, phase: str, state: SignalState, parameters: Mapping[str, Tensor], net: NetShape, sample: Series,
        output_error: Float[Tensor, "*lead C"] | None, labels: Shaped[Tensor, "B *targets"] | None,
    ) -> PhaseDrive:  # fmt: skip
        embedding = parameters[f"{net.layers[0].name}.embedding"]
        if phase == "candidates":
            samples = sample.values.shape[0 if sample.constant else 1]
            every = torch.arange(net.classes, device=embedding.device).repeat_interleave(samples)
            return PhaseDrive(sample, injected=embedding[every], repeats=self.repeats(phase, net))
        labels = require(labels, "target")
        shown = labels if phase == "positive" else wrong_labels(state, labels)
        context = one_hot(shown, net.classes, embedding)
        return PhaseDrive(sample, injected=embedding[shown], context=context)

    def third_factor(self, state: SignalState, parameters: Mapping[str, Tensor], view: View) -> ThirdFactor:
        m, goodness = {}, {phase: goodness_of(view.summary[phase]) for phase in self.phases}
        for phase, right in (("positive", 1), ("negative", 0)):
            r = view.summary[phase]
            rows = (-1, *(1,) * len(view.layer.shape))
            if self.loss == "threshold":
                slope = torch.sigmoid(self.gain * (goodness[phase] - self.theta)) - right
            else:
                slope = (1 - 2 * right) * torch.sigmoid(self.gain * (goodness["negative"] - goodness["positive"]))
            m[phase] = constant_in_time(slope.reshape(rows) * self.gain * 2 * r / r[0].numel(), view.steps)
        return ThirdFactor(m, {}, {})

    def scores(
        self, state: SignalState, parameters: Mapping[str, Tensor], net: NetShape,
        summary: Mapping[str, Mapping[str, Tensor]],
    ) -> Float[Tensor, "B C"]:  # fmt: skip
        total = torch.stack([goodness_of(summary[layer.name]["candidates"]) for layer in net.hidden]).sum(0)
        return self.gain * total.reshape(net.classes, -1).T


def goodness_of(rates: Float[Tensor, "R *shape"]) -> Float[Tensor, "R"]:
    """The goodness of a layer: its mean squared output.

    Args:
        rates: mean output of each neuron, (R, *shape).

    Returns:
        One number per row, (R,), >= 0; for spikes at most 1.
    """
    return rates.flatten(1).square().mean(1)


def wrong_labels(state: SignalState, labels: Int[Tensor, "B"]) -> Int[Tensor, "B"]:
    """A wrong label for each sample, from the stored draw for this trial.

    In one trial all samples of a class get the same wrong label, so that the label does not depend on the other samples
    of the batch or on the order of samples.

    Args:
        state: the signal's state, with the draws (shifts of 1 .. C - 1 for each class) and the number of the trial.
        labels: class indices (B,).

    Returns:
        Class indices (B,), none of which is the sample's own.
    """
    shifts: Tensor = state["shifts"]
    (row,) = shifts.index_select(0, (state["trial"] % len(shifts)).reshape(1))  # the index stays on the device
    return (labels + row[labels]) % shifts.shape[1]


ENTRY = Goodness
