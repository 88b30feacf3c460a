"""Declared traces: what each neuron of a rule remembers of its own past, such as a low-pass of its spikes."""

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
"""What the text of a trace reads of its neuron beside other traces: spikes and the membrane before the reset."""
Side = Literal["pre", "post"]


@dataclass(frozen=True)
class Trace:
    """u[t] = decay u[t-1] + text[t] of every neuron, from 0 when a trial begins, or from what earlier trials left.

    Texts of the rule read a trace named `u` as `u_post`, and as `u_pre` where spikes are all that it is made of, since
    connections carry spikes and no membranes. `before(u_post)` leaves out what this step has brought, and
    `delay(u_post, 3)` is the trace of three steps ago.

    Args:
        name: lower-case, such as "u" or "low".
        decay: per step, in [0, 1].
        text: of the neuron's own variables without a suffix: `S`, `v`, `psi(v)`, constants, and traces that the rule
            declares before this one.
        spikes: summed for the recursion above. nearest for u[t] = text[t] at each of the neuron's own spikes and
            decay u[t-1] at every other step, so that the last spike alone counts.
        across_trials: whether the mean over a trial's rows of its last value is its first value in the next trial, and
            part of what is stored with the weights. Such a trace is read at the postsynaptic end alone, and `delay()`
            of it is 0 before the first step of a trial, as of everything else.

    Raises:
        UserError: a name that is none, a decay out of range, or a text that holds what no trace is made of.
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
                f"at the end, and no name that stands for something else"
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
        """The parsed text, its names without a suffix."""
        return parse(self.text)

    def show(self) -> str:
        """Its recursion, as a person reads it."""
        brought = f"{self.text}[t]" if isinstance(self.expression, Name) else self.text
        lasting = ", across trials" if self.across_trials else ""
        if self.spikes == "nearest":
            return f"{self.name}[t] = {brought} at a spike, else {self.decay:g} {self.name}[t-1]{lasting}"
        return f"{self.name}[t] = {self.decay:g} {self.name}[t-1] + {brought}{lasting}"


def at(expression: Expression, side: Side, constants: Mapping[str, float]) -> Expression:
    """The text of a trace at one end of a synapse: each variable gets the suffix of that side.

    Args:
        expression: of a trace, its names without a suffix.
        side: of the synapse.
        constants: of the rule, which have no side.

    Returns:
        The expression as texts of synapses write it.
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
    """Refuse traces of a rule that share a name, or whose texts read what a neuron does not have.

    Args:
        owner: how the message names the rule.
        traces: of the rule, in the order in which they are declared.
        constants: of the rule.
        taken: names that stand for other things.

    Raises:
        UserError: a name stands for two things, or a text reads an unknown name or a later trace.
    """
    used, before = {*taken, *constants}, set[str]()
    for trace in traces:
        if trace.name in used | before:
            raise UserError(f"{owner} declares the trace '{trace.name}', but that name is taken. Choose another one")
        for name in names_in(trace.expression):
            legal = sorted({*ACTIVITY, *constants, *before})
            if name not in legal:
                raise UserError(
                    f"{owner}, trace '{trace.name}': its text reads `{name}`, which is no variable of its neuron. "
                    f"It may read {', '.join(legal)}"
                )
        for call in calls_in(trace.expression):
            check_past(f"{owner}, trace '{trace.name}'", trace.text, call, before, ACTIVITY)
        before.add(trace.name)


def check_past(
    owner: str, text: str, call: Call, traces: Iterable[str], activity: Iterable[str], delayed: Collection[Call] = ()
) -> None:
    """Refuse a call of `before` or `delay` that asks for what is not remembered.

    Args:
        owner: how the message names the text.
        text: that makes the call.
        call: one of its calls; those of other functions pass.
        traces: names of traces that it may read, suffixes included.
        activity: names that `delay` may read beside them, such as "S_pre".
        delayed: calls of `delay` that are legal beside those, such as `delay(e, 1)` of an eligibility.

    Raises:
        UserError: the argument is no trace, or nothing that is delayed.
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
    """Whether a trace is made of spikes of one trial alone, so that a connection brings all that it needs.

    Args:
        name: of the trace.
        traces: of the rule, by name.

    Returns:
        Whether neither its text nor those of the traces that it reads hold the membrane or its pseudo-derivative, and
        none of them lives across trials.
    """
    expression = traces[name].expression
    if (
        traces[name].across_trials
        or MEMBRANE in names_in(expression)
        or any(call.function == "psi" for call in calls_in(expression))
    ):
        return False
    return all(made_of_spikes(other, traces) for other in names_in(expression) if other in traces)
