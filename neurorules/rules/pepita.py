"""PEPITA: the output error is added to the input, and hidden layers learn from the change in their activity."""

from __future__ import annotations

from typing import Literal

from neurorules.language.ranges import Positive, ranged
from neurorules.language.rules import Defaults, Phase, Plasticity, Rule, Source
from neurorules.language.signal_spec import SignalSpec

Form = Literal["rate_difference", "contrastive", "time_local", "graded", "dendritic"]
Pass = Literal["input", "modulated"]

HIDDEN: dict[str, str] = {
    "rate_difference": "m_post",
    "graded": "m_post * psi(v_post)",
    "dendritic": "m_post * psi(v_post)",
}
"""Postsynaptic factors of the forms that read m. Depending on the form, m is r - r^err, I - I^err, or minus the
dendritic current."""
MASK = "kept_post * "
"""A factor that stops units silenced by dropout from learning, because the paper's h is the activity after dropout."""
RATE_NETS = Defaults(
    lr=0.1, readout_lr=0.1, optimizer="momentum", readout_optimizer="momentum", neuron="rate", steps=1, norm="none",
    init="he",
)  # fmt: skip
"""Default settings for the paper's own nets of rate neurons. Source: Dellaferrera & Kreiman 2022 (public code,
MNIST)."""
SPIKING_NETS = Defaults(lr=1e-3, readout_lr=3e-3)
"""Default settings for spiking nets."""


@ranged("rule 'pepita'")
def pepita(
    *,
    form: Form = "rate_difference",
    neurons: Literal["spiking", "rate"] = "spiking",
    kappa: Positive | None = None,
    init: Literal["uniform", "normal", "class_means"] = "uniform",
    sign: Literal["plus", "minus"] = "plus",
    error: Literal["first", "second"] = "first",
    error_sign: bool = False,
    presynaptic: Literal["modulated", "forward"] | None = None,
    mirror: Literal["none", "running", "layers"] = "none",
    dropped: Literal["stay", "learn"] = "stay",
    bias: bool = False,
) -> Rule:
    """PEPITA: hidden dW_l = -(h_l - h_l^err) h_{l-1}^err^T, with x^err = x + F e; read-out dW = -e h_{L-1}^err^T.

    Args:
        form: rate_difference, as in the paper; contrastive (PEPITA-Hebbian), dW = -h h^T + h^err h^err^T; time_local,
            the same with the changes of each pass applied at its end; graded, which compares currents; dendritic, which
            needs only one pass.
        neurons: whether the default settings are for spiking nets, or for the paper's nets of rate neurons.
        kappa, init, sign, error_sign, mirror: options of F (see `signals.perturbation`).
        error: the pass (first or second) whose error the read-out learns from.
        presynaptic: the pass whose presynaptic activity enters the update; None for modulated (rate_difference) or
            forward (other forms).
        dropped: whether units silenced by dropout do not learn (stay), as in the paper, or learn like the others.
        bias: whether biases learn; the paper's nets have none.

    Returns:
        The rule with its texts, phases, signal, default settings and source.
    """
    spiking = neurons == "spiking"
    chosen = presynaptic or ("modulated" if form == "rate_difference" else "forward")
    pre: Pass = "modulated" if chosen == "modulated" else "input"
    mask = MASK if dropped == "stay" else ""
    travelling = "contrastive" if form == "time_local" else form
    projection = {"form": travelling, "kappa": kappa, "init": init, "sign": sign, "error_sign": error_sign}
    phases = [Phase("input", applies=form == "time_local"), Phase("modulated", replay=True, linear=form == "dendritic")]
    if mirror == "running":
        phases.append(Phase("noise", linear=True))
    return Rule(
        name="pepita",
        plasticity=_contrast(mask, bias) if travelling == "contrastive" else _compare(mask + HIDDEN[form], pre, bias),
        signal=SignalSpec("perturbation", {**projection, "dense": not spiking, "mirror": mirror}),
        phases=tuple(phases),
        error_phase="modulated" if error == "second" else "input",
        defaults=SPIKING_NETS if spiking else RATE_NETS,
        source=Source(
            "G. Dellaferrera, G. Kreiman",
            2022,
            "Error-driven input modulation: solving the credit assignment problem without a backward pass",
            _deviations(dropped == "learn", bias),
            link="https://arxiv.org/abs/2201.11665",
        ),
    )


def _deviations(dropped_learn: bool, bias: bool) -> tuple[str, ...]:
    """The deviations from the paper: those of the chosen options, followed by the general ones."""
    chosen = ["a unit that dropout silences learns from what it would have said (dropped=learn)"] * dropped_learn
    chosen += ["biases learn; the paper's nets have none"] * bias
    return (
        *chosen,
        "spiking nets: mean spike counts stand for rates; F e reaches the first layer as a constant current beside "
        "the same spikes, and is not presynaptic activity",
        "spiking nets: F is 40 times the paper's, which moves too few spikes, and 10 times where there are three "
        "hidden layers or more or F is mirrored; 20 times where currents are compared (option kappa)",
        "spiking nets: the 40 times are for 784 inputs, and grow with the fourth root of their number",
        "spiking nets: Adam, and streaming normalisation; the paper has momentum, and no normalisation",
        "maps: a weight's change is the sum over positions; the authors' code takes their mean, and the other sign of "
        "F for convolutions",
        "error=first: the read-out learns from the first pass's error, as the paper says; the authors' code for "
        "dense nets takes the second's",
        "the authors' dense code multiplies a difference by the dropout mask once more; ours does not",
        "contrastive, time_local, init=normal and mirror=layers: R. F. Srinivasan et al. 2024",
        "graded, dendritic and mirror=running are ours",
    )


def _compare(post: str, phase: Pass, bias: bool) -> tuple[Plasticity, ...]:
    """The texts of the forms with a third factor, in the pass whose presynaptic activity they read."""
    texts = [
        Plasticity("w", f"-through_norm({post}) * (S_pre - mean_pre)", phase=phase),
        Plasticity("w", "-m_post * dv_dw", role="readout", phase=phase),
    ]
    if bias:
        texts.append(Plasticity("b", f"-{post}", phase=phase))
        texts.append(Plasticity("b", "-m_post * dv_dw", role="readout", phase=phase))
    return tuple(texts)


def _contrast(mask: str, bias: bool) -> tuple[Plasticity, ...]:
    """The texts of the contrastive forms: Hebbian in the modulated pass and anti-Hebbian in the first, without stored
    state."""
    texts = []
    for parameter, factor in (("w", " * (S_pre - mean_pre)"), *((("b", ""),) if bias else ())):
        texts.append(Plasticity(parameter, f"-{mask}S_post{factor}"))
        texts.append(Plasticity(parameter, f"{mask}S_post{factor}", phase="modulated"))
        reading = factor or " * dv_dw"
        texts.append(Plasticity(parameter, f"-p_post{reading}", role="readout"))
        texts.append(Plasticity(parameter, f"y_post{reading}", role="readout", phase="modulated"))
    return tuple(texts)


ENTRY = pepita
