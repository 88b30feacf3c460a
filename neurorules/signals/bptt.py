"""Backpropagation through time: the output error, carried through the forward weights and backwards in time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from neurorules.contracts.signal import Signal, SignalState, ThirdFactor
from neurorules.contracts.target import TASKS
from neurorules.contracts.view import View, from_above


@dataclass(frozen=True)
class BackpropagationThroughTime(Signal):
    """m_l[t] = W_{l+1}^T dI_{l+1}[t], with resets held fixed. Source: Werbos 1990; surrogates: Neftci et al. 2019.

    dI is the post factor that the text of the layer above computes from its own m. If that text includes a
    normalisation by running averages, dI is centred and decorrelated from the current, and m is then not the exact
    derivative of the loss.
    """

    needs = frozenset({"target", "output_error", "weight_transport", "above", "history"})
    tasks = frozenset(TASKS)
    steps_apart = True
    varies = True

    def third_factor(self, state: SignalState, parameters: Mapping[str, Tensor], view: View) -> ThirdFactor:
        return ThirdFactor({"input": from_above(view)}, {}, {})


ENTRY = BackpropagationThroughTime
