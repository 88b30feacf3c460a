"""Direct random target projection: the label through a fixed random matrix, with no error to wait for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from neurorules.contracts.net_shape import NetShape
from neurorules.contracts.signal import Signal, SignalState, ThirdFactor, constant_in_time
from neurorules.contracts.view import View, require
from neurorules.language.settings import Task
from neurorules.signals._feedback import direct_feedback, feedback_name


@dataclass(frozen=True)
class TargetProjection(Signal):
    """m_l = -B_l y*, with the one-hot label y* and fixed B_l (N_l x classes). Source: Frenkel, Lefebvre & Bol 2021.

    The sign is a convention, because the distribution of B_l is symmetric about zero. For several labels, y* has
    several ones. The rule assumes that the label determines the sign of the error; this is true for outputs in 0..1,
    but not for arbitrary values.
    """

    needs = frozenset({"target", "fixed_feedback"})
    tasks = frozenset[Task]({"classes", "multilabel"})
    steps_apart = True
    timing = "step"

    def initial(self, net: NetShape, generator: torch.Generator) -> SignalState:
        return direct_feedback(net, generator)

    def third_factor(self, state: SignalState, parameters: Mapping[str, Tensor], view: View) -> ThirdFactor:
        labels = require(view.labels, "target")
        feedback = state[feedback_name(view.layer.name)]
        m = -torch.tensordot(labels.to(feedback), feedback, 1) if labels.is_floating_point() else -feedback[labels]
        return ThirdFactor({"input": constant_in_time(m, view.steps)}, {}, {})


ENTRY = TargetProjection
