"""Signal propagation in continuous time: samples and targets are presented to the same units.

When a target is presented, its current enters the first hidden layer and travels on to the layers above. Each unit
stores its activity, one number for each class. When a sample has been presented, a layer compares its activity with the
stored ones and changes its weights at once. Nothing of a sample is stored, and no weight is read backwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from neurorules.brian2_continuous.circuits._memory import remembered
from neurorules.brian2_continuous.circuits._targets import embedding, pushing_error, returned_error, shown_classes
from neurorules.brian2_continuous.parts.circuit import JUDGE, Act, Circuit
from neurorules.brian2_continuous.parts.layers import INPUT_PHASE, TEACHING_PHASE, Net, Teaching, make_circuit
from neurorules.brian2_continuous.parts.plan import Plan, Settings, each_then_target, each_twice, samples_and_classes
from neurorules.language.errors import UserError
from neurorules.language.rules import Rule
from neurorules.signals.prototypes import Prototypes

CONTRAST = "contrastive_hebbian"
"""The loss of the form that stores nothing from one presentation to the next."""


def sigprop(net: Net, rule: Rule, settings: Settings, random: np.random.Generator) -> Circuit:
    """Make the circuit of a form of sigprop, whose layers learn from targets that pass through their own weights.

    With loss=label, m separates classes. With loss=l2, the Hebbian form, m is the target's activity minus the sample's,
    each without the unit's running mean (centred=false subtracts none). With generator=target_loop, a presentation
    follows each sample in which the read-out's error enters the first layer. With loss=contrastive_hebbian, the
    sample stays on in that presentation; changes are Hebbian after it and anti-Hebbian after the first one. With
    predict=prototypes, the scores are the similarities of the last hidden layer's activity to each class.

    Args:
        net: sizes and neurons.
        rule: the rule with its options.
        settings: learning rates, and the numbers of `FORMS`.
        random: generator of the initial weights.

    Returns:
        The circuit.

    Raises:
        UserError: the form has no equations in continuous time.
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
    """m is the activity after a sample's first presentation, and minus the activity after the second one, in all
    layers.

    A text's change is minus m, so that changes are Hebbian after the second presentation.
    """
    sign = f"(int(done_phase == {INPUT_PHASE}) - int(done_phase == {TEACHING_PHASE}))"
    return Teaching(
        ("m : 1",), acts=(Act((f"m = a*{sign}",), JUDGE),), phases={"input": INPUT_PHASE, "target": TEACHING_PHASE}
    )


def _signal(rule: Rule) -> Prototypes:
    """The rule's signal, after a check that its form has equations in continuous time."""
    signal = rule.signal.make() if rule.signal is not None else None
    if not isinstance(signal, Prototypes):
        raise UserError(
            f"sigprop in continuous time learns from the signal prototypes, and its signal is {rule.signal}. Use its "
            f"own signal, or --path torch"
        )
    phases = [phase.name for phase in rule.phases]
    if (signal.loss, signal.generator) not in FORMS or signal.search != "all":
        raise UserError(
            f"sigprop in continuous time has no equations for loss={signal.loss} with generator={signal.generator} and "
            f"search={signal.search}. Use loss=label or l2 (with generator=target_only or target_loop) or "
            f"loss={CONTRAST}:generator=target_loop, and predict=readout or prototypes, or --path torch"
        )
    if phases != ["input", "target"]:
        raise UserError(
            f"sigprop in continuous time has the phases input and target, and this form has {', '.join(phases)}. Use "
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
"""Fields of the plan that each form replaces, by loss and generator. Source of the rates: validation samples of the
digits, seeds 0 to 2."""


def plan() -> Plan:
    """Make the plan by which sigprop learns in continuous time.

    `temperature` divides similarities in the softmax. `renewal`, in (0, 1], is the share by which a stored activity
    moves towards that of the target that has just been presented.
    """

    def form(rule: Rule) -> Mapping[str, Any]:
        signal = _signal(rule)
        return FORMS[signal.loss, signal.generator]

    return Plan(sigprop, samples_and_classes, {"temperature": 0.1, "renewal": 1.0}, NEEDS, forms=form)


ENTRY = plan
