"""The neuron of circuits: the equations of a unit, the times of a step and of a presentation, and its spikes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from neurorules.brian2_continuous.parts.circuit import Act, Every
from neurorules.brian2_objects.exact import EXACT
from neurorules.brian2_steps.scale import SCALE, Scale
from neurorules.language.errors import UserError

SPIKING_LR = 7.0
"""Factor of a rule's learning rate for spiking units. Their activity is smaller than that of rate units, so that larger
steps suit them. Source: validation samples of the digits, rates from 0.03 to 0.6 with `lif`."""
MOST_STEPS = 10**6
"""The largest number of steps of a presentation; more of them are taken as a typing error."""


def fast_sigmoid(k: float) -> str:
    """The psi of spiking units, whose threshold is 1: the derivative of a fast sigmoid of steepness k >= 0."""
    return f"1.0/(1.0 + {k!r}*abs({{v}} - 1.0))**2"


def dividing_step(period_ms: float, steps: float) -> float:
    """Find the longest step of at most three decimals that divides a presentation.

    Args:
        period_ms: length of the presentation in ms, > 0.
        steps: number of steps that it has at least, > 0.

    Returns:
        The step in ms.
    """
    least = math.ceil(steps)
    lengths = (period_ms / count for count in range(least, 10 * least + 1))
    return next((one for one in lengths if math.isclose(one, round(one, 3), rel_tol=1e-9)), period_ms / least)


@dataclass(frozen=True)
class ContinuousNeuron:
    """The equations of one kind of unit.

    A unit's current is the sum of `I_const` from wires that carry activity, `I_in` from wires that carry spikes,
    `I_aside` from a rule's further wires, and the bias `b`.

    Args:
        equations: lines in Brian2's syntax; they define the membrane `v`, the activity `a` and `u`.
        psi: derivative of the activity by the membrane as an expression, with {v} for the membrane.
        period_ms: length of a presentation in ms, > 0.
        dt_ms: integration step in ms, > 0.
        slowest_ms: largest time constant in ms.
        fastest_ms: smallest time constant in ms.
        gain: standard deviation of initial weights, relative to He's sqrt(2 / fan-in), > 0.
        lr_scale: factor of a rule's learning rate, which is given for rate units.
        threshold: condition of a spike; None for units that do not spike.
        reset: statements that run at a spike.
        on_pre: statements of wires that run at a presynaptic spike; () for units whose activity is transmitted at
            every step.
        refractory_ms: time after a spike in which a unit cannot spike, in ms, >= 0.
        acts: further statements of a unit, which run in slots.
        text_membrane: the membrane that texts of single steps read, as an expression.
        method: how the equations are integrated, as `Circuit.method`.
        scale: the scale of the variables in volt, ampere and coulomb that stand beside those of the equations.
    """

    equations: tuple[str, ...]
    psi: str
    period_ms: float
    dt_ms: float
    slowest_ms: float
    fastest_ms: float
    gain: float
    lr_scale: float = 1.0
    threshold: str | None = None
    reset: tuple[str, ...] = ()
    on_pre: tuple[str, ...] = ()
    refractory_ms: float = 0.0
    acts: tuple[Act, ...] = ()
    text_membrane: str = "v"
    method: str = EXACT
    scale: Scale = SCALE

    def __post_init__(self) -> None:
        steps = self.period_ms / self.dt_ms
        if not steps <= MOST_STEPS:
            raise UserError(
                f"period_ms={self.period_ms:g} is {steps:g} steps of dt_ms={self.dt_ms:g}. Give a shorter presentation "
                f"or a longer step: at most {MOST_STEPS} steps"
            )
        whole = max(1, round(steps))
        if not math.isclose(steps, whole, rel_tol=1e-9):
            raise UserError(
                f"period_ms={self.period_ms:g} is {steps:g} steps of dt_ms={self.dt_ms:g}. Give a step that divides "
                f"it, such as dt_ms={dividing_step(self.period_ms, steps):g}"
            )

    def carries(self, source_spikes: bool, constant: bool) -> tuple[tuple[str, ...], tuple[str, ...], Every]:
        """Write the wires that end at such units.

        Args:
            source_spikes: whether the wires transmit spikes. Otherwise they transmit activity.
            constant: whether the source's activity is constant during a presentation.

        Returns:
            The equations of the wires, their statements at a presynaptic spike, and how often they sum activity.
        """
        every: Every = "presentation" if constant else "step"
        if source_spikes:
            return ("w : 1", self.scale.charge()), self.on_pre, every
        # Without spikes, a weight is not a charge.
        return ("w : 1", "I_const_post = w*a_pre : 1 (summed)"), (), every

    def reads_itself(self) -> tuple[str, ...]:
        """The equations of units that are connected to themselves. Units that do not spike get a further `I_loop`."""
        if self.threshold is not None:
            return self.equations
        return (*(line.replace("I_aside", "I_aside + I_loop") for line in self.equations), "I_loop : 1")
