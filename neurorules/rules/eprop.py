"""E-prop: every synapse stores a low-pass filtered eligibility, and learns from the error of each step."""

from __future__ import annotations

from typing import Literal

from neurorules.language.eligibility import Eligibility
from neurorules.language.neuron_trace import Trace
from neurorules.language.ranges import BelowOne, Fraction, NonNegative, ranged
from neurorules.language.rules import DELTA_RULE, SENT, Defaults, Plasticity, Rule, Source
from neurorules.language.signal_spec import SignalSpec
from neurorules.rules._online import adaptive
from neurorules.rules._rates import OFF_TARGET, SO_FAR

RATES = "firing rates are regularised at each step, by the rate so far, and in weights alone"
"""The deviation if firing rates are regularised."""

THEIRS = {"held": "20 ms, in evidence accumulation", "e_bias": "20 ms, in evidence accumulation"}
"""The paper's values of constants and traces."""


@ranged("rule 'eprop'")
def eprop(
    *,
    feedback: Literal["random", "symmetric", "adaptive"] = "random",
    alpha: BelowOne = 0.9,
    kappa: BelowOne = 0.9,
    adaptation: NonNegative = 0.0,
    rho: Fraction = 0.95,
    c_reg: NonNegative = 0.0,
    f_target: Fraction = 0.1,
) -> Rule:
    """E-prop: the weight change is the broadcast error of each step times a filtered product of psi and a trace.

    The neurons are `lif`, or with adaptation `alif`, whose eligibility includes the synapse's effect on the threshold.
    If you choose other decays for the neurons or the read-out, set them here too.

    Args:
        feedback: the weights that carry the error to the neurons: random; the transpose of the read-out's (symmetric);
            or weights that start at random and learn with the same changes as the read-out's (adaptive).
        alpha: decay of the membrane per step.
        kappa: decay of the read-out's membrane per step; eligibilities are filtered with the same decay.
        adaptation, rho: rise of the threshold per spike, and decay of that rise per step.
        c_reg: strength of the regularisation that pulls each neuron's rate in the trial so far towards a target.
        f_target: the target rate, in spikes per step.

    Returns:
        The rule with its texts, eligibilities, signal, default settings and source.
    """
    e, own, constants, neuron = adaptive(alpha, rho, adaptation)
    pull, rates = _pull(c_reg, e)
    return Rule(
        name="eprop",
        plasticity=(
            Plasticity("w", f"-through_norm(m_post) * e_bar{pull}", statistics="held"),
            Plasticity("b", "-m_post * e_bias_post"),
            Plasticity(SENT, "-through_norm(m_post * psi(v_post))"),
            *DELTA_RULE,
        ),
        signal=SignalSpec("dfa", {"feedback": feedback}),
        errors="step",
        constants={**constants, "c_reg": c_reg, "f_target": f_target} if c_reg else constants,
        traces=(Trace("held", alpha, "1"), Trace("e_bias", kappa, "psi(v) * held"), *rates),
        eligibilities=(*own, Eligibility("e_bar", kappa, f"psi(v_post) * {e}")),
        defaults=Defaults(neuron=neuron, readout_neuron=f"leaky_readout:beta={kappa:g}"),
        source=Source(
            "G. Bellec, F. Scherr, A. Subramoney, E. Hajek, D. Salaj, R. Legenstein, W. Maass",
            2020,
            "A solution to the learning dilemma for recurrent networks of spiking neurons",
            (
                "weights change once a trial, by the sum over its steps; the error is that of each step's softmax",
                "resets are held fixed, no neuron is refractory; psi is the neuron's own surrogate, not a triangle",
                RATES if c_reg else "firing rates are not regularised (c_reg)",
                "biases learn too; where thresholds adapt, their eligibility leaves that out",
                "random feedback has variance one over the layer's size, where the paper's has one",
                *(("neither feedback nor read-out decays",) if feedback == "adaptive" else ()),
                "by default streaming normalisation, whose gain stands in the update (norm none: neither)",
            ),
            link="https://doi.org/10.1038/s41467-020-17236-y",
            constants=THEIRS,
        ),
    )


def _pull(c_reg: float, e: str) -> tuple[str, tuple[Trace, ...]]:
    """The term that regularises firing rates, through the eligibility psi e, and the traces that it reads."""
    if not c_reg:
        return "", ()
    return f" - c_reg * through_norm{OFF_TARGET} * psi(v_post) * {e}", SO_FAR


ENTRY = eprop
