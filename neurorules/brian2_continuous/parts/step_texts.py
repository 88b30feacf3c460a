"""Write a rule's texts as statements that run at every step of the texts: for rules that speak of single steps.

A step of a text lasts a millisecond, `STEP_MS`, whatever the step of the integration is. In it `S` is the number of
spikes of a unit since the previous step, and `v` the membrane before a reset.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from neurorules.brian2_continuous.parts.circuit import Act
from neurorules.brian2_continuous.parts.no_circuit import NoCircuit
from neurorules.brian2_steps.expression_texts import Place, Writer
from neurorules.brian2_steps.history import BEFORE, DELAYED, variable_of
from neurorules.brian2_steps.lowering import Lowered, lower_neuronal, lower_synaptic
from neurorules.language.expressions import Call, Name, Number, parse
from neurorules.language.neuron_trace import MEMBRANE, SPIKES, Trace, made_of_spikes
from neurorules.language.rules import Rule

TRACES, SCORES, TOTAL, ERROR, BROADCAST, ELIGIBLE, WEIGHTS, READ_OUT, CLEAR = range(0, 90, 10)
"""The order, in the slot `record`, of the statements that run at a step of the texts: traces of units, scores of the
read-out, their softmax, its error, third factors, eligibilities, weights, and the read-out's own; then the counts of
spikes are set to 0."""
BEFORE_RESET = "v_seen"
"""The variable of the membrane that texts read: before a reset, and minus the rise of a threshold."""


class StepTexts(NamedTuple):
    """Equations and statements that a rule adds to the units and wires of hidden layers.

    Args:
        units: further equations of hidden units.
        inputs: further equations of input units, which have no membrane.
        unit_acts, input_acts: their statements.
        wires: further equations of wires.
        wire_acts: their statements.
        keeps: names of the variables of hidden units that are learned, beside their biases.
    """

    units: tuple[str, ...]
    inputs: tuple[str, ...]
    unit_acts: tuple[Act, ...]
    input_acts: tuple[Act, ...]
    wires: tuple[str, ...]
    wire_acts: tuple[Act, ...]
    keeps: tuple[str, ...] = ()


def lower_steps(rule: Rule, gate: str, psi: str, membrane: str = "v") -> StepTexts:
    """Write what changes the weights and biases of hidden layers at each step of the texts.

    Args:
        rule: the rule, whose texts of the phase "input" are written.
        gate: factor of each change, as an expression.
        psi: derivative of the activity by the membrane, with {v} for the membrane.
        membrane: expression of the membrane that texts read.

    Returns:
        The equations and statements.

    Raises:
        UserError: a text or a trace has no form in continuous time.
    """
    refuse_steps(rule)
    place = Place(None, normalised=False, psi=psi)
    weights, biases = Lowered(), Lowered()
    for plasticity in rule.plasticity:
        if (plasticity.role, plasticity.phase) == ("hidden", "input"):
            equation = rule.equation(plasticity)
            if plasticity.parameter == "w":
                weights += lower_synaptic(equation, place)
            elif plasticity.parameter == "b":
                biases += lower_neuronal(equation, Place(None, normalised=False, parameter="b", psi=psi))
    traced, inputs = (_traces(rule, place, membrane_too) for membrane_too in (True, False))
    bound = () if rule.bounds is None else (f"w = clip(w, {rule.bounds[0]!r}, {rule.bounds[1]!r})",)
    bias = tuple(_rate(line, "b", gate) for line in biases.every_step)
    moved = _in_order(weights)
    values = tuple(_values(weights))
    changes = (_rate(" + ".join(values), "w", gate), *bound) if values else ()
    return StepTexts(
        ("S : 1", f"{BEFORE_RESET} : 1", *traced.equations),
        ("S : 1", *inputs.equations),
        (
            Act((f"{BEFORE_RESET} = {membrane}",), "thresholds", 1, "step"),
            *_acts(traced.moves, TRACES),
            *_acts(bias, READ_OUT),
            *_acts((*traced.keeps, "S = 0"), CLEAR),
        ),
        (*_acts(inputs.moves, TRACES), *_acts((*inputs.keeps, "S = 0"), CLEAR)),
        tuple(f"{name} : 1" for name in moved),
        (*_acts(tuple(map(_of_units, moved.values())), ELIGIBLE), *_acts(changes, WEIGHTS)),
        tuple(variable_of(one.name) for one in rule.declared_traces.values() if one.across_trials),
    )


def refuse_steps(rule: Rule) -> None:
    """Refuse a rule whose texts read a derivative of the membrane, or the current of a step.

    Raises:
        UserError: a text reads `dv_dw` or `i_post`.
    """
    for plasticity in rule.plasticity:
        if plasticity.role == "hidden" and re.search(r"\bdv_dw\b", plasticity.text):
            raise NoCircuit(rule, f"'{plasticity.text}' reads dv_dw, a derivative through steps of a membrane")
        if plasticity.role == "hidden" and "i_post" in rule.equation(plasticity).reads:
            raise NoCircuit(
                rule, f"'{plasticity.text}' reads i_post, the current of a step, and currents flow between steps"
            )


def _acts(lines: tuple[str, ...], order: int) -> Iterator[Act]:
    if lines:
        yield Act(lines, "record", order, "millisecond")


def _values(weights: Lowered) -> Iterator[str]:
    for line in (*weights.on_pre, *weights.on_post, *weights.every_step):
        yield line.removeprefix("w_change += ")


def _in_order(weights: Lowered) -> dict[str, str]:
    """Statements of eligibilities; values of the previous step are copied before any variable changes."""
    return dict(sorted(weights.traces.items(), key=lambda one: not one[0].endswith("_late")))


def _rate(value: str, parameter: str, gate: str) -> str:
    return f"{parameter} += {gate}*({_of_units(value.removeprefix(f'{parameter}_change += '))})"


def _of_units(text: str) -> str:
    """A statement with the names of units: texts read the membrane `v` before a reset."""
    return re.sub(r"\bv(_post|_pre|)\b", rf"{BEFORE_RESET}\1", text)


class _Traces(NamedTuple):
    """The past that units store: equations, statements that update traces, and those that store values for later."""

    equations: tuple[str, ...]
    moves: tuple[str, ...]
    keeps: tuple[str, ...]


def _traces(rule: Rule, place: Place, membrane: bool) -> _Traces:
    """Write the traces and the past of units.

    Args:
        rule: the rule.
        place: the units, whose psi traces may read.
        membrane: whether the units have a membrane. Inputs have none, and only traces of spikes.

    Returns:
        Their equations and statements.
    """
    declared = rule.declared_traces
    own = [one for name, one in declared.items() if membrane or made_of_spikes(name, declared)]
    lines = [line for trace in own for line in _moves(rule, trace, place)]
    names, keeps = [line.split(" = ")[0] for line in lines], []
    for stem, longest in _delays(rule).items():
        if stem in (SPIKES, *(one.name for one in own)) or (membrane and stem == MEMBRANE):
            chain = [_of_units(variable_of(stem)), *(f"{variable_of(stem)}{DELAYED}{n + 1}" for n in range(longest))]
            names += chain[1:]
            keeps += [f"{chain[n]} = 1.0*{chain[n - 1]}" for n in range(longest, 0, -1)]
    return _Traces(tuple(f"{name} : 1" for name in names), tuple(lines), tuple(keeps))


def _moves(rule: Rule, trace: Trace, place: Place) -> Iterator[str]:
    """Statements that move a trace; one of nearest spikes is set by them, and its value without them stands beside."""
    equation, name = rule.trace_equation(trace), variable_of(trace.name)
    brought = _of_units(Writer(equation, place, "", 0).text(parse(equation.text)))
    faded = f"{float(trace.decay)!r}*{name}"
    if trace.spikes == "nearest":
        yield f"{name}{BEFORE} = {faded}"
        yield f"{name} = {name}{BEFORE} + int(S > 0)*({brought} - {name}{BEFORE})"
    else:
        yield f"{name} = {faded} + {brought}"


def _delays(rule: Rule) -> dict[str, int]:
    """The longest delay in steps that texts, eligibilities and traces read of each variable, without its suffix."""
    longest: dict[str, int] = {}
    texts = [rule.equation(one) for one in rule.plasticity if one.role == "hidden"]
    texts += [rule.trace_equation(one) for one in rule.declared_traces.values()]
    for call in (call for text in texts for call in text.past):
        match call:
            case Call("delay", (Name(name), Number(ago))):
                stem = name.removesuffix("_pre").removesuffix("_post")
                longest[stem] = max(longest.get(stem, 0), int(ago))
    return longest
