"""A rule's texts as statements of one projection: its traces are variables of the synapses, so it works with any
groups.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from neurorules.brian2_continuous.parts.at_spikes import lower_events
from neurorules.brian2_continuous.parts.traces import UnitTrace, unit_traces
from neurorules.brian2_steps.transmission_texts import text_of
from neurorules.language.errors import UserError
from neurorules.language.rules import Rule

MEMBRANES = re.compile(r"\b[uv]_(?:pre|post)\b")
"""The variables that are in units of the threshold for rules, and in volt in a population."""


@dataclass(frozen=True)
class LearnedText:
    """The equations and statements that a rule adds to synapses.

    Args:
        equations: lines of the synapses.
        on_pre, on_post: statements at spikes, each with the name of its pathway, in the order in which they run.
        every_step: statements that run at each step.
        transmitted: what a spike brings, as an expression of the synapse.
    """

    equations: tuple[str, ...]
    on_pre: tuple[tuple[str, tuple[str, ...]], ...]
    on_post: tuple[tuple[str, tuple[str, ...]], ...]
    every_step: tuple[str, ...]
    transmitted: str = "w"


ORDER = ("pre", "learn_pre", "learn_post", "mark_pre", "mark_post", "late_pre", "late_post")
"""The pathways in the order in which they run in a step: transmission, changes that read traces without the spikes of
this step, the increase of traces by spikes, and changes that read traces with them."""


def learned_text(rule: Rule, dt_ms: float) -> LearnedText:
    """Write a rule's texts for synapses whose weight `w` is never negative and learns at the rate `lr`.

    Args:
        rule: the rule, which has no signal.
        dt_ms: integration step in ms, > 0.

    Returns:
        Equations and statements. Weights lie within the rule's bounds, from 0 on.

    Raises:
        UserError: the rule has a signal, or its texts depend on more than spikes.
    """
    if rule.signal is not None:
        raise UserError(
            f"rule '{rule.name}' has the learning signal '{rule.signal.name}', which is made of a whole network, and a "
            f"projection is one group of synapses. Use a rule without a signal, such as stdp"
        )
    high = float("inf") if rule.bounds is None else rule.bounds[1]
    traces = unit_traces(rule, dt_ms)
    lowered = lower_events(replace(rule, bounds=(0.0, high)), "lr", traces, dt_ms)
    statements = [line for block in lowered for line in block]
    for trace in traces:
        if not trace.at_spikes:
            raise UserError(
                f"rule '{rule.name}': its trace '{trace.variable.removeprefix('trace_')}' belongs to the neuron and "
                f"moves at each step. Use brian2_circuit, whose neurons have it"
            )
    if any(MEMBRANES.search(line) for line in statements):
        raise UserError(
            f"rule '{rule.name}' reads the membrane in thresholds, which a population has in volt. Use brian2_circuit"
        )
    ends = [(one, side) for one in traces for side in ("pre", "post") if _read(statements, one, side)]
    flag = "clock-driven" if lowered.every_step else "event-driven"
    equations = tuple(f"{_own(one.equation, one, side)} ({flag})" for one, side in ends)
    marks = {side: tuple(_own(one.reset, one, end) for one, end in ends if end == side) for side in ("pre", "post")}

    def renamed(lines: tuple[str, ...]) -> tuple[str, ...]:
        for one, side in ends:
            lines = tuple(re.sub(rf"\b{one.variable}_{side}\b", _name(one, side), line) for line in lines)
        return lines

    blocks = {
        "learn_pre": lowered.on_pre, "learn_post": lowered.on_post, "mark_pre": marks["pre"],
        "mark_post": marks["post"], "late_pre": lowered.late_pre, "late_post": lowered.late_post,
    }  # fmt: skip
    written = [(name, renamed(blocks[name])) for name in ORDER if blocks.get(name)]
    return LearnedText(
        equations,
        tuple(one for one in written if one[0].endswith("_pre")),
        tuple(one for one in written if one[0].endswith("_post")),
        renamed(lowered.every_step),
        text_of(rule),
    )


def _name(trace: UnitTrace, side: str) -> str:
    """The name of a trace as a variable of synapses, which Brian2 does not allow to end with "_pre" or "_post"."""
    return f"{side}_{trace.variable}"


def _own(line: str, trace: UnitTrace, side: str) -> str:
    return re.sub(rf"\b(d?){trace.variable}\b", lambda match: match[1] + _name(trace, side), line)


def _read(statements: list[str], trace: UnitTrace, side: str) -> bool:
    return any(re.search(rf"\b{trace.variable}_{side}\b", line) for line in statements)
