"""Write a rule's texts as statements of wires that change at spikes, and at every step where a text has no spike."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple, NoReturn

from neurorules.brian2_continuous.parts.learning import refuse_eligibilities
from neurorules.brian2_continuous.parts.no_circuit import NoCircuit
from neurorules.brian2_continuous.parts.traces import UnitTrace, reads, unit_traces
from neurorules.brian2_steps.expression_texts import Place
from neurorules.brian2_steps.lowering import lower_synaptic
from neurorules.brian2_steps.scale import STEP_MS
from neurorules.language.errors import UserError
from neurorules.language.neuron_trace import MEMBRANE, SPIKES
from neurorules.language.rules import Plasticity, Rule

WITHOUT_FORM = {
    r"\bpsi\(": "psi is the slope of a membrane at a step, and a synapse changes at spikes",
    r"\bdv_dw\b": "dv_dw is a derivative through steps",
    r"\bdelay\(": "delay() counts steps",
    r"\bi_post\b": "i_post is the current of a step, and in continuous time currents flow between steps",
    r"\bm_post\b": "there is no signal that makes m_post",
}
"""Patterns of texts that have no form at spikes, with the reasons."""


class AtSpikes(NamedTuple):
    """Statements of a rule that change the weights of synapses at spikes. They read the traces of the units at both
    ends.

    Args:
        on_pre, on_post: those that run at a presynaptic or a postsynaptic spike, and read what earlier steps left.
        late_pre, late_post: those that also read the spikes of their own step.
        every_step: those that run at every step of the integration.
    """

    on_pre: tuple[str, ...] = ()
    on_post: tuple[str, ...] = ()
    late_pre: tuple[str, ...] = ()
    late_post: tuple[str, ...] = ()
    every_step: tuple[str, ...] = ()


def happens_at_spikes(rule: Rule, dt_ms: float = STEP_MS) -> bool:
    """Find whether all that a rule's texts say happens at spikes, or is a rate of change between them.

    Args:
        rule: the rule, which has no signal.
        dt_ms: integration step in ms, > 0.

    Returns:
        Whether `lower_events` writes it.
    """
    try:
        lower_events(rule, "1", unit_traces(rule, dt_ms), dt_ms)
    except UserError:
        return False
    return True


def lower_events(rule: Rule, gate: str, traces: tuple[UnitTrace, ...], dt_ms: float) -> AtSpikes:
    """Write the statements that change hidden weights, and clip them to the rule's bounds.

    A product with S_pre or S_post happens at these spikes. For `x`, a spike reads the trace with the spikes of its own
    step; for `before(x)`, without them. Any other product is a rate of change, for each `STEP_MS`.

    Args:
        rule: the rule, whose texts of the phase "input" are written.
        gate: factor of each change, as an expression.
        traces: those of the rule.
        dt_ms: integration step in ms, > 0.

    Returns:
        The statements.

    Raises:
        UserError: the rule declares eligibilities, or a text has no form in continuous time.
    """
    refuse_eligibilities(rule)
    lines: dict[str, list[str]] = {name: [] for name in AtSpikes._fields}
    for plasticity in _of_hidden_weights(rule):
        lowered = lower_synaptic(rule.equation(plasticity), Place(None, normalised=False))
        for end, other, written in (("pre", "post", lowered.on_pre), ("post", "pre", lowered.on_post)):
            for line in written:
                value, late = _product_with_spike(line, f"S_{other}", traces) or _refuse(rule, plasticity)
                lines[f"{'late' if late else 'on'}_{end}"].append(_at_spike(value, f"S_{end}", gate))
        rates = [_rate(line, traces) or _refuse(rule, plasticity) for line in lowered.every_step]
        if rates:  # One statement: all of them read the weight as it was before the step.
            lines["every_step"].append(f"w += {dt_ms / STEP_MS!r}*{gate}*({' + '.join(rates)})")
    clip = () if rule.bounds is None else (f"w = clip(w, {rule.bounds[0]!r}, {rule.bounds[1]!r})",)
    return AtSpikes(**{name: (*own, *clip) if own else () for name, own in lines.items()})


def _of_hidden_weights(rule: Rule) -> Iterator[Plasticity]:
    """The texts of hidden weights in the phase "input".

    Raises:
        UserError: a text has no form at spikes, or changes a bias.
    """
    for plasticity in rule.plasticity:
        if (plasticity.parameter, plasticity.role) == ("b", "hidden"):
            raise _no_form(rule, plasticity.text, "it changes a bias, which no spike of a synapse does")
        if (plasticity.parameter, plasticity.role, plasticity.phase) != ("w", "hidden", "input"):
            continue
        for pattern, why in WITHOUT_FORM.items():
            if re.search(pattern, plasticity.text):
                raise _no_form(rule, plasticity.text, why)
        yield plasticity


def _product_with_spike(line: str, other: str, traces: tuple[UnitTrace, ...]) -> tuple[str, bool] | None:
    """A product with the spike at one end of the synapse as it is in continuous time.

    Args:
        line: the statement of a step.
        other: the spike at the other end, which the product must not read.
        traces: those of the rule.

    Returns:
        The statement, and whether it reads traces with the spikes of its own step; None if it has no such form.
    """
    value, rest = _before(line, traces)
    late = any(reads(rest, one.variable) for one in traces)
    lasting = any(reads(line, one.variable) for one in traces if not one.at_spikes)
    behind_reset = late and reads(line, MEMBRANE)
    return None if other in value or (late and value != line) or lasting or behind_reset else (value, late)


def _rate(line: str, traces: tuple[UnitTrace, ...]) -> str | None:
    """The rate of change that a statement without a spike is; None if it reads what is there at single steps alone."""
    value = _before(line, traces)[0]
    lasts = not (reads(value, SPIKES) or reads(value, MEMBRANE))
    early = any(_early(line, one) for one in traces if one.at_spikes)
    return value.removeprefix("w_change += ") if lasts and not early else None


def _before(line: str, traces: tuple[UnitTrace, ...]) -> tuple[str, str]:
    """A statement with the form of `before()` in continuous time, and the statement without the terms that use
    `before()`.
    """
    rest = line
    for one in traces:
        for side, text in one.before.items():
            line, rest = line.replace(text, one.earlier[side]), rest.replace(text, "")
    return line, rest


def _early(line: str, trace: UnitTrace) -> bool:
    return any(text in line for text in trace.before.values())


def _at_spike(line: str, spike: str, gate: str) -> str:
    value = re.sub(rf"\*{spike}\b|\b{spike}\*", "", line.removeprefix("w_change += "))
    value = re.sub(rf"\b{spike}\b", "1.0", value)  # This replaces a spike that was the only factor.
    return f"w += {gate}*({value})"


def _refuse(rule: Rule, plasticity: Plasticity) -> NoReturn:
    raise NoCircuit(
        rule,
        f"'{plasticity.text}' cannot be written as changes at single spikes. A product that reads S_pre or S_post "
        f"reads one of them, and traces of spikes that are all inside before() or all outside it; a product without "
        f"them has no before() of such a trace; and none reads a trace beside the membrane, which has been reset by "
        f"then",
    )


def _no_form(rule: Rule, text: str, why: str) -> UserError:
    return NoCircuit(rule, f"'{text}' has no form there, since {why}")
