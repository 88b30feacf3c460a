"""S-TLLR: the error of each step times a causal and a non-causal trace per synapse, as in STDP."""

from __future__ import annotations

from typing import Literal

from neurorules.language.ranges import BelowOne, Number, ranged
from neurorules.language.rules import DELTA_RULE, SENT, Defaults, Plasticity, Rule, Source
from neurorules.language.signal_spec import SignalSpec
from neurorules.rules._online import causal_and_not


@ranged("rule 's_tller'")
def s_tller(
    *,
    l_pre: BelowOne = 0.75,
    l_post: BelowOne = 0.2,
    a_post: Number = -1.0,
    signal: Literal["spatial", "dfa"] = "spatial",
) -> Rule:
    """S-TLLR: dw = -m (psi x + a_post y S_pre), where x is the trace of S_pre, and y that of psi before this step.

    With the setting last_steps, only the last steps contribute, as in the paper (the last 5 for gestures, the last 90
    of 100 for spoken digits).

    Args:
        l_pre: decay of the presynaptic trace x per step.
        l_post: decay of the postsynaptic trace y per step.
        a_post: weight of the non-causal term; the paper has -1 on images and 1 on sound.
        signal: how the error of the step reaches a layer: through the weights above (spatial), or through a random
            matrix from the output (dfa).

    Returns:
        The rule with its texts, traces, signal, default settings and source.
    """
    both = causal_and_not(l_pre, l_post, a_post)
    return Rule(
        name="s_tller",
        plasticity=(
            Plasticity("w", both.text),
            Plasticity("b", "-m_post * psi(v_post)"),
            *((Plasticity(SENT, "-through_norm(m_post * psi(v_post))"),) if a_post else ()),
            *DELTA_RULE,
        ),
        signal=SignalSpec(signal),
        errors="step",
        constants=both.constants,
        traces=both.traces,
        eligibilities=both.eligibilities,
        defaults=Defaults(neuron="lif:beta=0.88"),
        source=Source(
            "M. P. E. Apolinario, K. Roy",
            2025,
            "S-TLLR: STDP-inspired temporal local learning rule for spiking neural networks",
            (
                "weights change once a trial, by the sum over its steps",
                "all steps teach, unless the setting last_steps names fewer",
                "psi is the neuron's own surrogate; the paper's is 1 / (100 |v - threshold| + 1)^2",
                "leaks and thresholds are fixed; the paper learns them",
                "cross-entropy of each step, Adam and streaming normalisation, which centres and decorrelates the "
                "update (norm none: neither)",
            ),
            link="https://arxiv.org/abs/2306.15220",
            constants={"a_post": "-1, on images; 1 on SHD", "slopes": "0.621 ms, on gestures; 1.44 ms on SHD"},
        ),
    )


ENTRY = s_tller
