"""The part of a circuit that every rule shares: input, hidden layers, read-out, and the wires that learn."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from neurorules.brian2_continuous.parts.circuit import ARRIVE, BEGIN, JUDGE, LEARN, Act, Circuit, Units, Wires
from neurorules.brian2_continuous.parts.learning import lower_texts
from neurorules.brian2_continuous.parts.neurons import ContinuousNeuron
from neurorules.language.architecture import parse_net
from neurorules.language.errors import UserError
from neurorules.language.rules import Rule

POWER = 50.0
"""Mean squared length of a sample's current. Equal for every data set, so that rates of learning carry over."""
LOOP_GAIN = 0.5
"""Of fresh recurrent weights beside those from below: what goes round in a layer decays."""
SHOWN, TOLD = 1, 2
"""Phases of a presentation: a sample; or what a rule shows beside it. 0 is none: before the first presentation of a run
of the model, and behind the last one of an epoch, nothing is shown."""


@dataclass(frozen=True)
class Net:
    """What a circuit is made for.

    Args:
        inputs, hidden, classes: sizes.
        neuron: of the hidden layers.
        presentations: of one run.
        recurrent: whether each hidden layer also reads itself; () where none does.
    """

    inputs: int
    hidden: tuple[int, ...]
    classes: int
    neuron: ContinuousNeuron
    presentations: int
    recurrent: tuple[bool, ...] = ()

    def loops(self, number: int) -> bool:
        """Whether hidden layer `number`, from 1, reads itself."""
        return bool(self.recurrent) and self.recurrent[number - 1]


@dataclass(frozen=True)
class Teaching:
    """What a rule adds to one hidden layer: where its third factor `m` comes from.

    Args:
        equations: of the layer's units; they declare `m` where the rule's texts read it.
        units, wires: further parts.
        acts: of the layer's units.
        start, keeps: of the layer's units.
        phases: rule's phase by the phase of the presentation in which its texts act.
    """

    equations: tuple[str, ...] = ()
    units: tuple[Units, ...] = ()
    wires: tuple[Wires, ...] = ()
    acts: tuple[Act, ...] = ()
    start: Mapping[str, float | np.ndarray] = field(default_factory=dict)
    keeps: tuple[str, ...] = ()
    phases: Mapping[str, int] = field(default_factory=lambda: {"input": SHOWN})


def hidden_sizes(text: str) -> tuple[int, ...]:
    """Sizes of a net of dense layers, some of them recurrent, such as "256-r128".

    Raises:
        UserError: something else than such layers.
    """
    net = parse_net(text)
    if net.last or any(a.kernel is not None or a.normalised or a.before for a in net.layers):
        raise UserError(
            f"net '{text}': circuits in continuous time have dense and recurrent layers, no convolutions, pools, "
            f"dropout or normalisation. Write sizes, such as 256-256 or 256-r128, or use --path torch"
        )
    return tuple(spec.size for spec in net.layers)


def recurrent_layers(text: str) -> tuple[bool, ...]:
    """Which layers of such a net read themselves."""
    return tuple(spec.recurrent for spec in parse_net(text).layers)


def hidden_name(number: int) -> str:
    """Name of a hidden layer, from 1."""
    return f"hidden{number}"


def make_circuit(
    net: Net,
    rule: Rule,
    teaching: tuple[Teaching, ...],
    settings: Mapping[str, float],
    random: np.random.Generator,
    shared: tuple[Units, ...] = (),
) -> Circuit:
    """A whole circuit.

    Args:
        net: sizes and neuron.
        rule: whose texts change the hidden layers.
        teaching: of each hidden layer.
        settings: rates and whatever the teaching's equations read.
        random: of fresh weights.
        shared: parts that the teaching of every layer uses.
    """
    units = [input_units(net), *shared]
    wires: list[Wires] = []
    source, fan_in = "input", net.inputs
    for number, (size, taught) in enumerate(zip(net.hidden, teaching, strict=True), start=1):
        name = hidden_name(number)
        units += [_hidden(net, rule, name, size, taught, net.loops(number)), *taught.units]
        power = POWER if number == 1 else fan_in
        weights = random.normal(0.0, net.neuron.gain * math.sqrt(2.0 / power), (size, fan_in))
        wires += [_forward(net, rule, source, name, weights, taught), *taught.wires]
        if net.loops(number):
            loop = random.normal(0.0, LOOP_GAIN * net.neuron.gain * math.sqrt(2.0 / size), (size, size))
            wires.append(_recurrent(net, rule, name, loop, taught))
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
        settings=settings,
    )


def tables_of(net: Net) -> dict[str, int]:
    """Width of what streams in: currents, label, phase and the factor of all rates."""
    return {"x": net.inputs, "label": 0, "phase": 0, "eta": 0}


def input_units(net: Net) -> Units:
    """Units that hold a sample's currents during its presentation."""
    return Units("input", net.inputs, ("a : 1",), acts=(Act(("a = x_i",), BEGIN),), streams=("x",))


def gate(phase: int, rate: str) -> str:
    """Factor of a change: a setting that is its rate, where the presentation that has ended was of this phase."""
    return f"{rate}*done_eta*int(done_phase == {phase})"


def _hidden(net: Net, rule: Rule, name: str, size: int, taught: Teaching, loops: bool) -> Units:
    neuron = net.neuron
    changes = tuple(
        line
        for own, phase in taught.phases.items()
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
            *taught.equations,
        ),
        threshold=neuron.threshold,
        reset=(*neuron.reset, *(("spikes += 1",) if counted else ())),
        refractory_ms=neuron.refractory_ms,
        acts=(*((Act(changes, LEARN),) if changes else ()), *taught.acts),
        streams=("label", "phase", "eta"),
        start={"b": 0.0, **taught.start},
        keeps=("b", *taught.keeps),
    )


def _forward(net: Net, rule: Rule, source: str, target: str, weights: np.ndarray, taught: Teaching) -> Wires:
    neuron = net.neuron
    constant = source == "input"
    spiking = neuron.threshold is not None and not constant
    equations, on_pre, every = neuron.carries(spiking, constant)
    changes = _changes(net, rule, taught)
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


def _recurrent(net: Net, rule: Rule, name: str, weights: np.ndarray, taught: Teaching) -> Wires:
    """A layer to itself, by the same texts; activity takes effect in the next step."""
    forward = _forward(net, rule, name, name, weights, taught)
    equations = tuple(line.replace("I_const_post", "I_loop_post") for line in forward.equations)
    sums = {"I_loop_post": forward.sums["I_const_post"]} if forward.sums else {}
    return replace(forward, name=f"{name}_rec", equations=equations, sums=sums)


def _changes(net: Net, rule: Rule, taught: Teaching) -> tuple[str, ...]:
    """What a rule changes of weights."""
    return tuple(
        line
        for own, phase in taught.phases.items()
        for line in lower_texts(rule, "w", own, gate(phase, "lr_hidden"), psi=net.neuron.psi)
    )


def _readout(net: Net) -> Units:
    """Scores, their softmax and its error, all when a presentation ends."""
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
            # Kept, not computed where it is read: the bias that learns would change it before the weights have learned.
            Act(("m = raw/total - int(i == done_label)", "seen = score"), JUDGE, order=2),
            Act((f"b += -{gate(SHOWN, 'lr_readout')}*m",), LEARN),
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
        acts=(Act((f"w += -{gate(SHOWN, 'lr_readout')}*m_post*a_pre",), LEARN),),
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
