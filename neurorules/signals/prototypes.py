"""Sigprop's learning signal: targets travel forward through the same weights as samples, and each layer compares them.

In every layer, the activity a_h of a sample is compared with the activities a_t of the targets by cosine, after both
are centred. The loss of the layer is the cross-entropy of softmax(cosine / tau) against the label. No error comes from
the layers above. Source: Kohan, Rietman & Siegelmann 2023; options select the paper's other target generators, losses
and predictions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from neurorules.contracts.net_shape import NetShape
from neurorules.contracts.phase_drive import PhaseDrive
from neurorules.contracts.running_mean import RATE, REFERENCE, RunningMean, start_at
from neurorules.contracts.series import Series
from neurorules.contracts.signal import Signal, SignalState, ThirdFactor, constant_in_time, one_hot
from neurorules.contracts.target import CLASSES, PER_SAMPLE
from neurorules.contracts.view import Summary, View, require
from neurorules.language.errors import UserError
from neurorules.language.ranges import Count, Positive, ranged
from neurorules.language.settings import Task
from neurorules.signals._class_tree import class_tree, subset_scores
from neurorules.signals._features import feature_count, from_features, to_features
from neurorules.signals._generators import NEEDS_OF, Generator, context_of, embedded, rows_by_sample, through_weights
from neurorules.signals._similarity import FROM_BELOW, Loss, Rows, Similarity, check_rows, contexts, unit

Form = Literal["surrogate", "voltage", "raw_voltage"]
SUMMARY_OF: Mapping[Form, Summary] = {"surrogate": "graded", "voltage": "positive_v", "raw_voltage": "v"}
"""The average over time that each form compares."""
LARGEST_TAU = 0.3
"""Temperature of small layers. Source: measured on digits, nets of 24 to 64 neurons per layer."""


@ranged("signal 'prototypes'")
@dataclass(frozen=True)
class Prototypes(Signal):
    """l = CE(cos(a_h - mean, a_t - mean over rows) / tau, label); m is its derivative, for both streams.

    Args:
        form: the activity a: the time average of f(v), the graded output before the spike (surrogate); of max(v, 0)
            (voltage); or of v itself, as in the paper (raw_voltage).
        tau: temperature of the softmax, > 0. None means min(0.3, sqrt(2 / features)), which scales like the cosine
            between random vectors of that many features, or 1 if rows are not normalised.
        targets: pushed, for targets that travel through the weights; or codes, for fixed random rows per class and
            layer (a control).
        embedding: how classes enter the first layer: as rows of current that are random and fixed, or random and then
            learned; or as class_means, the running mean input of each class, sent through the weights of the first
            layer.
        generator: the input of the target stream (see `_generators`).
        loss, centred, normalised, k: how the streams are compared (see `_similarity.Similarity`).
        search: whether a prediction compares all prototypes or a subset (see `_class_tree`).
    """

    form: Form = "surrogate"
    tau: Positive | None = None
    targets: Literal["pushed", "codes"] = "pushed"
    embedding: Literal["fixed", "learned", "class_means"] = "learned"
    generator: Generator = "target_only"
    loss: Loss = "label"
    centred: bool = True
    normalised: bool = True
    k: Count = 6
    search: Literal["all", "subset"] = "all"

    def __post_init__(self) -> None:
        if self.targets == "codes" and (self.generator != "target_only" or self.loss in FROM_BELOW):
            raise UserError(
                f"targets=codes has one fixed row per class and layer: generator={self.generator} and loss={self.loss} "
                f"need a target stream. Use targets=pushed, or target_only with loss label, l2 or cosine"
            )

    @cached_property
    def tasks(self) -> frozenset[Task]:  # type: ignore[override]
        """Classes; or any task with one target per sample, if the target stream has one row per sample and the loss
        needs no classes.

        The context c that enters the first layer is then the target vector itself."""
        by_vectors = self.generator != "target_only" and self.loss != "label" and self.embedding != "class_means"
        return PER_SAMPLE if by_vectors else CLASSES

    @cached_property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        """The label and the needs of the generator; fixed random rows, for codes or a fixed embedding; and the other
        samples of the batch, for an embedding by class means."""
        if self.targets == "codes" or self.embedding == "fixed":
            return NEEDS_OF[self.generator] | {"fixed_feedback"}
        return NEEDS_OF[self.generator] | ({"batch_pool"} if self.embedding == "class_means" else frozenset())

    @cached_property
    def moves(self) -> Mapping[str, str]:  # type: ignore[override]
        """The mean input of each class, if the embedding consists of class means."""
        means = {"class_means": "sum of each class's inputs, which fades", "class_mass": "what it is divided by"}
        return means if self.embedding == "class_means" else {}

    @cached_property
    def phases(self) -> tuple[str, ...]:  # type: ignore[override]
        """The pass of the samples, and the pass of the targets if these travel through the weights."""
        return ("input", "target") if self.targets == "pushed" else ("input",)

    @cached_property
    def reads_below(self) -> bool:  # type: ignore[override]
        """Whether the loss compares a layer with the target stream of the layer below."""
        return self.loss in FROM_BELOW

    @cached_property
    def summary(self) -> Summary:  # type: ignore[override]
        """The average over time that the form compares."""
        return SUMMARY_OF[self.form]

    @cached_property
    def similarity(self) -> Similarity:
        """The way in which the two streams are compared."""
        return Similarity(self.loss, self.centred, self.normalised, self.k)

    def temperature(self, features: int) -> float:
        """The temperature tau of a layer with this number of features."""
        if self.tau is not None:
            return self.tau
        return min(LARGEST_TAU, (2 / features) ** 0.5) if self.normalised else 1.0

    def check(self, net: NetShape) -> None:
        if self.generator == "target_only":
            check_rows(self.loss, self.k, net.classes)

    def initial(self, net: NetShape, generator: torch.Generator) -> SignalState:
        like = torch.zeros((), dtype=torch.float64)
        state: SignalState = {f"{a.name}.centre": start_at(0.0, (feature_count(a.shape),), like) for a in net.hidden}
        if self.targets == "codes":
            for layer in net.hidden:
                shape = (net.classes, feature_count(layer.shape))
                state[f"{layer.name}.code"] = torch.randn(shape, generator=generator, dtype=torch.float64)
        elif self.embedding == "fixed":
            state["embedding"] = _random_rows(net, generator)
        elif self.embedding == "class_means":
            state["class_means"] = torch.zeros(net.classes, *net.input_shape, dtype=torch.float64)
            state["class_mass"] = torch.zeros(net.classes, dtype=torch.float64)
        return state

    def parameters(self, net: NetShape, generator: torch.Generator) -> dict[str, Tensor]:
        if self.targets == "pushed" and self.embedding == "learned":
            return {f"{net.layers[0].name}.embedding": _random_rows(net, generator)}
        return {}

    def drive(
        self, phase: str, state: SignalState, parameters: Mapping[str, Tensor], net: NetShape, sample: Series,
        output_error: Float[Tensor, "B C"] | None, labels: Shaped[Tensor, "B *targets"] | None,
    ) -> PhaseDrive:  # fmt: skip
        enter: Callable[[Generator, Tensor, Tensor, Series], PhaseDrive]
        if self.embedding == "class_means":
            mass = state["class_mass"].clamp(min=1e-12).reshape(-1, *(1,) * len(net.input_shape))
            rows, enter = state["class_means"] / mass, through_weights
        else:
            rows = state["embedding"] if self.embedding == "fixed" else parameters[f"{net.layers[0].name}.embedding"]
            enter = embedded
        if phase == "neutral":
            count = sample.values.shape[0 if sample.constant else 1]
            return enter("target_input", rows.new_full((count, len(rows)), 1 / len(rows)), rows, sample)
        if self.generator == "target_only":  # one row per class
            return PhaseDrive(None, injected=rows) if enter is embedded else PhaseDrive(Series(rows, True))
        labels = require(labels, "target")
        return enter(self.generator, context_of(self.generator, labels, output_error, rows), rows, sample)

    def observe(self, state: SignalState, sample: Series, labels: Shaped[Tensor, "B *targets"] | None) -> SignalState:
        if "class_means" not in state:
            return {}
        labels = require(labels, "target")
        means, mass = state["class_means"], state["class_mass"]
        mean_input = sample.values if sample.constant else sample.values.mean(0)
        members = one_hot(labels, means.shape[0], means)
        counts = members.sum(0)
        decay = (1 - RATE) ** (counts * means.shape[0] / REFERENCE)
        shape = (-1, *(1,) * (means.ndim - 1))
        class_mean = torch.tensordot(members.T, mean_input, 1) / counts.clamp(min=1).reshape(shape)
        updated = decay.reshape(shape) * means + (1 - decay).reshape(shape) * class_mean
        return {"class_means": updated, "class_mass": decay * mass + 1 - decay}

    def third_factor(self, state: SignalState, parameters: Mapping[str, Tensor], view: View) -> ThirdFactor:
        labels = require(view.labels, "target")
        name, shape, samples = view.layer.name, view.layer.shape, len(labels)
        h = to_features(view.summary["input"])
        centre: RunningMean = state[f"{name}.centre"]
        t = state[f"{name}.code"] if self.targets == "codes" else to_features(view.summary["target"])
        by_class = self.generator == "target_only"
        rows = Rows(labels, torch.arange(len(t), device=labels.device)) if by_class else rows_by_sample(labels)
        tau = self.temperature(h.shape[1])
        below = self._below(view, labels, rows, h) if self.loss in FROM_BELOW else t
        positives = self.similarity.positives(rows, below, tau)
        compared = self.similarity.compare(h, t, centre.value, rows, positives, tau)
        m = {"input": constant_in_time(from_features(compared.to_h, shape), view.steps)}
        if self.targets == "pushed":
            m["target"] = constant_in_time(from_features(compared.to_t, shape), view.steps)
        return ThirdFactor(m, {}, {f"{name}.centre": centre.updated(h.mean(0), samples, RATE)})

    def _below(self, view: View, labels: Tensor, rows: Rows, like: Tensor) -> Float[Tensor, "K M"]:
        """The target stream one layer below; below the first layer it consists of classes, or of target vectors."""
        if "target" in view.source:
            return to_features(view.source["target"])
        return labels.to(like) if labels.is_floating_point() else contexts(rows, view.net.classes, like)

    def scores(
        self, state: SignalState, parameters: Mapping[str, Tensor], net: NetShape,
        summary: Mapping[str, Mapping[str, Tensor]],
    ) -> Float[Tensor, "B C"]:  # fmt: skip
        last = net.hidden[-1].name
        h, centre = to_features(summary[last]["input"]), state[f"{last}.centre"].value
        t = state[f"{last}.code"] if self.targets == "codes" else to_features(summary[last]["target"])
        tau = self.temperature(h.shape[1])
        if self.search == "subset":
            return subset_scores(unit(h - centre)[0], class_tree(unit(t - t.mean(0))[0]), tau)
        return self.similarity.scores(h, t, centre, tau)


def _random_rows(net: NetShape, generator: torch.Generator) -> Float[Tensor, "C *shape"]:
    """Draw one row of current into the first layer per class, from N(0, 1)."""
    return torch.randn(net.classes, *net.layers[0].shape, generator=generator, dtype=torch.float64)


ENTRY = Prototypes
