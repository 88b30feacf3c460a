"""Wires that bring a third factor to hidden units, for signals that are local in time, and the units that they come
from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurorules.brian2_continuous.parts.circuit import TELL, Act, Units, When, Wires
from neurorules.brian2_continuous.parts.layers import INPUT_PHASE, Net, hidden_name
from neurorules.brian2_continuous.parts.step_texts import ERROR, TOTAL
from neurorules.brian2_steps.scale import STEP_MS
from neurorules.contracts.running_mean import PRIOR, RATE, REFERENCE
from neurorules.language.errors import UserError
from neurorules.signals.dfa import DirectFeedback
from neurorules.signals.drtp import TargetProjection
from neurorules.signals.reward import Reward
from neurorules.signals.spatial import SpatialBackpropagation


@dataclass(frozen=True)
class Moment:
    """The moment at which a third factor is computed.

    Args:
        when: slot, order and interval of the sums that compute it.
        label: name of the class that is shown then, in equations.
        share: factor of an error, which is that of a whole presentation or of one step of it.
        before: orders, in the slot of `when`, of what a third factor is made from: scores, the sum of their softmax,
            and errors.
        learn: when a read-out learns from its error.
        rate: factor of what it learns, as an expression.
    """

    when: When
    label: str
    share: float
    before: tuple[int, int, int]
    learn: When
    rate: str

    def at(self, order: int) -> When:
        """Another place in the slot."""
        return self.when[0], order, self.when[2]


@dataclass(frozen=True)
class Broadcast:
    """The parts of a circuit that bring a third factor `m` to hidden units.

    Args:
        units: the populations that compute it.
        wires: the connections that carry it.
        backwards: a sum over the wires of the read-out in the backward direction, as an equation; "" for none.
        readout: further equations of the read-out.
        acts: further statements of the read-out.
        keeps: names of its further variables that are learned.
    """

    units: tuple[Units, ...] = ()
    wires: tuple[Wires, ...] = ()
    backwards: str = ""
    readout: tuple[str, ...] = ()
    acts: tuple[Act, ...] = ()
    keeps: tuple[str, ...] = ()


Make = Callable[[Any, Net, Moment, np.random.Generator], Broadcast]


def from_label(signal: TargetProjection, net: Net, moment: Moment, random: np.random.Generator) -> Broadcast:
    """m = -B y*: minus the projection of the label.

    Args:
        signal: the signal with its options.
        net, moment, random: sizes of the layers, when the third factor is made, and the generator of fixed weights.

    Returns:
        The parts that bring it.
    """
    classes = Units("classes", net.classes, (f"a = int(i == {moment.label}) : 1",), streams=("label",))
    return Broadcast((classes,), _feedback(net, "classes", f"-w*a_pre*{moment.share!r}", moment, random))


def from_error(signal: DirectFeedback, net: Net, moment: Moment, random: np.random.Generator) -> Broadcast:
    """m = B e, or W^T e where the read-out's wires carry the error back.

    Args:
        signal: the signal with its options.
        net, moment, random: sizes of the layers, when the third factor is made, and the generator of fixed weights.

    Returns:
        The parts that bring it.
    """
    error = "sign(m_{end})" if signal.error == "sign" else "m_{end}"
    if signal.feedback == "random":
        return Broadcast((), _feedback(net, "readout", f"w*{error.format(end='pre')}*{moment.share!r}", moment, random))
    return _backwards(net, error.format(end="post"), moment)


def from_layer_above(
    signal: SpatialBackpropagation, net: Net, moment: Moment, random: np.random.Generator
) -> Broadcast:
    """m = W^T e of the step, where one hidden layer lies below the read-out.

    Args:
        signal: the signal with its options.
        net, moment, random: sizes of the layers, when the third factor is made, and the generator of fixed weights.

    Returns:
        The parts that bring it.
    """
    return _backwards(net, "m_post", moment)


def _backwards(net: Net, error: str, moment: Moment) -> Broadcast:
    if len(net.hidden) > 1:
        raise UserError(
            f"this signal carries errors back through the weights of the read-out, which in continuous time reads only "
            f"the last hidden layer, and the net has {len(net.hidden)}. Use a net of one hidden layer, such as --net "
            f"100, or --path torch"
        )
    return Broadcast(backwards=f"m_pre = w*{error}*{moment.share!r} : 1 (summed)")


def from_reward(signal: Reward, net: Net, moment: Moment, random: np.random.Generator) -> Broadcast:
    """m = -d: d rises with what the answer of a step earns above what its class earns on average, and decays.

    Args:
        signal: the signal with its options.
        net, moment, random: sizes of the layers, when the third factor is made, and the generator of fixed weights.

    Returns:
        The parts that bring it.
    """
    slot, _, every = moment.when
    if every != "millisecond" or signal.baseline == "all":
        raise UserError(
            f"a reward in continuous time comes at each step, with a baseline of the class or with none, and this one "
            f"has baseline={signal.baseline} and comes once a {every}. Use baseline=class or baseline=none with "
            f"rewards of steps, or --path torch"
        )
    steps = net.neuron.period_ms / STEP_MS
    slowest = 1 - (1 - RATE) ** (1 / REFERENCE)
    shown = f"int(i == done_label)*int(done_phase == {INPUT_PHASE})*{float(signal.baseline == 'class')!r}"
    moved = (
        f"earns += clip(1.0/({PRIOR + 1.0!r} + count), {slowest!r}, 1.0)*(won/{steps!r} - earns)*{shown}",
        f"count += {shown}",
        "won = 0",
    )
    ahead = Wires(
        "ahead", "readout", "readout", ("ahead_post = int(score_pre > score_post) : 1 (summed)",),
        sums={"ahead_post": (slot, TOTAL, every)},
    )  # fmt: skip
    earning = Wires(
        "earning", "readout", "dopamine", ("earned_post = reward_pre - earns_pre*int(i == label) : 1 (summed)",),
        sums={"earned_post": (slot, ERROR + 1, every)},
    )  # fmt: skip
    rising = f"d = {signal.decay!r}*d + earned*{moment.share!r}*int(phase == {INPUT_PHASE})"
    dopamine = Units(
        "dopamine", 1, ("earned : 1", "d : 1"), acts=(Act((rising,), slot, ERROR + 2, every),),
        streams=("label", "phase"),
    )  # fmt: skip
    wires = [
        Wires(f"reward{number}", "dopamine", hidden_name(number), ("m_post = -d_pre : 1 (summed)",),
              sums={"m_post": moment.when})
        for number in range(1, len(net.hidden) + 1)
    ]  # fmt: skip
    earned = f"int(i == label)*({signal.right!r}*int(ahead < 0.5) + ({signal.wrong!r})*int(ahead > 0.5))"
    return Broadcast(
        (dopamine,), (ahead, earning, *wires),
        readout=("ahead : 1", "won : 1", "earns : 1", "count : 1", f"reward = {earned} : 1"),
        acts=(Act(("won += reward",), slot, ERROR + 3, every), Act(moved, TELL)),
        keeps=("earns", "count"),
    )  # fmt: skip


def _feedback(net: Net, source: str, sent: str, moment: Moment, random: np.random.Generator) -> tuple[Wires, ...]:
    """Wires with fixed random weights from one number for each class to each hidden layer, drawn as `direct_feedback`
    does.
    """
    return tuple(
        Wires(
            f"feedback{number}", source, hidden_name(number), ("w : 1", f"m_post = {sent} : 1 (summed)"),
            sums={"m_post": moment.when}, keeps=("w",),
            start={"w": random.normal(0.0, size**-0.5, (size, net.classes))},
        )
        for number, size in enumerate(net.hidden, start=1)
    )  # fmt: skip
