"""Declared traces: low-pass filters of each neuron's own activity, such as of its spikes, which rule texts read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from neurorules.language.errors import UserError, unknown
from neurorules.language.expressions import (
    PAST,
    Binary,
    Call,
    Expression,
    Name,
    calls_in,
    is_readable,
    names_in,
    parse,
)
from neurorules.language.ranges import Fraction, check_ranges

SPIKES, MEMBRANE = "S", "v"
ACTIVITY = frozenset({SPIKES, MEMBRANE})
"""The variables that the text of a trace may read, beside other traces: spikes and the membrane before the reset."""
Side = Literal["pre", "post"]


@dataclass(frozen=True)
class Trace:
    """u[t] = decay u[t-1] + text[t] for every neuron, starting from 0 in each trial unless it lasts `across_trials`.

    The rule's texts read a trace named `u` as `u_post`. They can also read it as `u_pre` if it depends only on spikes,
    because connections transmit spikes and no membranes. `before(u_post)` leaves out the contribution of this step, and
    `delay(u_post, 3)` is the trace three steps ago.

    Args:
        name: a lower-case word, such as "u" or "low".
        decay: the decay per step, in [0, 1].
        text: an expression of the neuron's own variables without a suffix: `S`, `v`, `psi(v)`, constants, and traces
            that the rule declares before this one.
        spikes: "summed" for the recursion above; "nearest" for u[t] = text[t] at each of the neuron's own spikes and
            decay u[t-1] at every other step, so that only the last spike counts.
        across_trials: whether the trace continues from trial to trial. Its last value, averaged over the rows of the
            trial, is then the first value of the next trial, and is stored with the weights. Only the postsynaptic end
            can read such a trace. `delay()` of it is 0 before the first step of a trial, as for all variables.

    Raises:
        UserError: the name cannot be used in texts, the decay is out of range, or the text calls `through_norm()`.
    """

    name: str
    decay: Fraction
    text: str = SPIKES
    spikes: Literal["summed", "nearest"] = "summed"
    across_trials: bool = False

    def __post_init__(self) -> None:
        if not is_readable(self.name, (MEMBRANE, "m", "p", "y")):
            raise UserError(
                f"trace '{self.name}' has no name that a text can read. Use lower-case letters, without _pre or _post "
                f"at the end, and no name with another meaning"
            )
        if self.spikes not in ("summed", "nearest"):
            raise unknown(f"way to gather spikes in trace '{self.name}':", self.spikes, ("summed", "nearest"))
        check_ranges(f"trace '{self.name}'", Trace, vars(self))
        for call in calls_in(self.expression):
            if call.function == "through_norm":
                raise UserError(
                    f"trace '{self.name}': its text '{self.text}' calls through_norm(), which carries a factor back "
                    f"from a change of weights. Call it in the text that reads the trace"
                )

    @cached_property
    def expression(self) -> Expression:
        """The parsed text, whose names have no suffix."""
        return parse(self.text)

    def show(self) -> str:
        """The recursion as an equation, for display."""
        brought = f"{self.text}[t]" if isinstance(self.expression, Name) else self.text
        lasting = ", across trials" if self.across_trials else ""
        if self.spikes == "nearest":
            return f"{self.name}[t] = {brought} at a spike, else {self.decay:g} {self.name}[t-1]{lasting}"
        return f"{self.name}[t] = {self.decay:g} {self.name}[t-1] + {brought}{lasting}"


def at(expression: Expression, side: Side, constants: Mapping[str, float]) -> Expression:
    """The text of a trace as seen from one end of a synapse: each variable gets the suffix of that side.

    Args:
        expression: the expression of a trace, whose names have no suffix.
        side: the side of the synapse.
        constants: the constants of the rule, which get no suffix.

    Returns:
        The expression with suffixes, as in the texts of weights.
    """
    match expression:
        case Name(text) if text not in constants:
            return Name(f"{text}_{side}")
        case Binary(operator, left, right):
            return Binary(operator, at(left, side, constants), at(right, side, constants))
        case Call(function, arguments):
            return Call(function, tuple(at(argument, side, constants) for argument in arguments))
    return expression


def check_traces(owner: str, traces: Iterable[Trace], constants: Mapping[str, float], taken: Iterable[str]) -> None:
    """Refuse traces of a rule that share a name, or whose texts read unknown variables.

    Args:
        owner: how the message names the rule.
        traces: the traces of the rule, in the order of their declaration.
        constants: the constants of the rule.
        taken: names that have another meaning.

    Raises:
        UserError: a name would have two meanings, or a text reads an unknown name or a trace that is declared later.
    """
    used, before = {*taken, *constants}, set[str]()
    for trace in traces:
        if trace.name in used | before:
            raise UserError(f"{owner} declares the trace '{trace.name}', but that name is taken. Choose another one")
        for name in names_in(trace.expression):
            legal = sorted({*ACTIVITY, *constants, *before})
            if name not in legal:
                raise UserError(
                    f"{owner}, trace '{trace.name}': its text reads `{name}`, which is not a variable of its neuron. "
                    f"It may read {', '.join(legal)}"
                )
        for call in calls_in(trace.expression):
            check_past(f"{owner}, trace '{trace.name}'", trace.text, call, before, ACTIVITY)
        before.add(trace.name)


def check_past(
    owner: str, text: str, call: Call, traces: Iterable[str], activity: Iterable[str], delayed: Collection[Call] = ()
) -> None:
    """Refuse a call of `before` or `delay` whose argument has no stored past.

    Args:
        owner: how the message names the text.
        text: the text that contains the call.
        call: one of its calls; calls of other functions are accepted.
        traces: names of traces that the call may read, with suffixes.
        activity: names that `delay` may read beside them, such as "S_pre".
        delayed: further legal calls of `delay`, such as `delay(e, 1)` of an eligibility.

    Raises:
        UserError: `before` is called with something other than a trace, or `delay` with a variable that cannot be
            delayed.
    """
    if call.function not in PAST:
        return
    legal = sorted(traces) + (sorted(activity) if call.function == "delay" else [])
    match call.arguments[0]:
        case Name(name) if name in legal or (call.function == "delay" and call in delayed):
            return
        case Name(name) if any(call.arguments[:1] == other.arguments[:1] for other in delayed):
            raise UserError(f"{owner}: text '{text}': an eligibility is read as it is, or as it was one step before. "
                            f"Write {name} or delay({name}, 1)")  # fmt: skip
        case Name(name):
            asks = "a trace" if call.function == "before" else "spikes, a membrane or a trace"
            choice = f"It may be {', '.join(legal)}" if legal else "This rule declares none: traces=(Trace('u', 0.9),)"
            raise UserError(f"{owner}: text '{text}': {call.function}() takes {asks}, found {name}. {choice}")


def made_of_spikes(name: str, traces: Mapping[str, Trace]) -> bool:
    """Whether a trace depends only on spikes of the current trial, so that it can be computed at the presynaptic end.

    Args:
        name: the name of the trace.
        traces: the traces of the rule, by name.

    Returns:
        True if neither its text nor the texts of the traces that it reads contain the membrane or its
        pseudo-derivative, and none of these traces lasts across trials.
    """
    expression = traces[name].expression
    if (
        traces[name].across_trials
        or MEMBRANE in names_in(expression)
        or any(call.function == "psi" for call in calls_in(expression))
    ):
        return False
    return all(made_of_spikes(other, traces) for other in names_in(expression) if other in traces)
