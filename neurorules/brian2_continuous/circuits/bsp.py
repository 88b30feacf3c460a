"""BSP in continuous time, a reconstruction: a unit is a ring of five variables, with a reverse ring for the error.

A presentation is divided into windows, one for each layer on the way up and one for each on the way down. A ring runs
in its own window and holds its state afterwards, so that a layer's reverse ring can read the last state of its forward
ring, around which it is linearised (the carrier).
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from neurorules.brian2_continuous.parts.circuit import ARRIVE, BEGIN, JUDGE, LEARN, Act, Circuit, Units, When, Wires
from neurorules.brian2_continuous.parts.layers import INPUT_PHASE, POWER, Net, gate, hidden_name, input_units, tables_of
from neurorules.brian2_continuous.parts.learning import lower_texts
from neurorules.brian2_continuous.parts.neurons import rate
from neurorules.brian2_continuous.parts.plan import Plan, Settings, samples_only
from neurorules.language.errors import UserError
from neurorules.language.rules import Rule
from neurorules.native.rings.system import ELEMENTS, RingSystem
from neurorules.signals.reverse_ring import ReverseRing

CARRIERS = {"final": "{x}", "fixed": "1.0"}
"""The carrier as an expression, by mode of the signal: the forward ring's last state, or its fixed point."""


def bsp(
    net: Net, rule: Rule, settings: Settings, random: np.random.Generator, system: RingSystem | None = None
) -> Circuit:
    """Make the circuit of method 2 of BSP with the causal modes `final` and `fixed`. Fixed points are 1.

    Args:
        net: sizes; the neuron plays no part, since units are rings.
        rule: the rule with its options.
        settings: learning rates.
        random: generator of the initial weights.
        system: the equations of a ring; None for the reconstruction's own.

    Returns:
        The circuit, whose read-out is a layer of rings as well.

    Raises:
        UserError: the rule has another mode or method, or the net has recurrent layers.
    """
    signal = rule.signal.make() if rule.signal is not None else None
    mode = signal.mode if isinstance(signal, ReverseRing) else ""
    if mode not in CARRIERS or len(rule.plasticity) != 4:
        raise UserError(
            f"bsp in continuous time needs a reverse ring that runs forward in time, as in mode "
            f"{' or '.join(CARRIERS)}, and its signal is {rule.signal}. Use bsp:mode=final, or --path torch"
        )
    if net.neuron != rate():
        raise UserError("bsp in continuous time has rings as units, and another neuron was given. Leave --neuron out")
    if any(net.recurrent):
        raise UserError(
            "bsp in continuous time has no recurrent layers, and this net has some. Write sizes alone, such as --net "
            "100, or use another rule"
        )
    system = system or RingSystem()
    span = system.steps * system.h
    sizes = (*net.hidden, net.classes)
    names = [*(hidden_name(number) for number in range(1, len(net.hidden) + 1)), "readout"]
    units = [input_units(net)]
    wires: list[Wires] = []
    source, fan_in = "input", net.inputs
    for place, (name, size) in enumerate(zip(names, sizes, strict=True)):
        last = name == "readout"
        down = 2 * len(names) - 1 - place
        units.append(_ring_units(rule, system, name, size, (place * span, down * span), CARRIERS[mode], last))
        weights = random.normal(0.0, 1.0 / math.sqrt(POWER if place == 0 else fan_in), (size, fan_in))
        wires.append(_wires(rule, source, name, weights, first=place == 0))
        source, fan_in = name, size
    return Circuit(
        tuple(units), tuple(wires), tables_of(net), net.presentations, 2 * len(names) * span, system.h, "rk2", settings
    )


def _gate(name: str) -> str:
    return gate(INPUT_PHASE, "lr_readout" if name == "readout" else "lr_hidden")


def _ring_units(
    rule: Rule, system: RingSystem, name: str, size: int, windows: tuple[float, float], carrier: str, last: bool
) -> Units:
    up, down = (
        f"int(at > {start - system.h / 2!r})*int(at < {start + (system.steps - 0.5) * system.h!r})" for start in windows
    )
    matrix = system.matrix().tolist()
    equations = ["dat/dt = 1/ms : 1", "up : 1", "down : 1", "I_const : 1", "b : 1", "error : 1"]
    saturation = f"{system.saturation!r}"
    equations.append(f"drive = {saturation}*tanh((I_const + b)/{saturation}) : 1")
    for one, row in zip(ELEMENTS, matrix, strict=True):
        flow = _sum((value, f"(x_{other} - 1)") for value, other in zip(row, ELEMENTS, strict=True))
        drive = " + drive" if one == "J" else ""
        equations += [f"x_{one} = exp(z_{one}) : 1", f"dz_{one}/dt = up*({flow}{drive})/ms : 1"]
    for place, one in enumerate(ELEMENTS):
        flow = _sum((row[place], f"l_{other}") for row, other in zip(matrix, ELEMENTS, strict=True))
        equations.append(f"dl_{one}/dt = down*{carrier.format(x=f'x_{one}')}*({flow})/ms : 1")
    equations += [
        "dg/dt = down*l_J/ms : 1",
        "a = x_S - 1 : 1",
        "u = drive : 1",
        f"pulled = g*(1 - (drive/{saturation})**2) : 1",
        "m : 1",
    ]
    hit, miss = rule.targets
    error = f"a - ({hit!r}*int(i == label) + {miss!r}*int(i != label))" if last else "error"
    enters = f"int(abs(at - {windows[1]!r}) < {system.h / 2!r})"
    begin = ("at = 0", "g = 0", *(f"z_{one} = 0" for one in ELEMENTS), *(f"l_{one} = 0" for one in ELEMENTS))
    bias = lower_texts(rule, "b", "input", _gate(name), psi="1.0")
    return Units(
        name,
        size,
        (*equations, *(("seen : 1",) if last else ())),
        acts=(
            Act(("m = pulled", *(("seen = a",) if last else ())), JUDGE),
            Act(bias, LEARN),
            Act(begin, BEGIN),
            # The gates are variables that are constant during a step, since the integration also reads its middle.
            Act((f"up = {up}", f"down = {down}"), ARRIVE, order=3, every="step"),
            Act((f"l_S = l_S + {enters}*(({error})*x_S - l_S)",), ARRIVE, order=2, every="step"),
        ),
        streams=("label", "phase", "eta"),
        start={"b": 0.0},
        keeps=("b",),
        record=("seen",) if last else (),
    )


def _sum(terms: Iterable[tuple[float, str]]) -> str:
    return " + ".join(f"{value!r}*{text}" for value, text in terms if value)


def _wires(rule: Rule, source: str, target: str, weights: np.ndarray, first: bool) -> Wires:
    equations = ["w : 1", "I_const_post = w*a_pre : 1 (summed)"]
    sums: dict[str, When] = {"I_const_post": (ARRIVE, 0, "presentation" if first else "step")}
    if not first:
        equations.append("error_pre = w*pulled_post : 1 (summed)")
        sums["error_pre"] = (ARRIVE, 1, "step")
    return Wires(
        f"{target}_ff",
        source,
        target,
        tuple(equations),
        sums=sums,
        acts=(Act(lower_texts(rule, "w", "input", _gate(target), psi="1.0"), LEARN),),
        start={"w": weights},
        keeps=("w",),
    )


NEEDS = frozenset({"output_error", "reverse_circuit", "weight_transport"})


def plan() -> Plan:
    """Make the plan by which BSP learns in continuous time."""
    return Plan(
        bsp,
        samples_only,
        needs=NEEDS,
        lr=0.1,
        readout_lr=0.1,
    )


ENTRY = plan
