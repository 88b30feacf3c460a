"""The part of a circuit that all rules share: input, hidden layers, read-out, and the wires that learn."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from neurorules.brian2_continuous.parts.circuit import ARRIVE, BEGIN, JUDGE, LEARN, Act, Circuit, Units, Wires
from neurorules.brian2_continuous.parts.continuous_neuron import ContinuousNeuron
from neurorules.brian2_continuous.parts.learning import lower_texts
from neurorules.language.architecture import parse_net
from neurorules.language.errors import UserError
from neurorules.language.rules import Rule

POWER = 50.0
"""Mean squared length of the vector of a sample's currents. It is equal for all data sets, so that a learning rate that
suits one suits the others."""
LOOP_GAIN = 0.5
"""Standard deviation of initial recurrent weights, relative to that of weights from the layer below. Activity that goes
round in a layer then decays."""
INPUT_PHASE, TEACHING_PHASE = 1, 2
"""The kinds of presentations: a sample, or an addition of the rule, such as a class or the error of a sample. The
number is the value of `phase` in equations; it is 0 before the first presentation of a run of the model and after the
last one of an epoch, where nothing is shown."""


@dataclass(frozen=True)
class Net:
    """The sizes and neurons of a circuit.

    Args:
        inputs: number of input units.
        hidden: number of units of each hidden layer, from the bottom up.
        classes: number of classes C.
        neuron: the neuron of the hidden layers.
        presentations: number of presentations K of one run.
        recurrent: whether each hidden layer is also connected to itself; () if none is.
    """

    inputs: int
    hidden: tuple[int, ...]
    classes: int
    neuron: ContinuousNeuron
    presentations: int
    recurrent: tuple[bool, ...] = ()

    def loops(self, number: int) -> bool:
        """Whether hidden layer `number`, counted from 1, is connected to itself."""
        return bool(self.recurrent) and self.recurrent[number - 1]


@dataclass(frozen=True)
class Teaching:
    """The units and wires that a rule adds to one hidden layer to compute its third factor `m`.

    Args:
        equations: further equations of the layer's units; they declare `m` where the rule's texts read it.
        units: further populations.
        wires: further connections.
        acts: further statements of the layer's units.
        start: initial values of the layer's further variables.
        keeps: names of those variables that are carried from one run to the next.
        phases: by phase of the rule, the kind of presentation (`INPUT_PHASE` or `TEACHING_PHASE`) after which that
            phase's texts change parameters.
    """

    equations: tuple[str, ...] = ()
    units: tuple[Units, ...] = ()
    wires: tuple[Wires, ...] = ()
    acts: tuple[Act, ...] = ()
    start: Mapping[str, float | np.ndarray] = field(default_factory=dict)
    keeps: tuple[str, ...] = ()
    phases: Mapping[str, int] = field(default_factory=lambda: {"input": INPUT_PHASE})


def hidden_sizes(text: str) -> tuple[int, ...]:
    """Read the sizes of the hidden layers of a net such as "256-r128".

    Raises:
        UserError: the net has layers other than dense and recurrent ones.
    """
    net = parse_net(text)
    if net.last or any(a.kernel is not None or a.normalised or a.before for a in net.layers):
        raise UserError(
            f"net '{text}': circuits in continuous time have dense and recurrent layers, and no convolutions, pools, "
            f"dropout or normalisation. Write sizes, such as 256-256 or 256-r128, or use --path torch"
        )
    if any(spec.delay > 1 for spec in net.layers):
        raise UserError(
            f"net '{text}': recurrent layers of circuits in continuous time have no delays. Leave them out, such as "
            f"r128, or use --path torch"
        )
    return tuple(spec.size for spec in net.layers)


def recurrent_layers(text: str) -> tuple[bool, ...]:
    """Read which hidden layers of such a net are recurrent."""
    return tuple(spec.recurrent for spec in parse_net(text).layers)


def hidden_name(number: int) -> str:
    """The name of hidden layer `number`, counted from 1."""
    return f"hidden{number}"


def make_circuit(
    net: Net,
    rule: Rule,
    teaching: tuple[Teaching, ...],
    settings: Mapping[str, float],
    random: np.random.Generator,
    shared: tuple[Units, ...] = (),
) -> Circuit:
    """Assemble the circuit of a network and its learning rule from its layers.

    Args:
        net: sizes and neurons.
        rule: the rule whose texts change the hidden layers.
        teaching: the additions of the rule to each hidden layer, from the bottom up.
        settings: the rates `lr_hidden` and `lr_readout`, and all other numbers that equations read by name.
        random: generator of the initial weights.
        shared: populations that the additions to several layers read.

    Returns:
        The circuit, which has a read-out of its own.

    Raises:
        UserError: a text of the rule cannot be written as statements of a circuit.
    """
    units = [input_units(net), *shared]
    wires: list[Wires] = []
    source, fan_in = "input", net.inputs
    for number, (size, addition) in enumerate(zip(net.hidden, teaching, strict=True), start=1):
        name = hidden_name(number)
        units += [_hidden(net, rule, name, size, addition, net.loops(number)), *addition.units]
        power = POWER if number == 1 else fan_in
        weights = random.normal(0.0, net.neuron.gain * math.sqrt(2.0 / power), (size, fan_in))
        wires += [_forward(net, rule, source, name, weights, addition), *addition.wires]
        if net.loops(number):
            loop = random.normal(0.0, LOOP_GAIN * net.neuron.gain * math.sqrt(2.0 / size), (size, size))
            wires.append(_recurrent(net, rule, name, loop, addition))
        source, fan_in = name, size
    units.append(_readout(net))
    wires += _to_readout(net, source, fan_in)
    return Circuit(
        tuple(units),
        tuple(wires),
        tables_of(net),
        net.presentations,
        net.neuron.period_ms,
        net.neuron.dt_ms,
        net.neuron.method,
        settings,
        scale=net.neuron.scale,
    )


def tables_of(net: Net) -> dict[str, int]:
    """Width of each table that a circuit reads: a sample's currents, its label, the phase, and the factor of rates."""
    return {"x": net.inputs, "label": 0, "phase": 0, "eta": 0}


def input_units(net: Net) -> Units:
    """Make the input units, whose activity `a` is a sample's currents during its presentation."""
    return Units("input", net.inputs, ("a : 1",), acts=(Act(("a = x_i",), BEGIN),), streams=("x",))


def gate(phase: int, rate: str) -> str:
    """Write the factor of a change of parameters.

    Args:
        phase: `INPUT_PHASE` or `TEACHING_PHASE`: the presentations after which the change happens.
        rate: name of the setting that is the learning rate.

    Returns:
        An expression: the rate times the schedule's factor, and 0 after presentations of the other phase.
    """
    return f"{rate}*done_eta*int(done_phase == {phase})"


def _hidden(net: Net, rule: Rule, name: str, size: int, addition: Teaching, loops: bool) -> Units:
    neuron = net.neuron
    changes = tuple(
        line
        for own, phase in addition.phases.items()
        for line in lower_texts(rule, "b", own, gate(phase, "lr_hidden"), psi=neuron.psi)
    )
    counted = ("spikes : 1",) if neuron.threshold is not None else ()
    return Units(
        name,
        size,
        (
            *(neuron.reads_itself() if loops else neuron.equations),
            "I_const : 1",
            "I_aside : 1",
            "b : 1",
            *counted,
            *addition.equations,
        ),
        threshold=neuron.threshold,
        reset=(*neuron.reset, *(("spikes += 1",) if counted else ())),
        refractory_ms=neuron.refractory_ms,
        acts=(*((Act(changes, LEARN),) if changes else ()), *neuron.acts, *addition.acts),
        streams=("label", "phase", "eta"),
        start={"b": 0.0, **addition.start},
        keeps=("b", *addition.keeps),
    )


def _forward(net: Net, rule: Rule, source: str, target: str, weights: np.ndarray, addition: Teaching) -> Wires:
    neuron = net.neuron
    constant = source == "input"
    spiking = neuron.threshold is not None and not constant
    equations, on_pre, every = neuron.carries(spiking, constant)
    changes = _changes(net, rule, addition)
    return Wires(
        f"{target}_ff",
        source,
        target,
        equations,
        sums={} if spiking else {"I_const_post": (ARRIVE, 0, every)},
        on_pre=on_pre,
        acts=(Act(changes, LEARN),) if changes else (),
        start={"w": weights},
        keeps=("w",),
    )


def _recurrent(net: Net, rule: Rule, name: str, weights: np.ndarray, addition: Teaching) -> Wires:
    """Wires from a layer to itself, which learn by the same texts; activity takes effect in the next step."""
    forward = _forward(net, rule, name, name, weights, addition)
    equations = tuple(line.replace("I_const_post", "I_loop_post") for line in forward.equations)
    sums = {"I_loop_post": forward.sums["I_const_post"]} if forward.sums else {}
    return replace(forward, name=f"{name}_rec", equations=equations, sums=sums)


def _changes(net: Net, rule: Rule, addition: Teaching) -> tuple[str, ...]:
    """Statements by which a rule changes weights."""
    return tuple(
        line
        for own, phase in addition.phases.items()
        for line in lower_texts(rule, "w", own, gate(phase, "lr_hidden"), psi=net.neuron.psi)
    )


def _readout(net: Net) -> Units:
    """The read-out: scores, their softmax and its error, which are computed when a presentation ends."""
    return Units(
        "readout",
        net.classes,
        (
            "I_const : 1",
            "b : 1",
            "score = I_const + b : 1",
            "raw = exp(clip(score, -30, 30)) : 1",
            "total : 1",
            "m : 1",
            "seen : 1",
        ),
        acts=(
            # The error is stored in a variable, since the bias learns before the weights and would change it.
            Act(("m = raw/total - int(i == done_label)", "seen = score"), JUDGE, order=2),
            Act((f"b += -{gate(INPUT_PHASE, 'lr_readout')}*m",), LEARN),
        ),
        streams=("label", "phase", "eta"),
        start={"b": 0.0, "total": 1.0},
        keeps=("b",),
        record=("seen",),
    )


def _to_readout(net: Net, source: str, fan_in: int) -> list[Wires]:
    forward = Wires(
        "readout_ff",
        source,
        "readout",
        ("w : 1", "I_const_post = w*a_pre : 1 (summed)"),
        sums={"I_const_post": (JUDGE, 0, "presentation")},
        acts=(Act((f"w += -{gate(INPUT_PHASE, 'lr_readout')}*m_post*a_pre",), LEARN),),
        start={"w": np.zeros((net.classes, fan_in))},
        keeps=("w",),
    )
    softmax = Wires(
        "readout_sum",
        "readout",
        "readout",
        ("total_post = raw_pre : 1 (summed)",),
        sums={"total_post": (JUDGE, 1, "presentation")},
    )
    return [forward, softmax]
