"""The equation of a rule text, and its normal form: a sum of products (pre factor x post factor x weight factor).

The suffix of a name says where the variable lives: `S_pre` at the presynaptic neuron, `v_post` at the postsynaptic one.
A name without suffix is the synapse's own parameter or a declared constant. `dv_dw`, the eligibility of the membrane,
and declared eligibilities take the place of a presynaptic factor. The arguments of non-linear functions, comparisons
and divisions must belong to one side, so that every text is a sum of products; on tensors, each product is then one
matrix product over time x batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from neurorules.language.errors import UserError
from neurorules.language.expressions import (
    PAST,
    Binary,
    Call,
    Expression,
    Name,
    Number,
    calls_in,
    names_in,
    parse,
    show,
)
from neurorules.language.neuron_trace import check_past
from neurorules.language.numbers import check_number
from neurorules.language.unseen import hint_for
from neurorules.language.vocabulary import ELIGIBILITY, WEIGHT, Side, Vocabulary

DELAYED = frozenset({"S_pre", "S_post", "v_post"})
"""The variables that `delay` may read, beside traces."""
LARGEST_POWER = 8
"""The highest integer power of a mixed expression that is expanded; a higher one would give too many products."""


@dataclass(frozen=True)
class Product:
    """One product of the normal form: coefficient x pre x post x weight; a missing factor counts as 1."""

    coefficient: float = 1.0
    pre: tuple[Expression, ...] = ()
    post: tuple[Expression, ...] = ()
    weight: tuple[Expression, ...] = ()
    constant: tuple[Expression, ...] = ()

    def times(self, other: Product) -> Product:
        """Multiply this product by another one."""
        return Product(
            self.coefficient * other.coefficient,
            self.pre + other.pre,
            self.post + other.post,
            self.weight + other.weight,
            self.constant + other.constant,
        )

    def factors(self) -> tuple[Expression, ...]:
        """All factors of the product except its coefficient."""
        return self.constant + self.weight + self.post + self.pre

    def show(self) -> str:
        """The product as a rule text."""
        body = " * ".join(show(factor) for factor in self.factors())
        if not body:
            return f"{self.coefficient:g}"
        return {1.0: body, -1.0: f"-{body}"}.get(self.coefficient, f"{self.coefficient:g} * {body}")


@dataclass(frozen=True)
class Equation:
    """A rule's equation, parsed and checked against its vocabulary.

    Args:
        text: what the user wrote, such as "-m_post * psi(v_post) * S_pre".
        vocabulary: the names that the text may use.
        owner: how errors name the rule.

    Raises:
        UserError: when the equation is used: a name that no synapse can see (the message offers the nearest legal
            name), or a factor that mixes sides.
    """

    text: str
    vocabulary: Vocabulary
    owner: str = "rule"

    @cached_property
    def expression(self) -> Expression:
        """The parsed text, with every name checked."""
        expression = parse(self.text)
        legal = self.vocabulary.legal()
        for name in names_in(expression):
            if name not in legal:
                declared = {*self.vocabulary.constants, *self.vocabulary.eligibilities}
                hint = hint_for(name, legal, self.vocabulary.synapse, declared)
                where = f"in the text '{self.text}'"
                raise UserError(f"{self.owner} reads `{name}`, which no synapse can see, {where}. {hint}")
            if name in self.vocabulary.eligibilities and self.vocabulary.synapse != WEIGHT:
                raise UserError(
                    f"{self.owner}: the text '{self.text}' of `{self.vocabulary.synapse}` reads `{name}`, which belongs"
                    f" to a synapse. Let the text of `{WEIGHT}` read it"
                )
        for call in calls_in(expression):
            before = [one_step_before(name) for name in self.vocabulary.eligibilities]
            check_past(self.owner, self.text, call, self.vocabulary.remembered(), DELAYED & legal, before)
        return expression

    @cached_property
    def products(self) -> tuple[Product, ...]:
        """The normal form, without products of coefficient 0. Expressions of numbers alone are checked to be finite."""
        products = _expand(self.expression, self)
        for number in (n for p in products for n in (Number(p.coefficient), *p.constant)):
            check_number(self.owner, self.text, number, self.vocabulary.constants)
        return tuple(p for p in products if p.coefficient != 0.0)

    @cached_property
    def reads(self) -> frozenset[str]:
        """The names that the text reads, including those in the texts of its eligibilities; constants are left out."""
        own = frozenset(names_in(self.expression)) - set(self.vocabulary.constants)
        return own.union(*(text.reads for text in self._texts_of_eligibilities()))

    @cached_property
    def past(self) -> frozenset[Call]:
        """The calls of `before` and `delay`, which read the past, in the text and in the texts of its eligibilities."""
        own = frozenset(call for call in calls_in(self.expression) if call.function in PAST)
        return own.union(*(text.past for text in self._texts_of_eligibilities()))

    def _texts_of_eligibilities(self) -> Iterator[Equation]:
        """The texts and the decays of the eligibilities that this text reads."""
        for name in set(names_in(self.expression)) & set(self.vocabulary.eligibilities):
            yield self.eligibility(name)
            decay = self.decay(name)
            if decay is not None:
                yield decay

    def eligibility(self, name: str) -> Equation:
        """The text of a declared eligibility, which may read those that are declared before it.

        Raises:
            UserError: it reads a variable that is not an activity of the two neurons.
        """
        declared = self.vocabulary.eligibilities[name]
        owner = f"{self.owner}, eligibility '{name}'"
        names = list(self.vocabulary.eligibilities)
        earlier = {other: self.vocabulary.eligibilities[other] for other in names[: names.index(name)]}
        equation = Equation(declared.text, replace(self.vocabulary, eligibilities=earlier), owner)
        called = {f"{call.function}()" for call in calls_in(equation.expression) if call.function == "through_norm"}
        for other in sorted(called | (set(names_in(equation.expression)) & {ELIGIBILITY, self.vocabulary.synapse})):
            raise UserError(
                f"{owner}: its text '{declared.text}' reads {other}, and may hold presynaptic and postsynaptic factors "
                f"alone. Move {other} to the text that reads '{name}'"
            )
        return equation

    def decay(self, name: str) -> Equation | None:
        """The text by which a declared eligibility decays; None for a number.

        Raises:
            UserError: it reads a variable that is not an activity of the postsynaptic neuron.
        """
        text = self.vocabulary.eligibilities[name].decay
        if not isinstance(text, str):
            return None
        owner = f"{self.owner}, decay of eligibility '{name}'"
        equation = Equation(text, replace(self.vocabulary, eligibilities={}), owner)
        called = {f"{call.function}()" for call in calls_in(equation.expression) if call.function == "through_norm"}
        wrong = {n for n in names_in(equation.expression) if self.vocabulary.side(n) in (Side.PRE, Side.WEIGHT)}
        for other in sorted(called | wrong):
            raise UserError(
                f"{owner}: its text '{text}' reads {other}, and may hold postsynaptic factors and constants alone. "
                f"Write a number, or a text such as 0.9 - psi(v_post)"
            )
        return equation

    def is_trace(self, name: str) -> bool:
        """Whether a declared eligibility, step by step, is a trace of its presynaptic neuron: it decays by a number,
        reads nothing of the postsynaptic neuron and no other eligibility, and no other one reads it.
        """
        own, names = self.eligibility(name), set(self.vocabulary.eligibilities)
        others = (self.eligibility(other).expression for other in names - {name})
        if any(product.post for product in own.products) or self.decay(name) is not None:
            return False
        return not names & set(names_in(own.expression)) and all(name not in names_in(other) for other in others)

    def eligible(self, product: Product) -> Expression | None:
        """The eligibility in a product: `dv_dw`, the name of a declared eligibility, or `delay(name, 1)`; None for a
        product without one.

        Raises:
            UserError: the eligibility is inside a function, in a power, or next to another presynaptic factor.
        """
        names = {ELIGIBILITY, *self.vocabulary.eligibilities}
        for name in (n for factor in product.pre for n in names_in(factor) if n in names):
            if product.pre not in ((Name(name),), (one_step_before(name),)):
                raise UserError(
                    f"{self.owner}: `{product.show()}` uses {name} beside or inside something presynaptic. "
                    f"{name} is itself the presynaptic factor: let it stand alone in its product"
                )
            return product.pre[0]
        return None

    @property
    def drifts(self) -> bool:
        """Whether some product can be non-zero in a silent network, because it has no spike, trace or third factor."""
        active = {"S_pre", "S_post", "m_post", ELIGIBILITY} | self.vocabulary.remembered()
        active |= {name for name in self.vocabulary.eligibilities if not self.eligibility(name).drifts}
        return any(not active & {n for f in p.factors() for n in names_in(f)} for p in self.products)


def one_step_before(eligibility: str) -> Call:
    """A declared eligibility at the previous step, which texts write as `delay(e, 1)`."""
    return Call("delay", (Name(eligibility), Number(1.0)))


def _sides(expression: Expression, equation: Equation) -> set[Side]:
    sides = {equation.vocabulary.side(name) for name in names_in(expression)}
    return {side for side in sides if side is not None}


def _expand(expression: Expression, equation: Equation) -> list[Product]:
    sides = _sides(expression, equation)
    if isinstance(expression, Number):
        return [Product(expression.value)]
    if isinstance(expression, Binary) and expression.operator in "*/":
        return _expand_product(expression, equation)
    eligible = {ELIGIBILITY, *equation.vocabulary.eligibilities} & set(names_in(expression))
    if len(sides) <= 1 and not (eligible and isinstance(expression, Binary) and expression.operator in "+-"):
        return [_atom(expression, sides)]
    if isinstance(expression, Call) or not isinstance(expression, Binary):
        raise _mixed(expression, equation)
    match expression.operator:
        case "+":
            return _expand(expression.left, equation) + _expand(expression.right, equation)
        case "-":
            minus = [replace(p, coefficient=-p.coefficient) for p in _expand(expression.right, equation)]
            return _expand(expression.left, equation) + minus
        case "**":
            return _expand_power(expression, equation)
    raise _mixed(expression, equation)


def _expand_product(expression: Binary, equation: Equation) -> list[Product]:
    left = _expand(expression.left, equation)
    if expression.operator == "*":
        right = _expand(expression.right, equation)
        return [a.times(b) for a in left for b in right]
    sides = _sides(expression.right, equation)
    if len(sides) > 1:
        raise _mixed(expression.right, equation)
    inverse = Binary("/", Number(1.0), expression.right)
    return [a.times(_atom(inverse, sides)) for a in left]


def _expand_power(expression: Binary, equation: Equation) -> list[Product]:
    power = expression.right
    if not isinstance(power, Number) or power.value not in range(1, LARGEST_POWER + 1):
        raise _mixed(expression, equation)
    base = _expand(expression.left, equation)
    result = base
    for _ in range(int(power.value) - 1):
        result = [a.times(b) for a in result for b in base]
    return result


def _atom(expression: Expression, sides: set[Side]) -> Product:
    if not sides:
        return Product(constant=(expression,))
    match next(iter(sides)):
        case Side.PRE:
            return Product(pre=(expression,))
        case Side.POST:
            return Product(post=(expression,))
        case Side.WEIGHT:
            return Product(weight=(expression,))


def _mixed(expression: Expression, equation: Equation) -> UserError:
    where = " and ".join(sorted(side.value for side in _sides(expression, equation)))
    return UserError(
        f"{equation.owner}: the term `{show(expression)}` mixes {where}. Functions, comparisons, divisors and "
        f"powers take one side only: split it into a sum of products"
    )
