"""Recognition of eligibilities through which one reverse scan carries a factor: at most two low-pass filters in a row.

In general `torch_path/update` carries a factor back through an eligibility filter by filter. Those of most rules that
learn online are simple, however: traces of presynaptic spikes, filtered traces of psi times such a trace, or traces
that the derivative of a reset cuts. A trace of the postsynaptic neuron, which a bias reads, can have the same form with
1 in place of the spikes. This module recognises them once, when a rule is compiled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from neurorules.language.expressions import Binary, Call, Expression, Name, Number
from neurorules.language.neuron_trace import Trace
from neurorules.language.vocabulary import Vocabulary
from neurorules.network.post_forms import Cascade, TracedForm, flatten, number, recognise
from neurorules.network.products import DeclaredEligibility, Group

SLOPE, ONE = Call("psi", (Name("v_post"),)), Number(1.0)
OWN_SLOPE = Call("psi", (Name("v"),))
"""psi of the neuron, as the texts of its own traces read it."""


def with_cascades(groups: Iterable[Group], vocabulary: Vocabulary) -> tuple[Group, ...]:
    """Recognise the low-pass filters in the groups of a text.

    Args:
        groups: the groups.
        vocabulary: the names that the text may use.

    Returns:
        The groups, with `cascade` and `traced`.
    """
    constants, traces = vocabulary.constants, vocabulary.traces
    recognised = []
    for group in groups:
        declared = None if group.late else group.eligibility
        cascade = None if declared is None else cascade_of(declared, constants, traces)
        recognised.append(replace(group, cascade=cascade, traced=traced_form(group.post, constants, traces)))
    return tuple(recognised)


def cascade_of(
    eligibility: DeclaredEligibility, constants: Mapping[str, float], traces: Mapping[str, Trace]
) -> Cascade | None:
    """Recognise the low-pass filters of a declared eligibility.

    Args:
        eligibility: the eligibility.
        constants: the constants of the rule, by name.
        traces: the declared traces of the rule, by name.

    Returns:
        The filters; None if it has another form.
    """
    if len(eligibility.groups) != 1:
        return None
    group, cut = eligibility.groups[0], False
    decay = eligibility.decay
    if isinstance(decay, Expression):
        gate = _cut(decay, constants, traces)
        if gate is None:
            return None
        decay, cut = gate, True
    if group.weight is not None or group.late or group.eligible or group.post not in (SLOPE, ONE):
        return None
    weighed = group.post == SLOPE
    if group.eligibility is None:
        if weighed:
            return None if cut else Cascade(decay, 0.0, weighed)
        return Cascade(0.0, decay, cut=cut)
    inner = None if cut else cascade_of(group.eligibility, constants, traces)
    return None if inner is None else _before(decay, weighed, inner)


def traced_form(
    expression: Expression, constants: Mapping[str, float], traces: Mapping[str, Trace]
) -> TracedForm | None:
    """Recognise a post factor that one trace of the neuron multiplies.

    Args:
        expression: the post factor of a group of products.
        constants: the constants of the rule, by name.
        traces: the declared traces of the rule, by name.

    Returns:
        The forms of the trace and of the other factors; None if the factor has another form.
    """
    factors = list(flatten(expression))
    read = [f for f in factors if isinstance(f, Name) and f.text.removesuffix("_post") in traces]
    if len(read) != 1:
        return None
    rest: Expression = ONE
    for factor in factors:
        rest = rest if factor is read[0] else Binary("*", rest, factor)
    form, cascade = recognise(rest, constants), _of_trace(read[0].text.removesuffix("_post"), traces)
    return None if form is None or form.through or cascade is None else TracedForm(form, cascade)


def _of_trace(name: str, traces: Mapping[str, Trace]) -> Cascade | None:
    """The low-pass filters of a trace that begins with 1."""
    trace = traces[name]
    if trace.spikes != "summed" or trace.across_trials:
        return None
    factors = [factor for factor in flatten(trace.expression) if factor != ONE]
    weighed = OWN_SLOPE in factors
    others = [factor for factor in factors if factor != OWN_SLOPE]
    if len(factors) - len(others) > 1 or len(others) > 1:
        return None
    if not others:
        return Cascade(trace.decay, 0.0, True) if weighed else Cascade(0.0, trace.decay)
    if not isinstance(others[0], Name) or others[0].text not in traces:
        return None
    inner = _of_trace(others[0].text, traces)
    return None if inner is None else _before(trace.decay, weighed, inner)


def _before(decay: float, weighed: bool, inner: Cascade) -> Cascade | None:
    """The cascade of a filter before another one; None if that has two filters already."""
    if inner.first or inner.weighed:
        return None
    return Cascade(decay, inner.last, weighed, inner.cut)


def _cut(decay: Expression, constants: Mapping[str, float], traces: Mapping[str, Trace]) -> float | None:
    """The constant c of a decay c (1 - psi(v)) of the step before, psi being the value of a trace without memory; None
    for another decay.
    """
    factors = list(flatten(decay))
    differences = [factor for factor in factors if isinstance(factor, Binary) and factor.operator == "-"]
    constant = number([factor for factor in factors if factor not in differences], constants)
    if len(differences) != 1 or constant is None or differences[0].left != ONE:
        return None
    match differences[0].right:
        case Call("delay", (Name(text), Number(1.0))):
            trace = traces.get(text.removesuffix("_post"))
            own = trace is not None and (trace.decay, trace.expression, trace.spikes) == (0, OWN_SLOPE, "summed")
            return constant if own else None
    return None
