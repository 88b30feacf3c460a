"""Direct random target projection in continuous time: fixed random wires bring the label to each hidden layer."""

from __future__ import annotations

import numpy as np

from neurorules.brian2_continuous.parts.circuit import JUDGE, Circuit, Units, Wires
from neurorules.brian2_continuous.parts.layers import Net, Teaching, hidden_name, make_circuit
from neurorules.brian2_continuous.parts.plan import Plan, Settings, samples_only
from neurorules.language.rules import Rule


def drtp(net: Net, rule: Rule, settings: Settings, random: np.random.Generator) -> Circuit:
    """Make the circuit of DRTP. The third factor m of a layer is minus the projection of the label.

    Args:
        net: sizes and neurons.
        rule: the rule with its options.
        settings: learning rates.
        random: generator of the initial weights and of the projections.

    Returns:
        The circuit.
    """
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
    """Make the plan by which DRTP learns in continuous time."""
    return Plan(drtp, samples_only, needs=frozenset({"target", "fixed_feedback"}), lr=0.003)


ENTRY = plan
