"""PEPITA's contrastive form in continuous time: each sample is presented twice, the second time with its error added.

Changes are Hebbian after the second presentation and anti-Hebbian after the first. The third factor is therefore a
global signal with two values, and only the changed weights remain of the first presentation.

The projected error F e is a current and does not count as presynaptic activity, as on the torch path. As activity it
would add W F e (F e)^T to a change, so that weights of the first layer grow along F for any sample, and little is
learned.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from neurorules.brian2_continuous.parts.circuit import BEGIN, JUDGE, TELL, Act, Circuit, Units, Wires
from neurorules.brian2_continuous.parts.layers import INPUT_PHASE, TEACHING_PHASE, Net, Teaching, make_circuit
from neurorules.brian2_continuous.parts.plan import Plan, Settings, each_twice
from neurorules.language.errors import UserError
from neurorules.language.rules import Rule
from neurorules.signals.perturbation import InputPerturbation

PHASES = {"input": INPUT_PHASE, "modulated": TEACHING_PHASE}
"""The presentations after which the texts of each phase of the rule change parameters."""


def pepita(net: Net, rule: Rule, settings: Settings, random: np.random.Generator) -> Circuit:
    """Make the circuit of `pepita:form=contrastive`.

    A weight changes by -a_post a_pre after a sample, and by +a_post a_pre after the sample with F e.

    Args:
        net: sizes and neurons.
        rule: the rule with its options.
        settings: learning rates, and `kappa`, the size of F e.
        random: generator of the initial weights and of the projection F.

    Returns:
        The circuit.

    Raises:
        UserError: the rule has another form.
    """
    if not any(p.phase == "modulated" and "S_post" in p.text for p in rule.plasticity):
        raise UserError(
            "pepita in continuous time stores nothing between its two passes, and this form does. Use "
            "pepita:form=contrastive, or --path torch"
        )
    error = Units(
        "error",
        net.classes,
        ("now : 1", "a : 1"),
        acts=(Act((f"a = now*int(done_phase == {INPUT_PHASE})",), TELL),),
        streams=("phase",),
    )
    to_error = Wires(
        "to_error",
        "readout",
        "error",
        ("now_post = m_pre*int(i == j) : 1 (summed)",),
        sums={"now_post": (JUDGE, 3, "presentation")},
    )
    deviation = math.sqrt(2 / net.inputs)
    projection = Wires(
        "projection",
        "error",
        "input",
        ("w : 1", "pushed_post = kappa*w*a_pre : 1 (summed)"),
        sums={"pushed_post": (TELL, 1, "presentation")},
        start={"w": random.uniform(-1, 1, (net.inputs, net.classes)) * deviation * math.sqrt(3)},
        keeps=("w",),
    )
    pushed = Units(
        "input",
        net.inputs,
        ("a : 1", "own : 1", "pushed : 1"),
        acts=(Act(("own = x_i", f"a = own + pushed*int(phase == {TEACHING_PHASE})"), BEGIN),),
        streams=("x", "phase"),
    )
    circuit = make_circuit(net, rule, (Teaching(phases=PHASES),) * len(net.hidden), settings, random, shared=(error,))
    units = tuple(pushed if units.name == "input" else units for units in circuit.units)
    wires = (_from_own(one) if one.source == "input" else one for one in circuit.wires)
    return replace(circuit, units=units, wires=(*wires, to_error, projection))


def _from_own(wires: Wires) -> Wires:
    """Replace the presynaptic activity in the changes of wires by the sample's own, without F e."""
    acts = (
        replace(act, lines=tuple(re.sub(r"\ba_pre\b", "own_pre", line) for line in act.lines)) for act in wires.acts
    )
    return replace(wires, acts=tuple(acts))


KAPPA = 5.0
"""Default size of F e. With a learning rate of 0.006, units are nearly silent at 1, and weights grow without bound at
8. Source: validation samples of the digits, seeds 0 to 2."""


def form(rule: Rule) -> Mapping[str, Any]:
    """The plan's settings for a rule with the option kappa; none if the option is left open."""
    signal = rule.signal.make() if rule.signal is not None else None
    if not isinstance(signal, InputPerturbation):
        raise UserError(
            f"pepita in continuous time learns from the signal perturbation, and its signal is {rule.signal}. Use "
            f"its own signal, or --path torch"
        )
    return {} if signal.kappa is None else {"settings": {"kappa": signal.kappa}}


def plan() -> Plan:
    """Make the plan by which PEPITA learns in continuous time."""
    return Plan(
        pepita,
        each_twice,
        {"kappa": KAPPA},
        frozenset({"output_error", "fixed_feedback", "second_pass"}),
        lr=0.006,
        readout_lr=0.02,
        forms=form,
    )


ENTRY = plan
