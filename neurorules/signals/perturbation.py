"""PEPITA's learning signal: what a second pass, its input moved by the projected error, changes in each layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from neurorules.series import Series
from neurorules.signals._shared import (
    NetShape,
    PhaseDrive,
    Signal,
    SignalState,
    ThirdFactor,
    View,
    constant_in_time,
)


@dataclass(frozen=True)
class InputPerturbation(Signal):
    """m_l = r_l - r_l^err, the difference of mean outputs between the passes; the second is driven by x + F e.

    F (inputs x classes) is fixed, N(0, scale^2). Events are never made dense: F e reaches the first
    layer as a constant current beside the same spikes. Source: Dellaferrera & Kreiman 2022.

    Args:
        scale: of F's entries, in units of the input; the paper's 0.05 sqrt(2/inputs) suits rate networks, whose
            outputs are graded; a spike count needs a push of the order of the threshold.
    """

    scale: float = 0.1
    needs = frozenset({"target", "output_error", "fixed_feedback", "second_pass"})
    phases = ("input", "modulated")
    summary = "spikes"

    def initial(self, net: NetShape, generator: torch.Generator) -> SignalState:
        shape = (net.classes, *net.input_shape)
        return {"projection": torch.randn(shape, generator=generator, dtype=torch.float64) * self.scale}

    def drive(
        self, phase: str, state: SignalState, parameters: Mapping[str, Tensor], net: NetShape, sample: Series,
        output_error: Tensor | None, labels: Tensor | None,
    ) -> PhaseDrive:  # fmt: skip
        assert output_error is not None
        moved = torch.tensordot(output_error, state["projection"], 1)
        if sample.constant:
            return PhaseDrive(Series(sample.values + moved, True))
        return PhaseDrive(sample, offset=moved)

    def third_factor(self, state: SignalState, parameters: Mapping[str, Tensor], view: View) -> ThirdFactor:
        difference = view.summary["input"] - view.summary["modulated"]
        m = constant_in_time(difference, view.steps)
        return ThirdFactor({"input": m, "modulated": m}, {}, {})


ENTRY = InputPerturbation
