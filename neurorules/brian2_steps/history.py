"""The past that each population stores for the texts of a rule: declared traces, and values some steps ago."""

from __future__ import annotations

from neurorules.brian2_steps.case import Case
from neurorules.brian2_steps.model_text import Code
from neurorules.language.expressions import PAST, Call, Name, Number, calls_in
from neurorules.language.neuron_trace import MEMBRANE, SPIKES, Trace, made_of_spikes

DELAYED = "_delay"
"""The text between variable and number of steps in the name of a delayed variable, as in S_delay3."""
BEFORE = "_before"
"""The end of the variable of a trace before the increment of the step, for traces that each spike sets to a new
value."""
TRACED = "trace_"
"""The beginning of the variable of a declared trace, whose own name, such as u, may be another variable of the
model."""


def variable_of(name: str) -> str:
    """The variable of the model that holds a variable of texts.

    Args:
        name: without a suffix: S, v, or the name of a declared trace.

    Returns:
        Its name in the equations. The trace x of the spikes keeps its name.
    """
    return name if name in (SPIKES, MEMBRANE, "x") else f"{TRACED}{name}"


def declared_traces(case: Case, layer: bool) -> list[Trace]:
    """The traces that a population stores, in the order in which they are declared.

    Args:
        case: the network with its rule.
        layer: whether the population is a layer, which has membranes; an input or a pool only has spikes.

    Returns:
        The rule's traces; for an input or a pool, those that are made of spikes.
    """
    declared = {} if case.learning is None else case.learning.rule.declared_traces
    return [trace for name, trace in declared.items() if layer or made_of_spikes(name, declared)]


def delays(case: Case, layer: bool) -> dict[str, int]:
    """The longest delay that the phase's texts read of each variable, in steps.

    Recurrent spikes arrive one step late, so that a network with recurrent connections stores one step more.

    Args:
        case: the network with its rule.
        layer: whether the population is a layer; others store what both ends of a synapse may read.

    Returns:
        Steps by name of the variable, without a suffix.
    """
    longest: dict[str, int] = {}
    if case.learning is None:
        return longest
    late = any(afferent.connection.recurrent for layer in case.network.layers for afferent in layer.inputs)
    rule, stored = case.learning.rule, {trace.name for trace in declared_traces(case, layer)}
    texts = [rule.equation(plasticity) for plasticity in rule.plasticity if plasticity.phase == case.learning.phase]
    calls = [call for equation in texts for call in equation.past]
    calls += [call for trace in declared_traces(case, layer) for call in calls_in(trace.expression)]
    for call in calls:
        match call:
            case Call("delay", (Name(name), Number(ago))):
                stem = name.removesuffix("_pre").removesuffix("_post")
                if stem in (SPIKES, *stored) or (layer and stem == MEMBRANE):  # eligibilities belong to synapses
                    longest[stem] = max(longest.get(stem, 0), int(ago) + late)
    return longest


def registers(case: Case, layer: bool) -> tuple[tuple[str, ...], tuple[Code, ...]]:
    """The variables that store values of earlier steps, and the statements that shift them by one step.

    The shift runs at the start of a step, while variables still have their values of the step before. Each statement
    multiplies by 1.0, which makes a copy: in Brian2's numpy target a bare assignment lets two names share one array.

    Args:
        case: the network with its rule.
        layer: whether the population is a layer.

    Returns:
        The variables, and the statements.
    """
    variables: list[str] = []
    lines: list[str] = []
    for name, longest in delays(case, layer).items():
        own = [variable_of(name), *(f"{variable_of(name)}{DELAYED}{ago + 1}" for ago in range(longest))]
        variables += own[1:]
        lines += [f"{own[ago]} = 1.0*{own[ago - 1]}" for ago in range(longest, 0, -1)]
    return tuple(variables), (Code(tuple(lines), "start"),) if lines else ()


def asks_before(case: Case, name: str) -> bool:
    """Whether a text of the rule reads a trace before the increment of the step.

    Args:
        case: the network with its rule.
        name: the name of the trace.

    Returns:
        Whether `before` of it is called.
    """
    if case.learning is None:
        return False
    rule = case.learning.rule
    calls = [call for plasticity in rule.plasticity for call in rule.equation(plasticity).past]
    calls += [call for trace in rule.traces for call in calls_in(trace.expression) if call.function in PAST]
    names = {name, f"{name}_pre", f"{name}_post"}
    return any(call.function == "before" and call.arguments[0] in {Name(n) for n in names} for call in calls)
