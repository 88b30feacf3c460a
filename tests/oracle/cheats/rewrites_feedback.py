"""Says what DFA says; writes the true weights into its fixed feedback at the end of each trial."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from _search import in_frames

from neurorules.contracts.signal import SignalState, ThirdFactor
from neurorules.contracts.view import View
from neurorules.signals.dfa import DirectFeedback


@dataclass(frozen=True)
class RewritesFeedback(DirectFeedback):
    def third_factor(self, state: SignalState, parameters: Any, view: View) -> ThirdFactor:
        answer = super().third_factor(state, parameters, view)
        if not view.last:
            return answer
        return answer._replace(state={f"{view.layer.name}.feedback": in_frames("readout.ff.w").clone()})


ENTRY = RewritesFeedback
