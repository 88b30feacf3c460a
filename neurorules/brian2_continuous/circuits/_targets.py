"""What the target stream of sigprop starts from: a current a class into the first hidden layer, and who sends it."""

from __future__ import annotations

import numpy as np

from neurorules.brian2_continuous.parts.circuit import ARRIVE, BEGIN, JUDGE, TELL, Act, Units, Wires
from neurorules.brian2_continuous.parts.layers import TOLD, Net, hidden_name

SMALL = "1e-12"
"""Added to squared lengths, so that what is silent has a direction."""


def embedding(net: Net, random: np.random.Generator) -> Wires:
    """Fixed random wires from the units `classes` to the first hidden layer."""
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
    """target_only: the class that is presented."""
    act = Act((f"a = int(i == label)*int(phase == {TOLD})",), BEGIN)
    return Units("classes", net.classes, ("a : 1",), acts=(act,), streams=("label", "phase"))


def returned_error(net: Net) -> tuple[Units, tuple[Wires, ...]]:
    """target_loop: minus the read-out's error, brought to length 1, in the presentation after a sample's."""
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
    """The same times `push`: it fades as errors do."""
    return _loop(net, (), "push*now")


def _loop(net: Net, more: tuple[str, ...], sent: str) -> tuple[Units, tuple[Wires, ...]]:
    act = Act((f"a = {sent}*int(phase == {TOLD})",), TELL)
    units = Units("classes", net.classes, ("a : 1", "now : 1", *more), acts=(act,), streams=("phase",))
    loop = Wires(
        "loop",
        "readout",
        "classes",
        ("now_post = -m_pre*int(i == j) : 1 (summed)",),
        sums={"now_post": (JUDGE, 3, "presentation")},
    )
    return units, (loop,)
