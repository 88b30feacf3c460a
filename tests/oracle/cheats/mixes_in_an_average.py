"""Says what DRTP says; its running mean is no mean over samples, but a product of two of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from neurorules.contracts.net_shape import NetShape
from neurorules.contracts.running_mean import start_at
from neurorules.contracts.series import Series
from neurorules.contracts.signal import SignalState, ThirdFactor
from neurorules.contracts.view import View
from neurorules.signals.drtp import TargetProjection


@dataclass(frozen=True)
class MixesInAnAverage(TargetProjection):
    summary = "spikes"

    def initial(self, net: NetShape, generator: torch.Generator) -> SignalState:
        like = torch.zeros((), dtype=torch.float64)
        means = {f"{layer.name}.mean": start_at(0.0, layer.shape, like) for layer in net.hidden}
        return {**super().initial(net, generator), **means}

    def third_factor(self, state: SignalState, parameters: Any, view: View) -> ThirdFactor:
        m, name = super().third_factor(state, parameters, view).m["input"].values, f"{view.layer.name}.mean"
        spikes = view.summary["input"]
        moved = state[name].updated(spikes.mean(0).square(), len(spikes), 0.1)
        return ThirdFactor({"input": Series(m * (1 + state[name].value), True)}, {}, {name: moved})


ENTRY = MixesInAnAverage
