"""The file that `neurorules new neuron NAME` writes."""

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
    """What a neuron keeps from step to step, (B, *shape) each. Add a field for each further variable.

    Args:
        membrane: after the reset.
    """

    membrane: Tensor


@ranged("neuron '{name}'")
@dataclass(frozen=True)
class {type_name}(Neuron):
    """v[t] = beta u[t-1] + I[t]; a spike where v > v_threshold; u[t] = v[t] - v_threshold S[t].

    The fields of this class are the user's options: `--neuron {name}:beta=0.5`.

    Args:
        beta: decay of the membrane in one step, exp(-dt/tau), in [0, 1].
        v_threshold: threshold, > 0, in units of the current.
        surrogate: name and options of the pseudo-derivative, such as "atan:alpha=2".
    """

    beta: Fraction = 0.9
    v_threshold: Positive = 1.0
    surrogate: Named = "fast_sigmoid"

    # Whether the output is 0 or 1. A neuron of graded output says False, and may set `steps = 1` if it has no time.
    spiking = True

    def initial(self, current: Tensor) -> {type_name}State:
        """The state at rest, for rows like `current` (B, *shape): of its shape, type and device."""
        return {type_name}State(torch.zeros_like(current))

    def step(self, state: {type_name}State, current: Tensor) -> tuple[Tensor, Observed, {type_name}State]:
        """One time step: (spikes, what rules may read, the state after it).

        A step is pure: it changes nothing that it is handed and keeps nothing in the object. Rows of a batch and
        neurons of a population never see each other.
        """
        v = self.beta * state.membrane + current
        spikes = ((v - self.v_threshold) > 0).to(current.dtype)
        # Rules that follow a change through time need to know how a step passes it on, its resets held fixed: `keep` is
        # the derivative of v by the v before, `admit` that by the current. Leave gates out for a neuron without memory.
        gates = Gates(keep=torch.full_like(v, self.beta), admit=torch.ones_like(v), fires=None)
        # `v` is the membrane before the reset: what texts read as v_post.
        return spikes, Observed(v, gates=gates), {type_name}State(v - spikes * self.v_threshold)

    def psi(self, v: Tensor) -> Tensor:
        """The pseudo-derivative of the output by the membrane before the reset."""
        return make_surrogate(self.surrogate).psi(v - self.v_threshold)

    def primitive(self, v: Tensor) -> Tensor:
        """A graded output whose derivative is `psi`."""
        return make_surrogate(self.surrogate).primitive(v - self.v_threshold)

    def dynamics(self) -> Dynamics | None:
        """None where `step` is all there is. A leaky integrator may name its numbers here, and fused scans run it."""
        return None

    @property
    def scale(self) -> float:
        """What changes of the membrane are measured by: the threshold."""
        return self.v_threshold

    def brian2(self) -> Brian2Text:
        """The same step for Brian2: it reads I and u, and writes v, S and u, one term a statement, in equal order.

        Remove this method if the step has no such text: the neuron then runs in torch alone, and says so.
        """
        step = (
            "v = beta*u", "v = v + I", "S = int(v - v_threshold > 0)", "u = v - S*v_threshold",
            "keep = beta", "admit = 1.0",
        )  # fmt: skip
        numbers = {"beta": self.beta, "v_threshold": self.v_threshold}
        return Brian2Text(step, numbers, make_surrogate(self.surrogate), state=("keep", "admit"))


ENTRY = {type_name}
'''
