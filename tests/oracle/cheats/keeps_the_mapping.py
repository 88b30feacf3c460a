"""Says what DFA says; keeps the mapping of parameters that it is first handed, and reads the read-out in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from neurorules.contracts.signal import SignalState, ThirdFactor, constant_in_time
from neurorules.contracts.view import View
from neurorules.signals.dfa import DirectFeedback

KEPT: list[Any] = []


@dataclass(frozen=True)
class KeepsTheMapping(DirectFeedback):
    def third_factor(self, state: SignalState, parameters: Any, view: View) -> ThirdFactor:
        KEPT.append(parameters)
        if not view.last:
            return super().third_factor(state, parameters, view)
        return ThirdFactor({"input": constant_in_time(view.output_error @ KEPT[0]["readout.ff.w"], view.steps)}, {}, {})


ENTRY = KeepsTheMapping
