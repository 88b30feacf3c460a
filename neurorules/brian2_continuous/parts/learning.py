"""Write a rule's texts as statements of a circuit. `S` in a text is a unit's activity `a`, and `v` its membrane `u`."""

from __future__ import annotations

import re

from neurorules.brian2_steps.expression_texts import Place
from neurorules.brian2_steps.lowering import Lowered, lower_neuronal, lower_synaptic
from neurorules.language.errors import UserError
from neurorules.language.rules import Rule

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
    refuse_eligibilities(rule)
    lines: list[str] = []
    for plasticity in rule.plasticity:
        if (plasticity.parameter, plasticity.role, plasticity.phase) != (parameter, "hidden", phase):
            continue
        place = Place(None, normalised=False, parameter=parameter, psi=psi)
        lower = lower_synaptic if parameter == "w" else lower_neuronal
        lines += [_act(line, parameter, gate) for line in _all(lower(rule.equation(plasticity), place))]
    return tuple(lines)


def refuse_eligibilities(rule: Rule) -> None:
    """Refuse a rule that declares eligibilities.

    Raises:
        UserError: the rule declares eligibilities.
    """
    if rule.eligibilities:
        raise UserError(
            f"rule '{rule.name}' declares eligibilities, and this circuit in continuous time has none. Use --path torch"
        )


def _all(lowered: Lowered) -> tuple[str, ...]:
    return lowered.on_pre + lowered.on_post + lowered.every_step


def _act(line: str, parameter: str, gate: str) -> str:
    value = line.removeprefix(f"{parameter}_change += ")
    for pattern, name in NAMES:
        value = re.sub(pattern, name, value)
    return f"{parameter} += {gate}*({value})"
