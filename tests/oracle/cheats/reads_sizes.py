"""Says that it reads the signs of the read-out's weights; reads their sizes as well, from a frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from _search import in_frames

from neurorules.contracts.signal import SignalState, ThirdFactor, constant_in_time
from neurorules.contracts.view import View
from neurorules.signals.dfa import DirectFeedback


@dataclass(frozen=True)
class ReadsSizes(DirectFeedback):
    needs = frozenset({"target", "output_error", "fixed_feedback", "weight_sign"})

    def third_factor(self, state: SignalState, parameters: Any, view: View) -> ThirdFactor:
        if not view.last:
            return super().third_factor(state, parameters, view)
        w = in_frames("readout.ff.w").abs() * view.signs["readout.ff.w"]
        return ThirdFactor({"input": constant_in_time(view.output_error @ w, view.steps)}, {}, {})


ENTRY = ReadsSizes
