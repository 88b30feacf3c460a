"""Post factors, in one fused scan if the form of the text allows it, and otherwise by evaluating the text.

Both give the same numbers; evaluation defines the meaning, and is the only way on devices without compiled scans.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from torch import Tensor

from neurorules.contracts.normalisation import UpdateStatistics
from neurorules.contracts.series import Series, pending_source
from neurorules.native import scans
from neurorules.network.post_forms import Cascade, PostForm, scanned_psi
from neurorules.network.products import Group
from neurorules.torch_path.update.eligibility import reverse_scan
from neurorules.torch_path.update.local_view import ChangeSums, LocalView, way_through
from neurorules.torch_path.update.norm_adjoint import NormAdjoint
from neurorules.torch_path.update.post_values import post_value


class Total(NamedTuple):
    """A sum over time as a scan computed it, to be scaled when it is read.

    Args:
        values: the sum, (B, *shape).
        scale: the factor that turns it into the sum with the constant of the third factor.
    """

    values: Tensor
    scale: float


class Carried(NamedTuple):
    """A post factor, and where its way through the eligibility of a text leads.

    Args:
        handed: the post factor itself, (T, B, *shape), for the layers below; None if they get nothing.
        factor: the factor of the presynaptic factor.
    """

    handed: Tensor | None
    factor: Series


@dataclass
class PostFactors:
    """Computes the post factors of one layer's texts in one phase and window, and collects their statistics.

    Args:
        view: the local view on which the texts are evaluated.
        statistics: running statistics of updates, by name.
        sums: the sums that the statistics of this window are added to.
        totals: sums over time that scans have computed. The key says whether they read `kept_post`, the factor of the
            membrane, whether they ran backwards, and the low-pass filters that they went on through.
    """

    view: LocalView
    statistics: Mapping[str, UpdateStatistics]
    sums: ChangeSums
    totals: dict[tuple[bool, str, bool, Cascade | None], Total] = field(default_factory=dict)

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

    def through_cascade(self, group: Group, name: str) -> Carried | None:
        """The post factor of a text with a declared eligibility, and what it is once carried back through all low-pass
        filters of that eligibility, in one scan.

        Args:
            group: the group of a text.
            name: the name of the update's statistics.

        Returns:
            The factors; None if no scan computes them.
        """
        form, cascade, view = group.form, group.cascade, self.view
        gain = view.activity.gain
        if form is None or cascade is None or not self._filters(form) or not form.outer * form.inner:
            return None
        through = None
        if gain is not None and form.through:
            through = way_through(view, self.statistics.get(name), group.statistics)
            if through is None or (cascade.first and group.statistics == "moving"):
                return None
        scan = self._scan(group, view.hands_down, through, cascade)
        if scan is None or scan.onwards is None or scan.onwards_total is None:
            return None
        self._gather(scan, group, name)
        total = scan.onwards_total.reshape(-1, *view.layer.shape)
        if through is None or group.statistics == "held":  # then the gain, constant in time, is all that it added
            before = total if through is None or gain is None else total / gain
            self.totals[form.dropout, form.factor, False, cascade] = Total(before, 1 / (form.outer * form.inner))
        shape = view.activity.steps, -1, *view.layer.shape
        handed = None if scan.every is None else scan.every.reshape(shape)
        return Carried(handed, Series(scan.onwards.reshape(shape), False, total))

    def _filters(self, form: PostForm) -> bool:
        """Whether scans carry a factor of this form through low-pass filters: all steps run on a processor, no chip
        keeps traces in its own way, the third factor varies in time or a factor of the membrane does, and the neurons
        have a psi of their own.
        """
        view = self.view
        if not view.whole or view.m is None or not scans.loops(view.m.values):
            return False
        if view.chip is not None and view.chip.traces:
            return False
        return view.layer.psi is not None and not (view.m.constant and form.factor == "one")

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
        if group.traced is not None:
            own, cascade = group.traced
            carried = self.totals.get((own.dropout, own.factor, False, cascade)) if self._filters(own) else None
            return None if carried is None else carried.values * (own.outer * own.inner * carried.scale)
        form, back = group.form, group.eligible
        if form is None or form.through or (back and not self.view.whole):
            return None
        key = form.dropout, form.factor, back, None
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
        self._gather(scan, group, name)
        total = scan.every_total.reshape(-1, *layer.shape)
        if scan.every is None:
            return Series(total / activity.steps, True)
        return Series(scan.every.reshape(activity.steps, -1, *layer.shape), False, total)

    def _gather(self, scan: scans.Reverse, group: Group, name: str) -> None:
        """Add the statistics of the factors that a scan carried through the normalisation to those of the update."""
        if scan.product is None or scan.total is None or group.statistics != "moving":
            return
        self.sums.add_rows(name, scan.total, scan.product, self.view.layer.shape, self.view.activity.steps)

    def _norm(self, group: Group, name: str) -> NormAdjoint:
        return NormAdjoint(self.view, self.statistics.get(name), self.sums, name, group.statistics)

    def _scan(
        self, group: Group, every: bool, through: scans.Through | None = None, cascade: Cascade | None = None
    ) -> scans.Reverse | None:
        form, view = group.form, self.view
        dynamics, rerun = view.layer.backwards, pending_source(view.activity.v)
        psi = None if form is None else scanned_psi(form, view.layer.psi)
        if form is None or psi is None or view.m is None or dynamics is None:
            return None
        back, m = group.eligible and view.whole, view.m
        onwards = None
        if cascade is not None:
            onwards = scans.Onwards(cascade.last, view.layer.psi, cascade.weighed, cascade.cut)
        reads_v = psi.shape is not scans.PsiShape.FLAT or (back and dynamics.reset == "zero")
        reads_v = reads_v or (onwards is not None and onwards.slope is not None)
        v = view.activity.v.flat() if reads_v and rerun is None else None
        if rerun is None and not scans.serves(m.values if v is None else v):
            return None
        outer, inner = form.outer, form.inner
        if back:  # the statistics are those of the whole text, including its constant
            outer, inner, psi = 1.0, form.outer, psi._replace(scale=form.outer * psi.scale)
        if form.dropout and view.activity.dropout_mask is not None:
            m = m.like(m.values * view.activity.dropout_mask)
        first = 0.0 if cascade is None else cascade.first
        scan = scans.reverse(
            m.flat(), view.activity.steps, _flat(dynamics.beta) if back else first,
            scans.RESETS[dynamics.reset] if back else scans.Reset.NONE, v=v, v_threshold=_flat(dynamics.v_threshold),
            psi=psi, through=through, outer=outer, every=every, onwards=onwards, rerun=rerun,
        )  # fmt: skip
        if inner and scan.total is not None and not first:
            self.totals[form.dropout, form.factor, back, None] = Total(
                scan.total.reshape(-1, *view.layer.shape), 1 / inner
            )
        return scan


def _flat(value: float | Tensor) -> float | Tensor:
    return value.reshape(-1) if isinstance(value, Tensor) else value
