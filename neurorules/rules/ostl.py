"""Online spatio-temporal learning: exact eligibilities through leak and reset, times this step's error."""

from __future__ import annotations

from typing import Literal

from neurorules.language.ranges import BelowOne, ranged
from neurorules.language.rules import DELTA_RULE, Defaults, Plasticity, Rule, Source
from neurorules.language.signal_spec import SignalSpec
from neurorules.rules._online import Derivative, Resets, through_reset


@ranged("rule 'ostl'")
def ostl(
    *,
    beta: BelowOne = 0.5,
    resets: Resets = "subtract",
    reset: Derivative = "differentiated",
    feedback: Literal["transpose", "fixed"] = "transpose",
) -> Rule:
    """Online spatio-temporal learning: exact eligibilities through leak and reset, times this step's error.

    Args:
        beta: decay of the neurons' membrane per step.
        resets: how the neurons, whose threshold is 1, reset.
        reset: whether the eligibility includes the derivative of the reset, or holds resets fixed. With fixed resets by
            subtraction, the eligibility is the presynaptic trace of `ottt`.
        feedback: the weights that carry errors to lower layers: transposed forward weights, or fixed random ones (OSTL
            rnd).

    Returns:
        The rule with its texts, eligibility, signal, default settings and source.
    """
    traces, eps, constants = through_reset(beta, resets, reset)
    return Rule(
        name="ostl",
        plasticity=(
            Plasticity("w", "-through_norm(m_post * psi(v_post)) * eps"),
            Plasticity("b", "-m_post * psi(v_post)"),
            *DELTA_RULE,
        ),
        signal=SignalSpec("spatial", {"feedback": feedback}),
        errors="step",
        constants=constants,
        traces=traces,
        eligibilities=(eps,),
        defaults=Defaults(neuron=f"lif:beta={beta:g}:reset={resets}"),
        source=Source(
            "T. Bohnstingl, S. Wozniak, A. Pantazi, E. Eleftheriou",
            2023,
            "Online spatio-temporal learning in deep neural networks",
            (
                "weights change once a trial, by the sum over its steps",
                "recurrent layers have the eligibility of each neuron's own membrane (the paper's form without H)",
                "psi is the neuron's own surrogate, and the threshold is 1",
                "beta=0.5 is ours, chosen on validation samples",
                *(("resets are held fixed",) if reset == "fixed" else ()),
                *(("errors come down through fixed random weights",) if feedback == "fixed" else ()),
                "biases have no trace: they learn by the step's psi alone",
                "cross-entropy of each step, Adam and streaming normalisation, which centres and decorrelates the "
                "update (norm none: neither)",
            ),
            link="https://arxiv.org/abs/2007.12723",
            constants={"beta": "not told", "slope": "this step alone"},
        ),
    )


ENTRY = ostl
