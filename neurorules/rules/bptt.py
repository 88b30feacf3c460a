"""Backpropagation through time with surrogate gradients: the global rule that local ones are compared with."""

from __future__ import annotations

from typing import Literal

from neurorules.language.rules import DELTA_RULE, Rule, Source, Statistics
from neurorules.language.signal_spec import SignalSpec
from neurorules.rules._surrogate import SPIKE, Presynaptic, surrogate_texts


def backpropagation(
    *,
    loss: Literal["cross_entropy", "squared"] = "cross_entropy",
    bias: bool = True,
    statistics: Statistics = "moving",
    presynaptic: Presynaptic = "eligibility",
) -> Rule:
    """Backpropagation through time with surrogate gradients: the global rule that local ones are compared with.

    Without normalisation, the update is the exact surrogate gradient. With batch normalisation, statistics=moving is
    the exact gradient, which includes the path through the batch's mean and deviation. With streaming normalisation,
    the averages are constant during a trial, so statistics=held is the exact gradient. The default, moving, centres and
    decorrelates each layer's update with running averages, as batch normalisation does with batch averages, and trains
    better.

    Args:
        loss: cross_entropy of the softmax of the scores, or squared, the squared difference between scores and targets
            of 1 and 0.
        bias: whether biases learn; false is for comparison with papers whose nets have no biases.
        statistics: whether the backward pass through the normalisation treats its statistics as functions of the
            weights (moving) or as constants (held; see `Plasticity`).
        presynaptic: eligibility for the gradient through time, or spike for the gradient through space only (SLTT, Meng
            et al. 2023).

    Returns:
        The rule with its texts, signal and source.
    """
    return Rule(
        name="bptt",
        plasticity=(
            *surrogate_texts(presynaptic, statistics, bias),
            *(p for p in DELTA_RULE if bias or p.parameter != "b"),
        ),
        signal=SignalSpec("bptt"),
        loss=loss,
        source=Source(
            "E. O. Neftci, H. Mostafa, F. Zenke",
            2019,
            "Surrogate gradient learning in spiking neural networks",
            _deviations(statistics, presynaptic),
            link="https://doi.org/10.1109/MSP.2019.2931595",
        ),
    )


def _deviations(statistics: Statistics, presynaptic: Presynaptic) -> tuple[str, ...]:
    centred = "under streaming normalisation the update is centred and decorrelated by running averages, which trains "
    chosen = [centred + "better; the exact gradient is statistics=held"] if statistics == "moving" else []
    chosen += [f"{SPIKE}: errors travel through space alone"] if presynaptic == "spike" else []
    return (*chosen, "resets are held fixed, as in snnTorch", "by default Adam and integrate-and-fire neurons")


ENTRY = backpropagation
