"""Declared eligibilities, e[t] = decay e[t-1] + post[t] pre[t], under a weight's text post'[t] e[t].

Summed over a window from step a to step b, with R[s] = post'[s] + decay R[s+1] and R = 0 behind it,

    sum over t of post'[t] e[t]  =  sum over s of R[s] post[s] pre[s]  +  decay R[a] e[a-1]:

a reverse scan on the post side and one product over time x batch, as for any other text. Only what crosses a window's
edge is kept a synapse, B x O x I numbers; where the eligibility has no postsynaptic factor of its own it is that
factor's low-pass trace, B x I numbers.
"""

from __future__ import annotations

import torch
from torch import Tensor

from neurorules.language.errors import UserError
from neurorules.language.expressions import names_in
from neurorules.series import Series
from neurorules.torch_path import kernels
from neurorules.torch_path.layer import Input
from neurorules.torch_path.local_view import LocalView
from neurorules.torch_path.post_factors import post_value
from neurorules.torch_path.pre_factors import correlate, pre_value
from neurorules.torch_path.products import Lingering
from neurorules.torch_path.simulate_eligibility import trace


def change_by_eligibility(view: LocalView, entry: Input, w: Tensor, lingering: Lingering, post: Series) -> Tensor:
    """Sum over the window's steps and rows of a post factor times a declared eligibility, shaped like `w`.

    Args:
        view: what the texts see.
        entry: the connection.
        w: its weights.
        lingering: the eligibility.
        post: factor beside it, (T, B, *shape) or constant (B, *shape).

    Raises:
        UserError: a window shorter than the trial, and synapses that are no matrix.
    """
    total = torch.zeros_like(w)
    for number, group in enumerate(lingering.groups):
        key = f"{lingering.name}.{number}.{entry.name}"
        pre = pre_value(view, entry, group.pre)
        own = post_value(view, group.post, lambda a: a)
        if set(names_in(group.post)) <= set(view.constants):
            traced = Series(trace(view, key, pre, lingering.decay), False)
            total += correlate(view, entry, w, Series(post.values * own, post.constant), traced)
        else:
            total += _change(view, entry, w, lingering, key, post, own, pre)
    return total


def _change(
    view: LocalView, entry: Input, w: Tensor, lingering: Lingering, key: str, post: Series, own: Tensor, pre: Series
) -> Tensor:  # fmt: skip
    steps, shape = view.activity.steps, view.layer.shape
    flat = post.values.reshape(*post.values.shape[: 1 if post.constant else 2], -1)
    reaches = kernels.reverse_scan(flat, steps, lingering.decay, kernels.Reset.NONE).reshape(steps, -1, *shape)
    change = correlate(view, entry, w, Series(reaches * own, False), pre)
    if view.whole:
        return change
    if w.shape != (*shape, *entry.pre_shape) or len(shape) > 1:
        raise UserError(
            f"layer '{view.layer.name}': the eligibility '{lingering.name}' step by step needs a dense layer. "
            f"Use --schedule by_layer"
        )
    return change + torch.einsum("bo,boi->oi", lingering.decay * reaches[0], _before(view, lingering, key, own, pre))


def _before(view: LocalView, lingering: Lingering, key: str, own: Tensor, pre: Series) -> Tensor:
    """What windows before left, (B, O, I); moves on to the next one once a window, however many texts ask."""
    start, steps = f"{key}.start", view.activity.steps
    if start not in view.traced:
        fading = lingering.decay ** torch.arange(steps - 1, -1, -1, dtype=own.dtype, device=own.device)
        posts, pres = own.expand(view.activity.v.values.shape), pre.over_time(steps)
        now = torch.einsum("t,tbo,tbi->boi", fading, posts, pres)
        before = view.traced[start] = view.carry.traces.get(key, torch.zeros_like(now))
        view.carry.traces[key] = now.add_(before, alpha=lingering.decay**steps)
    return view.traced[start]
