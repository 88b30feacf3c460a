"""Pair-based STDP in continuous time: units spike, inputs too, and a wire changes at the spikes of its two ends.

Without a label and without competition, so no better than frozen wires: it shows what the text does. Digits, 24 units,
4 epochs, validation samples, three seeds: 52.5 %; the same wires frozen 51.4; `shallow`, whose inputs are currents and
not the spikes of their positive part alone, 73.0.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neurorules.brian2_continuous.parts.circuit import Circuit, Units, Wires
from neurorules.brian2_continuous.parts.layers import SHOWN, Net, Teaching, make_circuit
from neurorules.brian2_continuous.parts.learning import lower_events, trace, trace_tau_ms
from neurorules.brian2_continuous.parts.neurons import ContinuousNeuron
from neurorules.brian2_continuous.parts.plan import Plan, Settings, samples_only
from neurorules.language.errors import UserError
from neurorules.language.rules import Rule

GATE = f"lr_hidden*eta*int(phase == {SHOWN})"


def stdp(net: Net, rule: Rule, settings: Settings, random: np.random.Generator) -> Circuit:
    """Inputs fire in proportion to the positive part of their current, and every spike leaves a trace."""
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
    """q integrates the current: as many spikes in the slowest time constant as the current is high."""
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
    """The same wires, which carry spikes and learn at them."""
    equations, carried, _ = neuron.carries(True, False)
    changes = lower_events(rule, GATE)
    return replace(
        wires,
        equations=equations,
        sums={},
        on_pre=(*carried, *changes.on_pre),
        on_post=changes.on_post,
        acts=(),
    )


def plan() -> Plan:
    """Its circuit, what is presented, and rates it learns well with."""
    return Plan(stdp, samples_only, neuron="lif", lr=0.0015)


ENTRY = plan
