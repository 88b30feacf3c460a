"""Circuits of rules whose signal is local in time: the third factor is computed from values of the same moment.

A label or an error reaches every hidden layer through wires of its own, or through those of the read-out in the
backward direction, and a reward reaches all units. Rules whose texts read single steps run at each step of the texts,
with the error of that step; all others learn at the end of a presentation.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neurorules.brian2_continuous.parts.broadcasts import LOCAL, Broadcast, Moment
from neurorules.brian2_continuous.parts.circuit import JUDGE, Act, Circuit, Units, When, Wires
from neurorules.brian2_continuous.parts.from_texts import spiking_input
from neurorules.brian2_continuous.parts.layers import INPUT_PHASE, Net, Teaching, make_circuit
from neurorules.brian2_continuous.parts.neurons import LIF_LR
from neurorules.brian2_continuous.parts.plan import Plan, Settings, samples_only
from neurorules.brian2_continuous.parts.step_texts import (
    BROADCAST,
    ERROR,
    READ_OUT,
    SCORES,
    TOTAL,
    lower_steps,
    refused,
)
from neurorules.brian2_steps.scale import STEP_MS
from neurorules.language.errors import UserError
from neurorules.language.rules import Rule
from neurorules.signals.dfa import DirectFeedback
from neurorules.signals.drtp import TargetProjection
from neurorules.signals.spatial import SpatialBackpropagation

PRESENTATION_LR, STEP_LR, SMALL_STEP_LR = 0.01, 0.04, 0.005
"""Default learning rates for rate units, for rules that learn at the end of a presentation, and for those that learn at
each step. The smallest one is for rules that filter psi in an eligibility, or that use labels. Source: 300 validation
samples of the digits, seed 0, two epochs, rates from 0.003 to 0.3 of `dfa`, `eprop`, `erbp`, `ottt`, `ostl`, `otpe`,
`s_tller`, `superspike`, `etlp`."""
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
    moment = Moment((JUDGE, 3, "presentation"), "done_label", 1.0)
    brought = _broadcast(net, rule, moment, random)
    teaching = (Teaching(equations=("m : 1",)),) * len(net.hidden)
    circuit = make_circuit(net, rule, teaching, settings, random, shared=brought.units)
    return _joined(circuit, brought, moment)


def by_step(net: Net, rule: Rule, settings: Settings, random: np.random.Generator) -> Circuit:
    """Make the circuit of a rule that learns at each step of its texts, by the error of that step.

    Args:
        net, rule, settings, random: as for `by_presentation`.

    Returns:
        The circuit, in which inputs spike too.

    Raises:
        UserError: the neurons do not spike or their step does not divide that of a text, or a text, or the form of the
            signal, has no equations in continuous time.
    """
    neuron = net.neuron
    each = STEP_MS / neuron.dt_ms
    if neuron.threshold is None or abs(each - round(each)) > 1e-9 or round(each) < 1:
        raise UserError(
            f"{rule.name} in continuous time learns from spikes at each millisecond. Use --neuron lif, with a dt_ms "
            f"that divides {STEP_MS:g}"
        )
    share = STEP_MS / neuron.period_ms
    moment = Moment(("record", BROADCAST, "millisecond"), "label", share)
    brought = _broadcast(net, rule, moment, random)
    texts = lower_steps(rule, f"lr_hidden*{GATE}", neuron.psi, "v - theta" if "theta" in neuron.threshold else "v")
    teaching = (Teaching(equations=("m : 1",), phases={}),) * len(net.hidden)
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
    return _joined(replace(circuit, units=tuple(units), wires=tuple(wires)), brought, moment)


def _broadcast(net: Net, rule: Rule, moment: Moment, random: np.random.Generator) -> Broadcast:
    assert rule.signal is not None
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


def plan_of_signal(rule: Rule) -> Plan:
    """The plan of a rule with a signal, which has no circuit of its own.

    Args:
        rule: with its options.

    Returns:
        A plan that presents each sample once.

    Raises:
        UserError: the signal is not local in time, or a text has no form in continuous time.
    """
    assert rule.signal is not None
    signal = rule.signal.make()
    if "history" in signal.needs:
        raise refused(
            rule,
            f"its signal '{rule.signal.name}' goes back through all steps of a sample, from the last to the first, and "
            f"so it cannot be causal",
        )
    if type(signal) not in LOCAL:
        raise refused(rule, f"its signal '{rule.signal.name}' is not made of what is there at each moment")
    if isinstance(signal, DirectFeedback | SpatialBackpropagation) and signal.feedback in ("adaptive", "fixed"):
        raise refused(rule, f"its signal '{rule.signal.name}' has no form with feedback={signal.feedback} there")
    in_steps = rule.errors == "step" or rule.eligibilities or rule.traces
    if len(rule.phases) > 1:
        raise refused(rule, "it has phases beside its input")
    if "reset=none" in rule.defaults.neuron:
        raise refused(rule, "its texts are about membranes without a reset")
    if in_steps:
        lower_steps(rule, "1", "1.0")
        small = isinstance(signal, TargetProjection) or (
            bool(rule.eligibilities)
            and not any("psi(" in one.text for one in rule.plasticity if (one.parameter, one.role) == ("w", "hidden"))
        )
        lr = SMALL_STEP_LR if small else STEP_LR
        lr = rule.defaults.lr / LIF_LR if rule.defaults.optimizer == "sgd" else lr
        return Plan(by_step, samples_only, needs=signal.needs, neuron="lif", lr=lr)
    return Plan(by_presentation, samples_only, needs=signal.needs, lr=PRESENTATION_LR)
