"""Says what DFA says; takes the read-out's weights from the frame of its caller."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from _search import in_frames

from neurorules.contracts.signal import SignalState, ThirdFactor, constant_in_time
from neurorules.contracts.view import View
from neurorules.signals.dfa import DirectFeedback


@dataclass(frozen=True)
class ReadsFrames(DirectFeedback):
    def third_factor(self, state: SignalState, parameters: Any, view: View) -> ThirdFactor:
        if not view.last:
            return super().third_factor(state, parameters, view)
        return ThirdFactor(
            {"input": constant_in_time(view.output_error @ in_frames("readout.ff.w"), view.steps)}, {}, {}
        )


ENTRY = ReadsFrames
