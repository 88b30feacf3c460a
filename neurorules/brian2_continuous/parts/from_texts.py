"""The circuit of a rule without a signal, from its texts: units and inputs spike, and wires change by the texts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neurorules.brian2_continuous.parts.at_spikes import AtSpikes, lower_events
from neurorules.brian2_continuous.parts.circuit import Act, Circuit, Units, Wires
from neurorules.brian2_continuous.parts.layers import INPUT_PHASE, Net, Teaching, make_circuit
from neurorules.brian2_continuous.parts.plan import Settings
from neurorules.brian2_continuous.parts.traces import UnitTrace, unit_traces
from neurorules.language.errors import UserError
from neurorules.language.rules import Rule

GATE = f"lr_hidden*eta*int(phase == {INPUT_PHASE})"


def from_texts(net: Net, rule: Rule, settings: Settings, random: np.random.Generator) -> Circuit:
    """Make the circuit that a rule's texts describe. Inputs spike in proportion to the positive part of their current.

    Args:
        net: sizes and neurons; these must spike.
        rule: the rule with its options, which has no signal.
        settings: learning rates.
        random: generator of the initial weights and of the inputs' initial state.

    Returns:
        The circuit, in which each spiking unit has the rule's traces.

    Raises:
        UserError: the neurons do not spike, or a text or a trace has no form in continuous time.
    """
    if net.neuron.threshold is None:
        raise UserError(
            f"{rule.name} in continuous time learns at spikes, and these neurons do not spike. Use --neuron lif"
        )
    traces = unit_traces(rule, net.neuron.dt_ms)
    changes = lower_events(rule, GATE, traces, net.neuron.dt_ms)
    circuit = make_circuit(net, rule, (Teaching(phases={}),) * len(net.hidden), settings, random)
    units = [spiking_input(net, traces, random)]
    units += [with_traces(one, traces) if one.threshold is not None else one for one in circuit.units[1:]]
    hidden = {one.name for one in units if one.threshold is not None}
    equations, delivery, _ = net.neuron.carries(True, False)
    wires = tuple(
        with_changes(replace(one, equations=equations, sums={}, on_pre=delivery), changes)
        if one.target in hidden
        else one
        for one in circuit.wires
    )
    return replace(circuit, units=tuple(units), wires=wires)


def with_traces(units: Units, traces: tuple[UnitTrace, ...], membrane: bool = True) -> Units:
    """Add traces to units that spike.

    Args:
        units: the units.
        traces: of a rule.
        membrane: whether the units have a membrane. Inputs have none, and need no traces that live across trials, which
            texts read at the postsynaptic end alone.

    Returns:
        Units with further equations, resets and acts.
    """
    own = [one for one in traces if membrane or not one.persistent]
    lines = tuple(one.every_step for one in own if one.every_step)
    return replace(
        units,
        equations=(*units.equations, *(one.equation for one in own)),
        reset=(*units.reset, *(one.reset for one in own if one.reset)),
        acts=(*units.acts, *((Act(lines, "record", 0, "step"),) if lines else ())),
        start={**units.start, **{one.variable: 0.0 for one in own if one.persistent}},
        keeps=(*units.keeps, *(one.variable for one in own if one.persistent)),
    )


def with_changes(wires: Wires, changes: AtSpikes) -> Wires:
    """Let wires change by a rule's texts.

    Args:
        wires: the wires, whose statements at presynaptic spikes transmit them.
        changes: statements of the rule.

    Returns:
        The wires with the statements of learning.
    """
    return replace(
        wires,
        on_pre=(*wires.on_pre, *changes.on_pre),
        on_post=changes.on_post,
        late_pre=changes.late_pre,
        late_post=changes.late_post,
        acts=(Act(changes.every_step, "record", 1, "step"),) if changes.every_step else (),
    )


def spiking_input(net: Net, traces: tuple[UnitTrace, ...], random: np.random.Generator) -> Units:
    """Make input units that integrate their current I > 0 in `q`: they spike I times within the slowest time constant.

    Args:
        net: sizes and neurons.
        traces: the traces of a rule.
        random: generator of the initial state.

    Returns:
        The units, which count their spikes.
    """
    plain = Units(
        "input",
        net.inputs,
        (f"dq/dt = clip(x_i, 0, inf)/({net.neuron.slowest_ms!r}*ms) : 1",),
        threshold="q > 1",
        reset=("q -= 1",),
        streams=("x",),
        start={"q": random.uniform(0.0, 1.0, net.inputs)},
    )
    traced = with_traces(plain, traces, membrane=False)
    return replace(traced, equations=(*traced.equations, "spikes : 1"), reset=(*traced.reset, "spikes += 1"))
