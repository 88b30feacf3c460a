"""Signal propagation in continuous time: a phase of samples and a phase of classes through the same units.

When a class is presented, its current enters the first hidden layer and travels on; each unit keeps how active it
was, one number a class. When a sample has been presented, a layer compares its activity with these and changes its
weights at once. Nothing is stored of a sample, and no weight is read backwards.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neurorules.brian2_path.continuous.circuit import ARRIVE, BEGIN, JUDGE, TELL, Act, Circuit, Units, When, Wires
from neurorules.brian2_path.continuous.layers import SHOWN, TOLD, Net, Teaching, hidden_name, make_circuit
from neurorules.brian2_path.continuous.plan import Plan, Settings, samples_and_classes
from neurorules.language.errors import UserError
from neurorules.language.rules import Rule
from neurorules.signals import SIGNALS
from neurorules.signals.prototypes import Prototypes

OURS = "(a_pre - a_mean_pre)"
THEIRS = "(s - s_mean_pre)"
SMALL = "1e-12"


def sigprop(net: Net, rule: Rule, settings: Settings, random: np.random.Generator) -> Circuit:
    """Layers that learn from prototypes; `sigprop:loss=l2` is the literal Hebbian form, activity minus target's.

    `predict=prototypes` takes the last layer's likeness to each class as scores, and no read-out.
    """
    loss = _loss(rule)
    teaching = [_teach(net, number, loss == "label") for number in range(1, len(net.hidden) + 1)]
    classes = Units(
        "classes",
        net.classes,
        ("a : 1",),
        acts=(Act((f"a = int(i == label)*int(phase == {TOLD})",), BEGIN),),
        streams=("label", "phase"),
    )
    embedding = Wires(
        "embedding",
        "classes",
        hidden_name(1),
        ("w : 1", "I_aside_post = w*a_pre : 1 (summed)"),
        sums={"I_aside_post": (ARRIVE, 0, "presentation")},
        start={"w": random.normal(0.0, 1.0, (net.hidden[0], net.classes))},
        keeps=("w",),
    )
    teaching[0] = replace(teaching[0], wires=(*teaching[0].wires, embedding))
    circuit = make_circuit(net, rule, tuple(teaching), settings, random, shared=(classes,))
    if rule.predict == "readout":
        return circuit
    return replace(circuit, scored=f"judge{len(net.hidden)}")


def _loss(rule: Rule) -> str:
    """The rule's loss, where it is a form that has equations here."""
    signal = SIGNALS.make(rule.signal or "")
    assert isinstance(signal, Prototypes)
    phases = [phase.name for phase in rule.phases]
    if signal.loss not in ("label", "l2") or signal.generator != "target_only" or signal.search != "all":
        raise UserError(
            f"sigprop in continuous time has no loss={signal.loss} with generator={signal.generator} and "
            f"search={signal.search}. Use loss=label or l2 and predict=readout or prototypes, or --path torch"
        )
    if phases != ["input", "target"]:
        raise UserError(
            f"sigprop in continuous time has the phases input and target, asked for {', '.join(phases)}. Use "
            f"targets=pushed and predict=readout or prototypes, or --path torch"
        )
    return signal.loss


def _teach(net: Net, number: int, by_similarity: bool) -> Teaching:
    layer, judge = hidden_name(number), f"judge{number}"
    mean = Act((f"a_mean += 0.01*(a - a_mean)*int(done_phase == {SHOWN})",), TELL)
    remember = Act((f"s += (a_pre - s)*int(done_phase == {TOLD})*int(j == done_label)",), TELL)
    sums: dict[str, When] = {
        "s_mean_pre": (JUDGE, 0, "presentation"),
        "m_pre": (JUDGE, 3, "presentation"),
    }
    equations = ["s : 1", f"s_mean_pre = s/{float(net.classes)!r} : 1 (summed)"]
    if not by_similarity:
        equations.append("m_pre = int(j == done_label)*(a_pre - s) : 1 (summed)")
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
    """One unit a class: how like a layer's activity is to the class's, and how much of the blame it takes."""
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


def plan() -> Plan:
    """Its circuit, what is presented, and rates it learns well with."""
    return Plan(sigprop, samples_and_classes, {"temperature": 0.1}, frozenset({"target", "layer_pool"}))


ENTRY = plan
