"""From a layer's activity and third factor to the change of its parameters: the texts, evaluated.

Convention: a change is the sum over steps and rows of the text's value; the caller divides by the samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from neurorules.language.errors import UserError
from neurorules.language.expressions import parse
from neurorules.language.rules import Plasticity, Rule
from neurorules.normalisations._shared import UpdateStatistics, first_update_statistics, over_rows
from neurorules.series import Series
from neurorules.torch_path import kernels
from neurorules.torch_path.layer import Input, Layer
from neurorules.torch_path.network import Parameters
from neurorules.torch_path.products import Group, group_products, value_of
from neurorules.torch_path.simulate import RESETS, Activity, Carry, as_row

CENTRED_SPIKES = parse("S_pre - mean_pre")
"""The presynaptic factor that is split: the mean of all rows is one row of products, and spikes stay sparse."""


@dataclass(frozen=True)
class Text:
    """One plasticity with its groups of products."""

    plasticity: Plasticity
    groups: tuple[Group, ...]


def compile_rule(rule: Rule) -> tuple[Text, ...]:
    """Every text of a rule, checked and grouped.

    Raises:
        UserError: a text that is not legal.
    """
    return tuple(Text(p, group_products(rule.equation(p))) for p in rule.plasticity)


@dataclass
class Gathered:
    """Sums over the windows of a trial.

    Args:
        changes: by parameter.
        update_sums: by name of an update's statistics, (mean of d, mean of d I^) over rows times steps seen.
        through: by layer and input-free post factor, what the layer below may be handed.
    """

    changes: dict[str, Tensor] = field(default_factory=dict)
    update_sums: dict[str, tuple[Tensor, Tensor, int]] = field(default_factory=dict)

    def add(self, name: str, change: Tensor) -> None:
        """Add to a parameter's change."""
        self.changes[name] = self.changes[name] + change if name in self.changes else change


@dataclass(frozen=True)
class LocalView:
    """Everything one layer's texts can see in one phase and window, and nothing else.

    Args:
        layer: whose parameters change.
        phase: name of the phase.
        activity: of this layer in this phase.
        m: third factor; None for rules without one.
        parameters: the layer's own parameters (texts may read the weight).
        constants: of the rule.
        trace_decay: of the trace `x`, None where no text reads it.
        carry: state of the traces between windows.
        whole: whether the window is the whole trial, so that the eligibility may run backwards.
    """

    layer: Layer
    phase: str
    activity: Activity
    m: Series | None
    parameters: Parameters
    constants: Mapping[str, float]
    trace_decay: float | None
    carry: Carry
    whole: bool


def learn_layer(
    view: LocalView, texts: tuple[Text, ...], statistics: Mapping[str, UpdateStatistics], gathered: Gathered
) -> Tensor | None:
    """Add one layer's changes over one window to `gathered`.

    Returns:
        The post factor of its last synaptic product with respect to the raw current, (T, B, *shape) or constant
        (B, *shape): what signals that come from above carry on. None where it has none.
    """
    handed: Tensor | None = None
    post_names = _post_names(view)
    for text in texts:
        if text.plasticity.role != view.layer.role or text.plasticity.phase != view.phase:
            continue
        for index, group in enumerate(text.groups):
            name = f"{view.phase}.{view.layer.name}.{text.plasticity.parameter}.{index}"
            norm = NormAdjoint(view, statistics.get(name), gathered, name)
            post = value_of(group.post, post_names, view.layer.neuron.psi, norm)
            post = _as_tensor(post, view)
            if text.plasticity.parameter == "w":
                if group.eligible and view.whole:
                    post = norm(reverse_scan(view, post))
                handed = post
                _change_weights(view, group, post, gathered)
            else:
                _change_neurons(view, text.plasticity.parameter, group, post, gathered)
    return handed


@dataclass
class NormAdjoint:
    """`through_norm`: carries a post factor back through the neuron's normalisation, and gathers its statistics."""

    view: LocalView
    statistics: UpdateStatistics | None
    gathered: Gathered
    name: str

    def __call__(self, post: Tensor) -> Tensor:
        """(T, B, *shape) or constant (B, *shape) in; with respect to the raw current out."""
        activity, layer = self.view.activity, self.view.layer
        if activity.gain is None or layer.normalisation is None:
            return post
        lead = len(layer.shape) + 1
        normalised = activity.normalised.values
        if post.ndim == lead and normalised.ndim > lead:
            post = post.expand_as(normalised)
        elif post.ndim > lead and normalised.ndim == lead:
            normalised = normalised.expand_as(post)
        rows, flat = post.reshape(-1, *layer.shape), normalised.reshape(-1, *layer.shape)
        statistics = self.statistics or first_update_statistics(layer.shape, post)
        self._gather(rows, flat)
        return layer.normalisation.adjoint(statistics, rows, flat, activity.gain).reshape(post.shape)

    def _gather(self, rows: Tensor, normalised: Tensor) -> None:
        steps = self.view.activity.steps
        mean, product = over_rows(rows) * steps, over_rows(rows * normalised) * steps
        if self.name in self.gathered.update_sums:
            before = self.gathered.update_sums[self.name]
            mean, product, steps = before[0] + mean, before[1] + product, before[2] + steps
        self.gathered.update_sums[self.name] = (mean, product, steps)


def _post_names(view: LocalView) -> dict[str, Tensor | float]:
    names: dict[str, Tensor | float] = dict(view.constants)
    names["S_post"], names["v_post"] = view.activity.S.values, view.activity.v.values
    if view.m is not None:
        names["m_post"] = view.m.values
    if view.trace_decay is not None:
        names["x_post"] = _trace(view, "post", view.activity.S, view.trace_decay)
    return names


def _trace(view: LocalView, key: str, spikes: Series, decay: float | Tensor) -> Tensor:
    """x[t] = decay x[t-1] + S[t], as the scan of a leaky integrator that never fires; (T, B, *shape)."""
    values = spikes.values
    lead = values.shape[:1] if spikes.constant else values.shape[:2]
    flat = values.reshape(*lead, -1)
    start = view.carry.traces.get(key)
    found = kernels.scan(
        flat, view.activity.steps, decay, float("inf"), kernels.Reset.NONE, u0=start, spikes=False
    )
    view.carry.traces[key] = found.u
    return found.v.reshape(view.activity.steps, *values.shape[0 if spikes.constant else 1 :])


def _as_tensor(post: Tensor | float, view: LocalView) -> Tensor:
    rows = view.activity.v.values.shape[1]
    if isinstance(post, Tensor):
        return post
    return torch.full((rows, *view.layer.shape), post, dtype=view.activity.v.values.dtype, device=view.activity.v.values.device)


def reverse_scan(view: LocalView, post: Tensor) -> Tensor:
    """R[t] = post[t] + gate[t+1] R[t+1]: the adjoint of the membrane's own recursion, resets held fixed."""
    dynamics = view.layer.neuron.dynamics()
    if dynamics is None:
        if view.layer.neuron.steps == 1:
            return post
        raise UserError(f"neuron of layer '{view.layer.name}' has no exact eligibility dv_dw. Use S_pre or a trace")
    steps, v = view.activity.steps, view.activity.v.values
    flat = post.reshape(*post.shape[: post.ndim - len(view.layer.shape)], -1)
    beta = dynamics.beta.reshape(-1) if isinstance(dynamics.beta, Tensor) else dynamics.beta
    reset = RESETS[dynamics.reset]
    spikes = view.activity.S.values.reshape(steps, v.shape[1], -1) if reset == kernels.Reset.ZERO else None
    return kernels.reverse_scan(flat, steps, beta, reset, spikes=spikes).reshape(v.shape)


def _change_weights(view: LocalView, group: Group, post: Tensor, gathered: Gathered) -> None:
    for entry in view.layer.inputs:
        if entry.name not in view.activity.pre:
            continue
        name = view.layer.weight(entry)
        w = view.parameters[name]
        pre = _pre_factor(view, entry, group)
        if isinstance(pre, Tensor):
            change = _correlate(view, entry, w, post, pre)
            if entry.name in view.activity.pre_mean and (group.eligible or group.pre == CENTRED_SPIKES):
                change = change - _correlate_mean(view, entry, w, post)
        else:
            change = trace_a_synapse(view, entry, post)
        if group.weight is not None:
            names = {"w": w, **view.constants}
            change = change * value_of(group.weight, names, view.layer.neuron.psi, lambda a: a)
        gathered.add(name, change)


def _pre_factor(view: LocalView, entry: Input, group: Group) -> Tensor | None:
    """(T, B, *pre) or constant (B, *pre); None where the eligibility needs a trace a synapse."""
    spikes = view.activity.pre[entry.name]
    if group.eligible:
        return spikes.values if view.whole else _forward_eligibility(view, entry, spikes)
    if group.pre == CENTRED_SPIKES:
        return spikes.values
    if group.pre is None:
        return torch.ones_like(spikes.values if spikes.constant else spikes.values[0])
    names: dict[str, Tensor | float] = {"S_pre": spikes.values, "mean_pre": 0.0, **view.constants}
    if entry.name in view.activity.pre_mean:
        names["mean_pre"] = as_row(view.activity.pre_mean[entry.name], entry)
    if view.trace_decay is not None:
        names["x_pre"] = _trace(view, f"pre.{entry.name}", spikes, view.trace_decay)
    return value_of(group.pre, names, view.layer.neuron.psi, lambda a: a)


def _forward_eligibility(view: LocalView, entry: Input, spikes: Series) -> Tensor | None:
    dynamics = view.layer.neuron.dynamics()
    if view.activity.gain is not None:
        raise UserError(
            f"layer '{view.layer.name}' is normalised, and dv_dw runs backwards through its normalisation: it needs "
            f"all steps at once. Use --schedule by_layer, or --norm none"
        )
    if dynamics is None or (dynamics.reset != "zero" and not isinstance(dynamics.beta, Tensor)):
        return spikes.values if dynamics is None else _trace(view, f"dv_dw.{entry.name}", spikes, dynamics.beta)
    return None


def trace_a_synapse(view: LocalView, entry: Input, post: Tensor) -> Tensor:
    """Exact eligibility step by step where it does not factor: e[t] = gate[t] e[t-1] + S_pre[t], B x O x I numbers."""
    dynamics = view.layer.neuron.dynamics()
    if dynamics is None or len(view.layer.shape) > 1:
        raise UserError(f"layer '{view.layer.name}': dv_dw step by step needs a dense layer. Use --schedule by_layer")
    steps, spikes = view.activity.steps, view.activity.S.values
    pre = view.activity.pre[entry.name].over_time(steps)
    factor = post if post.ndim == spikes.ndim else post.expand(steps, *post.shape)
    key = f"dv_dw.{entry.name}"
    e = view.carry.traces.get(key, spikes.new_zeros(*spikes.shape[1:], pre.shape[-1]))
    late = view.carry.traces.get(f"{key}.spikes", torch.zeros_like(spikes[0]))
    change = e.new_zeros(e.shape[1:])
    for t in range(steps):
        gate = dynamics.beta * (1 - late if dynamics.reset == "zero" else torch.ones_like(late))
        e = gate[:, :, None] * e + pre[t][:, None, :]
        change = change + torch.einsum("bo,boi->oi", factor[t], e)
        late = spikes[t]
    view.carry.traces[key], view.carry.traces[f"{key}.spikes"] = e, late
    return change


def _correlate(view: LocalView, entry: Input, w: Tensor, post: Tensor, pre: Tensor) -> Tensor:
    """Sum over steps and rows; where only one factor varies in time, that one is summed first, which is exact."""
    steps = view.activity.steps
    post_constant = post.ndim == len(view.layer.shape) + 1
    pre_constant = pre.ndim == len(entry.pre_shape) + 1
    if post_constant and pre_constant:
        return entry.connection.correlate(w, post, pre) * steps
    if post_constant or pre_constant:
        return entry.connection.correlate(w, post if post_constant else post.sum(0), pre if pre_constant else pre.sum(0))
    return entry.connection.correlate(w, post.flatten(0, 1), pre.flatten(0, 1))


def _correlate_mean(view: LocalView, entry: Input, w: Tensor, post: Tensor) -> Tensor:
    """What `_correlate` would give for the inputs' running mean at each step and row: one row of products."""
    constant = post.ndim == len(view.layer.shape) + 1
    total = post.sum(0) * view.activity.steps if constant else post.sum((0, 1))
    return entry.connection.correlate(w, total[None], as_row(view.activity.pre_mean[entry.name], entry))


def _change_neurons(view: LocalView, parameter: str, group: Group, post: Tensor, gathered: Gathered) -> None:
    """A parameter of the neuron (its bias), or of a row of a signal's own phase (a target embedding)."""
    name = f"{view.layer.name}.{parameter}"
    if name not in view.parameters:
        return
    if group.eligible:
        post = reverse_scan(view, post) if view.whole else post * _bias_eligibility(view, parameter)
    total = post * view.activity.steps if post.ndim == len(view.layer.shape) + 1 else post.sum(0)
    if parameter == "b":
        total = total.sum(0) if total.ndim == 2 else total.sum((0, 2, 3)).reshape(-1, 1, 1)
    gathered.add(name, total)


def _bias_eligibility(view: LocalView, parameter: str) -> Tensor:
    """Exact eligibility of a constant current, forwards: e[t] = gate[t] e[t-1] + 1; (T, B, *shape)."""
    dynamics, spikes = view.layer.neuron.dynamics(), view.activity.S.values
    if dynamics is None:
        return torch.ones_like(spikes)
    key = f"dv_dw.{parameter}"
    e = view.carry.traces.get(key, torch.zeros_like(spikes[0]))
    late = view.carry.traces.get(f"{key}.spikes", torch.zeros_like(spikes[0]))
    steps = []
    for t in range(view.activity.steps):
        e = dynamics.beta * (e * (1 - late) if dynamics.reset == "zero" else e) + 1
        late = spikes[t]
        steps.append(e)
    view.carry.traces[key], view.carry.traces[f"{key}.spikes"] = e, late
    return torch.stack(steps)
