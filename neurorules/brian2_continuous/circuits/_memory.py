"""Layers of sigprop that store the activity of each class's target, and compare each sample's activity with it."""

from __future__ import annotations

from neurorules.brian2_continuous.circuits._targets import SMALL
from neurorules.brian2_continuous.parts.circuit import JUDGE, TELL, Act, Units, When, Wires
from neurorules.brian2_continuous.parts.layers import INPUT_PHASE, TEACHING_PHASE, Net, Teaching, hidden_name
from neurorules.signals.prototypes import Prototypes

OURS = "(a_pre - a_mean_pre)"
THEIRS = "(s - s_mean_pre)"
MEAN_SHARE = 0.01
"""Share of the way to the activity of one sample by which the running mean of a unit moves. Source: our own choice."""


def remembered(net: Net, number: int, signal: Prototypes) -> Teaching:
    """Write what a layer needs to store the targets' activity `s` and to compute m from it.

    Args:
        net: sizes and neurons.
        number: number of the hidden layer, from 1.
        signal: the rule's signal, whose loss is "label" or "l2".

    Returns:
        The equations of the layer, wires to a population with one unit for each class, and that population.
    """
    layer, judge = hidden_name(number), f"judge{number}"
    mean = Act((f"a_mean += {MEAN_SHARE!r}*(a - a_mean)*int(done_phase == {INPUT_PHASE})",), TELL)
    remember = Act((f"s += renewal*(a_pre - s)*int(done_phase == {TEACHING_PHASE})*int(j == done_label)",), TELL)
    sums: dict[str, When] = {
        "s_mean_pre": (JUDGE, 0, "presentation"),
        "m_pre": (JUDGE, 3, "presentation"),
    }
    equations = ["s : 1", f"s_mean_pre = s/{float(net.classes)!r} : 1 (summed)"]
    if signal.loss == "l2":
        apart = f"({OURS} - {THEIRS})" if signal.centred else "(a_pre - s)"
        equations.append(f"m_pre = int(j == done_label)*{apart} : 1 (summed)")
    else:
        equations += [
            f"dot_post = {OURS}*{THEIRS} : 1 (summed)",
            f"ours_post = {OURS}**2 : 1 (summed)",
            f"theirs_post = {THEIRS}**2 : 1 (summed)",
            f"m_pre = blame_post*({THEIRS}/sqrt(theirs_post + {SMALL})"
            f" - cosine_post*{OURS}/sqrt(ours_post + {SMALL})) : 1 (summed)",
        ]
        sums |= {f"{name}_post": (JUDGE, 1, "presentation") for name in ("dot", "ours", "theirs")}
    memory = Wires(
        f"memory{number}", layer, judge, tuple(equations), sums=sums, acts=(remember,),
        start={"s": 0.0}, keeps=("s",),
    )  # fmt: skip
    softmax = Wires(
        f"compare{number}", judge, judge, ("total_post = raw_pre : 1 (summed)",),
        sums={"total_post": (JUDGE, 2, "presentation")},
    )  # fmt: skip
    return Teaching(
        equations=("m : 1", "a_mean : 1", "s_mean : 1"),
        units=(_judge(judge, net.classes),),
        wires=(memory, softmax),
        acts=(mean,),
        start={"a_mean": 0.0},
        keeps=("a_mean",),
    )


def _judge(name: str, classes: int) -> Units:
    """A population with one unit for each class, for one layer.

    It computes the cosine of the layer's activity and the class's, and `blame`, the derivative of the cross-entropy by
    that cosine up to the temperature.
    """
    return Units(
        name,
        classes,
        (
            "dot : 1",
            "ours : 1",
            "theirs : 1",
            "total : 1",
            f"cosine = dot/sqrt(ours*theirs + {SMALL}) : 1",
            "raw = exp((cosine - 1)/temperature) : 1",
            "blame = raw/total - int(i == done_label) : 1",
            "seen : 1",
        ),
        acts=(Act(("seen = cosine",), JUDGE, order=2),),
        record=("seen",),
        streams=("label", "phase"),
        start={"total": 1.0},
    )
