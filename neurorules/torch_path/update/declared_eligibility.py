"""Declared eligibilities, e[t] = decay e[t-1] + post[t] pre[t], under a weight's text post'[t] e[t].

Summed over a window from step a to step b, with R[s] = post'[s] + decay R[s+1] and R = 0 behind it,

    sum over t of post'[t] e[t]  =  sum over s of R[s] post[s] pre[s]  +  decay R[a] e[a-1]:

a reverse scan on the postsynaptic side and one product over time x batch, as for any other text. Only what crosses the
edge of a window is kept, B x O x I numbers. Where the eligibility has no postsynaptic factor of its own, it is a
low-pass trace of its presynaptic factor, B x I numbers.
"""

from __future__ import annotations

import torch
from torch import Tensor

from neurorules.contracts.series import Series
from neurorules.language.errors import UserError
from neurorules.language.expressions import names_in
from neurorules.native import scans
from neurorules.network.layer import Input
from neurorules.network.products import Lingering
from neurorules.torch_path.update.eligibility import trace
from neurorules.torch_path.update.local_view import LocalView
from neurorules.torch_path.update.post_factors import post_value
from neurorules.torch_path.update.pre_factors import correlate, pre_value


def change_by_eligibility(view: LocalView, entry: Input, w: Tensor, lingering: Lingering, post: Series) -> Tensor:
    """The change of a connection by a declared eligibility.

    Args:
        view: what the texts see.
        entry: the connection.
        w: its weights.
        lingering: the eligibility.
        post: factor beside it, (T, B, *shape) or constant (B, *shape).

    Returns:
        Sum over the window's steps and rows of post factor times eligibility, of the shape of `w`.

    Raises:
        UserError: a window shorter than the trial, and synapses that are no matrix.
    """
    total, crossing = torch.zeros_like(w), []
    reaches = _reaches(view, lingering, post)
    for number, group in enumerate(lingering.groups):
        pre = pre_value(view, entry, group.pre)
        own = post_value(view, group.post, lambda a: a)
        if set(names_in(group.post)) <= set(view.constants):
            traced = Series(trace(view, f"{lingering.name}.{number}.{entry.name}", pre, lingering.decay), False)
            total += correlate(view, entry, w, post.like(post.values * own), traced)
        else:
            total += correlate(view, entry, w, Series(reaches * own, False), pre)
            crossing.append((own, pre))
    if view.whole or not crossing:
        return total
    if w.shape != (*view.layer.shape, *entry.pre_shape) or len(view.layer.shape) > 1:
        raise UserError(
            f"layer '{view.layer.name}': the eligibility '{lingering.name}' step by step needs a dense layer. "
            f"Use --schedule by_layer"
        )
    before = _before(view, entry, lingering, crossing)
    return total.add_(torch.einsum("bo,boi->oi", lingering.decay * reaches[0], before))


def _reaches(view: LocalView, lingering: Lingering, post: Series) -> Tensor:
    """The factor R of the module's docstring, (T, B, *shape)."""
    steps = view.activity.steps
    scan = scans.reverse_scan(post.flat(), steps, lingering.decay, scans.Reset.NONE)
    return scan.reshape(steps, -1, *view.layer.shape)


def _before(
    view: LocalView, entry: Input, lingering: Lingering, crossing: list[tuple[Tensor, Series]]
) -> Tensor:  # fmt: skip
    """The eligibility that windows before left, (B, O, I). It moves on once a window, however many texts ask for it."""
    key, steps = f"{lingering.name}.{entry.name}", view.activity.steps
    if key not in view.traced:
        v = view.activity.v.values
        fading = lingering.decay ** torch.arange(steps - 1, -1, -1, dtype=v.dtype, device=v.device)
        now = sum(
            torch.einsum("t,tbo,tbi->boi", fading, own.expand_as(v), pre.over_time(steps)) for own, pre in crossing
        )
        assert isinstance(now, Tensor)
        before = view.traced[key] = view.carry.traces.get(key, torch.zeros_like(now))
        view.carry.traces[key] = now.add_(before, alpha=lingering.decay**steps)
    return view.traced[key]
