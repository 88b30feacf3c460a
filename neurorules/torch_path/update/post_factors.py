"""Post factors, in one fused scan if the form of the text allows it, and otherwise by evaluating the text.

Both give the same numbers; evaluation defines the meaning, and is the only way on devices without compiled scans.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from neurorules.contracts.normalisation import UpdateStatistics, first_update_statistics, over_rows
from neurorules.contracts.series import Series, pending_source
from neurorules.language.expressions import Expression
from neurorules.language.rules import Statistics
from neurorules.native import scans
from neurorules.network.post_forms import scanned_psi
from neurorules.network.products import Group, value_of
from neurorules.torch_path.forward.drive import flat
from neurorules.torch_path.update.eligibility import reverse_scan
from neurorules.torch_path.update.local_view import ChangeSums, LocalView
from neurorules.torch_path.update.neuron_current import current_of
from neurorules.torch_path.update.neuron_traces import Neurons


class Total(NamedTuple):
    """A sum over time as a scan computed it, to be scaled when it is read.

    Args:
        values: the sum, (B, *shape).
        scale: the factor that turns it into the sum with the constant of the third factor.
    """

    values: Tensor
    scale: float


@dataclass
class PostFactors:
    """Computes the post factors of one layer's texts in one phase and window, and collects their statistics.

    Args:
        view: the local view on which the texts are evaluated.
        statistics: running statistics of updates, by name.
        sums: the sums that the statistics of this window are added to.
        totals: sums over time that scans have computed. The key says whether they read `kept_post`, the factor of the
            membrane, and whether they ran backwards.
    """

    view: LocalView
    statistics: Mapping[str, UpdateStatistics]
    sums: ChangeSums
    totals: dict[tuple[bool, str, bool], Total] = field(default_factory=dict)

    def of_current(self, group: Group, name: str, every: bool) -> Series:
        """The post factor with respect to the synaptic current.

        Args:
            group: the group of a text.
            name: the name of the update's statistics.
            every: whether the factor of each step is needed; otherwise its average over time is enough.

        Returns:
            The factor, (T, B, *shape) or constant (B, *shape).

        Raises:
            UserError: the text reads the eligibility of a neuron whose state has no known derivative.
        """
        fused = self._fused(group, name, every)
        if fused is not None:
            return fused
        norm = self._norm(group, name)
        post = post_value(self.view, group.post, norm)
        if group.eligible and self.view.whole:
            post = norm(reverse_scan(self.view, post))
        return Series.of(post, self.view.layer.shape)

    def of_step(self, group: Group) -> Tensor:
        """The post factor with respect to the current of the same step alone, with the normalisation's statistics held
        fixed.

        Args:
            group: the group of a text that goes through time.

        Returns:
            The factor, (T, B, *shape) or constant (B, *shape).
        """
        post, gain = post_value(self.view, group.post, lambda a: a), self.view.activity.gain
        return post if gain is None else post * gain

    def of_neurons(self, group: Group, name: str) -> Series:
        """The post factor with respect to what reaches the neurons after the normalisation, forwards in time.

        Args:
            group: the group of a text.
            name: the name of the update's statistics.

        Returns:
            The factor, (T, B, *shape) or constant (B, *shape).
        """
        post = post_value(self.view, group.post, self._norm(group, name))
        return Series.of(post, self.view.layer.shape)

    def total_of_neurons(self, group: Group) -> Tensor | None:
        """The sum over time of `of_neurons`, carried through the membrane if the text has an eligibility.

        Args:
            group: the group of a text.

        Returns:
            The sum, (B, *shape); None if no scan computes it.
        """
        form, back = group.form, group.eligible
        if form is None or form.through or (back and not self.view.whole):
            return None
        key = form.dropout, form.factor, back
        if key not in self.totals and self._scan(group, every=False) is None:
            return None
        total = self.totals[key]
        return total.values * (form.outer * total.scale)

    def _fused(self, group: Group, name: str, every: bool) -> Series | None:
        activity, layer = self.view.activity, self.view.layer
        form, back = group.form, group.eligible and self.view.whole
        if form is None or (back and form.through):
            return None
        through = None
        if activity.gain is not None and (back or form.through):
            through = way_through(self.view, self.statistics.get(name), group.statistics)
            if through is None:
                return None
        if through is None and self.view.m is not None and self.view.m.constant and form.factor == "one":
            every = every and back and not layer.forgets  # otherwise the post factor is constant in time
        scan = self._scan(group, every, through)
        if scan is None or scan.every_total is None or scan.total is None:
            return None
        if scan.product is not None and group.statistics == "moving":
            mean, product = (over_rows(value.reshape(-1, *layer.shape)) for value in (scan.total, scan.product))
            self.sums.add_update(name, mean, product, activity.steps)
        total = scan.every_total.reshape(-1, *layer.shape)
        if scan.every is None:
            return Series(total / activity.steps, True)
        return Series(scan.every.reshape(activity.steps, -1, *layer.shape), False, total)

    def _norm(self, group: Group, name: str) -> NormAdjoint:
        return NormAdjoint(self.view, self.statistics.get(name), self.sums, name, group.statistics)

    def _scan(self, group: Group, every: bool, through: scans.Through | None = None) -> scans.Reverse | None:
        form, view = group.form, self.view
        dynamics, rerun = view.layer.backwards, pending_source(view.activity.v)
        psi = None if form is None else scanned_psi(form, view.layer.psi)
        if form is None or psi is None or view.m is None or dynamics is None:
            return None
        back, m = group.eligible and view.whole, view.m
        reads_v = psi.shape is not scans.PsiShape.FLAT or (back and dynamics.reset == "zero")
        v = view.activity.v.flat() if reads_v and rerun is None else None
        if rerun is None and not scans.serves(m.values if v is None else v):
            return None
        outer, inner = form.outer, form.inner
        if back:  # the statistics are those of the whole text, including its constant
            outer, inner, psi = 1.0, form.outer, psi._replace(scale=form.outer * psi.scale)
        if form.dropout and view.activity.dropout_mask is not None:
            m = m.like(m.values * view.activity.dropout_mask)
        scan = scans.reverse(
            m.flat(), view.activity.steps, _flat(dynamics.beta) if back else 0.0,
            scans.RESETS[dynamics.reset] if back else scans.Reset.NONE, v=v, v_threshold=_flat(dynamics.v_threshold),
            psi=psi, through=through, outer=outer, every=every, rerun=rerun,
        )  # fmt: skip
        if inner and scan.total is not None:
            self.totals[form.dropout, form.factor, back] = Total(scan.total.reshape(-1, *view.layer.shape), 1 / inner)
        return scan


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
            sums = scan.over_time, scan.product_over_time
            mean, product = (over_rows(value.reshape(-1, *layer.shape)) for value in sums)
            self.sums.add_update(self.name, mean, product, activity.steps)
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


def way_through(view: LocalView, averages: UpdateStatistics | None, way: Statistics) -> scans.Through | None:
    """The path of a factor back through a layer's normalisation, in the form that scans take.

    Args:
        view: the local view on which the texts are evaluated.
        averages: running averages of the update; fresh ones if None.
        way: how the normalisation's mean and deviation are treated (`Plasticity.statistics`).

    Returns:
        The path; None for a normalisation that reads the batch.
    """
    layer, current = view.layer, view.activity.current
    if current is None or layer.normalisation is None or layer.normalisation.reads_batch:
        return None
    moving = averages if way == "moving" else None
    moving = moving or first_update_statistics(layer.shape, current.synaptic.values)
    mean_d, mean_product = (flat(value.value, layer.shape) for value in moving)
    return scans.Through(current.synaptic.flat(), current.affine(layer.shape), mean_d, mean_product)


def _flat(value: float | Tensor) -> float | Tensor:
    return value.reshape(-1) if isinstance(value, Tensor) else value


def post_value(view: LocalView, expression: Expression, through_norm: Callable[[Tensor], Tensor]) -> Tensor:
    """Evaluate a postsynaptic factor over time.

    Args:
        view: the local view on which the texts are evaluated.
        expression: the expression of the factor.
        through_norm: carries a post factor back through the normalisation.

    Returns:
        The value, (T, B, *shape) or constant (B, *shape).
    """
    post = value_of(expression, names_of_post(view, expression), postsynaptic(view).psi, through_norm)
    if isinstance(post, Tensor):
        return post
    v = view.activity.v.values
    return torch.full(v.shape[1:], post, dtype=v.dtype, device=v.device)


def names_of_post(view: LocalView, expression: Expression) -> dict[str, Tensor | float]:
    """The values of all variables that a postsynaptic factor reads, by name.

    Args:
        view: the local view on which the texts are evaluated.
        expression: the expression of the factor.

    Returns:
        Each value is (T, B, *shape), constant (B, *shape), or a number.
    """
    return _post_names(view) | current_of(view.activity, expression) | postsynaptic(view).names_of(expression, "_post")


def postsynaptic(view: LocalView) -> Neurons:
    """The neurons of the layer whose texts are evaluated."""
    psi = partial(view.activity.psi, view.layer.neuron)
    return Neurons(view, "post", view.activity.S, view.activity.v, psi)


def _post_names(view: LocalView) -> dict[str, Tensor | float]:
    names: dict[str, Tensor | float] = dict(view.constants)
    names["kept_post"] = 1.0 if view.activity.dropout_mask is None else view.activity.dropout_mask
    if view.m is not None:
        names["m_post"] = view.m.values
    if view.output is not None:
        names["p_post"], names["y_post"] = view.output.p, view.output.y
    return names
