"""What each population stores of its past for the texts of a rule: a low-pass trace, and its spikes some steps ago."""

from __future__ import annotations

from neurorules.brian2_steps.case import Case
from neurorules.brian2_steps.model_text import Code
from neurorules.language.expressions import Call, Name, Number

DELAYED = "_delay"
"""Stands in the name of a delayed variable between the variable and the number of steps, as in S_delay3."""


def trace_decay(case: Case) -> float | None:
    """The factor by which the trace x decays in one step, in [0, 1); None where the rule declares no trace."""
    return None if case.learning is None else case.learning.rule.trace_decay


def delays(case: Case) -> dict[str, int]:
    """The longest delay that the phase's texts read of each variable, `S` or `x`, in steps.

    Recurrent spikes arrive one step late, so that a network with recurrent connections stores one step more.
    """
    longest: dict[str, int] = {}
    if case.learning is None:
        return longest
    late = any(afferent.connection.recurrent for layer in case.network.layers for afferent in layer.inputs)
    rule = case.learning.rule
    for plasticity in rule.plasticity:
        past = rule.equation(plasticity).past if plasticity.phase == case.learning.phase else frozenset()
        for call in past:
            match call:
                case Call("delay", (Name(name), Number(ago))):
                    longest[name[0]] = max(longest.get(name[0], 0), int(ago) + late)
    return longest


def registers(case: Case) -> tuple[tuple[str, ...], tuple[Code, ...]]:
    """The variables that store S or x of earlier steps, and the statements that shift them by one step.

    The shift runs at the start of a step, while S and x still have their values of the step before. Each statement
    multiplies by 1.0, which makes a copy: in Brian2's numpy target a bare assignment lets two names share one array.
    """
    variables: list[str] = []
    lines: list[str] = []
    for name, longest in delays(case).items():
        own = [name, *(f"{name}{DELAYED}{ago + 1}" for ago in range(longest))]
        variables += own[1:]
        lines += [f"{own[ago]} = 1.0*{own[ago - 1]}" for ago in range(longest, 0, -1)]
    return tuple(variables), (Code(tuple(lines), "start"),) if lines else ()
