"""Third factors from a read-out of a layer's own: learned (DECOLLE), fixed, or of fixed periodic patterns (LLS, TESS).

Each hidden layer has a population `own1`, `own2`, ... with a unit for each class. Its errors go back to the layer
through the wires that made its scores, or through others that are fixed.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neurorules.brian2_continuous.parts.broadcasts import Broadcast, Moment
from neurorules.brian2_continuous.parts.circuit import Act, Units, Wires
from neurorules.brian2_continuous.parts.layers import Net, hidden_name
from neurorules.signals.local_readout import LocalReadout
from neurorules.signals.patterns import Patterns


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
    """m = B^T (softmax(B a / tau) - y*) / tau, where row c of B is a fixed wave over the layer's units.

    Args:
        signal: the signal with its options, whose patterns are divided by the layer's size and have no gains.
        net, moment, random: as for `from_own_readout`; nothing is drawn.

    Returns:
        The parts that bring it.
    """
    units, wires = [], []
    for number, size in enumerate(net.hidden, start=1):
        waves = signal.rows(net.classes, size).numpy()
        own, forward = _own(net, number, moment, waves, signal.tau)
        back = f"m_pre = w*m_post*{moment.share / signal.tau!r} : 1 (summed)"
        units.append(own)
        wires += [_with_sum(forward, back, moment), _softmax(number, moment)]
    return Broadcast(tuple(units), tuple(wires))


def _own(net: Net, number: int, moment: Moment, weights: np.ndarray, tau: float = 1.0) -> tuple[Units, Wires]:
    """The units of a layer's own read-out, and the wires that make its scores."""
    scores, _, errors = moment.before
    own = Units(
        f"own{number}",
        net.classes,
        (
            "score : 1", "b : 1", f"raw = exp(clip((score + b)/{tau!r}, -30, 30)) : 1", "total : 1", "m : 1",
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
