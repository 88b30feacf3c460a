"""Third factors from a read-out of a layer's own: learned (DECOLLE), fixed, of fixed periodic patterns (LLS, TESS), or
of fixed vectors of the classes (SPELA).

Each hidden layer has a population `own1`, `own2`, ... with a unit for each class. Its errors go back to the layer
through the wires that made its scores, or through others that are fixed. Where directions are compared, the same wires
sum the squares of the layer's activity, whose length is the same for all units.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neurorules.brian2_continuous.parts.broadcasts import Broadcast, Moment
from neurorules.brian2_continuous.parts.circuit import Act, Units, Wires
from neurorules.brian2_continuous.parts.layers import Net, hidden_name
from neurorules.signals.class_vectors import ClassVectors
from neurorules.signals.local_readout import LocalReadout
from neurorules.signals.patterns import Patterns

LEAST = 0.1
"""The smallest length by which the activity of a layer is divided: of layers that are almost silent, directions mean
nothing."""


def from_own_readout(signal: LocalReadout, net: Net, moment: Moment, random: np.random.Generator) -> Broadcast:
    """m = G^T (softmax(G a + c) - y*), or through fixed wires of one class for each unit.

    Args:
        signal: the signal with its options.
        net: sizes of the layers.
        moment: when the third factor is made.
        random: generator of fixed weights.

    Returns:
        The parts that bring it.
    """
    learned, units, wires = signal.readouts == "learned", [], []
    for number, size in enumerate(net.hidden, start=1):
        fresh = np.zeros((net.classes, size)) if learned else random.normal(0.0, size**-0.5, (net.classes, size))
        own, forward = _own(net, number, moment, fresh)
        if learned:
            bias, weight = (f"{name} += -{moment.rate}*m{end}" for name, end in (("b", ""), ("w", "_post*a_pre")))
            own = replace(own, acts=(*own.acts, Act((bias,), *moment.learn)), keeps=("b",))
            forward = replace(forward, acts=(Act((weight,), *moment.learn),))
        if signal.feedback == "readout":
            back = f"m_pre = w*m_post*{moment.share!r} : 1 (summed)"
            wires.append(_with_sum(forward, back, moment))
        else:
            own_class = random.integers(0, net.classes, size)
            sparse = random.uniform(-1.0, 1.0, size) * (net.classes / size) ** 0.5
            weights = np.where(own_class[:, None] == np.arange(net.classes), sparse[:, None], 0.0)
            back = f"m_post = w*m_pre*{moment.share!r} : 1 (summed)"
            wires += [forward, _with_sum(_back(number, weights), back, moment)]
        units.append(own)
        wires.append(_softmax(number, moment))
    return Broadcast(tuple(units), tuple(wires))


def from_patterns(signal: Patterns, net: Net, moment: Moment, random: np.random.Generator) -> Broadcast:
    """m = B^T (softmax(B z / tau) - y*) / tau, where row c of B is a fixed wave over the layer's units, and z is the
    activity a (lengths=mean); or the derivative by a where z is a divided by its length (lengths=unit).

    Args:
        signal: the signal with its options, whose patterns have no gains.
        net, moment, random: as for `from_own_readout`; nothing is drawn.

    Returns:
        The parts that bring it.
    """
    units, wires, unit = [], [], signal.lengths == "unit"
    for number, size in enumerate(net.hidden, start=1):
        waves = signal.rows(net.classes, size).numpy()
        own, forward = _own(net, number, moment, waves, f"score/length/{signal.tau!r}" if unit else None, signal.tau)
        if unit:
            own, forward = _measured(own, forward, moment, "square")
        back = f"{_turning('a_pre') if unit else 'w*m_post'}*{moment.share / signal.tau!r}"
        units.append(own)
        wires += [_with_sum(forward, f"m_pre = {back} : 1 (summed)", moment), _softmax(number, moment)]
    return Broadcast(tuple(units), tuple(wires))


def from_class_vectors(signal: ClassVectors, net: Net, moment: Moment, random: np.random.Generator) -> Broadcast:
    """m = dL/da with L = log(2 - cos(a, v)) or -cos(a, v), where v is the fixed vector of the sample's class.

    Args:
        signal: the signal with its options.
        net, moment: as for `from_own_readout`.
        random: generator of the seeds of the vectors.

    Returns:
        The parts that bring it.
    """
    units, wires = [], []
    slope = "-1.0/(2.0 - score/length)" if signal.loss == "log" else "-1.0"
    for number, size in enumerate(net.hidden, start=1):
        vectors = signal.vectors(net.classes, size, int(random.integers(2**31))).numpy()
        own, forward = _own(net, number, moment, vectors)
        error = Act((f"m = ({slope})*int(i == {moment.label})",), *moment.at(moment.before[2]))
        own = replace(own, acts=(error,))
        # Vectors that are centred have no part in the mean activity, so that it is in the length alone.
        mean = f"a_sum/{float(size)!r}" if signal.centred else "0.0"
        own, forward = _measured(own, forward, moment, f"square - {float(size)!r}*({mean})**2")
        away = f"(a_pre - a_sum_post/{float(size)!r})" if signal.centred else "a_pre"
        back = f"m_pre = {_turning(away)}*{moment.share!r} : 1 (summed)"
        units.append(own)
        wires.append(_with_sum(forward, back, moment))
    return Broadcast(tuple(units), tuple(wires))


def _measured(own: Units, forward: Wires, moment: Moment, square: str) -> tuple[Units, Wires]:
    """Units that know the length of the layer's activity, whose square is an expression of `square` and `a_sum`."""
    length = f"length = clip(sqrt(clip({square}, 0, inf)), {LEAST!r}, inf) : 1"
    when = moment.at(moment.before[0])
    sums = {"square_post": "a_pre**2", "a_sum_post": "a_pre"}
    equations = (*forward.equations, *(f"{name} = {value} : 1 (summed)" for name, value in sums.items()))
    return (
        replace(own, equations=(*own.equations, "square : 1", "a_sum : 1", length)),
        replace(forward, equations=equations, sums={**forward.sums, **dict.fromkeys(sums, when)}),
    )


def _turning(activity: str) -> str:
    """The error of a class, sent back by the part of the class's vector that is at a right angle to the activity."""
    return f"m_post*(w - {activity}*score_post/length_post**2)/length_post"


def _own(
    net: Net, number: int, moment: Moment, weights: np.ndarray, compared: str | None = None, tau: float = 1.0
) -> tuple[Units, Wires]:
    """The units of a layer's own read-out, and the wires that make its scores."""
    scores, _, errors = moment.before
    compared = compared or f"(score + b)/{tau!r}"
    own = Units(
        f"own{number}",
        net.classes,
        (
            "score : 1", "b : 1", f"raw = exp(clip({compared}, -30, 30)) : 1", "total : 1", "m : 1",
        ),
        acts=(Act((f"m = raw/total - int(i == {moment.label})",), *moment.at(errors)),),
        streams=("label", "phase", "eta"),
        start={"b": 0.0, "total": 1.0},
    )  # fmt: skip
    forward = Wires(
        f"own{number}_ff", hidden_name(number), own.name, ("w : 1", "score_post = w*a_pre : 1 (summed)"),
        sums={"score_post": moment.at(scores)}, start={"w": weights}, keeps=("w",),
    )  # fmt: skip
    return own, forward


def _softmax(number: int, moment: Moment) -> Wires:
    own = f"own{number}"
    total = "total_post = raw_pre : 1 (summed)"
    return Wires(f"{own}_sum", own, own, (total,), sums={"total_post": moment.at(moment.before[1])})


def _back(number: int, weights: np.ndarray) -> Wires:
    own = f"own{number}"
    return Wires(f"{own}_back", own, hidden_name(number), ("w : 1",), start={"w": weights}, keeps=("w",))


def _with_sum(wires: Wires, equation: str, moment: Moment) -> Wires:
    """Wires that also sum what is sent through them."""
    variable = equation.partition(" ")[0]
    return replace(wires, equations=(*wires.equations, equation), sums={**wires.sums, variable: moment.when})
