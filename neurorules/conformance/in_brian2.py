"""The checks of rules in Brian2: step by step beside torch, and as a circuit in continuous time."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from neurorules.brian2_continuous.checks import neuron_of, plan_of
from neurorules.brian2_continuous.circuits import CIRCUITS
from neurorules.brian2_continuous.parts.interpreted import Interpreted
from neurorules.brian2_continuous.parts.layers import Net
from neurorules.brian2_continuous.parts.plan import Plan
from neurorules.brian2_continuous.parts.stream import Stream
from neurorules.brian2_continuous.window import changes
from neurorules.brian2_steps.lowering import why_not_lowered
from neurorules.conformance.comparison import seeded
from neurorules.conformance.small_nets import CLASSES, ROWS, steps_of
from neurorules.conformance.suite import Entry, NotApplicable, demand
from neurorules.contracts.series import Series
from neurorules.language.errors import UserError
from neurorules.language.rules import Rule
from neurorules.runner.side_by_side import compare_updates
from neurorules.torch_path.recording.window import window
from neurorules.torch_path.training.learner import Learner

INPUTS, HIDDEN = 6, 5
"""Sizes of the small nets of these checks."""
LAGS_MS = (-6.0, -1.0, 2.0)
"""Times between the spikes of a pair, none of which coincide."""
SHOWN, DRIVE = 12, 6.0
"""Number of samples that a circuit is shown, and the size of their currents, with which spiking units spike."""
CLOSE = 1e-9
"""How far apart two machines may be, relative to the larger number."""


def it_learns_step_by_step_in_brian2_as_in_torch(entry: Entry) -> None:
    """One update in stepped Brian2 has the spikes, the changes and the weights of torch."""
    rule: Rule = entry.make()
    reason = why_not_lowered(rule)
    if reason is not None:
        raise NotApplicable(reason)
    here, there = (_learner(entry.text) for _ in range(2))
    there.load(here.state(), weights_only=True)
    generator = seeded(4)
    drive = (torch.rand(steps_of(entry.text), ROWS, INPUTS, generator=generator, dtype=torch.float64) < 0.4) * 1.5
    labels = torch.arange(ROWS) % CLASSES
    [update] = compare_updates(here, there, [(Series(drive, False), labels)])
    observed = f"changes are {update.change_difference:.2g} apart" if update.spikes_equal else "spikes differ"
    demand(update.equal, "an update in Brian2 is that of torch", observed, "Report it: both are made of one text")


def _learner(rule: str) -> Learner:
    return Learner(
        str(HIDDEN), rule, input_shape=(INPUTS,), classes=CLASSES, steps=steps_of(rule), precision="float64",
        device="cpu", seed=1,
    )  # fmt: skip


def it_learns_in_continuous_time(entry: Entry) -> None:
    """Its circuit moves weights and keeps them finite; without a signal, a pair of spikes does as much as in torch."""
    rule: Rule = entry.make()
    plan = _plan(rule)
    before, after = _shown(rule, plan)
    finite = all(np.isfinite(value).all() for value in after.values())
    advice = "Give smaller rates in `Defaults`"
    demand(finite, "weights in continuous time stay finite", "one is no longer finite", advice)
    moved = rule.control or any(not np.array_equal(before[name], after[name]) for name in after if "hidden" in name)
    advice = "Check that its texts read what units in continuous time have"
    demand(moved, "hidden layers learn in continuous time", f"{SHOWN} samples changed nothing", advice)
    if rule.signal is None and not rule.control and rule.name not in CIRCUITS.modules:
        in_torch, in_brian2 = ([p.dw for p in window(rule, LAGS_MS, machine=one)] for one in (None, changes))
        close = np.allclose(in_brian2, in_torch, rtol=CLOSE, atol=CLOSE * max(map(abs, in_torch)))
        observed = f"they do {in_brian2} and {in_torch}"
        demand(close, "pairs of spikes do the same on both machines", observed, "Report it: both are made of one text")


def _plan(rule: Rule) -> Plan:
    try:
        return plan_of(rule)
    except UserError as refusal:
        raise NotApplicable(str(refusal)) from None


def _shown(rule: Rule, plan: Plan) -> tuple[dict[str, Any], dict[str, Any]]:
    """Parameters of a small circuit before and after some samples, in Brian2's numpy target."""
    net = Net(INPUTS, (HIDDEN,), CLASSES, neuron_of(plan.neuron), SHOWN)
    random = np.random.default_rng(1)
    try:
        circuit = plan.make(net, rule, plan.numbers(), np.random.default_rng(0))
    except UserError as refusal:
        raise NotApplicable(str(refusal)) from None
    stream = Stream(Interpreted(circuit), circuit, dict(circuit.settings))
    drawn = DRIVE * random.normal(size=(SHOWN, INPUTS))
    before = stream.parameters()
    order = plan.order(np.arange(SHOWN) % CLASSES, CLASSES)
    rows = len(order.samples)
    list(stream.learn(order, lambda places: drawn[places], np.ones(rows)))
    return before, stream.parameters()
