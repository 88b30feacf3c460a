"""Online training with postsynaptic estimates: updates include a spike's lasting effect on the membranes above."""

from __future__ import annotations

from typing import Literal

from neurorules.language.eligibility import Eligibility
from neurorules.language.neuron_trace import Trace
from neurorules.language.ranges import BelowOne, ranged
from neurorules.language.rules import DELTA_RULE, SENT, Defaults, Plasticity, Rule, Source
from neurorules.language.signal_spec import SignalSpec
from neurorules.rules._online import CENTRED, Derivative, Resets, through_reset

SLOPE = "slopes_post / steps_post"
"""The weighted mean of psi over the steps so far; later steps have larger weights."""
SENT_TEXT = f"-through_norm(m_post * ({SLOPE}))"
"""The text of what a layer sends to the layers below."""

THEIRS = {"beta": "0.88", "slopes": "7.82 ms", "steps": "7.82 ms", "slope": "this step alone"}
"""The paper's values of constants and traces."""


@ranged("rule 'otpe'")
def otpe(
    *,
    lam: BelowOne = 0.5,
    form: Literal["full", "approximate"] = "full",
    resets: Resets = "subtract",
    reset: Derivative = "differentiated",
) -> Rule:
    """Online training with postsynaptic estimates: the error of the step, times eligibilities filtered once more.

    The second filter approximates the effect of a spike on the membranes of the layer above, which have the same leak.

    Args:
        lam: decay per step of all membranes, including that of the read-out.
        form: full, which filters the derivative of the spikes with respect to each weight; or approximate, the mean of
            psi times a trace of the presynaptic trace, which stores nothing per synapse.
        resets, reset: how the neurons reset, and whether the full form includes the derivative of the reset.

    Returns:
        The rule with its texts, traces, eligibilities, signal and source.
    """
    traces: tuple[Trace, ...] = (Trace("slopes", lam, "psi(v)"), Trace("steps", lam, "1"))
    eligibilities: tuple[Eligibility, ...] = (Eligibility("x", lam, CENTRED), Eligibility("low", lam, "x"))
    weights = f"{SENT_TEXT} * low"
    constants: dict[str, float] = {}
    if form == "full":
        own, eps, constants = through_reset(lam, resets, reset)
        traces, weights = (*traces, *own), "-through_norm(m_post) * r"
        eligibilities = (eps, Eligibility("r", lam, "psi(v_post) * eps"))
    return Rule(
        name="otpe",
        plasticity=(
            Plasticity("w", weights, statistics="held" if form == "full" else "moving"),
            Plasticity("b", f"-m_post * ({SLOPE})"),
            Plasticity(SENT, SENT_TEXT),
            *DELTA_RULE,
        ),
        signal=SignalSpec("spatial"),
        errors="step",
        constants=constants,
        traces=traces,
        eligibilities=eligibilities,
        defaults=Defaults(neuron=f"lif:beta={lam:g}:reset={resets}", readout_neuron=f"leaky_readout:beta={lam:g}"),
        source=Source(
            "T. Summe, C. J. S. Schaefer, S. Joshi",
            2023,
            "Estimating post-synaptic effects for online training of feed-forward SNNs",
            (
                "weights change once a trial, by the sum over its steps",
                "a read-out that leaks and never spikes stands above the last layer; the paper's spikes",
                "psi is the neuron's own surrogate, and the threshold is 1",
                "lam=0.5 is ours, chosen on validation samples; the paper's is 0.88",
                *(("eligibilities are a presynaptic trace, and psi its mean",) if form == "approximate" else ()),
                *(("resets are held fixed",) if form == "full" and reset == "fixed" else ()),
                "biases have no trace: they learn by the mean psi",
                "cross-entropy of each step, Adam and streaming normalisation (norm none: none)",
            ),
            link="https://arxiv.org/abs/2311.16151",
            constants=THEIRS,
        ),
    )


ENTRY = otpe
