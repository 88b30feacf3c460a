"""The change of one synapse by a rule when its two neurons are made to fire: the window of STDP, and its rate
dependence.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np
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
from neurorules.torch_path.update.local_view import ChangeSums, LocalView
from neurorules.torch_path.update.plasticity import learn_layer
from neurorules.traces.window import Point

TAIL_MS = 500.0
"""How long a synapse is watched after the last spike, so that what its traces still hold can act."""
LARGEST = 200_000_000
"""Most numbers that a train of spikes may have, steps times synapses."""
ADVICE = "Ask for a rule of spikes, such as stdp"
"""What to do where a rule has no window."""
Changes = Callable[..., Iterable[float]]
"""What moves the synapses of a protocol: a function with the arguments of `changes`, on one of the machines."""


def window(
    rule: Rule, lags_ms: Sequence[float], rates_hz: Sequence[float] | None = None, *, pairs: int = 1,
    weight: float = 0.5, m: float | None = None, step_ms: float = 1.0, machine: Changes | None = None,
) -> list[Point]:  # fmt: skip
    """The change of a weight by pairs of spikes, as the rule's own text gives it.

    Both neurons are made to fire, and nothing runs between them (`changes` says what the membrane does). The weight
    stays what it was until all pairs are over.

    Args:
        rule: whose text of hidden weights acts.
        lags_ms: times of postsynaptic spikes less those of presynaptic ones, whole numbers of steps.
        rates_hz: pairs per second, above 0; None for a single pair.
        pairs: number of pairs at each rate, >= 1.
        weight: before.
        m: third factor of the postsynaptic neuron; None for a rule that reads none.
        step_ms: what one step stands for, above 0.
        machine: what moves the synapses; None for `changes`, which is the torch machine.

    Returns:
        One point for each rate and lag, in that order.

    Raises:
        UserError: a rule that reads a third factor without one, or without a text of spikes; a lag or an interval that
            is no whole number of steps; trains too long to hold.
    """
    if m is not None and not math.isfinite(m):
        raise UserError(f"the third factor is {m}, and has to be a finite number, such as 1")
    points = []
    for rate in (None,) if rates_hz is None else tuple(rates_hz):
        pre, post = _trains(lags_ms, rate, pairs if rate is not None else 1, step_ms)
        moved = (machine or changes)(rule, pre, post, weight=weight, m=m)
        points += [Point(float(lag), rate, float(change)) for lag, change in zip(lags_ms, moved, strict=True)]
    return points


def clamped(
    rule: Rule, clamps_mV: Sequence[float], rates_hz: Sequence[float] | None = None, *, pulses: int = 1,
    weight: float = 0.5, m: float | None = None, step_ms: float = 1.0, machine: Changes | None = None,
) -> list[Point]:  # fmt: skip
    """The change of a weight by presynaptic spikes while the postsynaptic membrane is held.

    Args:
        rule: whose text of hidden weights acts.
        clamps_mV: where the membrane is held, from long before the first spike.
        rates_hz: presynaptic spikes per second, above 0; None for a single spike.
        pulses: number of presynaptic spikes at each rate, >= 1.
        weight, m, step_ms, machine: as in `window`.

    Returns:
        One point for each rate and clamp, in that order.

    Raises:
        UserError: as in `window`; a rule whose neurons have no membrane in mV.
    """
    points, tail, held = [], round(TAIL_MS / step_ms), torch.tensor(list(clamps_mV), dtype=torch.float64)
    for rate in (None,) if rates_hz is None else tuple(rates_hz):
        pre, _ = _trains((0.0,) * len(clamps_mV), rate, pulses if rate is not None else 1, step_ms)
        pre = torch.cat([pre.new_zeros(tail, len(clamps_mV)), pre])
        moved = (machine or changes)(rule, pre, torch.zeros_like(pre), weight=weight, m=m, membranes_mV=held)
        points += [Point(None, rate, float(dw), float(mV)) for mV, dw in zip(clamps_mV, moved, strict=True)]
    return points


def model_of(rule: Rule, synapses: int, m: float | Tensor | None) -> tuple[Model, tuple[Text, ...]]:
    """Build the rule on a layer of as many neurons as there are protocols.

    Args:
        rule: the rule.
        synapses: number of protocols N, > 0.
        m: third factor; None where it is not said.

    Returns:
        The model, and the texts of its hidden weights.

    Raises:
        UserError: as in `window`.
    """
    network = build_network(str(synapses), (synapses,), 2, neuron=rule.defaults.neuron, norm="none")
    if not network.layers[0].neuron.spiking or rule.defaults.connection != "dense":
        raise UserError(f"rule '{rule.name}' runs on neurons that do not spike, and a window is of spikes. {ADVICE}")
    if m is None and rule.signal is not None:
        raise UserError(
            f"rule '{rule.name}' reads a third factor, which its signal makes from data. Say what it is: --m 1"
        )
    model, wanted = build_model(network, rule), ("w", "hidden", "input")
    texts = [(text, text.plasticity) for text in model.texts]
    texts_of_weights = tuple(text for text, own in texts if (own.parameter, own.role, own.phase) == wanted)
    if not texts_of_weights:
        raise UserError(f"the hidden weights of rule '{rule.name}' do not learn from spikes. {ADVICE}")
    return model, texts_of_weights


def _steps(time_ms: float, step_ms: float, what: str) -> int:
    steps = round(time_ms / step_ms)
    if abs(steps * step_ms - time_ms) > 1e-6 * step_ms:
        raise UserError(
            f"{what} of {time_ms:g} ms is no whole number of steps of {step_ms:g} ms. Use another --step-ms"
        )
    return steps


def _trains(lags_ms: Sequence[float], rate_hz: float | None, pairs: int, step_ms: float) -> tuple[Tensor, Tensor]:
    """Spikes of both neurons of each synapse, (T, N)."""
    lags = np.array([_steps(lag, step_ms, "a lag") for lag in lags_ms])
    period = 0 if rate_hz is None else _steps(1000 / rate_hz, step_ms, f"the interval at {rate_hz:g} Hz,")
    first = int(max(0, -lags.min()))
    steps = first + period * (pairs - 1) + int(max(0, lags.max())) + 1 + round(TAIL_MS / step_ms)
    if steps * len(lags) > LARGEST:
        at = "" if rate_hz is None else f" at {rate_hz:g} Hz"
        raise UserError(
            f"{pairs} pairs{at} are {steps} steps of {len(lags)} synapses, too many to hold. Use fewer "
            f"--pairs, or a longer --step-ms"
        )
    pre, post = torch.zeros(2, steps, len(lags), dtype=torch.float64)
    for pair in range(pairs):
        pre[first + pair * period] = 1
        post[torch.from_numpy(first + pair * period + lags), torch.arange(len(lags))] = 1
    return pre, post


def changes(
    rule: Rule, pre: Tensor, post: Tensor, *, weight: float = 0.5, m: float | Tensor | None = None,
    membranes_mV: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The change of synapses whose neurons fire as asked.

    A postsynaptic neuron whose spikes have a shape is driven by a pulse at each of them, and runs. The membrane of any
    other is at its threshold in a step with a spike, and at rest in all others.

    Args:
        rule: whose text of hidden weights acts.
        pre: presynaptic spikes, (T, N), one column per synapse, in float64.
        post: postsynaptic spikes likewise.
        weight: as in `window`.
        m: likewise; or the third factor of each step, (T,).
        membranes_mV: what postsynaptic membranes are made to be, (N,) or (T, N); None to let them run.

    Returns:
        The change of each weight, (N,).

    Raises:
        UserError: as in `window`; a neuron that cannot spike as often as asked; a clamp of a membrane without mV.
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
    """Give the postsynaptic membranes of neurons that fire as asked or are held.

    Args:
        rule: the rule, for messages.
        neuron: of the postsynaptic side.
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
    if not torch.equal(run.spikes, post):
        raise UserError(
            f"neurons '{rule.defaults.neuron}' cannot spike as often as asked: a spike of theirs takes more than one "
            f"step. Ask for fewer --rates, or lags further apart"
        )
    return run.v
