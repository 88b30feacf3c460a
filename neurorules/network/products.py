"""Rule texts as tensor products: the products of the normal form, grouped into as few matrix products as possible."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import torch
from torch import Tensor

from neurorules.language.equations import Equation
from neurorules.language.expressions import Binary, Call, Expression, Name, Number, evaluate, names_in, show
from neurorules.language.rules import Statistics
from neurorules.language.vocabulary import ELIGIBILITY
from neurorules.network.post_forms import Cascade, PostForm, TracedForm, recognise


@dataclass(frozen=True)
class Group:
    """One matrix product over time x batch of a presynaptic and a postsynaptic factor, times a factor of the weight.

    Args:
        pre: presynaptic factor; None for 1 or for an eligibility.
        post: postsynaptic factor, including coefficient and constants.
        weight: factor of the weight; None for 1.
        eligible: whether the presynaptic factor is `dv_dw`.
        form: the form of the post factor that fused scans compute; None for other post factors.
        eligibility: the declared eligibility that is the presynaptic factor; None for none.
        cascade: the low-pass filters of that eligibility, if one reverse scan carries factors through all of them;
            otherwise None.
        traced: the form of a post factor that a trace of the neuron multiplies, which the same scans can sum over time;
            otherwise None.
        late: whether the eligibility is that of the previous step.
        statistics: how post factors are carried back through the normalisation (`Plasticity.statistics`).
    """

    pre: Expression | None
    post: Expression
    weight: Expression | None
    eligible: bool
    form: PostForm | None = None
    eligibility: DeclaredEligibility | None = None
    cascade: Cascade | None = None
    traced: TracedForm | None = None
    late: bool = False
    statistics: Statistics = "moving"


@dataclass(frozen=True)
class DeclaredEligibility:
    """A declared eligibility: e[t] = decay[t] e[t-1] + the sum of its groups' products at t.

    Args:
        name: the name in texts.
        decay: decay per step, in [0, 1]; or an expression of the postsynaptic neuron.
        groups: the products of its text, which may contain eligibilities that are declared earlier.
    """

    name: str
    decay: float | Expression
    groups: tuple[Group, ...]

    @property
    def rate(self) -> float:
        """The decay per step, for eligibilities whose decay is a number.

        Raises:
            LookupError: the decay is an expression.
        """
        if not isinstance(self.decay, float):
            raise LookupError(f"the decay of the eligibility '{self.name}' is an expression and no number")
        return self.decay

    @property
    def plain(self) -> bool:
        """Whether the decay is a number and the text contains no other eligibility."""
        return isinstance(self.decay, float) and all(group.eligibility is None for group in self.groups)


def group_products(equation: Equation, statistics: Statistics = "moving") -> tuple[Group, ...]:
    """Group the products of a text that share a factor, so that one matrix product computes several of them.

    Args:
        equation: the text, as a sum of products.
        statistics: how post factors are carried back through the normalisation (`Plasticity.statistics`).

    Returns:
        The groups, in the order of their first products.

    Raises:
        UserError: an eligibility is inside a function, in a power, or next to another presynaptic factor.
    """
    merged: dict[tuple[Expression | None, Expression | None, Expression | None], Expression] = {}
    for product in equation.products:
        eligible = equation.eligible(product)
        pre = None if eligible else _multiply(product.pre)
        key = (pre, _multiply(product.weight), eligible)
        post = _product((Number(product.coefficient), *product.constant, *product.post))
        merged[key] = Binary("+", merged[key], post) if key in merged else post
    constants = equation.vocabulary.constants
    return tuple(
        Group(
            pre,
            post,
            weight,
            eligible == Name(ELIGIBILITY),
            recognise(post, constants),
            _declared_eligibility(equation, eligible),
            late=isinstance(eligible, Call),
            statistics=statistics,
        )
        for (pre, weight, eligible), post in merged.items()
    )


def _declared_eligibility(equation: Equation, eligible: Expression | None) -> DeclaredEligibility | None:
    if eligible is None or eligible == Name(ELIGIBILITY):
        return None
    name = next(names_in(eligible))
    decay, text = equation.vocabulary.eligibilities[name].decay, equation.decay(name)
    varies = text.expression if text is not None else None
    return DeclaredEligibility(name, varies or float(decay), group_products(equation.eligibility(name)))


def eligibilities_of(group: Group) -> Iterator[DeclaredEligibility]:
    """Every declared eligibility that a group reads, directly or through other eligibilities.

    Args:
        group: the group of a text.

    Yields:
        The eligibilities, including repetitions.
    """
    if group.eligibility is not None:
        yield group.eligibility
        for earlier in group.eligibility.groups:
            yield from eligibilities_of(earlier)


def _multiply(factors: tuple[Expression, ...]) -> Expression | None:
    return _product(factors) if factors else None


def _product(factors: tuple[Expression, ...]) -> Expression:
    return reduce(lambda a, b: b if a == Number(1.0) else Binary("*", a, b), factors)


def norm_calls(expression: Expression | None) -> list[str]:
    """The arguments of `through_norm` in an expression, as texts; each of them has its own running statistics."""
    match expression:
        case Call("through_norm", (argument,)):
            return [show(argument), *norm_calls(argument)]
        case Call(_, arguments):
            return [name for argument in arguments for name in norm_calls(argument)]
        case Binary(_, left, right):
            return norm_calls(left) + norm_calls(right)
    return []


def value_of(
    expression: Expression,
    names: Mapping[str, Any],
    psi: Callable[[Tensor], Tensor],
    through_norm: Callable[[Tensor], Tensor],
) -> Any:
    """Evaluate an expression on tensors.

    Args:
        expression: the expression of a text.
        names: the value of each name in the expression, a tensor or a number; shapes broadcast.
        psi: the neuron's pseudo-derivative, as a function of the membrane.
        through_norm: carries a post factor back through the normalisation.

    Returns:
        A tensor, or a number if the expression reads no tensor.
    """
    return evaluate(expression, names, {**TENSOR_FUNCTIONS, "psi": psi, "through_norm": through_norm})


def _compare(operator: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def compare(a: Any, b: Any) -> Any:
        like = a if isinstance(a, Tensor) else b
        truth = operator(a, b)
        return truth.to(like.dtype) if isinstance(truth, Tensor) else float(truth)

    return compare


def _unary(function: Callable[[Tensor], Tensor]) -> Callable[[Any], Any]:
    def apply(a: Any) -> Any:
        return function(a) if isinstance(a, Tensor) else float(function(torch.tensor(a, dtype=torch.float64)))

    return apply


def _binary(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Any, Any], Any]:
    def apply(a: Any, b: Any) -> Any:
        like = next((x for x in (a, b) if isinstance(x, Tensor)), None)
        if like is None:
            return float(function(torch.tensor(a), torch.tensor(b)))
        return function(*(torch.as_tensor(x, dtype=like.dtype, device=like.device) for x in (a, b)))

    return apply


TENSOR_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "relu": _unary(torch.relu),
    "abs": _unary(torch.abs),
    "exp": _unary(torch.exp),
    "tanh": _unary(torch.tanh),
    "sqrt": _unary(torch.sqrt),
    "sign": _unary(torch.sign),
    "min": _binary(torch.minimum),
    "max": _binary(torch.maximum),
    "clip": lambda a, low, high: _binary(torch.minimum)(_binary(torch.maximum)(a, low), high),
    ">": _compare(lambda a, b: a > b),
    ">=": _compare(lambda a, b: a >= b),
    "<": _compare(lambda a, b: a < b),
    "<=": _compare(lambda a, b: a <= b),
}
"""The functions of rule texts on tensors."""
