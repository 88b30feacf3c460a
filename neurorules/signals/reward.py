"""A reward: one number per sample, the same for every neuron, which says whether the prediction was right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from neurorules.contracts.net_shape import NetShape
from neurorules.contracts.running_mean import RATE, RunningMean, start_at
from neurorules.contracts.series import Series
from neurorules.contracts.signal import Signal, SignalState, ThirdFactor, constant_in_time, one_hot
from neurorules.contracts.view import View, require
from neurorules.language.ranges import BelowOne, Number, ranged
from neurorules.signals._low_pass import traces


@ranged("signal 'reward'")
@dataclass(frozen=True)
class Reward(Signal):
    """m = -(R - baseline) / T at each of the T steps, where R is the reward for the prediction.

    If the output of each step has an error of its own, each step has a prediction and a reward. Then m = -d, with d[t]
    = decay d[t-1] + (R[t] - baseline) / n for the n scored steps.

    Source: Izhikevich 2007 (d is dopamine, without a baseline); Fremaux & Gerstner 2016 (a baseline for each task, so
    that the average reward causes no learning).

    Args:
        right: R if the largest output is that of the sample's class.
        wrong: R if it is not.
        baseline: the running mean of earlier rewards that is subtracted: class, over samples of the same class; all,
            over all samples; or none. Each layer has its own running mean.
        decay: the decay of d in one step, in [0, 1), where steps earn rewards of their own.
    """

    right: Number = 1.0
    wrong: Number = -1.0
    baseline: Literal["class", "all", "none"] = "class"
    decay: BelowOne = 0.0
    needs = frozenset({"target", "output_error"})
    steps_apart = True
    timing = "error"

    def initial(self, net: NetShape, generator: torch.Generator) -> SignalState:
        if self.baseline == "none":
            return {}
        kinds = net.layers[-1].shape[0] if self.baseline == "class" else 1
        like = torch.zeros((), dtype=torch.float64)
        return {f"{layer.name}.earned": start_at(0.0, (kinds,), like) for layer in net.hidden}

    def third_factor(self, state: SignalState, parameters: Mapping[str, Tensor], view: View) -> ThirdFactor:
        error, labels = require(view.output_error, "output_error"), require(view.labels, "target")
        scored = (view.scored or view.steps) if error.ndim == 3 else view.steps
        target = one_hot(labels, error.shape[-1], error)
        prediction = error * (scored if error.ndim == 3 else 1) + target
        earned = torch.where(prediction.argmax(-1) == labels, self.right, self.wrong).to(error)
        name, own = f"{view.layer.name}.earned", earned if error.ndim == 2 else earned[-scored:].mean(0)
        before: RunningMean | None = state.get(name)
        if before is not None:
            kinds = labels if self.baseline == "class" else torch.zeros_like(labels)
            earned = earned - before.value[kinds]
            moved = {name: _moved(before, own, kinds)}
        after = {} if before is None else moved
        if error.ndim == 2:
            m = -earned.reshape(-1, *(1 for _ in view.layer.shape)).expand(-1, *view.layer.shape)
            return ThirdFactor({"input": constant_in_time(m, view.steps)}, {}, after)
        counts = torch.arange(view.steps, device=error.device) >= view.steps - scored
        d = reward_trace(earned / scored * counts[:, None], self.decay)
        m = -d.reshape(*d.shape, *(1 for _ in view.layer.shape)).expand(*d.shape, *view.layer.shape)
        return ThirdFactor({"input": Series(m, False)}, {}, after)


def reward_trace(reward: Float[Tensor, "T B"], decay: float) -> Float[Tensor, "T B"]:
    """A trace of rewards: d[t] = decay d[t-1] + reward[t].

    Args:
        reward: the reward of each step and sample.
        decay: decay of the trace per step, in [0, 1).

    Returns:
        The trace d for each step and sample.
    """
    return traces(reward[..., None], decay)[..., 0] if decay else reward


def _moved(before: RunningMean, earned: Tensor, kinds: Tensor) -> RunningMean:
    """The running means after a trial. Each sample moves the mean of its class only."""
    members = torch.nn.functional.one_hot(kinds, len(before.value)).to(earned)
    apart = (members * (earned[:, None] - before.value)).mean(0)
    return before.updated(before.value + apart, len(kinds), RATE)


ENTRY = Reward
