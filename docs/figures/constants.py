"""The table of the rules' constants beside those of their sources: written between `<!-- constants -->` and its end."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from neurorules.language.rules import Rule
from neurorules.rules import RULES

MARKED = re.compile(r"(?<=<!-- constants -->\n).*?(?=<!-- end -->)", re.S)
HEAD = "| rule | constant or trace | here | in its source |\n| --- | --- | --- | --- |\n"
STEP_MS = 1.0
"""What one step stands for where a trace is told in ms."""


def with_constants(text: str) -> str:
    """A page with its table of constants, if it has a place for one, as the rules say it."""
    return MARKED.sub(lambda place: HEAD + "".join(rows()), text)


def rows() -> Iterator[str]:
    """A row for each constant and each trace of each rule, with default options."""
    for name in RULES.names():
        rule = RULES.make(name)
        for constant, here in constants(rule).items():
            theirs = rule.source.constants[constant]
            same = "" if theirs.startswith(("any", "not told")) or here == theirs.partition(",")[0] else "**"
            yield f"| `{name}` | `{constant}` | {same}`{here}`{same} | `{theirs}` |\n"


def constants(rule: Rule) -> dict[str, str]:
    """The value of each constant of a rule, and the time constant of each trace, by name."""
    values = {name: f"{value:g}" for name, value in rule.constants.items()}
    return values | {trace.name: time_constant(trace.decay) for trace in rule.traces}


def time_constant(decay: float) -> str:
    """The time constant of a trace with a decay in 0..1 per step, in ms."""
    if decay in (0, 1):
        return "this step alone" if decay == 0 else "no decay"
    return f"{-STEP_MS / math.log(decay):.3g} ms"
