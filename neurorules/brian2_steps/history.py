"""What every population remembers for the texts of a rule: a low-pass trace, and what it sent some steps ago."""

from __future__ import annotations

from neurorules.brian2_steps.case import Case
from neurorules.brian2_steps.model_text import Code
from neurorules.language.expressions import Call, Name, Number

DELAYED = "_delay"
"""Between a variable and how many steps ago it was: S_delay3."""


def trace_decay(case: Case) -> float | None:
    """Decay of the trace x; None where no text reads it."""
    return None if case.learning is None else case.learning.rule.trace_decay


def delays(case: Case) -> dict[str, int]:
    """How far back texts of the phase look, by variable, S or x; recurrent connections look one step further."""
    longest: dict[str, int] = {}
    if case.learning is None:
        return longest
    late = any(entry.connection.recurrent for layer in case.network.layers for entry in layer.inputs)
    rule = case.learning.rule
    for plasticity in rule.plasticity:
        past = rule.equation(plasticity).past if plasticity.phase == case.learning.phase else frozenset()
        for call in past:
            match call:
                case Call("delay", (Name(name), Number(ago))):
                    longest[name[0]] = max(longest.get(name[0], 0), int(ago) + late)
    return longest


def registers(case: Case) -> tuple[tuple[str, ...], tuple[Code, ...]]:
    """Variables that hold S or x of the steps before, one a step and neuron, and what moves them on.

    They move as a step begins, while S and x are still those of the step before. Each statement is a product, and so a
    copy: Brian2's numpy target would otherwise let two names stand for one array.
    """
    variables: list[str] = []
    lines: list[str] = []
    for name, longest in delays(case).items():
        own = [name, *(f"{name}{DELAYED}{ago + 1}" for ago in range(longest))]
        variables += own[1:]
        lines += [f"{own[ago]} = 1.0*{own[ago - 1]}" for ago in range(longest, 0, -1)]
    return tuple(variables), (Code(tuple(lines), "start"),) if lines else ()
