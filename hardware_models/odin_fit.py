"""The check of a rule's text against ODIN's plasticity, which moves a weight by one step: which term does not fit.

The chip moves a weight when its presynaptic neuron spikes, up or down by comparisons of the membrane and of the calcium
variable, a low-pass of spikes, with thresholds; a clock moves it by comparing the weight with its middle. It has no
third factor, no multiplier and no trace of the presynaptic neuron. Source: ODIN's RTL, which was read and not run.
"""

from __future__ import annotations

from collections.abc import Iterator

from hardware_models.engine import misfits_of
from neurorules.contracts.device_hooks import Misfit
from neurorules.language.equations import Product
from neurorules.language.expressions import PAST, Binary, Call, Expression, Name, Number, show
from neurorules.language.neuron_trace import SPIKES
from neurorules.language.rules import Rule

COMPARISONS = ("<", "<=", ">", ">=")
NEAREST = "S_pre * ((v_post > theta) - (v_post <= theta))"
"""The nearest text that fits: SDSP without calcium, which moves weights by the sign of the postsynaptic voltage."""


def misfits(rule: Rule) -> tuple[Misfit, ...]:
    """Name the terms of a rule that do not fit, one by one. Biases and the read-out, which learn beside the chip, are
    left out.

    Args:
        rule: the rule, before any device has changed it.

    Returns:
        A line for each term of its hidden weights' texts that does not fit; the nearest text is SDSP's of the membrane,
        with a threshold theta.
    """
    return misfits_of(rule, _problems, NEAREST)


def _problems(rule: Rule, product: Product) -> list[tuple[str, str]]:
    """Say which parts of one product the chip cannot compute."""
    problems = [one for factor in (*product.pre, *product.post, *product.weight) for one in _of(rule, factor)]
    waits = Name("S_pre") in product.pre
    if not waits and (product.pre or product.post):
        problems.append((product.show(), "a weight is moved when its presynaptic neuron spikes"))
    return problems


def _of(rule: Rule, factor: Expression) -> Iterator[tuple[str, str]]:
    """Say which part of one factor the chip has no circuit for."""
    match factor:
        case Number():
            return
        case Name(text) if text == "S_pre" or text in rule.constants:
            return
        case Name("m_post"):
            yield "m_post", "the chip has no third factor"
        case Binary(operator, left, right) if operator in COMPARISONS:
            if not (_compared(rule, left) and _compared(rule, right)):
                yield show(factor), "the chip compares membrane, calcium and weight with thresholds"
        case Call("through_norm", (argument,)):
            yield show(factor), "the chip has no normalisation to go back through"
            yield from _of(rule, argument)
        case Binary("+" | "-" | "*", left, right):
            yield from _of(rule, left)
            yield from _of(rule, right)
        case _:
            yield show(factor), "a step goes up or down by comparisons, and this is none"


def _compared(rule: Rule, side: Expression) -> bool:
    """Whether one side of a comparison is a threshold, or something that the chip compares with one."""
    match side:
        case Number():
            return True
        case Call(function, (argument, *_)) if function in PAST:
            return _compared(rule, argument)
        case Name(text):
            trace = rule.declared_traces.get(text.removesuffix("_post"))
            is_register = trace is not None and text.endswith("_post") and trace.expression == Name(SPIKES)
            return text in ("v_post", "w") or text in rule.constants or is_register
    return False
