"""The template that `neurorules new signal NAME` writes."""

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
    """m = scale B e, where e is the output error and B is fixed random feedback, drawn for each layer.

    The fields of this class are the user's options: `--signal {name}:scale=2`.

    Args:
        scale: the scale of the feedback, > 0.
    """

    scale: Positive = 1.0

    # What m depends on, in words of `neurorules.contracts.view.NEEDS`. A view contains only what the needs ask for:
    # labels for "target", the output error for "output_error", the weights above for "weight_transport". The audit
    # measures what m depends on, and reports missing as well as superfluous needs.
    needs = frozenset({"target", "output_error", "fixed_feedback"})

    # When m is known: "step" if m of a step does not depend on later steps, else "phase" or "trial".
    timing = "trial"

    # Further optional fields. `summary = "spikes"` gives the time average of the layer's activity, as
    # view.summary["input"]; `every = "spikes"` gives all steps. `varies = True` lets m differ from step to step.
    # `moves = {"centre": "a running centre"}` names tensors of the state that change; all others must not change.

    def initial(self, net: NetShape, generator: torch.Generator) -> SignalState:
        """The initial state in float64, which here is fixed feedback. It is part of every checkpoint.

        Use only this generator for random numbers, and store nothing in the object, because a signal is frozen.
        """
        state: SignalState = {}
        for layer in net.hidden:
            feedback = torch.randn(net.classes, *layer.shape, generator=generator, dtype=torch.float64)
            state[f"{layer.name}.feedback"] = self.scale * feedback * prod(layer.shape) ** -0.5
        return state

    # The method `parameters(self, net, generator)` defines learned parameters, named "<layer>.<name>"; their
    # gradients are the second field of `ThirdFactor`, summed over samples. `check(self, net)` raises UserError for
    # a net that the signal cannot work with.

    def third_factor(self, state: SignalState, parameters: Mapping[str, Tensor], view: View) -> ThirdFactor:
        """Compute m of one layer by phase: the derivative of the loss, summed over samples, by the layer's output.

        The sign is that of a gradient, so texts have a minus sign, as in -m_post * psi(v_post) * S_pre.
        """
        m = torch.tensordot(view.output_error, state[f"{view.layer.name}.feedback"], 1)  # (B, *layer.shape)
        # The derivative by a time average is spread over the steps; for an m per step, use Series(values, False).
        return ThirdFactor({"input": constant_in_time(m, view.steps)}, {}, {})


ENTRY = {type_name}
'''
