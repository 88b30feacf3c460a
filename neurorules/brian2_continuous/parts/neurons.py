"""The neurons of circuits: the equations of a membrane in continuous time, and the variables that a rule's text reads.

A unit has the activity `a`, which a text reads as S, and the variable `u`, which a text reads as the membrane v.
Membranes and currents are dimensionless; a current of 1 holds a membrane at the threshold 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from neurorules.brian2_continuous.parts.adex import adex
from neurorules.brian2_continuous.parts.continuous_neuron import SPIKING_LR, ContinuousNeuron, fast_sigmoid
from neurorules.brian2_objects.exact import EXACT, EXPONENTIAL_EULER
from neurorules.brian2_steps.scale import SCALE, Scale
from neurorules.language.ranges import NonNegative, Positive, ranged

Method = Literal["exact", "exponential_euler"]
"""How a spiking unit's equations are integrated."""


@ranged("neuron 'rate' in continuous time")
def rate(
    *,
    tau_ms: Positive = 2.0,
    ceiling: Positive = 2.0,
    period_ms: Positive = 10.0,
    dt_ms: Positive = 1.0,
    gain: Positive = 0.35,
    threshold_mV: Positive = SCALE.threshold_mV,
    capacitance_pF: Positive = SCALE.capacitance_pF,
) -> ContinuousNeuron:
    """Make a rate unit: tau dv/dt = -v + I, a = clip(v, 0, ceiling).

    Args:
        tau_ms: time constant of the membrane in ms, > 0.
        ceiling: largest activity, > 0.
        period_ms: length of a presentation in ms, > 0.
        dt_ms: integration step in ms, > 0.
        gain: size of initial weights (see `ContinuousNeuron`), > 0. With small weights, activity stays below the
            ceiling.
        threshold_mV: distance from rest of the potential that counts as 1, in mV, > 0. With the capacitance, it
            converts the numbers of the model to volt, ampere and coulomb; no number of the model depends on them.
        capacitance_pF: the capacitance pF of the membrane, in pF, > 0.

    Returns:
        The neuron, which does not spike.
    """
    scale = Scale(threshold_mV, capacitance_pF)
    return ContinuousNeuron(
        equations=(
            f"dv/dt = (I_const + I_aside + b - v)/({tau_ms!r}*ms) : 1",
            f"a = clip(v, 0, {ceiling!r}) : 1",
            "u = v : 1",
            scale.voltage(),
            scale.current("(I_const + I_aside + b)", tau_ms),
        ),
        psi=f"int({{v}} > 0)*int({{v}} < {ceiling!r})",
        period_ms=period_ms,
        dt_ms=dt_ms,
        slowest_ms=tau_ms,
        fastest_ms=tau_ms,
        gain=gain,
        # A single linear equation with a constant input: this method is exact for it.
        method=EXPONENTIAL_EULER,
        scale=scale,
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
    method: Method = EXACT,
    threshold_mV: Positive = SCALE.threshold_mV,
    capacitance_pF: Positive = SCALE.capacitance_pF,
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
        method: how a step is integrated: exact, or exponential_euler, which holds the synaptic current during a step
            and so brings more than the stated charge: 1.18 times at tau_syn_ms=3 and dt_ms=1.
        threshold_mV, capacitance_pF: as for `rate`.

    Returns:
        The neuron.
    """
    times = Times(tau_ms, tau_syn_ms, tau_trace_ms, refractory_ms, period_ms, dt_ms, method)
    scale = Scale(threshold_mV, capacitance_pF)
    return _spiking(times, scale, k, gain, drive="I_const + I_in + I_aside + b")


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
    method: Method = EXACT,
    threshold_mV: Positive = SCALE.threshold_mV,
    capacitance_pF: Positive = SCALE.capacitance_pF,
) -> ContinuousNeuron:
    """Make a unit like `lif` whose whole current I passes the synapse: tau_syn dI_in/dt = -I_in + I.

    The membrane is driven by I_in.

    Args:
        tau_syn_ms: time constant of the synaptic current in ms, > 0.
        tau_ms, tau_trace_ms, refractory_ms, k, period_ms, dt_ms, gain, method, threshold_mV,
            capacitance_pF: as for `lif`.

    Returns:
        The neuron.
    """
    times = Times(tau_ms, tau_syn_ms, tau_trace_ms, refractory_ms, period_ms, dt_ms, method)
    scale = Scale(threshold_mV, capacitance_pF)
    return _spiking(times, scale, k, gain, drive="I_in", arriving="I_const + I_aside + b")


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
    method: Method = EXACT,
    threshold_mV: Positive = SCALE.threshold_mV,
    capacitance_pF: Positive = SCALE.capacitance_pF,
) -> ContinuousNeuron:
    """Make a unit like `lif` with an adaptive threshold 1 + theta; `u` is the low-pass filtered v - theta.

    Args:
        tau_adaptation_ms: time constant with which theta decays, in ms, > 0.
        rise: how much a spike raises theta, >= 0.
        tau_ms, tau_syn_ms, tau_trace_ms, refractory_ms, k, period_ms, dt_ms, gain, method, threshold_mV,
            capacitance_pF: as for `lif`.

    Returns:
        The neuron.
    """
    times = Times(tau_ms, tau_syn_ms, tau_trace_ms, refractory_ms, period_ms, dt_ms, method)
    scale = Scale(threshold_mV, capacitance_pF)
    adaptation = Adaptation(tau_adaptation_ms, rise)
    return _spiking(times, scale, k, gain, drive="I_const + I_in + I_aside + b", adaptation=adaptation)


class Times(NamedTuple):
    """Times of a spiking unit in ms, and how they are stepped through: all as the options of `lif` of these names."""

    membrane: float
    synapse: float
    trace: float
    refractory: float
    period: float
    dt: float
    method: Method


class Adaptation(NamedTuple):
    """The adaptation of a threshold: the time constant of its decay in ms, and its rise at a spike."""

    tau_ms: float
    rise: float


def _spiking(
    times: Times,
    scale: Scale,
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
            scale.voltage(f"({threshold})", "V_threshold"),
        )
        reset.append(f"theta += {adaptation.rise!r}")
    return ContinuousNeuron(
        equations=(
            f"dv/dt = ({drive} - v)/({tau!r}*ms) : 1" + (" (unless refractory)" if times.refractory else ""),
            f"dI_in/dt = {fall}/({times.synapse!r}*ms) : 1",
            f"da/dt = -a/({times.trace!r}*ms) : 1",
            f"du/dt = ({membrane} - u)/({times.trace!r}*ms) : 1",
            scale.voltage(),
            scale.current(f"({drive})", tau),
            *adapting,
        ),
        psi=fast_sigmoid(k),
        period_ms=times.period,
        dt_ms=times.dt,
        slowest_ms=max(constants),
        fastest_ms=min(constants),
        gain=gain,
        lr_scale=SPIKING_LR,
        threshold=f"v > {threshold}",
        reset=tuple(reset),
        on_pre=(f"I_in_post += w*{tau / times.synapse!r}",),
        refractory_ms=times.refractory,
        text_membrane=membrane,
        method=times.method,
        scale=scale,
    )


NEURONS: dict[str, Callable[..., ContinuousNeuron]] = {
    "rate": rate,
    "lif": lif,
    "cuba_lif": cuba_lif,
    "alif": alif,
    "adex": adex,
}
"""Functions that make a neuron, by the name that a user writes; their parameters are its options."""
