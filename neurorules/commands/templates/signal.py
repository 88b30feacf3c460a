"""The file that `neurorules new signal NAME` writes."""

from __future__ import annotations

TEMPLATE = '''"""{title}: say in one line where the third factor comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from neurorules.contracts.net_shape import NetShape
from neurorules.contracts.signal import Signal, SignalState, ThirdFactor, constant_in_time
from neurorules.contracts.view import View
from neurorules.language.ranges import Positive, ranged


@ranged("signal '{name}'")
@dataclass(frozen=True)
class {type_name}(Signal):
    """m = scale B e, with e the error at the output and B fixed random feedback of each layer's own.

    The fields of this class are the user's options: `--signal {name}:scale=2`.

    Args:
        scale: of the feedback, > 0.
    """

    scale: Positive = 1.0

    # What m is made of, in words of `neurorules.contracts.view.NEEDS`. A view holds what the needs buy: labels for
    # "target", the output error for "output_error", the weights above for "weight_transport". The audit changes one
    # thing at a time and measures what m depends on, so that a need too many is told as well as one too few.
    needs = frozenset({"target", "output_error", "fixed_feedback"})

    # When m is there: "step" if each step has its own without the later ones, else "phase" or "trial".
    known = "trial"

    # Further words, with their defaults. `summary = "spikes"` buys the time average of what the layer did, as
    # view.summary["input"]; `every = "spikes"` buys all steps. `varies = True` lets m differ from step to step.
    # `moves = {"centre": "a running centre"}` names tensors of the state that change; all others have to stay.

    def initial(self, net: NetShape, generator: torch.Generator) -> SignalState:
        """The state before the first trial, in float64: fixed feedback here. It is part of every checkpoint.

        Draw from this generator alone, and keep nothing in the object: a signal is frozen.
        """
        state: SignalState = {}
        for layer in net.hidden:
            feedback = torch.randn(net.classes, *layer.shape, generator=generator, dtype=torch.float64)
            state[f"{layer.name}.feedback"] = self.scale * feedback * prod(layer.shape) ** -0.5
        return state

    # Parameters that the optimiser learns come from `parameters(self, net, generator)`, named "<layer>.<name>"; their
    # gradients go into the second field of `ThirdFactor`, summed over samples. `check(self, net)` raises UserError for
    # a net that lacks what the signal works with.

    def third_factor(self, state: SignalState, parameters: Mapping[str, Tensor], view: View) -> ThirdFactor:
        """m of one layer, by phase: the derivative of the loss, summed over samples, by the layer's output.

        The sign is that of a gradient: texts take it away, as in -m_post * psi(v_post) * S_pre.
        """
        m = torch.tensordot(view.output_error, state[f"{view.layer.name}.feedback"], 1)  # (B, *layer.shape)
        # The derivative by a time average is spread over the steps; an m of every step is Series(values, False).
        return ThirdFactor({"input": constant_in_time(m, view.steps)}, {}, {})


ENTRY = {type_name}
'''
