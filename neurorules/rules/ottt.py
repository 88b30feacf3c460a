"""Online training through time: presynaptic traces times this step's error, which is carried down through space."""

from __future__ import annotations

from typing import Literal

from neurorules.language.eligibility import Eligibility
from neurorules.language.ranges import BelowOne, ranged
from neurorules.language.rules import DELTA_RULE, Defaults, Plasticity, Rule, Source
from neurorules.language.signal_spec import SignalSpec
from neurorules.rules._online import CENTRED

LEAK = 0.5
"""Decay of the membrane per step in the paper (tau = 2)."""


@ranged("rule 'ottt'")
def ottt(*, lam: BelowOne = LEAK, feedback: Literal["transpose", "fixed"] = "transpose") -> Rule:
    """Online training through time: presynaptic traces times this step's error, which is carried down through space.

    Args:
        lam: decay of the presynaptic trace per step; by default the neurons have the same decay. With 0, only the spike
            of the current step counts (SLTT, Meng et al. 2023), and the neurons have a decay of 0.5.
        feedback: the weights that carry errors to lower layers: transposed forward weights as in the paper, or fixed
            random ones.

    Returns:
        The rule with its texts, eligibility, signal, default settings and source.
    """
    return Rule(
        name="ottt",
        plasticity=(
            Plasticity("w", "-through_norm(m_post * psi(v_post)) * x"),
            Plasticity("b", "-m_post * psi(v_post)"),
            *DELTA_RULE,
        ),
        signal=SignalSpec("spatial", {"feedback": feedback}),
        errors="step",
        eligibilities=(Eligibility("x", lam, CENTRED),),
        defaults=Defaults(neuron=f"lif:beta={lam or LEAK:g}"),
        source=Source(
            "M. Xiao, Q. Meng, Z. Zhang, D. He, Z. Lin",
            2022,
            "Online training through time for spiking neural networks",
            (
                "weights change once a trial, by the sum over its steps (the paper's OTTT_A)",
                "the loss is the cross-entropy of each step; the paper mixes in a squared error",
                "the trace stands at the first layer's synapses too, where the authors' code has the input itself",
                "psi is the neuron's own surrogate; the paper's is a sigmoid's",
                *(("errors come down through fixed random weights",) if feedback == "fixed" else ()),
                "Adam and streaming normalisation, which centres and decorrelates the update; the paper has momentum "
                "and standardised weights (norm none: neither)",
            ),
            link="https://arxiv.org/abs/2210.04195",
        ),
    )


ENTRY = ottt
