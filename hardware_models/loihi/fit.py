"""The check of a rule's text against the sum of products of Loihi's learning engine: which term does not fit, and what
would.

A product of the engine waits for one spike (S_pre, S_post), or for the clock of the learning epochs. Beside it stand
traces of spikes, two of the presynaptic and three of the postsynaptic neuron; the third factor, which takes the place
of a postsynaptic trace; the weight; and constants. It knows no membrane, no function and no average.

Source: Lava (lava-nc 0.10.0), `lava.magma.core.learning`; Davies et al. 2018, IEEE Micro 38(1).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from neurorules.contracts.device_hooks import Misfit
from neurorules.language.equations import Product
from neurorules.language.expressions import (
    PAST,
    Binary,
    Call,
    Expression,
    Name,
    Number,
    calls_in,
    evaluate,
    names_in,
    parse,
    show,
)
from neurorules.language.neuron_trace import SPIKES, Trace
from neurorules.language.rules import Plasticity, Rule

REGISTERS = {"pre": 2, "post": 3}
"""Traces of each side; the third factor takes one of the postsynaptic ones."""
SPIKE_NAMES = ("S_pre", "S_post")
THIRD_FACTOR = "m_post"
ROUNDING = 1e-12
"""Below which a text is 0 but for rounding."""
OWN = (Trace("x1", 0.9), Trace("y1", 0.9))
"""Traces that stand for what the engine cannot read."""
STANDS_IN = {"pre": Name("x1_pre"), "post": Name("y1_post")}


def misfits(rule: Rule) -> tuple[Misfit, ...]:
    """Name the terms of a rule that do not fit, one by one. Biases and the read-out, which learn beside the chip, are
    left out.

    Args:
        rule: with texts for the weights of hidden layers; those of the read-out where it has none.

    Returns:
        A line for each term that does not fit, with the nearest text that does; empty where all fit.
    """
    texts = [p for p in rule.plasticity if p.parameter == "w" and p.role == "hidden"]
    terms: list[Misfit] = []
    for text in texts or [p for p in rule.plasticity if p.parameter == "w"]:
        problems = dict(_problems(rule, text))
        nearest = nearest_text(rule, text) if problems else text.text
        terms += [Misfit(text.role, text.phase, term, why, nearest) for term, why in problems.items()]
    return tuple(terms)


def _problems(rule: Rule, text: Plasticity) -> Iterator[tuple[str, str]]:
    products = rule.equation(text).products
    for product in products:
        factors = (*product.pre, *product.post, *product.weight)
        for factor in factors:
            yield from _of_factor(rule, factor)
        if len({name for factor in factors for name in names_in(factor) if not _past(factor)} & set(SPIKE_NAMES)) == 2:
            yield product.show(), "a product waits for one spike, and this one waits for two at once"
    for side, many in REGISTERS.items():
        names = _registers(products, rule, side)
        if len(names) > many:
            yield ", ".join(names), f"the chip has {many} registers on this side, and these are {len(names)}"


def _past(factor: Expression) -> bool:
    """Whether a factor is what a neuron was before."""
    return isinstance(factor, Call) and factor.function in PAST


def _registers(products: tuple[Product, ...], rule: Rule, side: str) -> list[str]:
    """The names that take a register of one side, in the order of the text."""
    names = [name for p in products for factor in (*p.pre, *p.post) for name in names_in(factor)]
    traces = {f"{name}_{side}" for name in rule.declared_traces}
    registers = [name for name in names if name in traces or (side == "post" and name == THIRD_FACTOR)]
    return list(dict.fromkeys(registers))


def _of_factor(rule: Rule, factor: Expression) -> Iterator[tuple[str, str]]:
    """Say which part of one factor the engine cannot read."""
    match factor:
        case Number():
            return
        case Name(text):
            why = _why_not(rule, text)
            if why is not None:
                yield text, why
        case Call("through_norm", (argument,)):
            yield show(factor), "the chip has no normalisation to go back through"
            yield from _of_factor(rule, argument)
        case Call(function, _) if function in PAST:
            yield show(factor), "a trace is read as it is when the spike comes, with what that spike brought"
        case Binary("+" | "-" | "*", left, right):
            yield from _of_factor(rule, left)
            yield from _of_factor(rule, right)
        case Binary("**", base, Number(power)) if power == int(power) and power > 0:
            yield from _of_factor(rule, base)
        case Binary("/", left, right) if not set(names_in(right)) - set(rule.constants):
            yield from _of_factor(rule, left)
        case _ if set(names_in(factor)) <= set(rule.constants):
            return
        case _:
            yield show(factor), "the engine multiplies and adds, and knows no other function"


def _why_not(rule: Rule, name: str) -> str | None:
    """Why the engine cannot read a name; None where it can."""
    stem, _, side = name.rpartition("_")
    if name in (*SPIKE_NAMES, THIRD_FACTOR, "w") or name in rule.constants:
        return None
    if side in REGISTERS and stem in rule.declared_traces:
        trace = rule.declared_traces[stem]
        if trace.expression != Name(SPIKES):
            return "a register gathers spikes alone, and this trace is made of something else"
        return "a register adds up spikes, and this trace starts anew at each" if trace.spikes == "nearest" else None
    if name == "v_post":
        return "the engine does not see the membrane"
    if name == "mean_pre":
        return "the chip keeps no running mean of its inputs"
    return "the chip keeps no such eligibility of a synapse" if side not in REGISTERS else "no register holds it"


def nearest_text(rule: Rule, text: Plasticity) -> str | None:
    """The nearest text that fits: low-passes of spikes, x1 and y1, stand for what the engine cannot read.

    Args:
        rule: the rule that the text belongs to.
        text: the text of the weights.

    Returns:
        The text, in which x1 and y1 are traces of S; None where nothing of it is left, or what is left cancels.
    """
    declared = rule.declared_traces
    with_own = replace(rule, traces=(*rule.traces, *(trace for trace in OWN if trace.name not in declared)))
    fitted = replace(text, text=show(_fitted(rule, parse(text.text))))
    products = with_own.equation(fitted).products
    shown = [_one_spike(product) for product in products]
    joined = " + ".join(shown).replace("+ -", "- ")
    for side, many in REGISTERS.items():
        names = _registers(with_own.equation(replace(text, text=joined or "0")).products, with_own, side)
        room = many - (THIRD_FACTOR in names)
        traces = [name for name in names if name != THIRD_FACTOR]
        for more in traces[room:]:
            joined = joined.replace(more, traces[room - 1])
    return None if not joined or _cancels(rule, parse(joined)) else joined


def _cancels(rule: Rule, node: Expression) -> bool:
    """Whether a text is 0 whatever its names are, as where one stand-in takes the place of two different things."""
    numbers = (0.37, 0.81, 1.3, 0.59, 1.9)
    unknown = sorted({name for name in names_in(node) if name not in rule.constants})
    unknown += [show(call) for call in calls_in(node) if call.function in PAST]
    for shift in range(len(numbers)):
        values = {name: numbers[(place + shift) % len(numbers)] for place, name in enumerate(unknown)}
        if abs(evaluate(node, {**rule.constants, **values}, {})) > ROUNDING:
            return False
    return True


def _one_spike(product: Product) -> str:
    """A product that waits for one spike: the postsynaptic one becomes a trace where both stand there."""
    names = {name for factor in product.factors() for name in names_in(factor)}
    shown = product.show()
    return shown.replace("S_post", STANDS_IN["post"].text) if set(SPIKE_NAMES) <= names else shown


def _fitted(rule: Rule, node: Expression) -> Expression:
    """An expression in which what the engine cannot read is replaced or left out."""
    match node:
        case Name(text) if _why_not(rule, text) is not None:
            return Number(0.0) if text == "mean_pre" else STANDS_IN["post" if text.endswith("_post") else "pre"]
        case Call("through_norm", (argument,)):
            return _fitted(rule, argument)
        case Call(function, (Name(text), *_)) if function in PAST and text in SPIKE_NAMES:
            return STANDS_IN[text.rpartition("_")[2]]
        case Call(function, (argument, *_)) if function in PAST:
            return _fitted(rule, argument)
        case Binary("+" | "-" | "*" as operator, left, right):
            return _without_zero(Binary(operator, _fitted(rule, left), _fitted(rule, right)))
        case Binary("**", base, Number(power)) if power == int(power) and power > 0:
            return Binary("**", _fitted(rule, base), Number(power))
        case Binary("**", base, _) if set(names_in(base)) - set(rule.constants):
            return _fitted(rule, base)
        case Binary("/", left, right) if not set(names_in(right)) - set(rule.constants):
            return Binary("/", _fitted(rule, left), right)
        case Call() | Binary() if set(names_in(node)) - set(rule.constants):
            sides = {name.rpartition("_")[2] for name in names_in(node)}
            return STANDS_IN["post" if "post" in sides else "pre"] if sides & set(REGISTERS) else Name("w")
    return node


def _without_zero(node: Binary) -> Expression:
    """A sum or difference without a 0 on its right."""
    return node.left if node.operator in "+-" and node.right == Number(0.0) else node
