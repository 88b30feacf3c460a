"""Honest: reads the signs of the read-out's weights, and says so (sign-symmetric feedback)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from neurorules.contracts.signal import SignalState, ThirdFactor, constant_in_time
from neurorules.contracts.view import View
from neurorules.signals.dfa import DirectFeedback


@dataclass(frozen=True)
class ReadsSigns(DirectFeedback):
    needs = frozenset({"target", "output_error", "fixed_feedback", "weight_sign"})

    def third_factor(self, state: SignalState, parameters: Any, view: View) -> ThirdFactor:
        if not view.last:
            return super().third_factor(state, parameters, view)
        return ThirdFactor(
            {"input": constant_in_time(view.output_error @ view.signs["readout.ff.w"], view.steps)}, {}, {}
        )


ENTRY = ReadsSigns
