"""Signal propagation in continuous time: a phase of samples and a phase of targets through the same units.

When a target is presented, its current enters the first hidden layer and travels on; each unit keeps how active it
was, one number a class. When a sample has been presented, a layer compares its activity with these and changes its
weights at once. Nothing is stored of a sample, and no weight is read backwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from neurorules.brian2_continuous.circuits._memory import remembered
from neurorules.brian2_continuous.circuits._targets import embedding, pushing_error, returned_error, shown_classes
from neurorules.brian2_continuous.parts.circuit import JUDGE, Act, Circuit
from neurorules.brian2_continuous.parts.layers import SHOWN, TOLD, Net, Teaching, make_circuit
from neurorules.brian2_continuous.parts.plan import Plan, Settings, each_then_target, each_twice, samples_and_classes
from neurorules.language.errors import UserError
from neurorules.language.rules import Rule
from neurorules.signals.prototypes import Prototypes

CONTRAST = "contrastive_hebbian"
"""The form that keeps nothing between its presentations."""


def sigprop(net: Net, rule: Rule, settings: Settings, random: np.random.Generator) -> Circuit:
    """Layers that learn from targets which travel through their own weights.

    loss=label tells classes apart. loss=l2 is the Hebbian form: the target's activity minus the sample's, each less the
    unit's own mean, its stabiliser; centred=false leaves that out. generator=target_loop closes a single loop: a sample
    is followed by what the read-out's error sends into the first layer. loss=contrastive_hebbian leaves the sample on
    meanwhile, and is Hebbian then, anti-Hebbian before. predict=prototypes scores by the last layer's likeness to each
    class, without a read-out.
    """
    signal = _signal(rule)
    if signal.loss == CONTRAST:
        teaching = [_contrasted() for _ in net.hidden]
        classes, loop = pushing_error(net)
    else:
        teaching = [remembered(net, number, signal) for number in range(1, len(net.hidden) + 1)]
        classes, loop = returned_error(net) if signal.generator == "target_loop" else (shown_classes(net), ())
    teaching[0] = replace(teaching[0], wires=(*teaching[0].wires, embedding(net, random)))
    circuit = make_circuit(net, rule, tuple(teaching), settings, random, shared=(classes,))
    circuit = replace(circuit, wires=(*circuit.wires, *loop))
    return circuit if rule.predict == "readout" else replace(circuit, scored=f"judge{len(net.hidden)}")


def _contrasted() -> Teaching:
    """m is the activity, up in the second presentation of a sample and down in the first: a signal for all alike."""
    sign = f"(int(done_phase == {SHOWN}) - int(done_phase == {TOLD}))"
    return Teaching(("m : 1",), acts=(Act((f"m = a*{sign}",), JUDGE),), phases={"input": SHOWN, "target": TOLD})


def _signal(rule: Rule) -> Prototypes:
    """The rule's signal, where it is a form that has equations here."""
    signal = rule.signal.make() if rule.signal is not None else None
    assert isinstance(signal, Prototypes)
    phases = [phase.name for phase in rule.phases]
    if (signal.loss, signal.generator) not in FORMS or signal.search != "all":
        raise UserError(
            f"sigprop in continuous time has no loss={signal.loss} with generator={signal.generator} and "
            f"search={signal.search}. Use loss=label or l2 (with generator=target_only or target_loop) or "
            f"loss={CONTRAST}:generator=target_loop, and predict=readout or prototypes, or --path torch"
        )
    if phases != ["input", "target"]:
        raise UserError(
            f"sigprop in continuous time has the phases input and target, asked for {', '.join(phases)}. Use "
            f"targets=pushed and predict=readout or prototypes, or --path torch"
        )
    return signal


NEEDS = frozenset({"target", "layer_pool"})
LOOP = {"needs": NEEDS | {"output_error", "second_pass"}}
FORMS: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("label", "target_only"): {},
    ("l2", "target_only"): {"lr": 0.006, "readout_lr": 0.02},
    ("label", "target_loop"): LOOP
    | {"order": each_then_target, "lr": 0.06, "settings": {"temperature": 0.1, "renewal": 0.2}},
    ("l2", "target_loop"): LOOP
    | {"order": each_then_target, "lr": 0.006, "readout_lr": 0.02, "settings": {"temperature": 0.1, "renewal": 0.2}},
    (CONTRAST, "target_loop"): {
        "needs": frozenset({"output_error", "fixed_feedback", "second_pass"}),
        "order": each_twice,
        "lr": 0.01,
        "readout_lr": 0.02,
        "settings": {"push": 0.3},
    },
}
"""By loss and generator: what is presented, and rates. Source: validation samples of the digits, seeds 0 to 2."""


def plan() -> Plan:
    """Its circuit, what is presented, and rates it learns well with.

    `renewal` is the share of the way to what was just presented that a remembered class moves.
    """

    def form(rule: Rule) -> Mapping[str, Any]:
        signal = _signal(rule)
        return FORMS[signal.loss, signal.generator]

    return Plan(sigprop, samples_and_classes, {"temperature": 0.1, "renewal": 1.0}, NEEDS, forms=form)


ENTRY = plan
