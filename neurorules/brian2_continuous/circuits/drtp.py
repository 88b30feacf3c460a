"""Direct random target projection in continuous time: wires of fixed random strength bring the label to every layer."""

from __future__ import annotations

import numpy as np

from neurorules.brian2_continuous.parts.circuit import JUDGE, Circuit, Units, Wires
from neurorules.brian2_continuous.parts.layers import Net, Teaching, hidden_name, make_circuit
from neurorules.brian2_continuous.parts.plan import Plan, Settings, samples_only
from neurorules.language.rules import Rule


def drtp(net: Net, rule: Rule, settings: Settings, random: np.random.Generator) -> Circuit:
    """m of a layer is minus the label's projection, whatever the layer does."""
    label = Units("classes", net.classes, ("a = int(i == done_label) : 1",), streams=("label",))
    teaching = tuple(
        Teaching(
            equations=("m : 1",),
            wires=(
                Wires(
                    f"feedback{number}",
                    "classes",
                    hidden_name(number),
                    ("w : 1", "m_post = -w*a_pre : 1 (summed)"),
                    sums={"m_post": (JUDGE, 0, "presentation")},
                    start={"w": random.normal(0.0, 1.0 / np.sqrt(net.classes), (size, net.classes))},
                    keeps=("w",),
                ),
            ),
        )
        for number, size in enumerate(net.hidden, start=1)
    )
    return make_circuit(net, rule, teaching, settings, random, shared=(label,))


def plan() -> Plan:
    """Its circuit, what is presented, and rates it learns well with."""
    return Plan(drtp, samples_only, needs=frozenset({"target", "fixed_feedback"}), lr=0.003)


ENTRY = plan
