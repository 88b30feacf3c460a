"""Local read-outs (DECOLLE): every layer learns from a linear read-out of its own spikes."""

from __future__ import annotations

from typing import Literal

from neurorules.language.rules import DELTA_RULE, Plasticity, Rule, Source
from neurorules.language.signal_spec import SignalSpec


def local_readout(
    *, readouts: Literal["learned", "fixed"] = "learned", errors: Literal["trial", "step"] = "trial"
) -> Rule:
    """Local read-outs: each hidden layer learns from the error of a linear read-out of its own spikes.

    Args:
        readouts: whether these read-outs are learned by a delta rule, or fixed and random as in the paper.
        errors: whether each read-out has one error per trial, from mean spikes, or one at each step, as in the paper.

    Returns:
        The rule with its texts, signal and source.
    """
    return Rule(
        name="local_readout",
        plasticity=(
            Plasticity("w", "-through_norm(m_post * psi(v_post)) * (S_pre - mean_pre)"),
            Plasticity("b", "-m_post * psi(v_post)"),
            *DELTA_RULE,
        ),
        signal=SignalSpec("local_readout", {"readouts": readouts, "errors": errors}),
        source=Source(
            "J. Kaiser, H. Mostafa, E. O. Neftci",
            2020,
            "Synaptic plasticity dynamics for deep continuous local learning (DECOLLE)",
            (
                "cross-entropy on the trial's mean spikes instead of a smooth L1 loss at each step"
                if errors == "trial"
                else "cross-entropy instead of a smooth L1 loss",
                "the presynaptic factor is the spike of the step, not a double low-pass trace",
                *(
                    ("read-outs learn by their own delta rule, from 0; the paper's stay random (readouts=fixed)",)
                    if readouts == "learned"
                    else ()
                ),
                "one update a trial; the paper learns at every step after a burn-in",
                "maps are averaged to 4 x 4 at most before they are read",
                "integrate-and-fire neurons by default, psi that of their surrogate; the paper's neurons leak",
                "by default Adam, and the update is centred and decorrelated by streaming normalisation (norm none: "
                "neither)",
            ),
            link="https://doi.org/10.3389/fnins.2020.00424",
        ),
    )


ENTRY = local_readout
