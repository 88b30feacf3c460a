"""The rule of Bienenstock, Cooper & Munro: Hebbian learning with a threshold that slides with the neuron's own rate."""

from __future__ import annotations

from typing import Annotated

from neurorules.language.neuron_trace import Trace
from neurorules.language.ranges import BelowOne, Positive, Range, ranged
from neurorules.language.rules import DELTA_RULE, Defaults, Plasticity, Rule, Source


@ranged("rule 'bcm'")
def bcm(*, target: Positive = 0.2, decay: BelowOne = 0.8, slow: Annotated[float, Range("(0, 1)")] = 0.999) -> Rule:
    """dw = x y (y - theta), where theta follows the mean of y^2 / target over many trials.

    x and y are the rates of the presynaptic and the postsynaptic neuron, in spikes per step. Each step uses the theta
    of the previous step. Given n orthogonal and equally frequent patterns, a neuron ends up firing at n times the
    target rate for one of them, and not at all for the others.

    Args:
        target: the rate at which theta equals the rate, in spikes per step, above 0.
        decay: decay per step of the traces that measure the rates, in [0, 1).
        slow: decay of theta per step, in (0, 1). Theta should be slower than the change of patterns, and faster than
            the weights.

    Returns:
        The rule with its texts, traces, default settings and source.
    """
    return Rule(
        name="bcm",
        plasticity=(Plasticity("w", "rate_post * (rate_post - before(theta_post)) * rate_pre"), *DELTA_RULE),
        signal=None,
        # before(theta) is slow theta[t-1], so theta is stored 1/slow times as large as the mean.
        constants={"new": 1 - decay, "slide": (1 - slow) / (slow * target)},
        traces=(
            Trace("rate", decay, "new * S"),
            Trace("theta", slow, "slide * rate ** 2", across_trials=True),
        ),
        defaults=Defaults(lr=0.01, optimizer="sgd"),
        source=Source(
            "N. Intrator, L. N. Cooper",
            1992,
            "Objective function formulation of the BCM theory of visual cortical plasticity: statistical connections, "
            "stability conditions",
            (
                "the rule is of E. L. Bienenstock, L. N. Cooper, P. W. Munro (1982), in the later form cited here",
                "activities are traces of spikes, which are never negative; the paper's are numbers of either sign",
                "theta follows the mean of y^2 over target; the paper's is the mean of y^2 itself, a target of 1",
                "theta begins a trial at its mean over the samples of the trial before, and the first at 0",
                "neurons, input and read-out are those of a classifier",
                "a trial's change is the sum over its steps, averaged over the batch",
            ),
            link="https://doi.org/10.1016/S0893-6080(05)80003-6",
            constants={
                "new": "none: an activity is a number, and not a trace",
                "rate": "none: an activity is a number, and not a trace",
                "slide": "not told",
                "theta": "not told",
            },
        ),
    )


ENTRY = bcm
