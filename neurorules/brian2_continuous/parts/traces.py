"""The declared traces of a rule as variables of units in continuous time. A step of a rule's text lasts `STEP_MS`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from neurorules.brian2_continuous.parts.no_circuit import NoCircuit
from neurorules.brian2_steps.expression_texts import Place, Writer
from neurorules.brian2_steps.history import BEFORE, variable_of
from neurorules.brian2_steps.scale import STEP_MS
from neurorules.language.errors import UserError
from neurorules.language.expressions import Binary, Expression, Name, Number, names_in, parse
from neurorules.language.neuron_trace import MEMBRANE, SPIKES, Trace, at
from neurorules.language.rules import Rule


@dataclass(frozen=True)
class UnitTrace:
    """A trace as equations and statements of a unit.

    Args:
        variable: its name in the equations.
        at_spikes: whether spikes alone move it, beside its decay.
        equation: a line in Brian2's syntax.
        reset: what a spike of the unit does to it; "" where it is moved at every step.
        every_step: what moves it at every step, behind the resets; "" where spikes do.
        persistent: whether it lives across runs.
        before: what a text's `before()` of it is on the stepped path, by end of the synapse.
        earlier: what that is here.
    """

    variable: str
    at_spikes: bool
    equation: str
    reset: str
    every_step: str
    persistent: bool
    before: dict[str, str]
    earlier: dict[str, str]


def decaying(variable: str, tau_ms: float) -> str:
    """Write the equation of a variable that decays.

    Args:
        variable: its name.
        tau_ms: time constant in ms, > 0.

    Returns:
        A line in Brian2's syntax.
    """
    return f"d{variable}/dt = -{variable}/({tau_ms!r}*ms) : 1"


def unit_traces(rule: Rule, dt_ms: float) -> tuple[UnitTrace, ...]:
    """Write the traces of a rule.

    A trace of spikes decays by a differential equation and moves at spikes. One of anything else is moved at each step
    of the integration, what it follows being held constant during the step.

    Args:
        rule: the rule.
        dt_ms: integration step in ms, > 0.

    Returns:
        The traces in the order of their declaration.

    Raises:
        UserError: a trace decays to 0 within a step, or follows what is there at steps alone, such as the membrane
            before a reset.
    """
    return tuple(_trace(rule, trace, dt_ms) for trace in rule.declared_traces.values())


def _trace(rule: Rule, trace: Trace, dt_ms: float) -> UnitTrace:
    equation, own, place = rule.trace_equation(trace), trace.expression, Place(None, normalised=False)
    if "psi(" in equation.text or "delay(" in equation.text or "before(" in equation.text:
        raise NoCircuit(rule, f"its trace '{trace.name}' reads psi, delay or before, which exist in steps only")
    brought = {
        side: Writer(equation, place, "_post", 0).text(at(own, side, rule.constants)) for side in ("pre", "post")
    }
    of_unit = parse(equation.text)  # the same with the suffix of a unit that is written without it
    at_spike = _without_spike(of_unit)
    if MEMBRANE in names_in(own):
        raise NoCircuit(
            rule, f"its trace '{trace.name}' follows the membrane before its reset, which exists in steps only"
        )
    if at_spike is not None:
        return _moved_at_spikes(rule, trace, Writer(equation, place, "", 0).text(at_spike), brought)
    if SPIKES in names_in(own) or trace.spikes == "nearest":
        raise NoCircuit(
            rule, f"its trace '{trace.name}' adds spikes, which take no time, to values that change continuously"
        )
    return _moved_at_steps(trace, Writer(equation, place, "", 0).text(of_unit), brought, dt_ms)


def _moved_at_spikes(rule: Rule, trace: Trace, value: str, brought: Mapping[str, str]) -> UnitTrace:
    """A trace that decays by a differential equation, and to which each spike of the unit adds a value.

    Args:
        rule: the rule, for the message of an error.
        trace: the declared trace.
        value: what a spike adds, as text.
        brought: what a step adds on the stepped path, as text, by end of the synapse.

    Returns:
        Its equations and statements.

    Raises:
        UserError: the trace decays to 0 within a step.
    """
    if not trace.decay:
        raise UserError(
            f"rule '{rule.name}': its trace '{trace.name}' has a decay of {trace.decay}, and would hold nothing "
            f"between spikes. Use a decay above 0"
        )
    variable, nearest = variable_of(trace.name), trace.spikes == "nearest"
    value = "1" if value == "1.0" else value
    line = decaying(variable, -STEP_MS / math.log(trace.decay)) if trace.decay < 1 else f"{variable} : 1"
    before = {
        side: f"{variable}{BEFORE}_{side}" if nearest else f"({variable}_{side} - {brought[side]})" for side in brought
    }
    return UnitTrace(
        variable, True, line, f"{variable} {'=' if nearest else '+='} {value}", "",
        trace.across_trials, before, {side: f"{variable}_{side}" for side in brought},
    )  # fmt: skip


def _moved_at_steps(trace: Trace, text: str, brought: Mapping[str, str], dt_ms: float) -> UnitTrace:
    """A trace that follows a variable of the unit, which is held constant during each step of the integration.

    Args:
        trace: the declared trace.
        text: what it follows.
        brought: the same at each end of the synapse, as text.
        dt_ms: integration step in ms, > 0.

    Returns:
        Its equations and statements.
    """
    variable, decay = variable_of(trace.name), float(trace.decay) ** (dt_ms / STEP_MS)
    share = dt_ms / STEP_MS if trace.decay == 1 else (1 - decay) / (1 - float(trace.decay))
    move = f"{variable} = {decay!r}*{variable} + {share!r}*{text}"
    return UnitTrace(
        variable, False, f"{variable} : 1", "", move, trace.across_trials,
        {side: f"({variable}_{side} - {brought[side]})" for side in brought},
        {side: f"({variable}_{side} - {share!r}*{brought[side]})" for side in brought},
    )  # fmt: skip


def _without_spike(expression: Expression) -> Expression | None:
    """The number that a spike brings to a trace that is a product with the spike; None if it is no such product."""
    match expression:
        case Name("S_post"):
            return Number(1.0)
        case Binary("*", left, right):
            for one, other in ((left, right), (right, left)):
                increment = _without_spike(one)
                if increment is not None and f"{SPIKES}_post" not in names_in(other):
                    return other if increment == Number(1.0) else Binary("*", increment, other)
    return None


def reads(text: str, variable: str) -> bool:
    """Find whether statements of a synapse read a variable of one of its neurons.

    Args:
        text: the statements.
        variable: name of the variable, without a suffix.

    Returns:
        Whether they do, at either end.
    """
    return re.search(rf"\b{variable}_(?:pre|post)\b", text) is not None
