"""A rule's texts as statements of a circuit: `S` of a text is a unit's activity `a`, `v` the membrane `u`."""

from __future__ import annotations

import re

from neurorules.brian2_path.lowering import Lowered, Place, lower_neuronal, lower_synaptic
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
    lines: list[str] = []
    for plasticity in rule.plasticity:
        if (plasticity.parameter, plasticity.role, plasticity.phase) != (parameter, "hidden", phase):
            continue
        place = Place(None, normalised=False, parameter=parameter, psi=psi)
        lower = lower_synaptic if parameter == "w" else lower_neuronal
        lines += [_act(line, parameter, gate) for line in _all(lower(rule.equation(plasticity), place))]
    return tuple(lines)


def _all(lowered: Lowered) -> tuple[str, ...]:
    return lowered.on_pre + lowered.on_post + lowered.every_step


def _act(line: str, parameter: str, gate: str) -> str:
    change, value = line.split(" += ")
    assert change == f"{parameter}_change"
    for pattern, name in NAMES:
        value = re.sub(pattern, name, value)
    return f"{parameter} += {gate}*({value})"
