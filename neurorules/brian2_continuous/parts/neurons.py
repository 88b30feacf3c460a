"""Units of a circuit: what a membrane does in continuous time, and what a rule's text reads of it.

`a` is a unit's activity and `u` its membrane as learning sees them; a text's S and v stand for these.
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
"""Currents are a few thresholds and activities small, so steps may be larger. Source: validation samples of
the digits, 0.03 to 0.6."""


@dataclass(frozen=True)
class ContinuousNeuron:
    """Texts of one kind of unit; its current is `I_in`, from plastic wires, plus `b` and `I_aside`.

    Args:
        equations: membrane, activity `a`, membrane as learning sees it `u`.
        threshold, reset: of a spike; None and () for units that do not spike.
        on_pre: what a presynaptic spike does; () where activity is transmitted at every step.
        psi: derivative of the activity by the membrane, with {v} for the membrane.
        period_ms, dt_ms: length of a presentation, step.
        slowest_ms, fastest_ms: its time constants.
        gain: of fresh weights, times He's sqrt(2 / fan-in).
        lr_scale: of a rule's rate, which is given for rate units.
        refractory_ms: silence after a spike.
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
        """Equations and spike statements of wires that reach such units, and how often they sum.

        Args:
            source_spikes: whether the source spikes; its activity is summed otherwise.
            constant: whether the source's activity is constant during a presentation.
        """
        every: Every = "presentation" if constant else "step"
        if source_spikes:
            return ("w : 1", SCALE.charge()), self.on_pre, every
        return ("w : 1", SCALE.charge(), "I_const_post = w*a_pre : 1 (summed)"), (), every

    def reads_itself(self) -> tuple[str, ...]:
        """Equations of units that a recurrent connection reaches: `I_loop` too, where they do not spike."""
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
    """tau dv/dt = -v + I, a = clip(v, 0, ceiling).

    Args:
        tau_ms: time constant of the membrane, > 0.
        ceiling: highest activity, > 0.
        period_ms: of a presentation.
        dt_ms: step.
        gain: of fresh weights; small ones leave room below the ceiling.
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
    """tau dv/dt = -v + I, a spike where v > 1 takes 1 away; a: spikes through a low-pass, in spikes a tau_ms.

    Args:
        tau_ms: time constant of the membrane, > 0.
        tau_syn_ms: of a presynaptic spike's current.
        tau_trace_ms: of the activity, and of the membrane that learning sees.
        refractory_ms: silence after a spike.
        k: steepness of psi = 1/(1 + k |u - 1|)^2.
        period_ms: of a presentation.
        dt_ms: step.
        gain: of fresh weights, which have to reach the threshold.
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
    """As `lif`, but everything that drives it passes the synapse: tau_syn dI_in/dt = -I_in + I, also what is constant.

    Args:
        tau_syn_ms: time constant of the synaptic current, > 0.
        tau_ms, tau_trace_ms, refractory_ms, k, period_ms, dt_ms, gain: as for `lif`.
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
    """As `lif`, with a threshold 1 + theta: a spike raises theta, which decays; learning sees v - theta.

    Args:
        tau_adaptation_ms: time constant of theta, > 0.
        rise: of theta at a spike, >= 0.
        tau_ms, tau_syn_ms, tau_trace_ms, refractory_ms, k, period_ms, dt_ms, gain: as for `lif`.
    """
    times = Times(tau_ms, tau_syn_ms, tau_trace_ms, refractory_ms, period_ms, dt_ms)
    adaptation = Adaptation(tau_adaptation_ms, rise)
    return _spiking(times, k, gain, drive="I_const + I_in + I_aside + b", adaptation=adaptation)


class Times(NamedTuple):
    """In ms, as `lif` describes them."""

    membrane: float
    synapse: float
    trace: float
    refractory: float
    period: float
    dt: float


class Adaptation(NamedTuple):
    """Of a threshold: time constant, rise a spike."""

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
    """A unit that spikes: `drive` moves its membrane, I_in decays towards `arriving`, or 0."""
    tau, fall = times.membrane, "-I_in" if arriving is None else f"({arriving} - I_in)"
    constants = [tau, times.synapse, times.trace]
    seen, threshold, reset = "v", "1", ["v -= 1", f"a += {tau / times.trace!r}"]
    adapting: tuple[str, ...] = ()
    if adaptation is not None:
        constants.append(adaptation.tau_ms)
        seen, threshold = "v - theta", "1 + theta"
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
            f"du/dt = ({seen} - u)/({times.trace!r}*ms) : 1",
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
