"""Voltage-based STDP: depression and potentiation depend on the postsynaptic membrane and on its low-pass averages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from neurorules.language.errors import UserError
from neurorules.language.neuron_trace import Trace
from neurorules.language.ranges import NonNegative, Number, Positive, ranged
from neurorules.language.rules import DELTA_RULE, Defaults, Plasticity, Rule, Source


class Fit(NamedTuple):
    """A row of the paper's table 1: amplitudes for a weight of 1, per mV and per mV^2, and time constants in ms."""

    theta_minus: float
    theta_plus: float
    a_ltd: float
    a_ltp: float
    tau_x_ms: float
    tau_minus_ms: float
    tau_plus_ms: float


FITS: Mapping[str, Fit] = {
    "visual": Fit(-70.6, -45.3, 14e-5, 8e-5, 15.0, 10.0, 7.0),
    "somatosensory": Fit(-70.6, -45.3, 21e-5, 30e-5, 30.0, 6.0, 5.0),
}
"""The fits for two cortical areas. The hippocampal row is missing, because it has no time constants of the membrane."""
TAU_SQUARE_MS = 1200.0
"""Time over which the square of the depolarisation is averaged, as in the authors' code. The paper has 1 s."""
TEXT = (
    "a_ltp * delay(x_pre, 1) * relu(u_post - above_plus) * relu(delay(u_plus_post, {late}) - above_minus)"
    " - a_ltd * S_pre * relu(delay(u_minus_post, {late}) - above_minus)"
)
"""The text of the weights, without the homeostatic factor on depression."""


@ranged("rule 'clopath'")
def clopath(
    *,
    fit: Literal["visual", "somatosensory"] = "visual",
    homeostasis: NonNegative = 0.0,
    rest_mV: Number = -70.6,
    threshold_mV: Number = -50.4,
    spike_mV: Number = -70.6,
    delay_ms: NonNegative = 3.0,
    dt_ms: Positive = 1.0,
) -> Rule:
    """dw = -A_LTD [u- - th-] at presynaptic spikes, +A_LTP x [u - th+] [u+ - th-] at each step, where [a] = max(a, 0).

    u is the membrane in mV, u- and u+ are its averages over 10 and 7 ms, and x is the presynaptic trace over 15 ms.

    Args:
        fit: the data that the constants are fitted to, from visual or somatosensory cortex.
        homeostasis: u_ref^2 in mV^2 (in the paper 60, 80 and 50), or 0. A_LTD is scaled by the mean of (u - E_L)^2 /
            u_ref^2.
        rest_mV: the potential at which the membrane variable is 0.
        threshold_mV: the potential at which the membrane variable is 1, above rest.
        spike_mV: the least value of u in the step of a spike. 33 gives integrate-and-fire neurons a spike that exceeds
            th+. `adex` has spikes of its own: leave the value at rest_mV or below, where it has no effect.
        delay_ms: further delay with which u- and u+ are read, in addition to one step. The authors' code has 3 ms;
            without it, a spike would contribute to the average that it is multiplied by.
        dt_ms: duration of one step in ms, above 0 and below every time constant.

    Returns:
        The rule with its texts, traces, bounds, default settings and source.

    Raises:
        UserError: the threshold is not above rest, or a step is longer than a time constant.
    """
    c, span = FITS[fit], threshold_mV - rest_mV
    taus_ms = {"x": c.tau_x_ms, "u_minus": c.tau_minus_ms, "u_plus": c.tau_plus_ms}
    if span <= 0 or dt_ms >= min(taus_ms.values()):
        raise UserError(
            f"rule 'clopath': threshold_mV={threshold_mV:g} must be above rest_mV={rest_mV:g}, and dt_ms={dt_ms:g} "
            f"below the shortest time constant, {min(taus_ms.values()):g} ms"
        )
    text = TEXT.format(late=round(delay_ms / dt_ms) + 1)
    keeps, new = 1 - dt_ms / TAU_SQUARE_MS, dt_ms / TAU_SQUARE_MS / (homeostasis or 1.0)
    square = (Trace("square", keeps, f"{new!r} * u ** 2", across_trials=True),) if homeostasis else ()
    return Rule(
        name="clopath",
        plasticity=(Plasticity("w", text + " * square_post" * len(square)), *DELTA_RULE),
        signal=None,
        constants={
            "a_ltd": c.a_ltd, "a_ltp": c.a_ltp, "above_minus": c.theta_minus - rest_mV,
            "above_plus": c.theta_plus - rest_mV, "mv": span, "top": max(spike_mV - rest_mV, 0.0),
            **{f"new_{name}": dt_ms / tau_ms for name, tau_ms in taus_ms.items()}},
        traces=(
            Trace("u", 0.0, "max(mv * v, top * S)"),  # in mV above rest
            Trace("x", 1 - dt_ms / c.tau_x_ms, "new_x * S"),
            Trace("u_minus", 1 - dt_ms / c.tau_minus_ms, "new_u_minus * u"),
            Trace("u_plus", 1 - dt_ms / c.tau_plus_ms, "new_u_plus * u"),
            *square,
        ),
        bounds=(-1.0, 1.0), defaults=Defaults(lr=0.01, optimizer="sgd", neuron="adex"),
        source=SOURCE,
    )  # fmt: skip


SOURCE = Source(
    "C. Clopath, L. Büsing, E. Vasilaki, W. Gerstner",
    2010,
    "Connectivity reflects coding: a model of voltage-based STDP with homeostasis",
    (
        "weights may have either sign, within -1 and 1; the paper's lie within 0 and a maximum",
        "membranes of a net count as mV by their rest and threshold",
        "the filtered membranes are read late, as in the authors' code; the paper prints no delay",
        "filters go by Euler's method, as in the authors' code, and begin at rest with every sample",
        "neurons, input and read-out are those of a classifier; the paper has one neuron or a recurrent net",
        "a trial's change is the sum over its steps, averaged over the batch",
    ),
    link="https://doi.org/10.1038/nn.2479",
    constants={
        "a_ltd": "0.00014",
        "a_ltp": "8e-05",
        "above_minus": "0, -70.6 mV at a rest of -70.6 mV",
        "above_plus": "25.3, -45.3 mV at a rest of -70.6 mV",
        "mv": "20.2, from -70.6 to -50.4 mV",
        "top": "0, since a spike has a shape of its own",
        "new_x": "0.0666667, of 15 ms",
        "new_u_minus": "0.1, of 10 ms",
        "new_u_plus": "0.142857, of 7 ms",
        "u": "this step alone",
        "x": "14.5 ms, of 15 ms by Euler's method",
        "u_minus": "9.49 ms, of 10 ms by Euler's method",
        "u_plus": "6.49 ms, of 7 ms by Euler's method",
    },
)

ENTRY = clopath
