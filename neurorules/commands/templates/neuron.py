"""The template that `neurorules new neuron NAME` writes."""

from __future__ import annotations

TEMPLATE = '''"""{title}: say in one line what its membrane does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from neurorules.contracts.neuron import Brian2Text, Dynamics, Gates, Neuron, Observed
from neurorules.language.options import Named
from neurorules.language.ranges import Fraction, Positive, ranged
from neurorules.surrogates import make_surrogate


class {type_name}State(NamedTuple):
    """The state of the neuron between steps, (B, *shape) each. Add a field for each further variable.

    Args:
        membrane: the membrane after the reset.
    """

    membrane: Tensor


@ranged("neuron '{name}'")
@dataclass(frozen=True)
class {type_name}(Neuron):
    """v[t] = beta u[t-1] + I[t]; the neuron spikes if v > v_threshold; u[t] = v[t] - v_threshold S[t].

    The fields of this class are the user's options: `--neuron {name}:beta=0.5`.

    Args:
        beta: decay of the membrane per step, exp(-dt/tau), in [0, 1].
        v_threshold: threshold, > 0, in units of the current.
        surrogate: the surrogate derivative with options, such as "atan:alpha=2".
    """

    beta: Fraction = 0.9
    v_threshold: Positive = 1.0
    surrogate: Named = "fast_sigmoid"

    # Whether the output is 0 or 1. Use False for a graded output, and also `steps = 1` if there is only one time step.
    spiking = True

    def initial(self, current: Tensor) -> {type_name}State:
        """The state at rest, with the shape, type and device of `current` (B, *shape)."""
        return {type_name}State(torch.zeros_like(current))

    def step(self, state: {type_name}State, current: Tensor) -> tuple[Tensor, Observed, {type_name}State]:
        """Compute one time step, and return the spikes, the variables that rules may read, and the new state.

        The function is pure: it changes neither its arguments nor the object. Samples and neurons must be independent.
        """
        v = self.beta * state.membrane + current
        spikes = ((v - self.v_threshold) > 0).to(current.dtype)
        # Rules that carry changes through time need the derivatives of a step, with resets held fixed: `keep` is
        # dv/d(v of the previous step), `admit` is dv/d(current). Leave gates out for a neuron without memory.
        gates = Gates(keep=torch.full_like(v, self.beta), admit=torch.ones_like(v), fires=None)
        # `v` is the membrane before the reset, which texts read as v_post.
        return spikes, Observed(v, gates=gates), {type_name}State(v - spikes * self.v_threshold)

    def psi(self, v: Tensor) -> Tensor:
        """The pseudo-derivative of the output with respect to the membrane before the reset."""
        return make_surrogate(self.surrogate).psi(v - self.v_threshold)

    def primitive(self, v: Tensor) -> Tensor:
        """A graded output whose derivative is `psi`."""
        return make_surrogate(self.surrogate).primitive(v - self.v_threshold)

    def dynamics(self) -> Dynamics | None:
        """None if only `step` describes the neuron. Fused scans run leaky integrators that return their numbers."""
        return None

    @property
    def scale(self) -> float:
        """The unit in which changes of the membrane are measured: the threshold."""
        return self.v_threshold

    def brian2(self) -> Brian2Text:
        """The same step for Brian2, which reads I and u, and writes v, S and u, with one term per statement in order.

        Remove this method if the step cannot be written this way; the neuron then runs only in torch.
        """
        step = (
            "v = beta*u", "v = v + I", "S = int(v - v_threshold > 0)", "u = v - S*v_threshold",
            "keep = beta", "admit = 1.0",
        )  # fmt: skip
        numbers = {"beta": self.beta, "v_threshold": self.v_threshold}
        return Brian2Text(step, numbers, make_surrogate(self.surrogate), state=("keep", "admit"))


ENTRY = {type_name}
'''
