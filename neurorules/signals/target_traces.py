"""The signal of Traces Propagation: at every step each layer compares the traces of sample spikes and target spikes.

x[t] = decay x[t-1] + S[t];   l_i[t] = -sum_k Y_k[t] log softmax_k(<x_i^h[t], x_i^k[t]> / tau),
Y[t] = softmax(-|x_{i-1}^y[t] - x_{i-1}^k[t]|): the target stream one layer below says which classes are similar.
Source: Pes et al. 2025, arXiv 2509.13053, and their code, which carry sigprop's loss over to leaky neurons and traces.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from neurorules.contracts.net_shape import NetShape
from neurorules.contracts.phase_drive import PhaseDrive
from neurorules.contracts.running_mean import RATE, RunningMean, start_at
from neurorules.contracts.series import Series
from neurorules.contracts.signal import Signal, SignalState, ThirdFactor
from neurorules.contracts.view import View, require
from neurorules.language.ranges import BelowOne, Count, Positive, ranged
from neurorules.signals._features import feature_count, from_features, to_features
from neurorules.signals._low_pass import traces
from neurorules.signals._similarity import Loss, Rows, Similarity, check_rows, contexts

LARGEST_TAU = 0.3
"""Temperature of small layers, if traces are compared by cosine."""
SHARPER = 3
"""Factor by which the temperature is lower than for averages over a trial. Source: validation samples of MNIST."""


@ranged("signal 'target_traces'")
@dataclass(frozen=True)
class TargetTraces(Signal):
    """m_i[t] = dl_i[t]/dx_i[t] for both streams: the loss of a step affects the spikes of that step, and not earlier
    ones.

    The target stream starts at a separate fixed random layer S_1, and has one row per class.

    Args:
        decay: the decay of the traces in one step, in [0, 1).
        loss: positives of the comparison (see `_similarity.Similarity`); soft is the paper's.
        cosine: whether traces are compared by cosine (the default here), or by dot product, as in the paper. With the
            cosine, traces of samples are centred by the traces of neurons that fire at their running mean rate, and
            traces of targets by the mean over classes.
        tau: temperature, > 0; None for 1 (dot product) or min(0.3, sqrt(2 / features) / 3) (cosine).
        k: number of positives of the loss top_k.

    Raises:
        UserError: decay is outside [0, 1), or tau is not positive.
    """

    decay: BelowOne = 0.5
    loss: Loss = "soft"
    cosine: bool = True
    tau: Positive | None = None
    k: Count = 6
    needs = frozenset({"target", "layer_pool", "fixed_feedback"})
    timing = "step"
    phases = ("input", "target")
    every = "spikes"
    varies = True

    @cached_property
    def similarity(self) -> Similarity:
        """The way in which the two streams are compared."""
        return Similarity(self.loss, centred=self.cosine, normalised=self.cosine, k=self.k)

    def check(self, net: NetShape) -> None:
        check_rows(self.loss, self.k, net.classes)

    def temperature(self, features: int) -> float:
        """The temperature tau of a layer with this number of features."""
        if self.tau is not None:
            return self.tau
        return min(LARGEST_TAU, (2 / features) ** 0.5 / SHARPER) if self.cosine else 1.0

    def initial(self, net: NetShape, generator: torch.Generator) -> SignalState:
        like = torch.zeros((), dtype=torch.float64)
        state: SignalState = {f"{a.name}.centre": start_at(0.0, (feature_count(a.shape),), like) for a in net.hidden}
        state["embedding"] = torch.randn(net.classes, *net.layers[0].shape, generator=generator, dtype=torch.float64)
        return state

    def drive(
        self, phase: str, state: SignalState, parameters: Mapping[str, Tensor], net: NetShape, sample: Series,
        output_error: Float[Tensor, "B C"] | None, labels: Int[Tensor, "B"] | None,
    ) -> PhaseDrive:  # fmt: skip
        return PhaseDrive(None, injected=state["embedding"])

    def third_factor(self, state: SignalState, parameters: Mapping[str, Tensor], view: View) -> ThirdFactor:
        labels = require(view.labels, "target")
        name, shape = view.layer.name, view.layer.shape
        h, t = (traces(features_of(view.every[phase]), self.decay) for phase in ("input", "target"))
        rows = Rows(labels, torch.arange(t.shape[1], device=t.device))
        one = traces(h.new_ones(view.steps, 1, 1), self.decay)
        below = view.source_every.get("target")
        stream = contexts(rows, view.net.classes, h) * one if below is None else traces(features_of(below), self.decay)
        tau = self.temperature(h.shape[2])
        centre: RunningMean = state[f"{name}.centre"]
        positives = self.similarity.positives(rows, stream, tau if self.cosine else 1.0)
        compared = self.similarity.compare(h, t, centre.value * one, rows, positives, tau)
        m = {"input": compared.to_h, "target": compared.to_t}
        moved = centre.updated(h.mean(1).sum(0) / one.sum(), len(labels), RATE)
        over_steps = {p: Series(as_population(g / view.steps, shape), False) for p, g in m.items()}
        return ThirdFactor(over_steps, {}, {f"{name}.centre": moved})


def features_of(values: Float[Tensor, "T B *shape"]) -> Float[Tensor, "T B F"]:
    """The F features of a population at every step (see `_features`)."""
    return to_features(values.flatten(0, 1)).reshape(*values.shape[:2], -1)


def as_population(gradient: Float[Tensor, "T B F"], shape: tuple[int, ...]) -> Float[Tensor, "T B *shape"]:
    """Carry derivatives with respect to the features back to the neurons: the adjoint of `features_of`.

    Args:
        gradient: derivatives with respect to the features, (T, B, F).
        shape: the shape of the population.

    Returns:
        Derivatives with respect to the activity of the neurons, (T, B, *shape).
    """
    return from_features(gradient.flatten(0, 1), shape).reshape(*gradient.shape[:2], *shape)


ENTRY = TargetTraces
