"""Triplet STDP: pairs and triplets of spikes change a weight, so that the change depends on the rate of pairings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, NamedTuple

from neurorules.language.errors import UserError
from neurorules.language.neuron_trace import Trace
from neurorules.language.ranges import Positive, ranged
from neurorules.language.rules import DELTA_RULE, Defaults, Plasticity, Rule, Source

TAU_PLUS_MS, TAU_MINUS_MS = 16.8, 33.7
"""Time constants of the pair terms, in ms. Source: Bi & Poo 2001, as Pfister & Gerstner 2006 take them everywhere."""


class Fit(NamedTuple):
    """Amplitudes, relative to a weight of 1, and the time constants of the triplet terms, in ms."""

    a2_plus: float
    a3_plus: float
    a2_minus: float
    a3_minus: float
    tau_x_ms: float
    tau_y_ms: float


FITS: Mapping[tuple[str, str], Fit] = {
    ("visual", "all"): Fit(5e-10, 6.2e-3, 7e-3, 2.3e-4, 101.0, 125.0),
    ("visual_minimal", "all"): Fit(0.0, 6.5e-3, 7.1e-3, 0.0, 101.0, 114.0),
    ("hippocampal", "all"): Fit(6.1e-3, 6.7e-3, 1.6e-3, 1.4e-3, 946.0, 27.0),
    ("hippocampal_minimal", "all"): Fit(5.3e-3, 8e-3, 3.5e-3, 0.0, 946.0, 40.0),
    ("visual", "nearest"): Fit(8.8e-11, 5.3e-2, 6.6e-3, 3.1e-3, 714.0, 40.0),
    ("visual_minimal", "nearest"): Fit(0.0, 5e-2, 8e-3, 0.0, 714.0, 40.0),
    ("hippocampal", "nearest"): Fit(4.6e-3, 9.1e-3, 3e-3, 7.5e-9, 575.0, 47.0),
}
"""The paper's tables 3 and 4, by fit and pairing. The first set was taken from NEST's `stdp_triplet_synapse`; the
others are second-hand, from ports that quote the paper. A minimal fit has no triplet term of depression, so its tau_x
is unused."""


@ranged("rule 'triplet_stdp'")
def triplet_stdp(
    *,
    fit: Literal["visual", "visual_minimal", "hippocampal", "hippocampal_minimal"] = "visual",
    pairing: Literal["all", "nearest"] = "all",
    dt_ms: Positive = 1.0,
) -> Rule:
    """Triplet STDP: at a postsynaptic spike w += r1 (A2+ + A3+ o2), at a presynaptic one w -= o1 (A2- + A3- r2).

    r1 and r2 are traces of the presynaptic neuron, o1 and o2 of the postsynaptic one. A spike does not contribute to
    the slow trace (o2, r2) that it reads, and two spikes in the same step do not read each other's fast trace.

    Args:
        fit: the data that the constants are fitted to: visual cortex (Sjostrom et al. 2001) or hippocampal culture
            (Wang et al. 2005); `_minimal` for the fits with the fewest terms.
        pairing: whether all spikes of a train count (all), or only the last one (nearest), with the amplitudes that the
            paper fitted for each.
        dt_ms: duration of one step in ms, above 0.

    Returns:
        The rule with its texts, traces, bounds, default settings and source.

    Raises:
        UserError: the paper has no such fit for this pairing.
    """
    if (fit, pairing) not in FITS:
        raise UserError(f"there is no fit {fit} with pairing={pairing}. Use pairing=all, or fit=hippocampal")
    c, spikes = FITS[fit, pairing], "summed" if pairing == "all" else "nearest"
    taus_ms = {"r1": TAU_PLUS_MS, "r2": c.tau_x_ms, "o1": TAU_MINUS_MS, "o2": c.tau_y_ms}
    potentiation = "before(r1_pre) * S_post * (a2_plus + a3_plus * before(o2_post))"
    depression = "S_pre * before(o1_post) * (a2_minus + a3_minus * before(r2_pre))"
    return Rule(
        name="triplet_stdp",
        plasticity=(Plasticity("w", f"{potentiation} - {depression}"), *DELTA_RULE),
        signal=None,
        constants={name: value for name, value in c._asdict().items() if not name.startswith("tau")},
        traces=tuple(
            Trace(name, math.exp(-dt_ms / tau_ms), spikes="nearest" if spikes == "nearest" else "summed")
            for name, tau_ms in taus_ms.items()
        ),
        bounds=(-1.0, 1.0),
        defaults=Defaults(lr=0.01, optimizer="sgd"),
        source=Source(
            "J.-P. Pfister, W. Gerstner",
            2006,
            "Triplets of spikes in a model of spike timing-dependent plasticity",
            (
                "weights may have either sign, within -1 and 1; the paper's changes are relative to a weight of 1",
                "traces begin at 0 with every sample; the paper's spike trains have no end",
                "a pair within one step counts for neither term; in the paper spikes never coincide",
                "neurons, input and read-out are those of a classifier; the paper has one synapse",
                "a trial's change is the sum over its steps, averaged over the batch",
            ),
            link="https://doi.org/10.1523/JNEUROSCI.1425-06.2006",
            constants={
                **{name: f"{value:g}" for name, value in c._asdict().items() if name.startswith("a")},
                **{name: f"{value:g} ms" for name, value in taus_ms.items()},
            },
        ),
    )


ENTRY = triplet_stdp
