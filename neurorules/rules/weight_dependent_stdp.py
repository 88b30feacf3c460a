"""STDP with weight dependence: two exponents select anything between the additive and the multiplicative rule."""

from __future__ import annotations

import math

from neurorules.language.neuron_trace import Trace
from neurorules.language.ranges import Fraction, NonNegative, Positive, ranged
from neurorules.language.rules import DELTA_RULE, Defaults, Plasticity, Rule, Source


@ranged("rule 'weight_dependent_stdp'")
def weight_dependent_stdp(
    *,
    mu_plus: Fraction = 1.0,
    mu_minus: Fraction = 1.0,
    rate: NonNegative = 0.01,
    alpha: NonNegative = 1.0,
    tau_plus_ms: Positive = 20.0,
    tau_minus_ms: Positive = 20.0,
    dt_ms: Positive = 1.0,
) -> Rule:
    """At a postsynaptic spike w += rate (1 - w)^mu+ p, at a presynaptic one w -= alpha rate w^mu- q.

    p and q are traces of the presynaptic and of the postsynaptic spikes. The exponents (0, 0) are additive STDP, (1, 1)
    the multiplicative rule of Rubin, Lee & Sompolinsky (2001), (0, 1) the rule of van Rossum, Bi & Turrigiano (2000).

    Args:
        mu_plus: exponent of potentiation, in 0..1.
        mu_minus: exponent of depression, in 0..1.
        rate: lambda, the largest change by one pair of spikes, >= 0.
        alpha: ratio of depression to potentiation, >= 0.
        tau_plus_ms: time constant of p in ms, above 0.
        tau_minus_ms: time constant of q in ms, above 0.
        dt_ms: duration of one step in ms, above 0.

    Returns:
        The rule with its texts, traces, bounds, default settings and source.
    """
    potentiation = "rate * (1 - clip(w, 0, 1)) ** mu_plus * before(plus_pre) * S_post"
    depression = "alpha * rate * clip(w, 0, 1) ** mu_minus * S_pre * before(minus_post)"
    return Rule(
        name="weight_dependent_stdp",
        plasticity=(Plasticity("w", f"{potentiation} - {depression}"), *DELTA_RULE),
        signal=None,
        constants={"mu_plus": mu_plus, "mu_minus": mu_minus, "rate": rate, "alpha": alpha},
        traces=(Trace("plus", math.exp(-dt_ms / tau_plus_ms)), Trace("minus", math.exp(-dt_ms / tau_minus_ms))),
        bounds=(0.0, 1.0),
        defaults=Defaults(lr=0.01, optimizer="sgd"),
        source=Source(
            "R. Gutig, R. Aharonov, S. Rotter, H. Sompolinsky",
            2003,
            "Learning input correlations through nonlinear temporally asymmetric Hebbian plasticity",
            (
                "lambda, alpha and the time constants are the defaults of NEST's stdp_synapse",
                "weights are drawn with either sign, and lie within 0 and 1 after the first update",
                "traces begin at 0 with every sample; the paper's spike trains have no end",
                "a pair within one step counts for neither term; in the paper spikes never coincide",
                "neurons, input and read-out are those of a classifier; the paper's neuron hears Poisson trains",
                "a trial's change is the sum over its steps, averaged over the batch",
            ),
            link="https://doi.org/10.1523/JNEUROSCI.23-09-03697.2003",
            constants={
                **dict.fromkeys(("mu_plus", "mu_minus"), "any from 0 to 1"),
                **{name: f"{value}, of NEST's stdp_synapse" for name, value in (("rate", "0.01"), ("alpha", "1"))},
                **dict.fromkeys(("plus", "minus"), "20 ms, of NEST's stdp_synapse"),
            },
        ),
    )


ENTRY = weight_dependent_stdp
