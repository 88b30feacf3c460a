"""Sign symmetry through time: backpropagation with feedback weights that share the forward weights' signs alone."""

from __future__ import annotations

from typing import Literal

from neurorules.language.rules import DELTA_RULE, Rule, Source
from neurorules.language.signal_spec import SignalSpec
from neurorules.rules._surrogate import SPIKE, Presynaptic, surrogate_texts


def sign_symmetry(
    *, sizes: Literal["uniform", "fixed", "redrawn"] = "uniform", presynaptic: Presynaptic = "eligibility"
) -> Rule:
    """Sign symmetry through time: backpropagation with feedback weights that share the forward weights' signs alone.

    Args:
        sizes: the sizes of the feedback weights: uniform (uSF of Xiao et al. 2019), one for a layer; fixed (frSF),
            drawn once; redrawn (brSF), drawn anew for each trial.
        presynaptic: the eligibility of the membrane, as in `bptt`, or the spike of the step, as in `dfa` and `drtp`.

    Returns:
        The rule with its texts, signal and source.
    """
    return Rule(
        name="sign_symmetry",
        plasticity=(*surrogate_texts(presynaptic), *DELTA_RULE),
        signal=SignalSpec("sign_symmetry", {"sizes": sizes}),
        source=Source(
            "Q. Liao, J. Z. Leibo, T. Poggio",
            2016,
            "How important is weight symmetry in backpropagation?",
            (
                "spiking neurons: psi stands for the derivative of the output",
                SPIKE
                if presynaptic == "spike"
                else "the error also travels back through time, in each neuron's own membrane (presynaptic=spike: not)",
                "sizes have the mean square 1/fan-in; the paper takes them from the initial weights",
                "the paper's batch normalisation and manhattan updates stand aside: Adam, and streaming normalisation",
            ),
            link="https://arxiv.org/abs/1510.05067",
        ),
    )


ENTRY = sign_symmetry
