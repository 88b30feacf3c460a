"""EventProp: how the loss changes with the time of each spike, carried through the forward weights and backwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from neurorules.contracts.signal import Signal, SignalState, ThirdFactor
from neurorules.contracts.target import TASKS
from neurorules.contracts.view import View, from_above
from neurorules.language.ranges import Positive, ranged


@ranged("signal 'eventprop'")
@dataclass(frozen=True)
class EventProp(Signal):
    """m_l[t] = W_{l+1}^T (dI_{l+1}[t] - dI_{l+1}[t+1]), the derivative of the loss by how much earlier a spike comes.

    dI is the post factor that the text of the layer above computes from its own m. The texts then read as psi how much
    earlier a spike comes for a higher membrane, which is 0 where there is no spike.

    Args:
        least_rise: the lowest rise of the membrane at a spike that is divided by, in thresholds per synaptic time
            constant, > 0. A membrane that grazes its threshold would otherwise have an unbounded derivative.

    Source: Wunderlich & Pehle 2021, https://doi.org/10.1038/s41598-021-91786-z.
    """

    least_rise: Positive = 0.1
    needs = frozenset({"target", "output_error", "weight_transport", "above", "history"})
    tasks = frozenset(TASKS)
    steps_apart = True
    varies = True

    def third_factor(self, state: SignalState, parameters: Mapping[str, Tensor], view: View) -> ThirdFactor:
        return ThirdFactor({"input": from_above(view)}, {}, {})


ENTRY = EventProp
