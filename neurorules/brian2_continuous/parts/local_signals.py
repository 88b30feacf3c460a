"""Circuits of rules that are local in time: the third factor of a moment, if there is one, is made of what is there at
it.

A label or an error reaches every hidden layer through wires of its own, or through those of the read-out in the
backward direction, and a reward reaches all units. Rules whose texts read single steps run at each step of the texts,
with the error of that step; all others learn at the end of a presentation.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neurorules.brian2_continuous.parts.broadcasts import Broadcast, Moment
from neurorules.brian2_continuous.parts.circuit import JUDGE, LEARN, Act, Circuit, Units, When, Wires
from neurorules.brian2_continuous.parts.continuous_neuron import dividing_step
from neurorules.brian2_continuous.parts.from_texts import spiking_input
from neurorules.brian2_continuous.parts.layers import INPUT_PHASE, Net, Teaching, gate, make_circuit
from neurorules.brian2_continuous.parts.plan import Settings
from neurorules.brian2_continuous.parts.step_texts import (
    BROADCAST,
    ERROR,
    READ_OUT,
    SCORES,
    TOTAL,
    lower_steps,
)
from neurorules.brian2_continuous.parts.third_factors import LOCAL
from neurorules.brian2_steps.scale import STEP_MS
from neurorules.language.errors import UserError
from neurorules.language.rules import Rule

GATE = f"eta*int(phase == {INPUT_PHASE})"


def by_presentation(net: Net, rule: Rule, settings: Settings, random: np.random.Generator) -> Circuit:
    """Make the circuit of a rule that learns at the end of a presentation, by the error of the whole presentation.

    Args:
        net: sizes and neurons.
        rule: the rule with its options, which has a signal of `LOCAL`.
        settings: learning rates.
        random: generator of the initial weights and of the feedback.

    Returns:
        The circuit.

    Raises:
        UserError: a text, or the form of the signal, has no equations in continuous time.
    """
    rate = gate(INPUT_PHASE, "lr_readout")
    moment = Moment((JUDGE, 3, "presentation"), "done_label", 1.0, (0, 1, 2), (LEARN, 0, "presentation"), rate)
    brought = _broadcast(net, rule, moment, random)
    teaching = (Teaching(equations=("m : 1",)),) * len(net.hidden)
    circuit = make_circuit(net, rule, teaching, settings, random, shared=brought.units)
    return _scored(_joined(circuit, brought, moment), rule, net)


def by_step(net: Net, rule: Rule, settings: Settings, random: np.random.Generator) -> Circuit:
    """Make the circuit of a rule that learns at each step of its texts, by the error of that step.

    Args:
        net, settings, random: as for `by_presentation`.
        rule: the rule with its options, whose signal is one of `LOCAL`, or which has none.

    Returns:
        The circuit, in which inputs spike too.

    Raises:
        UserError: the neurons do not spike or their step does not divide that of a text, or a text, or the form of the
            signal, has no equations in continuous time.
    """
    neuron = net.neuron
    each = STEP_MS / neuron.dt_ms
    if neuron.threshold is None:
        raise UserError(
            f"{rule.name} in continuous time learns from spikes, and these neurons do not spike. Use --neuron lif"
        )
    if abs(each - round(each)) > 1e-9 or round(each) < 1:
        raise UserError(
            f"{rule.name} in continuous time learns once a millisecond, which dt_ms={neuron.dt_ms:g} does not divide. "
            f"Use a dt_ms that divides it, such as {dividing_step(STEP_MS, each):g}"
        )
    share = STEP_MS / neuron.period_ms
    moment = Moment(
        ("record", BROADCAST, "millisecond"), "label", share, (SCORES, TOTAL, ERROR),
        ("record", READ_OUT, "millisecond"), f"lr_readout*{share!r}*{GATE}",
    )  # fmt: skip
    brought = _broadcast(net, rule, moment, random)
    texts = lower_steps(rule, f"lr_hidden*{GATE}", neuron.psi, neuron.text_membrane)
    taught: tuple[str, ...] = () if rule.signal is None else ("m : 1",)
    addition = Teaching(equations=taught, phases={}, start=dict.fromkeys(texts.keeps, 0.0), keeps=texts.keeps)
    teaching = (addition,) * len(net.hidden)
    circuit = make_circuit(net, rule, teaching, settings, random, shared=brought.units)
    first = spiking_input(net, (), random)
    units = [replace(_counted(first), equations=(*first.equations, *texts.inputs), acts=texts.input_acts)]
    for one in circuit.units[1:]:
        if one.threshold is not None:
            acts = (*one.acts, *texts.unit_acts)
            units.append(replace(_counted(one), equations=(*one.equations, *texts.units), acts=acts))
        else:
            units.append(_read_out(one, share) if one.name == "readout" and rule.errors == "step" else one)
    hidden = {one.name for one in units if one.threshold is not None}
    equations, delivery, _ = neuron.carries(True, False)
    wires = []
    for wire in circuit.wires:
        if wire.target in hidden:
            wire = replace(wire, equations=(*equations, *texts.wires), sums={}, on_pre=delivery, acts=texts.wire_acts)
        elif rule.errors == "step" and wire.target == "readout":
            wire = _to_read_out(wire, share)
        wires.append(wire)
    return _scored(_joined(replace(circuit, units=tuple(units), wires=tuple(wires)), brought, moment), rule, net)


def _scored(circuit: Circuit, rule: Rule, net: Net) -> Circuit:
    """The circuit with the population that a rule predicts by: the read-out, or that of the last hidden layer's own."""
    if rule.predict == "readout":
        return circuit
    name = f"own{len(net.hidden)}"
    act = Act(("seen = score + b",), JUDGE, 2)
    units = tuple(
        replace(one, equations=(*one.equations, "seen : 1"), acts=(*one.acts, act), record=("seen",))
        if one.name == name
        else one
        for one in circuit.units
    )
    return replace(circuit, units=units, scored=name)


def _broadcast(net: Net, rule: Rule, moment: Moment, random: np.random.Generator) -> Broadcast:
    if rule.signal is None:
        return Broadcast()
    signal = rule.signal.make()
    return LOCAL[type(signal)](signal, net, moment, random)


def _counted(units: Units) -> Units:
    return replace(units, reset=(*units.reset, "S += 1"))


def _read_out(units: Units, share: float) -> Units:
    """The read-out with an error at each step of the texts, by which its biases learn."""
    error, bias = "m = raw/total - int(i == label)", f"b += -lr_readout*{share!r}*{GATE}*m"
    return replace(
        units,
        acts=(
            Act(("seen = score",), JUDGE, 2),
            Act((error,), "record", ERROR, "millisecond"),
            Act((bias,), "record", READ_OUT, "millisecond"),
        ),
    )


def _to_read_out(wires: Wires, share: float) -> Wires:
    """The wires that compute scores or their softmax, at each step of the texts."""
    sums: dict[str, When] = {
        name: ("record", SCORES if name == "I_const_post" else TOTAL, "millisecond") for name in wires.sums
    }
    learn = Act((f"w += -lr_readout*{share!r}*{GATE}*m_post*a_pre",), "record", READ_OUT, "millisecond")
    return replace(wires, sums=sums, acts=(learn,) if wires.acts else ())


def _joined(circuit: Circuit, brought: Broadcast, moment: Moment) -> Circuit:
    units = tuple(
        replace(
            one, equations=(*one.equations, *brought.readout), acts=(*one.acts, *brought.acts),
            keeps=(*one.keeps, *brought.keeps), start={**one.start, **dict.fromkeys(brought.keeps, 0.0)},
        )
        if one.name == "readout"
        else one
        for one in circuit.units
    )  # fmt: skip
    wires = tuple(
        replace(one, equations=(*one.equations, brought.backwards), sums={**one.sums, "m_pre": moment.when})
        if brought.backwards and one.name == "readout_ff"
        else one
        for one in circuit.wires
    )
    return replace(circuit, units=units, wires=(*wires, *brought.wires))
