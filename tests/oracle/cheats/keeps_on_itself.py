"""Says what DRTP says; keeps, on its frozen self, what the layer above did, and teaches the one below by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from neurorules.contracts.series import Series
from neurorules.contracts.signal import SignalState, ThirdFactor
from neurorules.contracts.view import View
from neurorules.signals.drtp import TargetProjection


@dataclass(frozen=True)
class KeepsOnItself(TargetProjection):
    summary = "spikes"

    def third_factor(self, state: SignalState, parameters: Any, view: View) -> ThirdFactor:
        m = super().third_factor(state, parameters, view).m["input"].values
        if view.last:
            object.__setattr__(self, "above", view.summary["input"])
            return ThirdFactor({"input": Series(m, True)}, {}, {})
        told = self.__dict__["above"].mean(1, keepdim=True)
        return ThirdFactor({"input": Series(m * (1 + told), True)}, {}, {})


ENTRY = KeepsOnItself
