"""The control in continuous time: hidden layers keep their initial weights, and only the read-out learns."""

from __future__ import annotations

import numpy as np

from neurorules.brian2_continuous.parts.circuit import Circuit
from neurorules.brian2_continuous.parts.layers import Net, Teaching, make_circuit
from neurorules.brian2_continuous.parts.plan import Plan, Settings, samples_only
from neurorules.language.rules import Rule


def shallow(net: Net, rule: Rule, settings: Settings, random: np.random.Generator) -> Circuit:
    """Make the circuit of the control.

    Args:
        net: sizes and neurons.
        rule: the rule with its options.
        settings: learning rates.
        random: generator of the initial weights.

    Returns:
        The circuit, whose hidden layers have no third factor.
    """
    return make_circuit(net, rule, (Teaching(),) * len(net.hidden), settings, random)


def plan() -> Plan:
    """Make the plan by which the control with frozen hidden layers learns in continuous time."""
    return Plan(shallow, samples_only)


ENTRY = plan
