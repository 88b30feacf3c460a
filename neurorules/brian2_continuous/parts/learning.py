"""A rule's texts as statements of a circuit: `S` of a text is a unit's activity `a`, `v` the membrane `u`."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from neurorules.brian2_steps.expression_texts import Place
from neurorules.brian2_steps.lowering import Lowered, lower_neuronal, lower_synaptic
from neurorules.brian2_steps.scale import STEP_MS
from neurorules.language.errors import UserError
from neurorules.language.rules import Rule

NAMES = ((r"\bS_(pre|post)\b", r"a_\1"), (r"\bv_(pre|post)\b", r"u_\1"), (r"\bS\b", "a"), (r"\bv\b", "u"))


def lower_texts(rule: Rule, parameter: str, phase: str, gate: str, *, psi: str) -> tuple[str, ...]:
    """Changes of a hidden layer's parameter in one phase, applied to the parameter itself.

    Args:
        rule: whose texts act.
        parameter: "w" or "b".
        phase: of the rule.
        gate: factor of every change: rate, and when it acts.
        psi: text of psi with {v} for the membrane.

    Raises:
        UserError: a text that has no lowering.
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
    """Statements of wires at a presynaptic spike and at a postsynaptic one; they read the traces x of both ends."""

    on_pre: tuple[str, ...]
    on_post: tuple[str, ...]


def lower_events(rule: Rule, gate: str) -> AtSpikes:
    """Changes of hidden weights that happen at spikes alone, kept within the rule's bounds.

    A spike finds the traces that earlier spikes left: two spikes of one step do not pair.

    Args:
        rule: whose texts act, in the phase "input".
        gate: factor of every change.

    Raises:
        UserError: a text that acts between spikes too, or has no lowering.
    """
    _refuse_eligibilities(rule)
    on_pre: list[str] = []
    on_post: list[str] = []
    for plasticity in rule.plasticity:
        if (plasticity.parameter, plasticity.role, plasticity.phase) != ("w", "hidden", "input"):
            continue
        lowered = lower_synaptic(rule.equation(plasticity), Place(None, normalised=False))
        if lowered.every_step or any("S_post" in line for line in lowered.on_pre):
            raise UserError(
                f"{rule.name}: '{plasticity.text}' does not happen at single spikes. Each of its products needs S_pre, "
                f"or S_post, and not both"
            )
        on_pre += [_at_spike(line, "S_pre", gate) for line in lowered.on_pre]
        on_post += [_at_spike(line, "S_post", gate) for line in lowered.on_post]
    kept = () if rule.bounds is None else (f"w = clip(w, {rule.bounds[0]!r}, {rule.bounds[1]!r})",)
    return AtSpikes((*on_pre, *kept), (*on_post, *kept))


def trace(tau_ms: float) -> str:
    """Equation of a trace x, which a unit's spike raises by 1 (`x += 1` in its reset)."""
    return f"dx/dt = -x/({tau_ms!r}*ms) : 1"


def trace_tau_ms(rule: Rule) -> float:
    """Time constant of a rule's traces, from their decay a step.

    Raises:
        UserError: traces that hold nothing.
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
    value = re.sub(rf"\b{spike}\b", "1.0", value)  # where it stood alone
    return f"w += {gate}*({value})"
