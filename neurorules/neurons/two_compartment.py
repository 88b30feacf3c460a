"""A neuron of two compartments: synapses reach a dendrite, which drives a soma that spikes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from neurorules.contracts.gates import Gates
from neurorules.contracts.neuron import Reset
from neurorules.contracts.threshold_neuron import Brian2Parts, ThresholdNeuron
from neurorules.language.errors import UserError
from neurorules.language.options import Named
from neurorules.language.ranges import Fraction, NonNegative, Positive, Whole, ranged
from neurorules.neurons._integrator import Integrator
from neurorules.neurons._refractory import Refractory, with_refractory_period
from neurorules.surrogates import make_surrogate


class TwoCompartmentState(NamedTuple):
    """The state after a step, (B, *shape) each.

    Args:
        membrane: the potential of the soma after the reset.
        dendrite: the potential of the dendrite.
        spikes: the spikes of the step.
    """

    membrane: Tensor
    dendrite: Tensor
    spikes: Tensor


@dataclass(frozen=True)
class TwoCompartments(Integrator[TwoCompartmentState]):
    """The neuron that `two_compartment` builds; its arguments are those of the function."""

    beta_dendrite: float
    coupling: float
    back: float
    back_spike: float

    def initial(self, current: Tensor) -> TwoCompartmentState:
        nothing = torch.zeros_like(current)
        return TwoCompartmentState(nothing, nothing, nothing)

    def late(self, state: TwoCompartmentState) -> Tensor:
        return self.above(state.membrane)

    def before(self, state: TwoCompartmentState) -> Tensor:
        return state.spikes

    def integrate(self, state: TwoCompartmentState, current: Tensor, late: Tensor) -> TwoCompartmentState:
        soma, dendrite, last = state
        if self.reset == "zero":
            soma = (1 - late) * soma
        moved = self.beta_dendrite * dendrite + current
        moved = moved + self.back * (soma - dendrite)
        moved = moved + self.back_spike * last
        return TwoCompartmentState(self.leaked(soma, self.coupling * (moved - soma), late), moved, last)

    def hold(self, state: TwoCompartmentState, moved: TwoCompartmentState, late: Tensor) -> TwoCompartmentState:
        return moved._replace(membrane=self.hold_membrane(state.membrane, late))

    def v(self, moved: TwoCompartmentState) -> Tensor:
        return moved.membrane

    def settle(self, moved: TwoCompartmentState, spikes: Tensor, late: Tensor) -> TwoCompartmentState:
        return TwoCompartmentState(self.after_reset(moved.membrane, spikes, late), moved.dendrite, spikes)

    @property
    def stays(self) -> float:
        """The share of the soma that is left after a step, with what comes back through the dendrite in it."""
        return self.beta - self.coupling + self.coupling * self.back  # type: ignore[return-value]

    @property
    def current_decay(self) -> float:
        """The share of the dendrite that is left after a step."""
        return self.beta_dendrite - self.back

    def gates(self, state: TwoCompartmentState, before: Tensor) -> Gates:
        return Gates(self.stays * self.keep_hold(before), torch.full_like(before, self.coupling), None)

    def brian2_parts(self) -> Brian2Parts:
        numbers: dict[str, Any] = {
            **self.brian2_numbers(), "alpha": self.current_decay, "decay_dendrite": self.beta_dendrite,
            "coupling": self.coupling, "back": self.back, "back_spike": self.back_spike, "stays": self.stays,
        }  # fmt: skip
        return Brian2Parts(
            late=self.brian2_late(),
            integrate=(
                *(["u = (1 - late)*u"] if self.reset == "zero" else []),
                "backwards = back*(u - dendrite)",
                "dendrite = decay_dendrite*dendrite",
                "dendrite = dendrite + I",
                "dendrite = dendrite + backwards",
                "dendrite = dendrite + back_spike*S",
                "inward = coupling*(dendrite - u)",
                *self.brian2_leaked("mem", "inward"),
            ),
            hold=self.brian2_hold(),
            v="mem",
            settle=(self.brian2_after_reset("mem"),),
            keep=f"stays{self.brian2_passed()}",
            admit="coupling",
            keep_hold=self.brian2_passed(),
            numbers=numbers,
            state=("dendrite", "backwards", "inward"),
            current="dendrite",
        )


@ranged("neuron 'two_compartment'")
def two_compartment(
    *,
    beta: Fraction = 0.95,
    beta_dendrite: Fraction = 0.9,
    coupling: Positive = 0.3,
    back: NonNegative = 0.05,
    back_spike: NonNegative = 0.0,
    v_threshold: Positive = 1.0,
    reset: Reset = "subtract",
    reset_delay: bool = False,
    refractory: Whole = 0,
    surrogate: Named = "fast_sigmoid",
) -> ThresholdNeuron[Any] | Refractory:
    """d[t] = beta_dendrite d[t-1] + back (v[t-1] - d[t-1]) + back_spike S[t-1] + I[t], and the soma
    v[t] = beta v[t-1] + coupling (d[t] - v[t-1]).

    Texts read the soma as v_post and the current of the dendrite as i_post. Eligibilities hold fixed what the dendrite
    received from the soma in earlier steps than the last.

    Source: two passive compartments joined by a conductance, as in Urbanczik & Senn 2014
    (doi.org/10.1016/j.neuron.2013.11.030), where nothing flows back.

    Args:
        beta: decay of the soma per step by its leak, in [0, 1].
        beta_dendrite: decay of the dendrite per step by its leak, in [0, 1].
        coupling: share of the difference of potentials that the soma receives in a step, above 0, at most beta.
        back: share of the difference that the dendrite receives, >= 0, at most beta_dendrite.
        back_spike: rise of the dendrite in the step after a spike, >= 0, in units of the current.
        v_threshold: threshold of the soma, > 0.
        reset: what a spike does to the soma: subtract, zero or none.
        reset_delay: whether the reset acts one step later.
        refractory: number of steps after a spike in which the soma is held and cannot spike, >= 0; the dendrite
            goes on.
        surrogate: the surrogate derivative with options, such as "atan:alpha=2".

    Returns:
        The neuron, with a refractory period if `refractory` is not 0.

    Raises:
        UserError: a number is out of range.
    """
    for name, share, most_name, most in (
        ("coupling", coupling, "beta", beta),
        ("back", back, "beta_dendrite", beta_dendrite),
    ):
        if share > most:
            raise UserError(
                f"neuron 'two_compartment': {name}={share:g} takes more of a potential than {most_name}={most:g} "
                f"leaves. Give at most {most:g}"
            )
    neuron = TwoCompartments(
        beta, v_threshold, reset, reset_delay, make_surrogate(surrogate), beta_dendrite, coupling, back, back_spike
    )
    return with_refractory_period(neuron, refractory)


ENTRY = two_compartment
