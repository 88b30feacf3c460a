"""The adaptive exponential unit in continuous time, whose spikes have a shape, for voltage-based rules (clopath)."""

from __future__ import annotations

from neurorules.brian2_continuous.parts.circuit import Act
from neurorules.brian2_continuous.parts.continuous_neuron import SPIKING_LR, ContinuousNeuron, fast_sigmoid
from neurorules.brian2_steps.scale import Scale
from neurorules.language.ranges import NonNegative, Positive, ranged
from neurorules.neurons.adex import (
    CAPACITANCE_PF,
    DETECTION_MV,
    HILL_MV,
    LEAK_NS,
    PULSE_PA,
    RESET_MV,
    SHARPNESS_MV,
    SPAN_MV,
    TAU_ADAPTATION_MS,
    TAU_HILL_MS,
    TAU_PULSE_MS,
    TOPS_MV,
    on_scale,
)

TOP_MS, SPIKE_MS = 1.0, 2.0
"""Time after a spike at which its second value begins, and at which the membrane is free again. Source: the authors'
code, ModelDB 144566."""

DRIVE = "I_const + I_in + I_aside + b"
"""What drives the membrane, beside its own currents."""


@ranged("neuron 'adex' in continuous time")
def adex(
    *,
    a_nS: NonNegative = 4.0,
    b_pA: NonNegative = 0.0805,
    tau_syn_ms: Positive = 3.0,
    tau_trace_ms: Positive = 12.0,
    k: NonNegative = 4.0,
    period_ms: Positive = 40.0,
    dt_ms: Positive = 1.0,
    gain: Positive = 1.5,
) -> ContinuousNeuron:
    """Make an adaptive exponential unit: C dv/dt = -g_L (v - E_L) + g_L D exp((v - V_T)/D) - w + z + I.

    The membrane is 0 at E_L = -70.6 mV and 1 at V_T = -50.4 mV, and a current of 1 would hold it at 1 if there were no
    exponential. A spike lasts two milliseconds, at 29.4 and 32.9 mV. Then the membrane goes on from -49.5 mV, w rises
    by b, a current z of 400 pA starts and decays with 40 ms, and V_T is 20 mV higher and decays back with 50 ms; tau_w
    dw/dt = a (v - E_L) - w. Euler's method integrates it, in the paper's steps of 1 ms or shorter ones.

    Source: Clopath et al. 2010 (doi.org/10.1038/nn.2479), as the neuron `adex` of the torch path.

    Args:
        a_nS: coupling of the adaptation to the membrane, in nS, >= 0.
        b_pA: rise of the adaptation by a spike, in pA, >= 0.
        tau_syn_ms: time constant of the current that a presynaptic spike brings, in ms, > 0.
        tau_trace_ms: time constant of the low-passes `a` of the spikes and `u` of the membrane in ms, > 0.
        k: steepness of psi = 1/(1 + k |u - 1|)^2, >= 0.
        period_ms: length of a presentation in ms, > 0.
        dt_ms: integration step in ms, > 0.
        gain: size of initial weights (see `ContinuousNeuron`), > 0.

    Returns:
        The neuron.
    """
    tau, scale, top = CAPACITANCE_PF / LEAK_NS, Scale(SPAN_MV, CAPACITANCE_PF), on_scale(TOPS_MV[0])
    holds, detection = LEAK_NS * SPAN_MV, on_scale(DETECTION_MV)  # the current in pA that counts as 1, and a spike
    return ContinuousNeuron(
        equations=(
            *_membrane(tau, a_nS),
            f"dI_in/dt = -I_in/({tau_syn_ms!r}*ms) : 1",
            f"da/dt = -a/({tau_trace_ms!r}*ms) : 1",
            f"du/dt = (v - u)/({tau_trace_ms!r}*ms) : 1",
            scale.voltage(),
            scale.current(f"({DRIVE})", tau),
        ),
        psi=fast_sigmoid(k),
        period_ms=period_ms,
        dt_ms=dt_ms,
        slowest_ms=max(tau, tau_syn_ms, tau_trace_ms),
        fastest_ms=min(tau, tau_syn_ms, tau_trace_ms),
        gain=gain,
        lr_scale=SPIKING_LR,
        threshold=f"v > {detection!r}",
        reset=(f"v = {top!r}", "fired = 1", f"a += {tau / tau_trace_ms!r}"),
        on_pre=(f"I_in_post += w*{tau / tau_syn_ms!r}",),
        refractory_ms=SPIKE_MS,
        text_membrane=f"(v + (1 - fired)*int(v > {detection!r})*({top!r} - v))",
        acts=(Act(_shape(b_pA / holds, PULSE_PA / holds), "start", 0, "step"),),
        method="euler",
        scale=scale,
    )


def _membrane(tau: float, a_nS: float) -> tuple[str, ...]:
    """Equations of the membrane, its adaptation, the current after a spike and the rise of V_T."""
    sharp = SHARPNESS_MV / SPAN_MV
    return (
        # `unless refractory` would also keep out what gives the spike its shape.
        f"dv/dt = free*({sharp!r}*exp((v - 1 - hill)/{sharp!r}) - v - adapt + pulse + {DRIVE})/({tau!r}*ms) : 1",
        f"dadapt/dt = free*({a_nS / LEAK_NS!r}*v - adapt)/({TAU_ADAPTATION_MS!r}*ms) : 1",
        "free = int(not_refractory) : 1",
        f"dpulse/dt = -pulse/({TAU_PULSE_MS!r}*ms) : 1",
        f"dhill/dt = -hill/({TAU_HILL_MS!r}*ms) : 1",
        "fired : 1",
    )


def _shape(jump: float, pulse: float) -> tuple[str, ...]:
    """Statements that run before each step: they give a spike its second value, and end it."""
    begins, ends = (
        f"fired*int(timestep(t - lastspike, dt) {sign} timestep({ms!r}*ms, dt))"
        for sign, ms in (("==", TOP_MS), (">=", SPIKE_MS))
    )
    onset, plateau = on_scale(RESET_MV), on_scale(TOPS_MV[1])
    return (
        f"v = v + {begins}*({plateau!r} - v) + {ends}*({onset!r} - v)",
        f"adapt = adapt + {ends}*{jump!r}",
        f"pulse = pulse + {ends}*({pulse!r} - pulse)",
        f"hill = hill + {ends}*({HILL_MV / SPAN_MV!r} - hill)",
        f"fired = fired - {ends}",
    )
