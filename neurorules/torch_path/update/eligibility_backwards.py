"""Declared eligibilities of a whole trial, carried backwards to the factors that multiply their presynaptic factors.

An eligibility receives factors from the text and from the eligibilities that read it. Their sum is carried back through
its decay once, multiplied by the postsynaptic factor of each group, and passed to the eligibilities that it is made of.
The whole chain is one compiled program if the compiler is there, and is computed with tensors otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor

from neurorules.contracts.series import Series
from neurorules.language.expressions import Binary, Call, Expression, Name, Number
from neurorules.native import scans
from neurorules.network.post_forms import psi_of
from neurorules.network.products import DeclaredEligibility
from neurorules.neurons._integrator import Integrator
from neurorules.torch_path.update.eligibility_by_synapse import decays, gated_reverse_scan, shifted_back
from neurorules.torch_path.update.local_view import LocalView
from neurorules.torch_path.update.post_values import names_of_post, post_value


class Reached(NamedTuple):
    """The factor that multiplies the presynaptic factor in a group of an eligibility.

    Args:
        eligibility: the eligibility that the group belongs to.
        number: the number of the group.
        factor: (T, B, *shape).
    """

    eligibility: DeclaredEligibility
    number: int
    factor: Tensor


def reached(
    view: LocalView, eligibility: DeclaredEligibility, late: bool, post: Series, passed_over: frozenset[int]
) -> list[Reached]:
    """Carry a post factor back through an eligibility and all that it is made of.

    Args:
        view: the local view on which the texts are evaluated, in a window of all steps.
        eligibility: the eligibility that the post factor is multiplied with.
        late: whether the text reads the eligibility of the previous step.
        post: (T, B, *shape) or constant (B, *shape).
        passed_over: the numbers of the groups of this eligibility that are left out.

    Returns:
        The factors of all groups that have a presynaptic one.
    """
    program = _Program(view) if scans.loops(post.values) else None
    chain = None if program is None else _chain(program, eligibility, late, post, passed_over)
    if program is None or chain is None or not program.program.fits:
        return [Reached(*leaf) for leaf in _chain(_Tensors(view), eligibility, late, post, passed_over)]
    factors = program.program.run([term for _, _, term in chain])
    shape = view.activity.v.values.shape
    return [Reached(e, n, f.reshape(shape)) for (e, n, _), f in zip(chain, factors, strict=True)]


def _chain(
    steps: Any, top: DeclaredEligibility, late: bool, post: Series, passed_over: frozenset[int]
) -> list[tuple[DeclaredEligibility, int, Any]]:
    """The factors of all groups, in the terms of `steps`, which are `_Tensors` or a `_Program`."""
    leaves: list[tuple[DeclaredEligibility, int, Any]] = []
    arriving = {top.name: steps.later(steps.read(post)) if late else steps.read(post)}
    for eligibility in reversed(_below(top, {})):
        reaches = steps.back(arriving[eligibility.name], eligibility.decay)
        for number, group in enumerate(eligibility.groups):
            if eligibility is top and number in passed_over:
                continue
            factor = reaches if group.post == Number(1.0) else steps.times(reaches, steps.value(group.post))
            if group.eligibility is None:
                leaves.append((eligibility, number, factor))
                continue
            factor, name = steps.later(factor) if group.late else factor, group.eligibility.name
            arriving[name] = steps.plus(arriving[name], factor) if name in arriving else factor
    return leaves


def _below(eligibility: DeclaredEligibility, chain: dict[str, DeclaredEligibility]) -> list[DeclaredEligibility]:
    """An eligibility and all that it is made of; each comes after those that read it."""
    for group in eligibility.groups:
        if group.eligibility is not None and group.eligibility.name not in chain:
            _below(group.eligibility, chain)
    chain.setdefault(eligibility.name, eligibility)
    return list(chain.values())


class _Tensors:
    """The steps of a chain on tensors over time, which define their meaning."""

    def __init__(self, view: LocalView) -> None:
        self.view = view

    def read(self, post: Series) -> Tensor:
        return post.over_time(self.view.activity.steps)

    def value(self, expression: Expression) -> Tensor:
        return post_value(self.view, expression, lambda a: a)

    def times(self, a: Tensor, b: Tensor) -> Tensor:
        return a * b

    def plus(self, a: Tensor, b: Tensor) -> Tensor:
        return a + b

    def later(self, factor: Tensor) -> Tensor:
        return shifted_back(factor)

    def back(self, factor: Tensor, decay: float | Expression) -> Tensor:
        steps, shape = self.view.activity.steps, factor.shape
        if not isinstance(decay, float):
            return gated_reverse_scan(factor, decays(self.view, decay))
        return scans.reverse_scan(factor.flatten(2), steps, decay, scans.Reset.NONE).reshape(shape)


Value = scans.Term | float


class _Program:
    """The steps of a chain as operations of a compiled program."""

    def __init__(self, view: LocalView) -> None:
        v = view.activity.v.values
        self.view, self.rank = view, len(view.layer.shape)
        self.program = scans.Program(len(v), v.shape[1], v[0, 0].numel(), v)

    def _tensor(self, values: Tensor) -> scans.Term | None:
        if values.ndim - self.rank not in (1, 2):
            return None
        wide = values.expand(-1, *self.view.activity.v.values.shape[1:]) if values.ndim - self.rank == 2 else (
            values.expand(self.view.activity.v.values.shape[1:]))  # fmt: skip
        return self.program.read(wide.flatten(wide.ndim - self.rank))

    def _factor(self, values: Tensor) -> scans.Term:
        """A post factor, (T, B, *shape) or (B, *shape), as the program reads it."""
        term = self._tensor(values)
        if term is None:
            raise LookupError(f"a post factor has no axis of the batch: its shape is {tuple(values.shape)}")
        return term

    def read(self, post: Series) -> scans.Term:
        return self._factor(post.values)

    def _term(self, value: Value) -> scans.Term:
        return self.program.number(value) if isinstance(value, float) else value

    def times(self, a: Value, b: Value) -> Value:
        return self.program.operate("*", self._term(a), self._term(b))

    def plus(self, a: Value, b: Value) -> Value:
        return self.program.operate("+", self._term(a), self._term(b))

    def later(self, factor: Value) -> Value:
        return self.program.later(self._term(factor))

    def back(self, factor: Value, decay: float | Expression) -> Value:
        return self.program.back(
            self._term(factor), self._term(decay if isinstance(decay, float) else self.value(decay))
        )

    def value(self, expression: Expression) -> Value:
        names = names_of_post(self.view, expression)
        value = self._translated(expression, names)
        if value is None:  # programs do not have this operation
            return self._factor(post_value(self.view, expression, lambda a: a))
        return value

    def _translated(self, expression: Expression, names: dict[str, Tensor | float]) -> Value | None:
        match expression:
            case Number(value):
                return float(value)
            case Name(text):
                named = names[text]
                return self._tensor(named) if isinstance(named, Tensor) else float(named)
            case Call("psi", (Name("v_post"),)):
                return self._slope()
            case Binary(operator, left, right) if operator in OPERATORS:
                a, b = self._translated(left, names), self._translated(right, names)
                if a is None or b is None:
                    return None
                if isinstance(a, float) and isinstance(b, float):
                    return OPERATORS[operator](a, b)
                return self.program.operate(operator, self._term(a), self._term(b))
        return None

    def _slope(self) -> Value | None:
        neuron, activity = self.view.layer.neuron, self.view.activity
        psi = psi_of(neuron)
        if psi is None or psi.shape not in scans.SLOPES or not isinstance(neuron, Integrator):
            return None
        theta, v = neuron.v_threshold, self._tensor(activity.v.values)
        flat = self.program.read(theta.reshape(-1)) if isinstance(theta, Tensor) else self.program.number(theta)
        return None if v is None else self.program.slope(v, flat, psi)


OPERATORS: dict[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
}
"""The operators of texts that programs have; a division by 0 among constants is left to the evaluator."""
