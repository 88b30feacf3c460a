"""Fixed periodic patterns, one for each class, with which a layer's activity is compared (LLS, TESS)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
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
"""Standard deviation of the initial gains. Source: the same code."""

Waves = Literal["sine", "square"]
Lengths = Literal["unit", "mean"]
Gains = Literal["none", "class", "matrix"]


@ranged("signal 'patterns'")
@dataclass(frozen=True)
class Patterns(Signal):
    """m_l = dL/ds, where L is the cross-entropy of B z / tau, and z is the layer's spikes s or s divided by its length
    |s|.

    Row c of B is sin(f_c n) over the neurons n = 1 .. N, with f_c in equal steps from 50 to 512. B is neither stored
    nor learned, but computed from the layer's size. For several labels, L is the sum of binary cross-entropies. Source:
    Apolinario, Roy & Roy 2025, where n begins at 0; there every wave is 0, so that neuron would learn nothing.

    Args:
        waves: sine, or square for the sign of the sine.
        lengths: unit for z = s / |s| (LLS), where a silent layer uses the length of a single spike; or mean for z = s
            with B divided by N (TESS).
        tau: temperature, > 0.
        gains: none; class, for scores that are multiplied by a learned number per class (LLS-M); or matrix, by a
            learned matrix (LLS-MxM).
        errors: "trial" if s is the mean of the trial; "step" if each step has an error, computed from its spikes, and
            the errors are averaged. Scores of the last steps require "step".
    """

    waves: Waves = "sine"
    lengths: Lengths = "unit"
    tau: Positive = 1.0
    gains: Gains = "none"
    errors: Errors = "trial"
    tasks = frozenset[Task]({"classes", "multilabel"})
    steps_apart = True
    summary = "spikes"

    @cached_property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        """The label and a sum over the layer, and a local read-out if the gains are learned."""
        needs = {"target", "layer_pool"}
        return frozenset(needs if self.gains == "none" else needs | {"local_readout"})

    @cached_property
    def timing(self) -> Literal["step", "trial"]:  # type: ignore[override]
        """At each step if each step has an error, otherwise at the end of the trial."""
        return "step" if self.errors == "step" else "trial"

    @cached_property
    def every(self) -> Every | None:  # type: ignore[override]
        """The spikes of each step, if each step has an error."""
        return "spikes" if self.errors == "step" else None

    @cached_property
    def momentary(self) -> bool:  # type: ignore[override]
        """Whether the error of a step is computed from the spikes of that step only."""
        return self.errors == "step"

    @cached_property
    def varies(self) -> bool:  # type: ignore[override]
        """Whether m differs between steps, which it does if each step has an error."""
        return self.errors == "step"

    def by_steps(self) -> Signal:
        return replace(self, errors="step")

    def check(self, net: NetShape) -> None:
        for layer in net.hidden:
            count = feature_count(layer.shape)
            rows = self.rows(net.classes, count)
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

    def rows(self, classes: int, count: int, like: Float[Tensor, "..."] | None = None) -> Float[Tensor, "C N"]:
        """B, the patterns of all classes.

        Args:
            classes: number of classes C.
            count: number of features N.
            like: a tensor on the device and of the precision that B shall have; None for float64 on the CPU.

        Returns:
            A row for each class; divided by N if lengths is "mean".
        """
        frequency = torch.linspace(LOWEST, HIGHEST, classes, dtype=torch.float64)
        rows = torch.sin(frequency[:, None] * torch.arange(1, count + 1, dtype=torch.float64))
        rows = rows.sign() if self.waves == "square" else rows
        rows = rows / count if self.lengths == "mean" else rows
        return rows if like is None else rows.to(like)

    def third_factor(self, state: SignalState, parameters: Mapping[str, Tensor], view: View) -> ThirdFactor:
        classes, name = view.net.classes, f"{view.layer.name}.gain"
        own = own_rows(view, classes)
        patterns = self.rows(classes, feature_count(view.layer.shape), own.features)
        unit = self.lengths == "unit"
        # The activity of a silent layer is divided by the length of one spike.
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
