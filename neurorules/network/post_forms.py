"""Recognition of post factors that a fused scan can compute: a constant, the third factor, and one factor of v.

In general `products.value_of` evaluates rule texts. Most texts, however, have one of the forms

    outer * through_norm(inner * m_post * h(v_post))    or    outer * m_post * h(v_post)

with h = psi, (v > 0) or 1, and with or without kept_post next to m_post. This module recognises them once, when a rule
is compiled.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from neurorules.connections._products import is_recorded
from neurorules.contracts.neuron import Dynamics, Neuron
from neurorules.language.expressions import Binary, Call, Expression, Name, Number
from neurorules.native.scans import Psi, PsiShape, Reset, loops, reverse_scan
from neurorules.neurons._adaptive import AdaptiveIntegrator
from neurorules.neurons._integrator import Integrator
from neurorules.neurons._leaky import LeakyIntegrator
from neurorules.neurons._synaptic import SynapticIntegrator
from neurorules.surrogates import Atan, Boxcar, FastSigmoid, Triangle

MEMBRANE: Mapping[Expression, Literal["psi", "positive"]] = {
    Call("psi", (Name("v_post"),)): "psi",
    Binary(">", Name("v_post"), Number(0.0)): "positive",
}
"""Factors of the membrane that the scans can compute."""
DROPOUT_MASK = Name("kept_post")
"""The dropout mask of the postsynaptic neuron, as texts read it."""


@dataclass(frozen=True)
class PostForm:
    """The form outer * [through_norm](inner * m_post * factor) of a post factor.

    Args:
        outer, inner: constant factors.
        factor: the factor of the membrane; "one" for none.
        through: whether the text contains through_norm.
        dropout: whether the dropout mask kept_post multiplies m_post.
    """

    outer: float
    inner: float
    factor: Literal["psi", "positive", "one"]
    through: bool
    dropout: bool = False


class Cascade(NamedTuple):
    """The low-pass filters of an eligibility, in the order in which a factor runs back through them.

    Args:
        first: decay per step of the filter nearer to the text; 0 for none.
        last: decay per step of the filter of the presynaptic factor; 0 for none.
        weighed: whether psi(v_post) multiplies between the two.
        cut: whether the last filter decays by last (1 - psi(v_post)) of the step before instead.
    """

    first: float
    last: float
    weighed: bool = False
    cut: bool = False


class TracedForm(NamedTuple):
    """The form of a post factor that a trace of the neuron multiplies.

    Args:
        form: the form of the other factors.
        cascade: the low-pass filters of the trace.
    """

    form: PostForm
    cascade: Cascade


@functools.cache
def scanned_psi(form: PostForm, own: Psi | None) -> Psi | None:
    """The form's factors `inner` and `factor` as one psi of the scans.

    Args:
        form: the form of a post factor.
        own: the pseudo-derivative of the layer's neurons, as `psi_of` gives it.

    Returns:
        inner * factor; None if the scans cannot compute the neurons' pseudo-derivative, and the form contains it.
    """
    if form.factor == "one":
        return Psi(PsiShape.FLAT, 1.0, form.inner)
    if form.factor == "positive":
        return Psi(PsiShape.POSITIVE, 1.0, form.inner)
    return None if own is None else own._replace(scale=form.inner * own.scale)


def recognise(expression: Expression, constants: Mapping[str, float]) -> PostForm | None:
    """Recognise the form of a post factor.

    Args:
        expression: the post factor of a group of products.
        constants: the constants of the rule, by name.

    Returns:
        The form; None if the factor has another form.
    """
    factors = list(flatten(expression))
    calls = [f for f in factors if isinstance(f, Call) and f.function == "through_norm"]
    if not calls:
        inside = _inside(factors, constants)
        return None if inside is None else PostForm(inside[0], 1.0, inside[1], False, inside[2])
    outer = number([f for f in factors if f is not calls[0]], constants)
    inside = _inside(list(flatten(calls[0].arguments[0])), constants)
    if outer is None or inside is None:
        return None
    return PostForm(outer, inside[0], inside[1], True, inside[2])


def flatten(expression: Expression) -> Iterator[Expression]:
    """The factors of a product, or the expression itself if it is none."""
    if isinstance(expression, Binary) and expression.operator == "*":
        yield from flatten(expression.left)
        yield from flatten(expression.right)
    else:
        yield expression


def number(factors: list[Expression], constants: Mapping[str, float]) -> float | None:
    """Multiply factors that are numbers or constants.

    Args:
        factors: the factors of a product.
        constants: the constants of the rule, by name.

    Returns:
        The product; None if one of the factors is something else.
    """
    product = 1.0
    for factor in factors:
        if isinstance(factor, Number):
            product *= factor.value
        elif isinstance(factor, Name) and factor.text in constants:
            product *= constants[factor.text]
        else:
            return None
    return product


def _inside(
    factors: list[Expression], constants: Mapping[str, float]
) -> tuple[float, Literal["psi", "positive", "one"], bool] | None:
    membrane, masks = [f for f in factors if f in MEMBRANE], factors.count(DROPOUT_MASK)
    if factors.count(Name("m_post")) != 1 or len(membrane) > 1 or masks > 1:
        return None
    constant = number([f for f in factors if f not in (*MEMBRANE, Name("m_post"), DROPOUT_MASK)], constants)
    if constant is None:
        return None
    return constant, MEMBRANE[membrane[0]] if membrane else "one", masks == 1


def backwards(neuron: Neuron[Any]) -> Dynamics | None:
    """The leaky integrator through which small changes pass as through the neuron, with any adaptation held fixed.

    Args:
        neuron: any neuron.

    Returns:
        The numbers of the integrator; None if there is none.
    """
    if type(neuron) is AdaptiveIntegrator:
        return Dynamics(neuron.beta, neuron.v_threshold, neuron.reset, neuron.reset_delay)
    return neuron.dynamics()


def psi_of(neuron: Neuron) -> Psi | None:
    """The neuron's pseudo-derivative in the parametrisation of the scans; None if they cannot compute it."""
    exact = type(neuron) in (AdaptiveIntegrator, SynapticIntegrator) or isinstance(neuron, LeakyIntegrator)
    if not exact or not isinstance(neuron, Integrator):
        return None
    match neuron.surrogate:
        case Boxcar(width):
            return Psi(PsiShape.BOXCAR, 1 / width, 1 / (2 * width))
        case Triangle(height, width):
            return Psi(PsiShape.TRIANGLE, 1 / width, height)
        case FastSigmoid(k):
            return Psi(PsiShape.FAST_SIGMOID, k, 1.0)
        case Atan(alpha):
            return Psi(PsiShape.ATAN, math.pi / 2 * alpha, alpha / 2)
    return None


def slopes(neuron: Neuron[Any], v: Tensor) -> Tensor:
    """Compute the neurons' pseudo-derivative, in one compiled pass if the scans can compute it.

    Args:
        neuron: the neuron.
        v: membranes before the reset, (T, B, *shape).

    Returns:
        psi(v), of the shape of `v`.
    """
    psi = psi_of(neuron)
    if psi is None or v.ndim < 2 or not loops(v) or is_recorded(v, v):
        return neuron.psi(v)
    if not isinstance(neuron, Integrator) or isinstance(neuron.v_threshold, Tensor):
        return neuron.psi(v)
    one = torch.ones_like(v[:1]).flatten(1)
    return reverse_scan(
        one, len(v), 0.0, Reset.NONE, v=v.reshape(len(v), 1, -1), v_threshold=neuron.v_threshold, psi=psi
    ).reshape(v.shape)  # fmt: skip
