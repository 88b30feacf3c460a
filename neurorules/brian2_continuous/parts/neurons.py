"""The neurons of circuits: the equations of a membrane in continuous time, and the variables that a rule's text reads.

A unit has the activity `a`, which a text reads as S, and the variable `u`, which a text reads as the membrane v.
Membranes and currents are dimensionless; a current of 1 holds a membrane at the threshold 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from neurorules.brian2_continuous.parts.circuit import Every
from neurorules.brian2_steps.scale import SCALE
from neurorules.language.errors import UserError
from neurorules.language.ranges import NonNegative, Positive, ranged

MOST_STEPS = 10**6
"""Steps of a presentation: more of them come from a slip of the keyboard, as those of a sample do."""

LIF_LR = 7.0
"""Factor of a rule's learning rate for spiking units. Their activity is smaller than that of rate units, so that larger
steps suit them. Source: validation samples of the digits, rates from 0.03 to 0.6."""


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
                f"it, such as dt_ms={self.period_ms / math.ceil(steps):g}"
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
            return ("w : 1", SCALE.charge()), self.on_pre, every
        return ("w : 1", SCALE.charge(), "I_const_post = w*a_pre : 1 (summed)"), (), every

    def reads_itself(self) -> tuple[str, ...]:
        """The equations of units that are connected to themselves. Units that do not spike get a further `I_loop`."""
        if self.threshold is not None:
            return self.equations
        return (*(line.replace("I_aside", "I_aside + I_loop") for line in self.equations), "I_loop : 1")


@ranged("neuron 'rate' in continuous time")
def rate(
    *,
    tau_ms: Positive = 2.0,
    ceiling: Positive = 2.0,
    period_ms: Positive = 10.0,
    dt_ms: Positive = 1.0,
    gain: Positive = 0.35,
) -> ContinuousNeuron:
    """Make a rate unit: tau dv/dt = -v + I, a = clip(v, 0, ceiling).

    Args:
        tau_ms: time constant of the membrane in ms, > 0.
        ceiling: largest activity, > 0.
        period_ms: length of a presentation in ms, > 0.
        dt_ms: integration step in ms, > 0.
        gain: size of initial weights (see `ContinuousNeuron`), > 0. With small weights, activity stays below the
            ceiling.

    Returns:
        The neuron, which does not spike.
    """
    return ContinuousNeuron(
        equations=(
            f"dv/dt = (I_const + I_aside + b - v)/({tau_ms!r}*ms) : 1",
            f"a = clip(v, 0, {ceiling!r}) : 1",
            "u = v : 1",
            SCALE.voltage(),
            SCALE.current("(I_const + I_aside + b)", tau_ms),
        ),
        psi=f"int({{v}} > 0)*int({{v}} < {ceiling!r})",
        period_ms=period_ms,
        dt_ms=dt_ms,
        slowest_ms=tau_ms,
        fastest_ms=tau_ms,
        gain=gain,
    )


@ranged("neuron 'lif' in continuous time")
def lif(
    *,
    tau_ms: Positive = 10.0,
    tau_syn_ms: Positive = 3.0,
    tau_trace_ms: Positive = 12.0,
    refractory_ms: NonNegative = 0.0,
    k: NonNegative = 4.0,
    period_ms: Positive = 40.0,
    dt_ms: Positive = 1.0,
    gain: Positive = 1.5,
) -> ContinuousNeuron:
    """Make a leaky integrate-and-fire unit: tau dv/dt = -v + I; a unit spikes where v > 1, and v is reduced by 1.

    The activity `a` is the low-pass filtered spike train in spikes per tau_ms, and `u` the low-pass filtered membrane.

    Args:
        tau_ms: time constant of the membrane in ms, > 0.
        tau_syn_ms: time constant of the current that a presynaptic spike brings, in ms, > 0.
        tau_trace_ms: time constant of `a` and `u` in ms, > 0.
        refractory_ms: time after a spike in which v does not move, in ms, >= 0.
        k: steepness of psi = 1/(1 + k |u - 1|)^2, >= 0.
        period_ms: length of a presentation in ms, > 0.
        dt_ms: integration step in ms, > 0.
        gain: size of initial weights (see `ContinuousNeuron`), > 0. It must suffice for membranes to reach 1.

    Returns:
        The neuron.
    """
    times = Times(tau_ms, tau_syn_ms, tau_trace_ms, refractory_ms, period_ms, dt_ms)
    return _spiking(times, k, gain, drive="I_const + I_in + I_aside + b")


@ranged("neuron 'cuba_lif' in continuous time")
def cuba_lif(
    *,
    tau_ms: Positive = 10.0,
    tau_syn_ms: Positive = 5.0,
    tau_trace_ms: Positive = 12.0,
    refractory_ms: NonNegative = 0.0,
    k: NonNegative = 4.0,
    period_ms: Positive = 40.0,
    dt_ms: Positive = 1.0,
    gain: Positive = 1.5,
) -> ContinuousNeuron:
    """Make a unit like `lif` whose whole current I passes the synapse: tau_syn dI_in/dt = -I_in + I.

    I_in is what drives the membrane.

    Args:
        tau_syn_ms: time constant of the synaptic current in ms, > 0.
        tau_ms, tau_trace_ms, refractory_ms, k, period_ms, dt_ms, gain: as for `lif`.

    Returns:
        The neuron.
    """
    times = Times(tau_ms, tau_syn_ms, tau_trace_ms, refractory_ms, period_ms, dt_ms)
    return _spiking(times, k, gain, drive="I_in", arriving="I_const + I_aside + b")


@ranged("neuron 'alif' in continuous time")
def alif(
    *,
    tau_ms: Positive = 10.0,
    tau_syn_ms: Positive = 3.0,
    tau_trace_ms: Positive = 12.0,
    tau_adaptation_ms: Positive = 20.0,
    rise: NonNegative = 0.2,
    refractory_ms: NonNegative = 0.0,
    k: NonNegative = 4.0,
    period_ms: Positive = 40.0,
    dt_ms: Positive = 1.0,
    gain: Positive = 1.5,
) -> ContinuousNeuron:
    """Make a unit like `lif` with an adaptive threshold 1 + theta; `u` is the low-pass filtered v - theta.

    Args:
        tau_adaptation_ms: time constant with which theta decays, in ms, > 0.
        rise: how much a spike raises theta, >= 0.
        tau_ms, tau_syn_ms, tau_trace_ms, refractory_ms, k, period_ms, dt_ms, gain: as for `lif`.

    Returns:
        The neuron.
    """
    times = Times(tau_ms, tau_syn_ms, tau_trace_ms, refractory_ms, period_ms, dt_ms)
    adaptation = Adaptation(tau_adaptation_ms, rise)
    return _spiking(times, k, gain, drive="I_const + I_in + I_aside + b", adaptation=adaptation)


class Times(NamedTuple):
    """Times of a spiking unit in ms: its time constants, and `refractory_ms`, `period_ms` and `dt_ms` of `lif`."""

    membrane: float
    synapse: float
    trace: float
    refractory: float
    period: float
    dt: float


class Adaptation(NamedTuple):
    """The adaptation of a threshold: the time constant of its decay in ms, and its rise at a spike."""

    tau_ms: float
    rise: float


def _spiking(
    times: Times,
    k: float,
    gain: float,
    *,
    drive: str,
    arriving: str | None = None,
    adaptation: Adaptation | None = None,
) -> ContinuousNeuron:
    """A spiking unit: its membrane moves towards `drive`, and I_in towards `arriving`, or towards 0 if that is None."""
    tau, fall = times.membrane, "-I_in" if arriving is None else f"({arriving} - I_in)"
    constants = [tau, times.synapse, times.trace]
    membrane, threshold, reset = "v", "1", ["v -= 1", f"a += {tau / times.trace!r}"]
    adapting: tuple[str, ...] = ()
    if adaptation is not None:
        constants.append(adaptation.tau_ms)
        membrane, threshold = "v - theta", "1 + theta"
        adapting = (
            f"dtheta/dt = -theta/({adaptation.tau_ms!r}*ms) : 1",
            SCALE.voltage(f"({threshold})", "V_threshold"),
        )
        reset.append(f"theta += {adaptation.rise!r}")
    return ContinuousNeuron(
        equations=(
            f"dv/dt = ({drive} - v)/({tau!r}*ms) : 1" + (" (unless refractory)" if times.refractory else ""),
            f"dI_in/dt = {fall}/({times.synapse!r}*ms) : 1",
            f"da/dt = -a/({times.trace!r}*ms) : 1",
            f"du/dt = ({membrane} - u)/({times.trace!r}*ms) : 1",
            SCALE.voltage(),
            SCALE.current(f"({drive})", tau),
            *adapting,
        ),
        psi=f"1.0/(1.0 + {k!r}*abs({{v}} - 1.0))**2",
        period_ms=times.period,
        dt_ms=times.dt,
        slowest_ms=max(constants),
        fastest_ms=min(constants),
        gain=gain,
        lr_scale=LIF_LR,
        threshold=f"v > {threshold}",
        reset=tuple(reset),
        on_pre=(f"I_in_post += w*{tau / times.synapse!r}",),
        refractory_ms=times.refractory,
    )


NEURONS: dict[str, Callable[..., ContinuousNeuron]] = {"rate": rate, "lif": lif, "cuba_lif": cuba_lif, "alif": alif}
"""Functions that make a neuron, by the name that a user writes; their parameters are its options."""
