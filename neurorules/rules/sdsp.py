"""Spike-driven synaptic plasticity: bistable weights; the membrane sets the direction of a jump, calcium gates it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

from neurorules.language.neuron_trace import Trace
from neurorules.language.ranges import NonNegative, Number, Positive, ranged
from neurorules.language.rules import DELTA_RULE, Defaults, Plasticity, Rule, Source

UP = "a * (v_post > theta_v) * (before(calcium_post) > up_low) * (before(calcium_post) < up_high)"
DOWN = "b * (v_post <= theta_v) * (before(calcium_post) > down_low) * (before(calcium_post) < down_high)"


@ranged("rule 'sdsp'")
def sdsp(
    *,
    a: NonNegative = 0.1,
    b: NonNegative = 0.1,
    drift_per_s: NonNegative = 3.5,
    theta_v: Number = 0.8,
    tau_calcium_ms: Positive = 60.0,
    efficacy: Literal["graded", "two_state"] = "graded",
    j_plus: Number = 1.0,
    j_minus: Number = 0.0,
    dt_ms: Positive = 1.0,
) -> Rule:
    """At a presynaptic spike, w += a if v > theta_v, else w -= b; at each step, w drifts to 1 if above 0.5, else to 0.

    A jump up requires calcium between 3 and 13, and a jump down calcium between 3 and 4. Each postsynaptic spike adds 1
    to calcium, so that a neuron stops learning once its activity is as high or as low as required.

    Args:
        a: size of a jump up, >= 0; weights are within 0 and 1.
        b: size of a jump down, >= 0.
        drift_per_s: change of the weight per second without spikes, towards the nearer end, >= 0.
        theta_v: membrane above which jumps go up, in thresholds.
        tau_calcium_ms: time constant of calcium, in ms, above 0.
        efficacy: graded: a synapse transmits w. two_state: it transmits j_plus if w is above 0.5, else j_minus; initial
            weights then lie anywhere within 0 and 1.
        j_plus, j_minus: what a synapse transmits in the upper and in the lower state, in thresholds; with two_state.
        dt_ms: duration of one step in ms, above 0.

    Returns:
        The rule with its texts, trace, bounds, default settings and source.
    """
    two_states = efficacy == "two_state"
    return Rule(
        name="sdsp",
        plasticity=(
            Plasticity("w", f"S_pre * ({UP} - {DOWN}) + drift * (w > theta_w) - drift * (w <= theta_w)"),
            *DELTA_RULE,
        ),
        signal=None,
        constants={
            "a": a, "b": b, "drift": drift_per_s * dt_ms / 1000, "theta_w": 0.5, "theta_v": theta_v,
            "up_low": 3.0, "up_high": 13.0, "down_low": 3.0, "down_high": 4.0,
            **({"j_plus": j_plus, "j_minus": j_minus} if two_states else {}),
        },
        traces=(Trace("calcium", math.exp(-dt_ms / tau_calcium_ms)),),
        bounds=(0.0, 1.0),
        transmits="j_minus + (j_plus - j_minus) * (w > theta_w)" if two_states else None,
        defaults=Defaults(lr=0.01, optimizer="sgd", init="bounds" if two_states else "torch"),
        source=replace(SOURCE, deviations=SOURCE.deviations[1:]) if two_states else SOURCE,
    )  # fmt: skip


SOURCE = Source(
    "J. M. Brader, W. Senn, S. Fusi",
    2007,
    "Learning real-world stimuli in a neural network with spike-driven synaptic dynamics",
    (
        "a synapse transmits its weight within 0 and 1; the paper's transmits one of two efficacies by its nearer end",
        "the drift goes on in steps with a jump",
        "jumps and drift are scaled by the learning rate, 0.01 by default; the paper's is 1",
        "weights change once a trial: a jump sees neither the drift nor the jumps before it in the trial",
        "calcium begins at 0 with every sample; the paper's time has no breaks",
        "neurons are those of the net, and those of the paper are if:leak=0.01:floor=0, which leak by a constant",
        "neurons, input and read-out are those of a classifier, without the paper's teacher and inhibition",
        "a trial's change is the sum over its steps, averaged over the batch",
        "constants were read in ports that quote the paper",
    ),
    link="https://doi.org/10.1162/neco.2007.19.11.2881",
    constants={
        "a": "0.1", "b": "0.1", "drift": "0.0035, 3.5 a second in both directions", "theta_w": "0.5", "theta_v": "0.8",
        "up_low": "3", "up_high": "13", "down_low": "3", "down_high": "4", "calcium": "60 ms",
    },
)  # fmt: skip

ENTRY = sdsp
