"""Forward-forward: a layer learns to be active for samples that carry their own label, and quiet for wrong labels."""

from __future__ import annotations

from typing import Literal

from neurorules.language.ranges import NonNegative, Positive, ranged
from neurorules.language.rules import DELTA_RULE, Phase, Plasticity, Rule, Source
from neurorules.language.signal_spec import SignalSpec

PASSES = ("positive", "negative")
"""The phases that hidden layers learn from: one with the sample's own label, and one with a wrong label."""
CHANGE: dict[str, str] = {
    "w": "-through_norm(m_post * psi(v_post)) * (S_pre - mean_pre)",
    "b": "-m_post * psi(v_post)",
    "embedding": "-m_post * psi(v_post)",
}
"""The text of both phases, by parameter. It descends the loss of each phase: for a wrong label, m has the other
sign."""


@ranged("rule 'forward_forward'")
def forward_forward(
    *,
    theta: NonNegative = 0.3,
    gain: Positive = 30.0,
    loss: Literal["threshold", "difference"] = "difference",
    predict: Literal["goodness", "readout"] = "goodness",
) -> Rule:
    """Forward-forward: in each layer, L = -log sigmoid(gain (G(own label) - G(wrong label))).

    G is the layer's goodness, the mean square of its neurons' mean spikes. Labels enter the first layer in addition to
    the samples. In training, a batch runs three times: without labels, to update the running averages; with its own
    labels; and with wrong labels.

    Args:
        theta: the goodness at which p is 1/2, >= 0; with loss=threshold.
        gain: steepness of the sigmoid, > 0.
        loss: difference, as above; or threshold, Hinton's L = -log p(own label) - log(1 - p(wrong label)), where p =
            sigmoid(gain (G - theta)).
        predict: how classes are predicted. goodness: one pass for each class, and the class with the largest goodness
            over all hidden layers wins. readout: by a read-out in a pass without a label, which is several times
            cheaper.

    Returns:
        The rule with its texts, phases, signal and source.
    """
    by_goodness = predict == "goodness"
    passes = [Phase("input"), *(Phase(name, replay=True) for name in PASSES), *([Phase("candidates")] * by_goodness)]
    return Rule(
        name="forward_forward",
        plasticity=(
            *(Plasticity(name, text, phase=phase) for phase in PASSES for name, text in CHANGE.items()),
            *DELTA_RULE,
        ),
        signal=SignalSpec("goodness", {"theta": theta, "gain": gain, "loss": loss}),
        phases=tuple(passes),
        predict=predict,
        score_phase="candidates" if by_goodness else "input",
        source=_source(by_goodness, loss),
    )


def _source(by_goodness: bool, loss: str) -> Source:
    """The paper, with the deviations of one form of the rule."""
    return Source(
        "G. Hinton",
        2022,
        "The forward-forward algorithm: some preliminary investigations",
        (
            "spiking nets: the mean spikes of a trial stand for activities, and goodness is their mean square, at "
            "most 1; the paper's is a sum of squares",
            *(("the loss compares the two passes of a sample, as in Lee & Song 2023 (arXiv 2303.08418); the paper "
               "compares each with a threshold (loss=threshold)",) if loss == "difference" else
              ("theta=0.3 is ours, chosen on validation samples of the digits",)),
            "gain=30 is ours, chosen on validation samples of MNIST; the paper has no gain",
            "a label is a learned current into the first layer, as by units beside the input; the paper writes it "
            "over the first pixels",
            "each trial draws one wrong label for each class, all alike; the paper draws one for each sample, and "
            "those more often that are mistaken for the right one",
            "running averages of the pass without a label normalise all passes; the paper divides the activities "
            "of each sample by their length before the next layer",
            *(("a prediction sums the goodness of all hidden layers; the paper leaves out the first",)
              if by_goodness else
              ("the read-out sees the last hidden layer in a pass without a label; the paper's sees all but the "
               "first, in one with a neutral label",)),
            "the update keeps the current step's presynaptic spike only",
            "Adam, and streaming normalisation, which centres and decorrelates the update (norm none: neither)",
        ),
        link="https://arxiv.org/abs/2212.13345",
    )  # fmt: skip


ENTRY = forward_forward
