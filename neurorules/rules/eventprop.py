"""EventProp: the gradient through the times of spikes, a second global rule that local ones are compared with."""

from __future__ import annotations

from typing import Literal

from neurorules.language.ranges import Positive, ranged
from neurorules.language.rules import DELTA_RULE, Defaults, Rule, Source
from neurorules.language.signal_spec import SignalSpec
from neurorules.rules._surrogate import surrogate_texts


@ranged("rule 'eventprop'")
def eventprop(
    *,
    loss: Literal["cross_entropy", "squared"] = "cross_entropy",
    bias: bool = True,
    least_rise: Positive = 0.1,
) -> Rule:
    """The gradient of the loss through the times at which membranes cross their threshold, without a surrogate.

    In the texts, psi(v_post) is not a surrogate but how much earlier the spike of a step comes for a higher membrane,
    and dv_dw follows the membrane through its resets. With shorter steps the update converges to the exact gradient of
    the same net in continuous time, as long as no spike comes or goes. The default neuron has the paper's 20 and 5 ms
    at steps of 1 ms.

    Args:
        loss: cross_entropy of the softmax of the scores, or squared, the squared difference between scores and targets
            of 1 and 0.
        bias: whether biases, constant currents, learn.
        least_rise: the lowest rise of a membrane at its spike that is divided by, in thresholds per synaptic time
            constant, > 0.

    Returns:
        The rule with its texts, signal and source.
    """
    return Rule(
        name="eventprop",
        plasticity=(
            *surrogate_texts("eligibility", "held", bias),
            *(p for p in DELTA_RULE if bias or p.parameter != "b"),
        ),
        signal=SignalSpec("eventprop", {"least_rise": least_rise}),
        loss=loss,
        defaults=Defaults(
            neuron="cuba_lif:alpha=0.82:beta=0.95", readout_neuron="leaky_readout:beta=1", steps=30, norm="none"
        ),
        source=SOURCE,
    )


SOURCE = Source(
    "T. C. Wunderlich, C. Pehle",
    2021,
    "Event-based backpropagation can compute exact gradients for spiking neural networks",
    (
        "time has steps, and a spike comes at the end of the step in which its membrane crosses the threshold: "
        "gradients are exact up to an error of the order of a step",
        "a rise at a spike below least_rise is replaced by it; the paper divides by any rise",
        "the score is the mean over time of a read-out that adds up its input; in the paper it is the largest "
        "membrane of the read-out, or the time of its first spike",
        "biases learn, as constant currents; the paper's neurons have none",
        "Adam with the learning rates of the other rules here",
        "normalisation by running averages is allowed and its averages are held fixed; by default there is none",
    ),
    link="https://doi.org/10.1038/s41598-021-91786-z",
)

ENTRY = eventprop
