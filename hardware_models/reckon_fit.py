"""The check of a rule's text against ReckOn's e-prop, in which every product has three factors: which term does not
fit.

In each step the chip multiplies a neuron's third factor, its pseudo-derivative (a table of the membrane) and a low-pass
of the presynaptic spikes, of which every neuron has one; a comparison of the membrane is a table as well. It keeps
nothing in a synapse beside the weight, and knows no normalisation. Source: ReckOn's documents and RTL, which were read
and not run: registers of traces for each neuron, and four thresholds of the membrane.
"""

from __future__ import annotations

from collections.abc import Iterator

from hardware_models.engine import misfits_of
from neurorules.contracts.device_hooks import Misfit
from neurorules.language.equations import Product
from neurorules.language.expressions import Binary, Call, Expression, Name, Number, parse, show
from neurorules.language.neuron_trace import SPIKES
from neurorules.language.rules import Rule

COMPARISONS = ("<", "<=", ">", ">=")
NEAREST = "-m_post * psi(v_post) * x1_pre"
"""The text that the chip computes; x1 stands for its trace of spikes."""


def misfits(rule: Rule) -> tuple[Misfit, ...]:
    """Name the terms of a rule that do not fit, one by one. Biases and the read-out, which learn beside the chip, are
    left out.

    Args:
        rule: the rule, before any device has changed it.

    Returns:
        A line for each term of its hidden weights' texts that does not fit; the nearest text is e-prop's, as the chip
        computes it.
    """
    return misfits_of(rule, _problems, NEAREST)


def _problems(rule: Rule, product: Product) -> list[tuple[str, str]]:
    """Say which parts of one product the chip cannot compute."""
    problems = [one for factor in (*product.pre, *product.post, *product.weight) for one in _of(rule, factor)]
    pre = [factor for factor in product.pre if not isinstance(factor, Number)]
    if not problems and len(pre) != 1:
        problems.append((product.show(), "a product reads one presynaptic trace, no more and no less"))
    return problems


def _of(rule: Rule, factor: Expression) -> Iterator[tuple[str, str]]:
    """Say which part of one factor the chip has no circuit for."""
    match factor:
        case Number() | Name("m_post" | "S_pre"):
            return
        case Name(text) if text in rule.constants or _is_register(rule, text):
            return
        case Call("psi", (Name("v_post"),)):
            return
        case Binary(operator, left, right) if operator in COMPARISONS:
            if not all(side == Name("v_post") or _fixed(rule, side) for side in (left, right)):
                yield show(factor), "the chip compares the membrane alone with thresholds"
        case Call("through_norm", (argument,)):
            yield show(factor), "the chip has no normalisation to go back through"
            yield from _of(rule, argument)
        case Binary("+" | "-" | "*", left, right):
            yield from _of(rule, left)
            yield from _of(rule, right)
        case Name("mean_pre"):
            yield "mean_pre", "the chip keeps no running mean of its inputs"
        case Name(text) if text == "dv_dw" or any(one.name == text for one in rule.eligibilities):
            yield text, "the chip keeps no such eligibility of a synapse"
        case _:
            yield show(factor), "the chip multiplies a third factor, a table of the membrane and a trace of spikes"


def _fixed(rule: Rule, side: Expression) -> bool:
    return isinstance(side, Number) or (isinstance(side, Name) and side.text in rule.constants)


def _is_register(rule: Rule, name: str) -> bool:
    """Whether a name is a summed low-pass of the presynaptic spikes, which each neuron of the chip keeps."""
    trace = rule.declared_traces.get(name.removesuffix("_pre"))
    if trace is not None and name.endswith("_pre"):
        return trace.expression == Name(SPIKES) and trace.spikes == "summed"
    eligibility = next((one for one in rule.eligibilities if one.name == name), None)
    return (
        eligibility is not None and not isinstance(eligibility.decay, str) and parse(eligibility.text) == Name("S_pre")
    )
