"""The change of one synapse when its two neurons fire at given times: the window of STDP, and its dependence on
rates.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

from neurorules.contracts.neuron import Neuron
from neurorules.contracts.series import Series
from neurorules.language.errors import UserError
from neurorules.language.rules import Rule
from neurorules.network.model import Model, build_model
from neurorules.network.network import build_network
from neurorules.network.texts import Text
from neurorules.torch_path.forward.run_layer import Activity, Carry
from neurorules.torch_path.forward.step_by_step import run_steps
from neurorules.torch_path.recording.spike_groups import TAIL_MS, SpikeGroup, pair, quadruplet, trains, triplet
from neurorules.torch_path.update.local_view import ChangeSums, LocalView
from neurorules.torch_path.update.plasticity import learn_layer
from neurorules.traces.window import Point

ADVICE = "Ask for a rule of spikes, such as stdp"
"""The advice for a rule that has no window."""
Changes = Callable[..., Iterable[float]]
"""A function that computes the changes of synapses on one of the machines, with the arguments of `changes`."""


def window(
    rule: Rule, lags_ms: Sequence[float], rates_hz: Sequence[float] | None = None, *, pairs: int = 1,
    weight: float = 0.5, m: float | None = None, step_ms: float = 1.0, machine: Changes | None = None,
) -> list[Point]:  # fmt: skip
    """The change of a weight by pairs of spikes, by the rule's own text.

    Both neurons fire at given times, whatever their input is; `changes` describes their membranes. The weight keeps its
    first value until all pairs are over.

    Args:
        rule: the rule, whose text of hidden weights is used.
        lags_ms: times of postsynaptic spikes minus those of presynaptic ones, whole numbers of steps.
        rates_hz: pairs per second, above 0; None for a single pair.
        pairs: number of pairs at each rate, >= 1.
        weight: the weight before the first spike.
        m: third factor of the postsynaptic neuron; None for a rule that reads none.
        step_ms: the duration of one step, above 0.
        machine: the function that computes the changes; None for `changes`, which runs in torch.

    Returns:
        One point for each rate and lag, in that order.

    Raises:
        UserError: the rule reads a third factor and there is none, or it has no text of spikes; a lag or an interval is
            no whole number of steps; or the trains are too long.
    """
    groups = [pair(lag) for lag in lags_ms]
    rows = _measured(rule, groups, rates_hz, pairs, weight, m, step_ms, machine)
    return [Point(float(lags_ms[which]), rate, dw) for which, rate, dw in rows]


def triplets(
    rule: Rule, lags_ms: Sequence[tuple[float, float]], rates_hz: Sequence[float] | None = None, *, count: int = 1,
    weight: float = 0.5, m: float | None = None, step_ms: float = 1.0, machine: Changes | None = None,
) -> list[Point]:  # fmt: skip
    """The change of a weight by triplets of spikes, pre-post-pre or post-pre-post.

    Args:
        rule: the rule, whose text of hidden weights is used.
        lags_ms: the lag of the first two spikes and that of the last two, postsynaptic minus presynaptic time, of
            opposite signs. (5, -5) is pre-post-pre, and (-5, 5) is post-pre-post.
        rates_hz: triplets per second, above 0; None for a single one.
        count: number of triplets at each rate, >= 1.
        weight, m, step_ms, machine: as in `window`.

    Returns:
        One point for each rate and triplet, in that order.

    Raises:
        UserError: as in `window`, or the lags do not have opposite signs.
    """
    groups = [triplet(*lags) for lags in lags_ms]
    rows = _measured(rule, groups, rates_hz, count, weight, m, step_ms, machine)
    return [Point(float(lags_ms[i][0]), rate, dw, second_dt_ms=float(lags_ms[i][1])) for i, rate, dw in rows]


def quadruplets(
    rule: Rule, betweens_ms: Sequence[float], rates_hz: Sequence[float] | None = None, *, lag_ms: float = 5.0,
    count: int = 1, weight: float = 0.5, m: float | None = None, step_ms: float = 1.0, machine: Changes | None = None,
) -> list[Point]:  # fmt: skip
    """The change of a weight by quadruplets of spikes: two pairs of opposite order.

    Args:
        rule: the rule, whose text of hidden weights is used.
        betweens_ms: times between the middles of the pairs. Above 0, post-pre comes before pre-post; below 0, it comes
            after it.
        rates_hz: quadruplets per second, above 0; None for a single one.
        lag_ms: time between the spikes of a pair, above 0.
        count: number of quadruplets at each rate, >= 1.
        weight, m, step_ms, machine: as in `window`.

    Returns:
        One point for each rate and time, in that order.

    Raises:
        UserError: as in `window`, or two spikes of a neuron fall together.
    """
    groups = [quadruplet(between, lag_ms) for between in betweens_ms]
    rows = _measured(rule, groups, rates_hz, count, weight, m, step_ms, machine)
    return [Point(float(lag_ms), rate, dw, between_ms=float(betweens_ms[which])) for which, rate, dw in rows]


def _measured(
    rule: Rule, groups: Sequence[SpikeGroup], rates_hz: Sequence[float] | None, count: int, weight: float,
    m: float | None, step_ms: float, machine: Changes | None,
) -> list[tuple[int, float | None, float]]:  # fmt: skip
    """The number of a group, the rate, and the change of the weight, for each rate and group."""
    _check(rule, weight, m)
    rows: list[tuple[int, float | None, float]] = []
    for rate in (None,) if rates_hz is None else tuple(rates_hz):
        pre, post = trains(groups, rate, count if rate is not None else 1, step_ms)
        moved = (machine or changes)(rule, pre, post, weight=weight, m=m)
        rows += [(which, rate, float(change)) for which, change in enumerate(moved)]
    return rows


def _check(rule: Rule, weight: float, m: float | None) -> None:
    """Refuse a weight or a third factor that is not a finite number, and one for a rule that reads none."""
    if not math.isfinite(weight):
        raise UserError(f"the initial weight is {weight}, and has to be a finite number, such as 0.5")
    if m is not None and not math.isfinite(m):
        raise UserError(f"the third factor is {m}, and has to be a finite number, such as 1")
    if m is not None and rule.signal is None:
        raise UserError(f"rule '{rule.name}' reads no third factor, and --m gives one. Leave --m out")


def clamped(
    rule: Rule, clamps_mV: Sequence[float], rates_hz: Sequence[float] | None = None, *, pulses: int = 1,
    weight: float = 0.5, m: float | None = None, step_ms: float = 1.0, machine: Changes | None = None,
) -> list[Point]:  # fmt: skip
    """The change of a weight by presynaptic spikes while the postsynaptic membrane is clamped.

    Args:
        rule: the rule, whose text of hidden weights is used.
        clamps_mV: the voltages at which the membrane is clamped, from long before the first spike.
        rates_hz: presynaptic spikes per second, above 0; None for a single spike.
        pulses: number of presynaptic spikes at each rate, >= 1.
        weight, m, step_ms, machine: as in `window`.

    Returns:
        One point for each rate and clamp, in that order.

    Raises:
        UserError: as in `window`, or the neurons of the rule have no membrane in mV.
    """
    _check(rule, weight, m)
    points, tail, held = [], round(TAIL_MS / step_ms), torch.tensor(list(clamps_mV), dtype=torch.float64)
    for rate in (None,) if rates_hz is None else tuple(rates_hz):
        pre, _ = trains([pair(0.0)] * len(clamps_mV), rate, pulses if rate is not None else 1, step_ms)
        pre = torch.cat([pre.new_zeros(tail, len(clamps_mV)), pre])
        moved = (machine or changes)(rule, pre, torch.zeros_like(pre), weight=weight, m=m, membranes_mV=held)
        points += [Point(None, rate, float(dw), float(mV)) for mV, dw in zip(clamps_mV, moved, strict=True)]
    return points


def model_of(rule: Rule, synapses: int, m: float | Tensor | None) -> tuple[Model, tuple[Text, ...]]:
    """Build the rule on a layer that has one neuron for each protocol.

    Args:
        rule: the rule.
        synapses: number of protocols N, > 0.
        m: third factor; None if it is not given.

    Returns:
        The model, and the texts of its hidden weights.

    Raises:
        UserError: as in `window`.
    """
    own = rule.defaults
    network = build_network(
        str(synapses), (synapses,), 2, neuron=own.neuron, norm="none", readout_neuron=own.readout_neuron
    )
    if not network.layers[0].neuron.spiking or own.connection != "dense":
        raise UserError(f"rule '{rule.name}' runs on neurons that do not spike, and a window is of spikes. {ADVICE}")
    if m is None and rule.signal is not None:
        raise UserError(
            f"rule '{rule.name}' reads a third factor, which its signal makes from data. Say what it is: --m 1"
        )
    model, wanted = build_model(network, rule), ("w", "hidden", "input")
    texts = [(text, text.plasticity) for text in model.texts]
    texts_of_weights = tuple(text for text, one in texts if (one.parameter, one.role, one.phase) == wanted)
    if not texts_of_weights:
        raise UserError(f"the hidden weights of rule '{rule.name}' do not learn from spikes. {ADVICE}")
    if model.network.layers[0].neuron.dynamics() is None and any(
        "dv_dw" in text.plasticity.text for text in texts_of_weights
    ):
        raise UserError(
            f"rule '{rule.name}' reads dv_dw, how membranes of '{own.neuron}' follow their weights, and in a window "
            f"their spikes are given. {ADVICE}"
        )
    return model, texts_of_weights


def changes(
    rule: Rule, pre: Tensor, post: Tensor, *, weight: float = 0.5, m: float | Tensor | None = None,
    membranes_mV: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The change of synapses whose neurons fire at given times.

    If the spikes of the postsynaptic neuron have a shape, the neuron runs and is driven by a pulse for each spike. The
    membrane of any other is at its threshold in a step with a spike, and at rest in all others.

    Args:
        rule: the rule, whose text of hidden weights is used.
        pre: presynaptic spikes, (T, N), one column per synapse, in float64.
        post: postsynaptic spikes likewise.
        weight: as in `window`.
        m: likewise; or the third factor of each step, (T,).
        membranes_mV: the clamped postsynaptic membranes, (N,) or (T, N); None to let them run.

    Returns:
        The change of each weight, (N,).

    Raises:
        UserError: as in `window`; the neuron cannot spike as often as asked; or a membrane without mV is clamped.
    """
    model, texts = model_of(rule, pre.shape[-1], m)
    layer = model.network.layers[0]
    (afferent,) = layer.inputs
    name, synapses = layer.weight_name(afferent), pre.shape[-1]
    v = membranes_of(rule, layer.neuron, post, membranes_mV)[:, None]
    arriving = {afferent.name: Series(pre[:, None], False)}
    activity = Activity(len(pre), {}, arriving, {}, None, None, Series(v, False), Series(post[:, None], False), None)
    factor = None if m is None else _third_factor(m, post)
    weights = {name: post.new_full((synapses, synapses), weight)}
    view = LocalView(
        layer, "input", activity, factor, weights, rule.constants, rule.declared_traces, Carry(), True
    )  # fmt: skip
    sums = ChangeSums()
    learn_layer(view, texts, {}, sums)
    return sums.changes[name].diagonal()


def _third_factor(m: float | Tensor, post: Tensor) -> Series:
    if isinstance(m, Tensor):
        return Series(m[:, None, None].expand(-1, 1, post.shape[-1]), False)
    return Series(torch.full_like(post[:1], m), True)


def membranes_of(rule: Rule, neuron: Neuron, post: Tensor, membranes_mV: Tensor | None) -> Tensor:
    """Compute the postsynaptic membranes of neurons that fire at given times or are clamped.

    Args:
        rule: the rule, for messages.
        neuron: the neuron of the postsynaptic side.
        post: its spikes, (T, N).
        membranes_mV: as in `changes`.

    Returns:
        Membranes before the reset, (T, N), in the neuron's own units.

    Raises:
        UserError: as in `changes`.
    """
    scale = neuron.millivolts
    if membranes_mV is not None:
        if scale is None:
            raise UserError(
                f"rule '{rule.name}' runs on neurons '{rule.defaults.neuron}', whose membrane is in no mV. --clamp "
                f"holds the membrane of a rule of voltages, such as clopath"
            )
        return ((membranes_mV - scale.rest) / (scale.threshold - scale.rest)).expand_as(post)
    if scale is None:
        dynamics = neuron.dynamics()
        return post * (1.0 if dynamics is None else dynamics.v_threshold)
    run = run_steps(neuron, Series(post * scale.pulse, False), len(post), None)
    if not torch.equal(run.fired, post):
        raise UserError(
            f"neurons '{rule.defaults.neuron}' cannot spike as often as asked: a spike of theirs takes more than one "
            f"step. Ask for fewer --rates, or lags further apart"
        )
    return run.membranes
