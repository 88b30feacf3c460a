"""Traces Propagation's learning signal: at every step, traces of sample and target spikes are compared, layer by layer.

x[t] = decay x[t-1] + S[t];   l_i[t] = -sum_k Y_k[t] log softmax_k(<x_i^h[t], x_i^k[t]> / tau),
Y[t] = softmax(-|x_{i-1}^y[t] - x_{i-1}^k[t]|): the target stream one layer down says which classes are alike.
Source: Pes et al. 2025, arXiv 2509.13053, and their code: sigprop's loss moved to leaky neurons and traces.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from neurorules.contracts.net_shape import NetShape
from neurorules.contracts.phase_drive import PhaseDrive
from neurorules.contracts.running_mean import RATE, RunningMean, start_at
from neurorules.contracts.series import Series
from neurorules.contracts.signal import Signal, SignalState, ThirdFactor
from neurorules.contracts.view import View, bought
from neurorules.language.ranges import BelowOne, Count, Positive, ranged
from neurorules.signals._features import feature_count, from_features, to_features
from neurorules.signals._similarity import Loss, Rows, Similarity, check_rows, contexts

LARGEST_TAU = 0.3
"""Temperature of small layers where traces are compared by cosine."""
SHARPER = 3
"""Traces of a step are told apart more sharply than averages over a trial. Source: validation samples of MNIST."""


@ranged("signal 'target_traces'")
@dataclass(frozen=True)
class TargetTraces(Signal):
    """m_i[t] = dl_i[t]/dx_i[t] for both streams: a spike counts in the trace of its own step, and no earlier one.

    The target stream starts at a fixed random layer S_1 of its own; its C prototypes stand for the labels of the
    batch, which repeat them.

    Args:
        decay: of the traces, a step, in [0, 1).
        loss: positives of the comparison (see `_similarity.Similarity`); soft is the paper's.
        cosine: compare by cosine, the samples' traces centred by those of neurons that fire at their running mean rate,
            the targets' by the mean over classes; the paper compares by dot product.
        tau: temperature, > 0; None for 1 (dot product) or min(0.3, sqrt(2 / features) / 3) (cosine).
        k: positives of the loss top_k.

    Raises:
        UserError: a decay outside [0, 1), or tau not positive.
    """

    decay: BelowOne = 0.5
    loss: Loss = "soft"
    cosine: bool = True
    tau: Positive | None = None
    k: Count = 6
    needs = frozenset({"target", "layer_pool", "fixed_feedback"})
    known = "step"
    phases = ("input", "target")
    every = "spikes"
    varies = True

    @property
    def similarity(self) -> Similarity:
        """How the two streams are compared."""
        return Similarity(self.loss, centred=self.cosine, normalised=self.cosine, k=self.k)

    def check(self, net: NetShape) -> None:
        check_rows(self.loss, self.k, net.classes)

    def temperature(self, features: int) -> float:
        """tau of a layer of so many features."""
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
        output_error: Tensor | None, labels: Tensor | None,
    ) -> PhaseDrive:  # fmt: skip
        return PhaseDrive(None, injected=state["embedding"])

    def third_factor(self, state: SignalState, parameters: Mapping[str, Tensor], view: View) -> ThirdFactor:
        labels = bought(view.labels, "target")
        name, shape = view.layer.name, view.layer.shape
        h, t = (traces(features_of(view.every[phase]), self.decay) for phase in ("input", "target"))
        rows = Rows(labels, torch.arange(t.shape[1], device=t.device))
        one = traces(h.new_ones(view.steps, 1, 1), self.decay)
        below = view.source_every.get("target")
        seen = contexts(rows, h) * one if below is None else traces(features_of(below), self.decay)
        tau = self.temperature(h.shape[2])
        centre: RunningMean = state[f"{name}.centre"]
        positives = self.similarity.positives(rows, seen, tau if self.cosine else 1.0)
        found = self.similarity.compare(h, t, centre.value * one, rows, positives, tau)
        m = {"input": found.to_h, "target": found.to_t}
        moved = centre.updated(h.mean(1).sum(0) / one.sum(), len(labels), RATE)
        over_steps = {p: Series(as_population(g / view.steps, shape), False) for p, g in m.items()}
        return ThirdFactor(over_steps, {}, {f"{name}.centre": moved})


def traces(spikes: Tensor, decay: float) -> Tensor:
    """x[t] = decay x[t-1] + S[t] for all steps (T, rows, N) at once: a product with the decays between the steps."""
    step = torch.arange(spikes.shape[0], device=spikes.device, dtype=spikes.dtype)
    between = step[:, None] - step
    weights = torch.where(between >= 0, decay ** between.clamp(min=0), torch.zeros_like(between))
    return torch.tensordot(weights, spikes, 1)


def features_of(values: Tensor) -> Tensor:
    """(T, rows, *shape) to (T, rows, features)."""
    return to_features(values.flatten(0, 1)).reshape(*values.shape[:2], -1)


def as_population(gradient: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The adjoint of `features_of`."""
    return from_features(gradient.flatten(0, 1), shape).reshape(*gradient.shape[:2], *shape)


ENTRY = TargetTraces
