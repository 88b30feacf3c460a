"""Honest: a reward for right answers, less its running mean, scales fixed random feedback of the error."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch

from neurorules.contracts.net_shape import NetShape
from neurorules.contracts.signal import SignalState, ThirdFactor, constant_in_time
from neurorules.contracts.view import View
from neurorules.signals.dfa import DirectFeedback


@dataclass(frozen=True)
class KeepsAReward(DirectFeedback):
    needs = frozenset({"target", "output_error", "fixed_feedback"})
    moves = MappingProxyType({"*.reward": "mean reward of the trials so far"})

    def initial(self, net: NetShape, generator: torch.Generator) -> SignalState:
        rewards = {f"{layer.name}.reward": torch.zeros((), dtype=torch.float64) for layer in net.hidden}
        return {**super().initial(net, generator), **rewards}

    def third_factor(self, state: SignalState, parameters: Any, view: View) -> ThirdFactor:
        name = f"{view.layer.name}.reward"
        reward = -view.output_error.abs().sum(1, keepdim=True)
        m = super().third_factor(state, parameters, view).m["input"].values * (reward - state[name])
        return ThirdFactor({"input": constant_in_time(m, 1)}, {}, {name: 0.9 * state[name] + 0.1 * reward.mean()})


ENTRY = KeepsAReward
