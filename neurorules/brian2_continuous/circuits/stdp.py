"""Pair-based STDP in continuous time: units and inputs spike, and a wire changes at the spikes of its two ends.

The rule has neither labels nor competition, and is not expected to be better than frozen wires. With 24 units and 4
epochs it has an accuracy of 47.6 % on validation samples of the digits (three seeds), the same wires frozen have
47.4 %, and `shallow` has 73.0 %, whose inputs are the currents and not spikes of their positive part.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neurorules.brian2_continuous.parts.circuit import Circuit, Units, Wires
from neurorules.brian2_continuous.parts.continuous_neuron import ContinuousNeuron
from neurorules.brian2_continuous.parts.layers import INPUT_PHASE, Net, Teaching, make_circuit
from neurorules.brian2_continuous.parts.learning import lower_events, trace, trace_tau_ms
from neurorules.brian2_continuous.parts.plan import Plan, Settings, samples_only
from neurorules.language.errors import UserError
from neurorules.language.rules import Rule

GATE = f"lr_hidden*eta*int(phase == {INPUT_PHASE})"


def stdp(net: Net, rule: Rule, settings: Settings, random: np.random.Generator) -> Circuit:
    """Make the circuit of STDP. Inputs spike in proportion to the positive part of their current.

    Args:
        net: sizes and neurons; these must spike.
        rule: the rule with its options.
        settings: learning rates.
        random: generator of the initial weights and of the inputs' initial state.

    Returns:
        The circuit, in which each spiking unit has a trace `x`.

    Raises:
        UserError: the neurons do not spike, or a text changes weights between spikes.
    """
    if net.neuron.threshold is None:
        raise UserError("stdp in continuous time changes wires at spikes, and these units have none. Use --neuron lif")
    circuit = make_circuit(net, rule, (Teaching(phases={}),) * len(net.hidden), settings, random)
    tau_ms = trace_tau_ms(rule)
    units = [_spiking_input(net, tau_ms, random)]
    for one in circuit.units[1:]:
        spikes = one.threshold is not None
        units.append(
            replace(one, equations=(*one.equations, trace(tau_ms)), reset=(*one.reset, "x += 1")) if spikes else one
        )
    hidden = {one.name for one in units if one.threshold is not None}
    wires = tuple(_at_spikes(one, rule, net.neuron) if one.target in hidden else one for one in circuit.wires)
    return replace(circuit, units=tuple(units), wires=wires)


def _spiking_input(net: Net, tau_ms: float, random: np.random.Generator) -> Units:
    """Input units that integrate their current I > 0 in `q`: they spike I times within the slowest time constant."""
    return Units(
        "input",
        net.inputs,
        (f"dq/dt = clip(x_i, 0, inf)/({net.neuron.slowest_ms!r}*ms) : 1", trace(tau_ms), "spikes : 1"),
        threshold="q > 1",
        reset=("q -= 1", "x += 1", "spikes += 1"),
        streams=("x",),
        start={"q": random.uniform(0.0, 1.0, net.inputs)},
    )


def _at_spikes(wires: Wires, rule: Rule, neuron: ContinuousNeuron) -> Wires:
    """Replace the equations of wires by those of wires that transmit spikes and learn at them."""
    equations, delivery, _ = neuron.carries(True, False)
    changes = lower_events(rule, GATE)
    return replace(
        wires,
        equations=equations,
        sums={},
        on_pre=(*delivery, *changes.on_pre),
        on_post=changes.on_post,
        late_pre=changes.late_pre,
        late_post=changes.late_post,
        acts=(),
    )


def plan() -> Plan:
    """Make the rule's plan."""
    return Plan(stdp, samples_only, neuron="lif", lr=0.0015)


ENTRY = plan
