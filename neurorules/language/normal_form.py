"""The normal form of a rule text: a sum of products, each of factors that belong to one side of the synapse."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from neurorules.language.errors import UserError
from neurorules.language.expressions import Binary, Call, Expression, Number, names_in, show
from neurorules.language.vocabulary import ELIGIBILITY, Side, Vocabulary

LARGEST_POWER = 8
"""The highest integer power of a mixed expression that is expanded; a higher one would give too many products."""
MOST_PRODUCTS = 500
"""The largest number of products that brackets may become; each of them is computed at each step."""


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

    @property
    def kind(self) -> tuple[frozenset[tuple[Expression, int]], ...]:
        """The factors of each side with their numbers, in no order: products of one kind may be added."""
        sides = (self.constant, self.weight, self.post, self.pre)
        return tuple(frozenset(Counter(factors).items()) for factors in sides)

    def factors(self) -> tuple[Expression, ...]:
        """All factors of the product except its coefficient."""
        return self.constant + self.weight + self.post + self.pre

    def show(self) -> str:
        """The product as a rule text."""
        body = " * ".join(show(factor) for factor in self.factors())
        if not body:
            return f"{self.coefficient:g}"
        return {1.0: body, -1.0: f"-{body}"}.get(self.coefficient, f"{self.coefficient:g} * {body}")


def _sides(expression: Expression, vocabulary: Vocabulary) -> set[Side]:
    sides = {vocabulary.side(name) for name in names_in(expression)}
    return {side for side in sides if side is not None}


def expand(expression: Expression, vocabulary: Vocabulary, owner: str) -> list[Product]:
    """Multiply an expression out into a sum of products, some of which may have the coefficient 0.

    Args:
        expression: the expression of a text.
        vocabulary: the names that the text may use, with their sides.
        owner: how errors name the rule.

    Returns:
        The products, each of which occurs once in a sum that was multiplied out.

    Raises:
        UserError: a factor mixes sides, or there would be too many products.
    """
    sides = _sides(expression, vocabulary)
    if isinstance(expression, Number):
        return [Product(expression.value)]
    if isinstance(expression, Binary) and expression.operator in "*/":
        return _expand_product(expression, vocabulary, owner)
    eligible = {ELIGIBILITY, *vocabulary.eligibilities} & set(names_in(expression))
    if len(sides) <= 1 and not (eligible and isinstance(expression, Binary) and expression.operator in "+-"):
        return [_atom(expression, sides)]
    if isinstance(expression, Call) or not isinstance(expression, Binary):
        raise _mixed(expression, vocabulary, owner)
    match expression.operator:
        case "+":
            return expand(expression.left, vocabulary, owner) + expand(expression.right, vocabulary, owner)
        case "-":
            minus = [replace(p, coefficient=-p.coefficient) for p in expand(expression.right, vocabulary, owner)]
            return expand(expression.left, vocabulary, owner) + minus
        case "**":
            return _expand_power(expression, vocabulary, owner)
    raise _mixed(expression, vocabulary, owner)


def _expand_product(expression: Binary, vocabulary: Vocabulary, owner: str) -> list[Product]:
    left = expand(expression.left, vocabulary, owner)
    if expression.operator == "*":
        right = expand(expression.right, vocabulary, owner)
        return _multiplied(left, right, expression, owner)
    sides = _sides(expression.right, vocabulary)
    if len(sides) > 1:
        raise _mixed(expression.right, vocabulary, owner)
    inverse = Binary("/", Number(1.0), expression.right)
    return [a.times(_atom(inverse, sides)) for a in left]


def _expand_power(expression: Binary, vocabulary: Vocabulary, owner: str) -> list[Product]:
    power = expression.right
    if not isinstance(power, Number) or power.value not in range(1, LARGEST_POWER + 1):
        raise _mixed(expression, vocabulary, owner)
    base = expand(expression.left, vocabulary, owner)
    result = base
    for _ in range(int(power.value) - 1):
        result = _multiplied(result, base, expression, owner)
    return result


def _multiplied(left: list[Product], right: list[Product], expression: Expression, owner: str) -> list[Product]:
    """The product of two sums. Products of the same factors are added, at the place of the first of them."""
    like: dict[tuple[frozenset[tuple[Expression, int]], ...], Product] = {}
    for a in left:
        for b in right:
            product = a.times(b)
            before = like.setdefault(product.kind, product)
            if before is not product:
                like[product.kind] = replace(before, coefficient=before.coefficient + product.coefficient)
        if len(like) > MOST_PRODUCTS:
            raise UserError(
                f"{owner}: the term `{show(expression):.80}` becomes more than {MOST_PRODUCTS} products when it is "
                f"multiplied out. Use fewer brackets, or a lower power"
            )
    return list(like.values())


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


def _mixed(expression: Expression, vocabulary: Vocabulary, owner: str) -> UserError:
    where = " and ".join(sorted(side.value for side in _sides(expression, vocabulary)))
    return UserError(
        f"{owner}: the term `{show(expression)}` mixes {where}. Functions, comparisons, divisors and "
        f"powers take one side only: split it into a sum of products"
    )
