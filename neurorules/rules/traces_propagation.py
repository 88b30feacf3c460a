"""Traces Propagation: the comparison of sigprop at every step, computed on traces of the spikes of leaky neurons."""

from __future__ import annotations

from neurorules.language.ranges import BelowOne, Count, Positive, ranged
from neurorules.language.rules import DELTA_RULE, Defaults, Phase, Plasticity, Rule, Source
from neurorules.language.signal_spec import SignalSpec
from neurorules.signals._similarity import Loss


@ranged("rule 'traces_propagation'")
def traces_propagation(
    *, decay: BelowOne = 0.5, loss: Loss = "soft", cosine: bool = True, tau: Positive | None = None, k: Count = 6
) -> Rule:
    """Traces Propagation: at each step, each layer compares traces of the sample's spikes with those of target spikes.

    Args:
        decay: decay of the traces per step, in [0, 1).
        loss: how the classes that a sample resembles are chosen (see `signals._similarity`); soft is the paper's.
        cosine: whether traces are compared by cosine, or by dot product as in the paper.
        tau: temperature, > 0; None for 1 (dot product) or min(0.3, sqrt(2 / features) / 3) (cosine).
        k: number of such classes where the loss is top_k, >= 1.

    Returns:
        The rule with its texts, phases, signal, default settings and source.
    """
    texts = tuple(
        text
        for stream in ("input", "target")
        for text in (
            Plasticity("w", "-through_norm(m_post * psi(v_post)) * (S_pre - mean_pre)", phase=stream),
            Plasticity("b", "-m_post * psi(v_post)", phase=stream, populations="flat"),
        )
    )
    options = {"decay": decay, "loss": loss, "cosine": cosine, "tau": tau, "k": k}
    return Rule(
        name="traces_propagation",
        plasticity=(*texts, *DELTA_RULE),
        signal=SignalSpec("target_traces", options),
        phases=tuple(Phase(stream, statistics="own") for stream in ("input", "target")),
        defaults=Defaults(neuron="lif:beta=0.9"),
        source=Source(
            "L. Pes et al.",
            2025,
            "Traces Propagation",
            (
                "C class prototypes stand for the batch's targets, which repeat them",
                "traces are compared by cosine, the samples' centred by those of the mean rates (option cosine)",
                "with cosines the temperature is min(0.3, sqrt(2 / features) / 3), and the soft targets' too; the "
                "paper has none (cosine=false, tau=1)",
                "the losses of all steps are averaged, and weights change once a trial; theirs change at every step",
                "psi is the neuron's own surrogate; theirs is an arctangent's (neuron lif:beta=0.9:surrogate=atan)",
                "decay=0.5 of the traces is ours",
                "streaming normalisation, which theirs lacks (norm none)",
                "the read-out's delta rule sees mean spikes, not traces",
            ),
            link="https://arxiv.org/abs/2509.13053",
        ),
    )


ENTRY = traces_propagation
