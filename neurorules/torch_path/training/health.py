"""One line of warning for each layer that is dead or saturated, with what to try."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from neurorules.network.layer import Layer
from neurorules.torch_path.training.evaluate import Evaluation

DEAD_SHARE, SATURATED_RATE = 0.9, 0.95


@dataclass
class Health:
    """The layers of a run that were dead or saturated after its last epoch."""

    ill: frozenset[str] = frozenset()

    def news(self, evaluation: Evaluation, hidden: Iterable[Layer]) -> list[str]:
        """The warnings of layers that were well before; each is given once, and again if a layer falls ill again.

        Args:
            evaluation, hidden: as in `warn_of`.

        Returns:
            One line for each layer.
        """
        lines = warn_of(evaluation, hidden)
        news = [line for layer, line in lines.items() if layer not in self.ill]
        self.ill = frozenset(lines)
        return news


def warn_of(evaluation: Evaluation, hidden: Iterable[Layer]) -> dict[str, str]:
    """Warnings for hidden layers, if there are any.

    Args:
        evaluation: the evaluation on samples that are not learned from.
        hidden: the hidden layers. Only those whose neurons spike can be saturated.

    Returns:
        By layer, one line for each that is dead or saturated, with what may help it.
    """
    lines = {}
    for layer in hidden:
        share, rate = evaluation.silent.get(layer.name, 0.0), evaluation.mean_rates[layer.name]
        norm = "use --norm streaming" if layer.normalisation is None else "take more --steps"
        if share >= DEAD_SHARE:
            lines[layer.name] = (
                f"layer '{layer.name}' is dead: {share:.0%} of its neurons never fire. Lower v_threshold, {norm}, or a "
                f"smaller --lr"
            )
        elif layer.neuron.spiking and rate >= SATURATED_RATE:
            norm = f"{norm}, or " if layer.normalisation is None else "or use "
            lines[layer.name] = (
                f"layer '{layer.name}' is saturated: it fires at {rate:.0%} of all steps. Raise v_threshold, {norm}a "
                f"smaller --lr"
            )
    return lines
