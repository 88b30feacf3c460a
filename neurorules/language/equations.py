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
    Call,
    Expression,
    Name,
    Number,
    calls_in,
    names_in,
    parse,
)
from neurorules.language.neuron_functions import check_of_neuron
from neurorules.language.neuron_trace import check_past
from neurorules.language.normal_form import Product, expand
from neurorules.language.numbers import check_number
from neurorules.language.unseen import hint_for
from neurorules.language.vocabulary import ELIGIBILITY, WEIGHT, Side, Vocabulary

DELAYED = frozenset({"S_pre", "S_post", "v_post"})
"""The variables that `delay` may read, beside traces."""


@dataclass(frozen=True)
class Equation:
    """A rule's equation, parsed and checked against its vocabulary.

    Args:
        text: what the user wrote, such as "-m_post * psi(v_post) * S_pre".
        vocabulary: the names that the text may use.
        owner: how errors name the rule.

    Raises:
        UserError: when the equation is used: a name that no synapse can see (the message offers the nearest legal
            name), a factor that mixes sides, or `psi` or `through_norm` of no postsynaptic factor.
    """

    text: str
    vocabulary: Vocabulary
    owner: str = "rule"

    @cached_property
    def expression(self) -> Expression:
        """The parsed text, with every name and every call checked."""
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
            check_of_neuron(self.owner, self.text, call, self.vocabulary)
        return expression

    @cached_property
    def products(self) -> tuple[Product, ...]:
        """The normal form, without products of coefficient 0. Expressions of numbers alone are checked to be finite."""
        products = expand(self.expression, self.vocabulary, self.owner)
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
