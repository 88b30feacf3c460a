"""One line of warning for a layer that is dead or saturated, with what to try."""

from __future__ import annotations

from collections.abc import Set

from neurorules.torch_path.training.evaluate import Evaluation

DEAD_SHARE, SATURATED_RATE = 0.9, 0.95


def warn_of(evaluation: Evaluation, spiking: Set[str]) -> list[str]:
    """Warnings for hidden layers, if there are any.

    Args:
        evaluation: the evaluation on samples that are not learned from.
        spiking: the names of the layers whose neurons spike; only these can be saturated.

    Returns:
        One line for each layer that is dead or saturated.
    """
    lines = []
    for layer, share in evaluation.silent.items():
        if share >= DEAD_SHARE:
            lines.append(
                f"layer '{layer}' is dead: {share:.0%} of its neurons never fire. Lower v_threshold, "
                f"use --norm streaming, or a smaller --lr"
            )
        elif layer in spiking and evaluation.mean_rates[layer] >= SATURATED_RATE:
            lines.append(
                f"layer '{layer}' is saturated: it fires at {evaluation.mean_rates[layer]:.0%} of all steps. "
                f"Raise v_threshold, use --norm streaming, or a smaller --lr"
            )
    return lines
