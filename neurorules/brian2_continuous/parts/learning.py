"""Write a rule's texts as statements of a circuit. `S` in a text is a unit's activity `a`, and `v` its membrane `u`."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from neurorules.brian2_steps.expression_texts import Place
from neurorules.brian2_steps.lowering import Lowered, lower_neuronal, lower_synaptic
from neurorules.brian2_steps.scale import STEP_MS
from neurorules.language.errors import UserError
from neurorules.language.rules import Rule

BEFORE = re.compile(r"\((x_(?:pre|post)) - S_(?:pre|post)\)")
"""What `before(x)` is on the stepped path: the trace less the spike of this step."""
TRACE = re.compile(r"\bx_(?:pre|post)\b")
NAMES = ((r"\bS_(pre|post)\b", r"a_\1"), (r"\bv_(pre|post)\b", r"u_\1"), (r"\bS\b", "a"), (r"\bv\b", "u"))


def lower_texts(rule: Rule, parameter: str, phase: str, gate: str, *, psi: str) -> tuple[str, ...]:
    """Write the statements that change a parameter of a hidden layer in one phase of a rule.

    Args:
        rule: the rule.
        parameter: "w" for weights or "b" for biases.
        phase: name of the rule's phase.
        gate: factor of each change, from `layers.gate`.
        psi: psi as text, with {v} for the membrane.

    Returns:
        Statements such as "w += ...", one for each group of products; () where the phase does not change the parameter.

    Raises:
        UserError: the rule declares eligibilities, or a text reads what circuits do not have.
    """
    _refuse_eligibilities(rule)
    lines: list[str] = []
    for plasticity in rule.plasticity:
        if (plasticity.parameter, plasticity.role, plasticity.phase) != (parameter, "hidden", phase):
            continue
        place = Place(None, normalised=False, parameter=parameter, psi=psi)
        lower = lower_synaptic if parameter == "w" else lower_neuronal
        lines += [_act(line, parameter, gate) for line in _all(lower(rule.equation(plasticity), place))]
    return tuple(lines)


def _refuse_eligibilities(rule: Rule) -> None:
    if rule.eligibilities:
        raise UserError(
            f"rule '{rule.name}' declares eligibilities, which circuits in continuous time do not carry. "
            f"Use --path torch"
        )


def _all(lowered: Lowered) -> tuple[str, ...]:
    return lowered.on_pre + lowered.on_post + lowered.every_step


def _act(line: str, parameter: str, gate: str) -> str:
    change, value = line.split(" += ")
    assert change == f"{parameter}_change"
    for pattern, name in NAMES:
        value = re.sub(pattern, name, value)
    return f"{parameter} += {gate}*({value})"


class AtSpikes(NamedTuple):
    """Statements that change wires at spikes. They read the traces `x` of the units at both ends.

    Args:
        on_pre, on_post: those that run at a presynaptic or a postsynaptic spike, and read what earlier steps left.
        late_pre, late_post: those that also read the spikes of their own step.
    """

    on_pre: tuple[str, ...] = ()
    on_post: tuple[str, ...] = ()
    late_pre: tuple[str, ...] = ()
    late_post: tuple[str, ...] = ()


def lower_events(rule: Rule, gate: str) -> AtSpikes:
    """Write the statements that change hidden weights at spikes, and clip them to the rule's bounds.

    Where a text says `x`, a spike reads the trace with the spikes of its own step; where it says `before(x)`, without.

    Args:
        rule: the rule, whose texts of the phase "input" are written.
        gate: factor of each change, as an expression.

    Returns:
        The statements for presynaptic and for postsynaptic spikes.

    Raises:
        UserError: the rule declares eligibilities, a product of a text has not exactly one of S_pre and S_post, or
            products of one factor read both `x` and `before(x)`.
    """
    _refuse_eligibilities(rule)
    lines: dict[str, list[str]] = {name: [] for name in AtSpikes._fields}
    for plasticity in rule.plasticity:
        if (plasticity.parameter, plasticity.role, plasticity.phase) != ("w", "hidden", "input"):
            continue
        lowered = lower_synaptic(rule.equation(plasticity), Place(None, normalised=False))
        for end, other, written in (("pre", "post", lowered.on_pre), ("post", "pre", lowered.on_post)):
            for line in written:
                value = BEFORE.sub(r"\1", line)
                late = bool(TRACE.search(BEFORE.sub("", line)))
                if lowered.every_step or f"S_{other}" in value or (late and value != line):
                    raise _not_at_spikes(rule, plasticity.text)
                lines[f"{'late' if late else 'on'}_{end}"].append(_at_spike(value, f"S_{end}", gate))
        if lowered.every_step:
            raise _not_at_spikes(rule, plasticity.text)
    clip = () if rule.bounds is None else (f"w = clip(w, {rule.bounds[0]!r}, {rule.bounds[1]!r})",)
    return AtSpikes(**{name: (*own, *clip) if own else () for name, own in lines.items()})


def _not_at_spikes(rule: Rule, text: str) -> UserError:
    return UserError(
        f"{rule.name}: '{text}' does not happen at single spikes. Each of its products needs S_pre, or S_post, and not "
        f"both, with traces that are all read by before() or all without"
    )


def trace(tau_ms: float) -> str:
    """Write the equation of a trace x with a time constant in ms; a unit's reset adds `x += 1` to it."""
    return f"dx/dt = -x/({tau_ms!r}*ms) : 1"


def trace_tau_ms(rule: Rule) -> float:
    """The time constant of a rule's traces in ms, computed from their decay in a step of `STEP_MS`.

    Raises:
        UserError: the rule has no traces, or they decay to 0 within a step.
    """
    if not rule.trace_decay:
        raise UserError(
            f"{rule.name}: traces with a decay of {rule.trace_decay} hold nothing between spikes. Use a decay above 0"
        )
    return -STEP_MS / math.log(rule.trace_decay)


def _at_spike(line: str, spike: str, gate: str) -> str:
    change, value = line.split(" += ")
    assert change == "w_change"
    value = re.sub(rf"\*{spike}\b|\b{spike}\*", "", value)
    value = re.sub(rf"\b{spike}\b", "1.0", value)  # This replaces a spike that was the only factor.
    return f"w += {gate}*({value})"
