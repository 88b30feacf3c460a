"""Write the declared traces of a population as statements that move them on by one step."""

from __future__ import annotations

import numpy as np

from neurorules.brian2_steps.case import Case
from neurorules.brian2_steps.expression_texts import Place, Writer
from neurorules.brian2_steps.history import BEFORE, asks_before, declared_traces, variable_of
from neurorules.brian2_steps.model_text import Code
from neurorules.language.expressions import parse
from neurorules.network.layer import Layer


def moved_traces(case: Case, place: Place, layer: bool) -> tuple[list[str], list[Code]]:
    """Write the traces that a population stores.

    They move in the order of their declaration, when the step's spikes and membranes have been computed. A layer also
    stores their values of the step before, for recurrent connections, whose spikes arrive one step late.

    Args:
        case: the network with its rule.
        place: the population's neurons, whose psi the texts of traces may call.
        layer: whether the population is a layer; others have spikes alone.

    Returns:
        The variables, and the statements; both are empty for a rule without traces. Variables of traces that live
        across trials are those of `starts`, and not among these.
    """
    traces = declared_traces(case, layer)
    if case.learning is None or not traces:
        return [], []
    variables: list[str] = []
    lines: list[str] = []
    for trace in traces:
        equation, name = case.learning.rule.trace_equation(trace), variable_of(trace.name)
        brought = Writer(equation, place, "", 0).text(parse(equation.text))
        own = [] if trace.across_trials else [name]
        moves = [f"{name} = {float(trace.decay)!r}*{name} + {brought}"]
        if trace.spikes == "nearest":
            moves = [f"{name} = int(S != 0)*({brought}) + int(S == 0)*{float(trace.decay)!r}*{name}"]
            if asks_before(case, trace.name):
                own.append(f"{name}{BEFORE}")
                moves.insert(0, f"{name}{BEFORE} = {float(trace.decay)!r}*{name}")
        late = [f"{variable}_late = {variable}" for variable in own] if layer else []  # of what synapses read late
        variables += [*own, *(f"{variable}_late" for variable in own if layer)]
        lines += [*late, *moves]
    return variables, [Code(tuple(lines), "traces")]


def starts(case: Case, layer: Layer) -> dict[str, np.ndarray]:
    """The values from which the traces of a layer begin that live across trials.

    Args:
        case: the network with its rule.
        layer: one of its layers.

    Returns:
        Values (N,) by variable; empty for a rule without such traces.
    """
    begins: dict[str, np.ndarray] = {}
    for trace in declared_traces(case, layer=True):
        if case.learning is not None and trace.across_trials:
            value = case.learning.traces.get(f"{layer.name}.{trace.name}", np.zeros(layer.shape))
            begins[variable_of(trace.name)] = np.asarray(value, dtype=np.float64).reshape(-1)
    return begins
