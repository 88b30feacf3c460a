"""The control: hidden layers stay as they are drawn."""

from __future__ import annotations

import numpy as np

from neurorules.brian2_continuous.parts.circuit import Circuit
from neurorules.brian2_continuous.parts.layers import Net, Teaching, make_circuit
from neurorules.brian2_continuous.parts.plan import Plan, Settings, samples_only
from neurorules.language.rules import Rule


def shallow(net: Net, rule: Rule, settings: Settings, random: np.random.Generator) -> Circuit:
    """Hidden layers without a teacher; the read-out learns."""
    return make_circuit(net, rule, (Teaching(),) * len(net.hidden), settings, random)


def plan() -> Plan:
    """Its circuit, what is presented, and rates it learns well with."""
    return Plan(shallow, samples_only)


ENTRY = plan
