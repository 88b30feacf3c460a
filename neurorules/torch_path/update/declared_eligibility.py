"""Declared eligibilities, e[t] = decay[t] e[t-1] + post[t] pre[t], under a weight's text post'[t] e[t].

Summed over a window from step a to step b, with R[s] = post'[s] + decay[s+1] R[s+1] and R = 0 behind it,

    sum over t of post'[t] e[t]  =  sum over s of R[s] post[s] pre[s]  +  decay[a] R[a] e[a-1]:

a reverse scan on the postsynaptic side and one product over time x batch, as for any other text. If another eligibility
takes the place of pre, R post is the factor that multiplies it: this takes one more reverse scan, and still no memory
per synapse. An eligibility of the step before, e[t-1], has post'[s+1] in place of post'[s].

Only what crosses the edge of a window is stored per synapse, as B x O x I numbers. Where the eligibility has no
postsynaptic factor of its own, it is a low-pass trace of its presynaptic factor, B x I numbers. In windows that are
shorter than the trial, eligibilities of eligibilities, and those whose decay varies, are computed step by step
(`eligibility_by_synapse`).
"""

from __future__ import annotations

from functools import reduce

import torch
from torch import Tensor

from neurorules.contracts.series import Series
from neurorules.language.errors import UserError
from neurorules.language.expressions import names_in
from neurorules.native import scans
from neurorules.network.layer import Input
from neurorules.network.products import DeclaredEligibility, Group
from neurorules.torch_path.update.eligibility import trace
from neurorules.torch_path.update.eligibility_backwards import reached
from neurorules.torch_path.update.eligibility_by_synapse import (
    decays,
    gated_reverse_scan,
    has_matrix,
    over_window,
)
from neurorules.torch_path.update.local_view import LocalView
from neurorules.torch_path.update.post_values import post_value
from neurorules.torch_path.update.pre_factors import CENTRED_SPIKES, correlate, correlate_mean, pre_value


def changes_by_eligibility(
    view: LocalView, entries: list[Input], eligibility: DeclaredEligibility, late: bool, post: Series
) -> list[Tensor]:
    """The changes of a layer's connections by a declared eligibility.

    Args:
        view: the local view on which the texts are evaluated.
        entries: the connections.
        eligibility: the eligibility.
        late: whether the text reads the eligibility of the previous step.
        post: the factor that multiplies it, (T, B, *shape) or constant (B, *shape).

    Returns:
        For each connection the sum over the window's steps and rows of post factor times eligibility, of the shape of
        its weights.

    Raises:
        UserError: the window is shorter than the trial, and the connection is not dense, or for a trace of spikes alone
            not linear.
    """
    weights = [view.parameters[view.layer.weight_name(entry)] for entry in entries]
    if view.whole:
        return _backwards(view, entries, weights, eligibility, late, post)
    return [_in_window(view, entry, w, eligibility, late, post) for entry, w in zip(entries, weights, strict=True)]


def changes_by_factor(
    view: LocalView, entries: list[Input], eligibility: DeclaredEligibility, factor: Series
) -> list[Tensor]:
    """The changes of a layer's connections by a factor that a scan has carried through a whole eligibility.

    Args:
        view: the local view on which the texts are evaluated, in a window of all steps.
        entries: the connections.
        eligibility: the eligibility, which has one presynaptic factor.
        factor: the factor of that presynaptic factor, (T, B, *shape).

    Returns:
        For each connection the sum over steps and rows of both factors, of the shape of its weights.
    """
    group = eligibility.groups[0]
    while group.eligibility is not None:
        group = group.eligibility.groups[0]
    return [_change(view, entry, view.parameters[view.layer.weight_name(entry)], factor, group) for entry in entries]


def _in_window(
    view: LocalView, entry: Input, w: Tensor, eligibility: DeclaredEligibility, late: bool, post: Series
) -> Tensor:
    """The change of one connection in one of several windows."""
    if not entry.connection.linear:
        raise _no_matrix(view, eligibility)
    if eligibility.plain and not late:
        return _across_windows(view, entry, w, eligibility, post)
    if not has_matrix(view, entry, w):
        raise _no_matrix(view, eligibility)
    steps = view.activity.steps
    per_synapse = over_window(view, entry, eligibility)[:-1] if late else over_window(view, entry, eligibility)[1:]
    return torch.einsum("tbo,tboi->oi", post.over_time(steps), per_synapse)


def _backwards(
    view: LocalView,
    entries: list[Input],
    weights: list[Tensor],
    eligibility: DeclaredEligibility,
    late: bool,
    post: Series,
) -> list[Tensor]:
    """The changes in a window of all steps, by reverse scans alone."""
    groups = range(len(eligibility.groups))
    summed = post.constant and not late and all(entry.connection.linear for entry in entries)
    traced = [n for n in groups if summed and _low_pass(view, eligibility, n)]
    back = [] if len(traced) == len(groups) else reached(view, eligibility, late, post, frozenset(traced))
    changes = []
    for entry, w in zip(entries, weights, strict=True):
        terms = []
        for number in traced:
            own = post_value(view, eligibility.groups[number].post, lambda a: a)
            terms.append(
                correlate(view, entry, w, post.like(post.values * own), _traced(view, entry, eligibility, number))
            )
        for below, number, factor in back:
            terms.append(_change(view, entry, w, Series(factor, False), below.groups[number]))
        changes.append(reduce(torch.Tensor.add_, terms))
    return changes


def _change(view: LocalView, entry: Input, w: Tensor, post: Series, group: Group) -> Tensor:
    """The change by a product of the eligibility; the running mean of the inputs takes one row of products."""
    if group.pre == CENTRED_SPIKES and entry.name in view.activity.pre_mean:
        change = correlate(view, entry, w, post, view.activity.pre[entry.name])
        return change.sub_(correlate_mean(view, entry, w, post))
    return correlate(view, entry, w, post, pre_value(view, entry, group.pre))


def _across_windows(view: LocalView, entry: Input, w: Tensor, eligibility: DeclaredEligibility, post: Series) -> Tensor:
    """The change in one of several windows, where the eligibility decays by a number and reads no other eligibility."""
    total, crossing = torch.zeros_like(w), []
    reaches = _reaches(view, eligibility, post)
    for number, group in enumerate(eligibility.groups):
        own = post_value(view, group.post, lambda a: a)
        if _low_pass(view, eligibility, number):
            total += correlate(view, entry, w, post.like(post.values * own), _traced(view, entry, eligibility, number))
        else:
            pre = pre_value(view, entry, group.pre)
            total += correlate(view, entry, w, Series(reaches * own, False), pre)
            crossing.append((own, pre))
    if not crossing:
        return total
    if not has_matrix(view, entry, w):
        raise _no_matrix(view, eligibility)
    before = _before(view, entry, eligibility, eligibility.rate, crossing)
    return total.add_(torch.einsum("bo,boi->oi", eligibility.rate * reaches[0], before))


def _low_pass(view: LocalView, eligibility: DeclaredEligibility, number: int) -> bool:
    """Whether a group of an eligibility is a low-pass of a presynaptic factor alone."""
    group = eligibility.groups[number]
    alone = group.eligibility is None and isinstance(eligibility.decay, float)
    return alone and set(names_in(group.post)) <= set(view.constants)


def _traced(view: LocalView, entry: Input, eligibility: DeclaredEligibility, number: int) -> Series:
    """The low-pass of a group's presynaptic factor."""
    pre = pre_value(view, entry, eligibility.groups[number].pre)
    return Series(trace(view, f"{eligibility.name}.{number}.{entry.name}", pre, eligibility.rate), False)


def _reaches(view: LocalView, eligibility: DeclaredEligibility, post: Series) -> Tensor:
    """The factor R of the module's docstring, (T, B, *shape)."""
    steps = view.activity.steps
    if not isinstance(eligibility.decay, float):
        return gated_reverse_scan(post.over_time(steps), decays(view, eligibility.decay))
    scan = scans.reverse_scan(post.flat(), steps, eligibility.decay, scans.Reset.NONE)
    return scan.reshape(steps, -1, *view.layer.shape)


def _no_matrix(view: LocalView, eligibility: DeclaredEligibility) -> UserError:
    return UserError(
        f"layer '{view.layer.name}': the eligibility '{eligibility.name}' step by step needs a dense layer. "
        f"Use --schedule by_layer"
    )


def _before(
    view: LocalView, entry: Input, eligibility: DeclaredEligibility, decay: float, crossing: list[tuple[Tensor, Series]]
) -> Tensor:
    """The eligibility after the previous window, (B, O, I). It advances once per window, however many texts read it."""
    key, steps = f"{eligibility.name}.{entry.name}", view.activity.steps
    if key not in view.traced:
        v = view.activity.v.values
        fading = decay ** torch.arange(steps - 1, -1, -1, dtype=v.dtype, device=v.device)
        each = (torch.einsum("t,tbo,tbi->boi", fading, own.expand_as(v), pre.over_time(steps)) for own, pre in crossing)
        now = sum(each, start=torch.zeros(()))
        before = view.traced[key] = view.carry.traces.get(key, torch.zeros_like(now))
        view.carry.traces[key] = now.add_(before, alpha=decay**steps)
    return view.traced[key]
