"""The words of earlier versions in state files, and today's words for them: texts of neurons, names of tensors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

GATED = re.compile(
    r"GatedIntegrator\((?P<own>.*?)(?:, alpha=(?P<alpha>.*?))?"
    r"(?:, adaptation=\((?P<rho>[^,]*), (?P<kappa>[^)]*)\))?(?:, refractory=(?P<period>\d+))?\)"
)
"""The single class that earlier versions had for synaptic currents, adaptive thresholds and refractory periods."""


def in_todays_words(neuron: str) -> str:
    """The text of a neuron in the words of this version; a text that no earlier version wrote is returned unchanged.

    Args:
        neuron: the text in a stored state, such as "GatedIntegrator(beta=0.9, ..., refractory=2)".
    """
    match = GATED.fullmatch(neuron)
    if match is None:
        return neuron
    own, alpha, rho, kappa, period = match.group("own", "alpha", "rho", "kappa", "period")
    if alpha is not None:
        text = f"SynapticIntegrator({own}, alpha={alpha})"
    elif rho is not None:
        text = f"AdaptiveIntegrator({own}, rho={rho}, kappa={kappa})"
    else:
        text = f"LeakyIntegrator({own})"
    return text if period is None else f"Refractory(neuron={text}, period={period})"


def with_todays_names(state: Mapping[str, Any]) -> dict[str, Any]:
    """A state by name, in which the counts of running averages end in "/samples", where they ended in "/seen"."""
    return {re.sub(r"/seen$", "/samples", name): value for name, value in state.items()}
