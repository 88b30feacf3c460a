"""The start of sigprop's target stream: units for the classes, which send a current into the first hidden layer."""

from __future__ import annotations

import numpy as np

from neurorules.brian2_continuous.parts.circuit import ARRIVE, BEGIN, JUDGE, TELL, Act, Units, Wires
from neurorules.brian2_continuous.parts.layers import TEACHING_PHASE, Net, hidden_name

SMALL = "1e-12"
"""Added to squared lengths before a division, so that silent layers cause no division by 0."""


def embedding(net: Net, random: np.random.Generator) -> Wires:
    """Make fixed random wires from the units `classes` to the first hidden layer.

    Args:
        net: sizes.
        random: generator of the weights, which are standard normal.

    Returns:
        The wires, whose current is constant during a presentation.
    """
    return Wires(
        "embedding",
        "classes",
        hidden_name(1),
        ("w : 1", "I_aside_post = w*a_pre : 1 (summed)"),
        sums={"I_aside_post": (ARRIVE, 0, "presentation")},
        start={"w": random.normal(0.0, 1.0, (net.hidden[0], net.classes))},
        keeps=("w",),
    )


def shown_classes(net: Net) -> Units:
    """Make the units `classes` of generator=target_only: the unit of the presented class is 1, and all others are 0."""
    act = Act((f"a = int(i == label)*int(phase == {TEACHING_PHASE})",), BEGIN)
    return Units("classes", net.classes, ("a : 1",), acts=(act,), streams=("label", "phase"))


def returned_error(net: Net) -> tuple[Units, tuple[Wires, ...]]:
    """Make the units `classes` of generator=target_loop.

    In the presentation after a sample's, they are minus the read-out's error, divided by its length.
    """
    length = Wires(
        "loop_length",
        "classes",
        "classes",
        ("length_post = now_pre**2 : 1 (summed)",),
        sums={"length_post": (JUDGE, 4, "presentation")},
    )
    units, loop = _loop(net, ("length : 1",), f"now/sqrt(length + {SMALL})")
    return units, (*loop, length)


def pushing_error(net: Net) -> tuple[Units, tuple[Wires, ...]]:
    """Make units `classes` that are minus the read-out's error times `push`, so that they vanish as errors do."""
    return _loop(net, (), "push*now")


def _loop(net: Net, more: tuple[str, ...], sent: str) -> tuple[Units, tuple[Wires, ...]]:
    act = Act((f"a = {sent}*int(phase == {TEACHING_PHASE})",), TELL)
    units = Units("classes", net.classes, ("a : 1", "now : 1", *more), acts=(act,), streams=("phase",))
    loop = Wires(
        "loop",
        "readout",
        "classes",
        ("now_post = -m_pre*int(i == j) : 1 (summed)",),
        sums={"now_post": (JUDGE, 3, "presentation")},
    )
    return units, (loop,)
