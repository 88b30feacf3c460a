"""TESS: at each step, traces per synapse times an error from comparing the layer with fixed periodic class patterns."""

from __future__ import annotations

from typing import Literal

from neurorules.language.ranges import BelowOne, Number, Positive, ranged
from neurorules.language.rules import DELTA_RULE, Defaults, Plasticity, Rule, Source
from neurorules.language.signal_spec import SignalSpec
from neurorules.rules._online import causal_and_not

TEMPERATURE = 0.03
"""Temperature of the softmax over classes. A score is a mean over neurons of a spike or none times a wave of +-1.
With a temperature of 1 no class can win by it, so that a neuron is pushed as hard by a sample that the layer tells
apart as by one that it confuses. Chosen on validation samples of MNIST (784-256-10) and of digits, both of which gain 3
to 4 points over 1; a temperature from .02 to .05 does as well."""


@ranged("rule 'tess'")
def tess(
    *,
    l_pre: BelowOne = 0.5,
    l_post: BelowOne = 0.2,
    a_post: Number = 1.0,
    waves: Literal["sine", "square"] = "square",
    tau: Positive = TEMPERATURE,
) -> Rule:
    """TESS: dw = -m (psi x + a_post y S_pre), with m from fixed periodic patterns of the classes.

    x is the trace of S_pre, and y that of psi before this step. With the setting last_steps, only the last steps
    contribute.

    Args:
        l_pre: decay of the presynaptic trace x per step.
        l_post: decay of the postsynaptic trace y per step.
        a_post: weight of the non-causal term; the paper has 1 on images and 0 on events.
        waves: the shape of the patterns, sine waves or, as in the paper, square waves.
        tau: temperature of the softmax over classes, > 0; the authors' program has 1.

    Returns:
        The rule with its texts, traces, signal, default settings and source.
    """
    both = causal_and_not(l_pre, l_post, a_post)
    return Rule(
        name="tess",
        plasticity=(
            Plasticity("w", both.text),
            Plasticity("b", "-m_post * psi(v_post)"),
            *DELTA_RULE,
        ),
        signal=SignalSpec("patterns", {"waves": waves, "lengths": "mean", "tau": tau, "errors": "step"}),
        errors="step",
        constants=both.constants,
        traces=both.traces,
        eligibilities=both.eligibilities,
        defaults=Defaults(neuron="lif:beta=0.88"),
        source=Source(
            "M. P. E. Apolinario, K. Roy, C. Frenkel",
            2025,
            "TESS: a scalable temporally and spatially local learning rule for spiking neural networks",
            (
                "weights change once a trial, by the sum over its steps",
                "psi is the neuron's own surrogate, and the threshold is 1; the paper's is 0.6",
                "dense layers are compared whole; the paper averages neighbours to a few features",
                "maps are averaged to 4 x 4 at most before they are compared, as in the paper",
                "leaks are fixed; the paper learns them",
                "patterns begin at n = 1; at the paper's n = 0 all of them are 0, so that a neuron is taught nothing",
                "the temperature is 0.03; the authors' program has 1, with which no score decides (tau=1)",
                "the read-out learns by the delta rule",
                "Adam, and streaming normalisation, which centres and decorrelates the update (norm none: neither); "
                "the paper standardises weights",
            ),
            link="https://arxiv.org/abs/2502.01837",
            constants={"a_post": "1, on images; 0 on events", "slopes": "0.621 ms, a decay of 0.2 in a step"},
        ),
    )


ENTRY = tess
