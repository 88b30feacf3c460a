"""The way of post factors back through a layer's normalisation: the function `through_norm` of texts."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from neurorules.contracts.normalisation import UpdateStatistics, first_update_statistics, over_rows
from neurorules.language.rules import Statistics
from neurorules.native import scans
from neurorules.torch_path.update.local_view import ChangeSums, LocalView, way_through


@dataclass
class NormAdjoint:
    """The function `through_norm` of texts: it carries a post factor back through the neurons' normalisation.

    It collects the statistics of the factors that it carries.

    Args:
        view: the local view on which the texts are evaluated.
        statistics: running statistics of the update; fresh ones if None.
        sums: the sums that the statistics of this window are added to.
        name: the name of the statistics.
        way: how the normalisation's mean and deviation are treated (`Plasticity.statistics`).
    """

    view: LocalView
    statistics: UpdateStatistics | None
    sums: ChangeSums
    name: str
    way: Statistics = "moving"

    def __call__(self, post: Tensor) -> Tensor:
        """Carry a post factor, (T, B, *shape) or constant (B, *shape), back to the raw current."""
        activity, layer, current = self.view.activity, self.view.layer, self.view.activity.current
        if current is None or current.gain is None or layer.normalisation is None:
            return post
        if self.way == "held":
            return post * current.gain
        lead = len(layer.shape) + 1
        through = way_through(self.view, self.statistics, self.way)
        if through is not None and post.ndim > lead and scans.loops(post):
            scan = scans.reverse(post.flatten(2), len(post), 0.0, scans.Reset.NONE, through=through)
            self.sums.add_rows(self.name, scan.over_time, scan.product_over_time, layer.shape, activity.steps)
            return scan.at_each_step.reshape(post.shape)
        normalised = current.normalised.values
        if post.ndim == lead and normalised.ndim > lead:
            post = post.expand_as(normalised)
        elif post.ndim > lead and normalised.ndim == lead:
            normalised = normalised.expand_as(post)
        rows, flat = post.reshape(-1, *layer.shape), normalised.reshape(-1, *layer.shape)
        statistics = self.statistics or first_update_statistics(layer.shape, post)
        self._gather(rows, flat)
        return layer.normalisation.adjoint(statistics, rows, flat, current.gain).reshape(post.shape)

    def _gather(self, rows: Tensor, normalised: Tensor) -> None:
        steps = self.view.activity.steps
        mean, product = over_rows(rows) * steps, over_rows(rows * normalised) * steps
        self.sums.add_update(self.name, mean, product, steps)
