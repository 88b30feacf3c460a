"""Fixed periodic patterns, one for each class: a layer's likeness to them is compared with the label (LLS, TESS)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from neurorules.contracts.net_shape import NetShape
from neurorules.contracts.signal import Signal, SignalState, ThirdFactor
from neurorules.contracts.view import Every, View
from neurorules.language.errors import UserError
from neurorules.language.ranges import Positive, ranged
from neurorules.language.settings import Task
from neurorules.signals._features import feature_count, lengths
from neurorules.signals._own_errors import Errors, error_of, own_rows

LOWEST, HIGHEST = 50.0, 512.0
"""Angular frequencies of the first and the last class, per neuron. Source: code of Apolinario et al. 2025."""
FRESH = 0.01
"""Standard deviation of fresh gains. Source: the same code."""

Waves = Literal["sine", "square"]
Lengths = Literal["unit", "mean"]
Gains = Literal["none", "class", "matrix"]


@ranged("signal 'patterns'")
@dataclass(frozen=True)
class Patterns(Signal):
    """m_l = dL/ds: L the cross-entropy of B z / tau, z the layer's spikes s, whole or divided by their length |s|.

    Row c of B is sin(f_c n) over the neurons n = 1 .. N, with f_c in equal steps from 50 to 512. Nothing of B is stored
    or learned: it is made anew from the layer's size. For several labels, L is the cross-entropy of a sigmoid of each.
    Source: Apolinario, Roy & Roy 2025, whose n begins at 0, where every wave is 0 and a neuron is taught nothing.

    Args:
        waves: sine, or square, for its sign.
        lengths: unit, for z = s / |s| (LLS), where |s| of a silent layer is that of one spike; or mean, for z = s and B
            divided by N (TESS).
        tau: temperature, > 0.
        gains: none; class, for scores that are multiplied by a learned number of each class (LLS-M); or matrix, by a
            learned matrix (LLS-MxM).
        errors: whether s is the mean of the trial, or the spikes of each step, whose errors are averaged over the
            steps. It is the step where the scores are those of the last steps.
    """

    waves: Waves = "sine"
    lengths: Lengths = "unit"
    tau: Positive = 1.0
    gains: Gains = "none"
    errors: Errors = "trial"
    tasks: frozenset[Task] = frozenset({"classes", "multilabel"})
    steps_apart = True
    summary = "spikes"

    @property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        """The label and a sum over the layer; a read-out of the layer's own too, where scores have learned gains."""
        needs = {"target", "layer_pool"}
        return frozenset(needs if self.gains == "none" else needs | {"local_readout"})

    @property
    def known(self) -> Literal["step", "trial"]:  # type: ignore[override]
        """At the step, where errors are those of the step."""
        return "step" if self.errors == "step" else "trial"

    @property
    def every(self) -> Every | None:  # type: ignore[override]
        """The spikes of each step, where errors are those of the step."""
        return "spikes" if self.errors == "step" else None

    @property
    def momentary(self) -> bool:  # type: ignore[override]
        """Errors of the step are made of its own spikes."""
        return self.errors == "step"

    @property
    def varies(self) -> bool:  # type: ignore[override]
        """m differs between steps, where errors do."""
        return self.errors == "step"

    def by_steps(self) -> Signal:
        return replace(self, errors="step")

    def check(self, net: NetShape) -> None:
        for layer in net.hidden:
            count = feature_count(layer.shape)
            rows = self.rows(net.classes, count, torch.zeros((), dtype=torch.float64))
            different = len(torch.unique(rows, dim=0)) == len(rows) and bool(rows.any(1).all())
            if not different:
                raise UserError(
                    f"layer '{layer.name}' has {count} features, on which the {self.waves} waves of two of "
                    f"{net.classes} classes are the same, or one is zero. Give it more neurons, or use waves=sine"
                )

    def parameters(self, net: NetShape, generator: torch.Generator) -> dict[str, Tensor]:
        if self.gains == "none":
            return {}
        shape = (net.classes,) * (1 if self.gains == "class" else 2)
        return {
            f"{layer.name}.gain": FRESH * torch.randn(shape, generator=generator, dtype=torch.float64)
            for layer in net.hidden
        }

    def rows(self, classes: int, count: int, like: Float[Tensor, "..."]) -> Float[Tensor, "C N"]:
        """B, the patterns of all classes.

        Args:
            classes: C.
            count: number of features N.
            like: a tensor on the device and of the precision that B shall have.

        Returns:
            A row for each class; divided by N where lengths are "mean".
        """
        frequency = torch.linspace(LOWEST, HIGHEST, classes, dtype=torch.float64)
        rows = torch.sin(frequency[:, None] * torch.arange(1, count + 1, dtype=torch.float64))
        rows = rows.sign() if self.waves == "square" else rows
        return (rows / count if self.lengths == "mean" else rows).to(like)

    def third_factor(self, state: SignalState, parameters: Mapping[str, Tensor], view: View) -> ThirdFactor:
        classes, name = view.net.classes, f"{view.layer.name}.gain"
        own = own_rows(view, classes)
        patterns = self.rows(classes, feature_count(view.layer.shape), own.features)
        unit = self.lengths == "unit"
        # A layer of no spike is divided by the length of one spike.
        length = lengths(own.features, 1.0 if self.errors == "step" else 1 / view.steps)
        z = own.features / length if unit else own.features
        scores = z @ patterns.T
        gain = parameters[name] if self.gains != "none" else None
        gained = scores if gain is None else scores * gain if gain.ndim == 1 else scores @ gain
        error = error_of(gained / self.tau, own.target, view.net.task) / (self.tau * own.share)
        gradients: dict[str, Tensor] = {}
        if gain is not None:
            gradients[name] = (scores * error).sum(0) if gain.ndim == 1 else scores.T @ error
            error = error * gain if gain.ndim == 1 else error @ gain.T
        to_z = error @ patterns
        if unit:
            to_z = (to_z - z * (z * to_z).sum(1, keepdim=True)) / length
        return ThirdFactor({"input": own.third_factor(to_z)}, gradients, {})


ENTRY = Patterns
