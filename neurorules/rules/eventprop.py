"""EventProp: the gradient through the times of spikes, a second global rule that local ones are compared with."""

from __future__ import annotations

from typing import Literal

from neurorules.language.ranges import Fraction, NonNegative, Positive, ranged
from neurorules.language.rules import DELTA_RULE, Defaults, Plasticity, Rule, Source
from neurorules.language.signal_spec import SignalSpec
from neurorules.rules._rates import OFF_TARGET, SO_FAR

NEURON = "cuba_lif:alpha=0.82:beta=0.95:v_threshold=8"
"""The paper's time constants, 5 and 20 ms, at steps of 1 ms. A normalised current, of variance 1 in each step, gives
these membranes a deviation of 16 where nothing resets them, and the threshold is half of it."""
SILENT = (
    "rates are pulled towards f_target at each step, so that silent neurons are reached; Nowotny et al. 2022 "
    "(https://arxiv.org/abs/2212.01232) do so at spikes, by the count of a batch"
)
"""The deviation if firing rates are regularised."""
NO_BUMP = "silent neurons are left alone (c_reg); the authors' program raises all weights of a layer with too many"
"""The deviation if they are not."""


DEVIATIONS = (
    "time has steps, and a spike comes at the end of the step in which its membrane crosses the threshold: gradients "
    "are exact up to an error of the order of a step",
    "a rise at a spike below least_rise is replaced by it; the paper divides by any rise",
    "the score is the mean over time of a read-out that adds up its input; in the paper it is the largest membrane of "
    "the read-out, or the time of its first spike",
    "biases learn, as constant currents; the paper's neurons have none",
    "Adam with the learning rates of the other rules here",
    "by default streaming normalisation, whose averages are held fixed, and a threshold to match; the paper has none, "
    "and larger weights at the start (norm none)",
)


@ranged("rule 'eventprop'")
def eventprop(
    *,
    loss: Literal["cross_entropy", "squared"] = "cross_entropy",
    bias: bool = True,
    least_rise: Positive = 0.1,
    c_reg: NonNegative = 0.0,
    f_target: Fraction = 0.1,
) -> Rule:
    """The gradient of the loss through the times at which membranes cross their threshold, without a surrogate.

    In the texts, psi(v_post) is not a surrogate but how much earlier the spike of a step comes for a higher membrane,
    and dv_dw follows the membrane through its resets. With shorter steps the update converges to the exact gradient of
    the same net in continuous time, as long as no spike comes or goes. With c_reg the loss of a sample also contains
    c_reg sum_t (r_i[t] - f_target) v_i[t] of each hidden neuron i, whose rate so far, r_i, counts as a constant.

    Args:
        loss: cross_entropy of the softmax of the scores, or squared, the squared difference between scores and targets
            of 1 and 0.
        bias: whether biases, constant currents, learn.
        least_rise: the lowest rise of a membrane at its spike that is divided by, in thresholds per synaptic time
            constant, > 0.
        c_reg: strength of the regularisation that pulls each neuron's rate in the trial so far towards a target, and
            so brings silent neurons back; 0 for none.
        f_target: the target rate, in spikes per step.

    Returns:
        The rule with its texts, signal and source.
    """
    text = "-m_post * psi(v_post) * dv_dw" + (f" - c_reg * {OFF_TARGET} * dv_dw" if c_reg else "")
    texts = (Plasticity("w", text, statistics="held"), Plasticity("b", text), *DELTA_RULE)
    return Rule(
        name="eventprop",
        plasticity=tuple(p for p in texts if bias or p.parameter != "b"),
        signal=SignalSpec("eventprop", {"least_rise": least_rise}),
        constants={"c_reg": c_reg, "f_target": f_target} if c_reg else {},
        traces=SO_FAR if c_reg else (),
        loss=loss,
        defaults=Defaults(neuron=NEURON, readout_neuron="leaky_readout:beta=1", steps=30),
        source=Source(
            "T. C. Wunderlich, C. Pehle",
            2021,
            "Event-based backpropagation can compute exact gradients for spiking neural networks",
            (*DEVIATIONS, SILENT if c_reg else NO_BUMP),
            link="https://doi.org/10.1038/s41598-021-91786-z",
        ),
    )


ENTRY = eventprop
