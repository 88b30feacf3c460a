"""What the functions of a rule text take, and how many products a text becomes: decided where the text is read."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from neurorules.language.eligibility import Eligibility
from neurorules.language.equations import Equation
from neurorules.language.errors import UserError
from neurorules.language.expressions import evaluate
from neurorules.language.neuron_trace import Trace
from neurorules.language.rules import Plasticity, Rule, Source
from neurorules.language.vocabulary import Vocabulary
from neurorules.network.products import group_products
from neurorules.torch_path.training.learner import Learner

VOCABULARY = Vocabulary(frozenset({"S", "v"}), post_only=frozenset({"m", "i"}), constants={"theta": 0.7})
RULE = Rule("mine", (Plasticity("w", "m_post * S_pre"),), "dfa", Source("-", 2026, "-"), constants={"theta": 0.7})


def refusal_of(text: str) -> str:
    with pytest.raises(UserError) as caught:
        _ = Equation(text, VOCABULARY).products
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ("psi(1) * S_pre", "psi(1)"), ("psi(theta) * m_post * S_pre", "psi(theta)"),
        ("psi(exp(0.1)) * S_pre", "psi(exp(0.1))"), ("relu(psi(1) * v_post) * S_pre", "psi(1)"),
        ("through_norm(1) * S_pre", "through_norm(1)"), ("through_norm(psi(2)) * S_pre", "through_norm(psi(2))"),
        ("m_post * S_pre * (1 + clip(2, 0, psi(1)))", "psi(1)"), ("S_pre ** psi(1)", "psi(1)"),
    ],
)  # fmt: skip
def test_a_function_of_the_neuron_is_not_taken_of_a_number(text: str, call: str) -> None:
    said = refusal_of(text)
    assert f"`{call}`" in said and "takes a postsynaptic factor, and here reads constants alone" in said


@pytest.mark.parametrize(
    ("text", "side"),
    [
        ("through_norm(S_pre)", "pre"), ("through_norm(w) * S_pre", "weight"), ("psi(mean_pre)", "pre"),
        ("psi(w) * S_pre", "weight"), ("through_norm(S_pre * m_post)", "post and pre"),
        ("through_norm(dv_dw)", "pre"),
    ],
)  # fmt: skip
def test_a_function_of_the_neuron_takes_nothing_but_a_postsynaptic_factor(text: str, side: str) -> None:
    assert f"takes a postsynaptic factor, and here reads {side}. Write " in refusal_of(text)


def test_traces_and_decays_take_no_function_of_a_number_either() -> None:
    with pytest.raises(UserError, match=r"trace 'u': .*`psi\(theta\)`.* reads constants alone"):
        replace(RULE, traces=(Trace("u", 0.9, "S + psi(theta)"),))
    with pytest.raises(UserError, match=r"trace 'u': .*`sqrt\(\(-1\)\)` in the text .* is no number"):
        replace(RULE, traces=(Trace("u", 0.9, "S * sqrt(-1)"),))
    fading = replace(
        RULE,
        plasticity=(Plasticity("w", "m_post * e"),),
        eligibilities=(Eligibility("e", "0.9 * psi(0.5)", "S_pre * v_post"),),
    )
    with pytest.raises(UserError, match=r"decay of eligibility 'e': .*`psi\(0.5\)`"):
        group_products(fading.equation(fading.plasticity[0]))


@pytest.mark.parametrize(
    "text",
    [
        "mean_pre * m_post", "exp(mean_pre) * m_post", "mean_pre", "psi(kept_post) * S_pre",
        "through_norm(kept_post) * S_pre", "through_norm(kept_post * m_post) * mean_pre",
    ],
)  # fmt: skip
@pytest.mark.parametrize("normalisation", ["none", "streaming"])
def test_a_variable_that_is_the_same_for_all_neurons_is_computed_with(text: str, normalisation: str) -> None:
    """Without centring `mean_pre` is 0, and without dropout `kept_post` is 1."""
    learner = Learner(
        "4", rule="dfa", input_shape=(3,), classes=2, steps=3, dw=text, optimizer="none", norm=normalisation
    )
    learner.step((torch.rand(3, 5, 3) < 0.5).float(), torch.tensor([0, 1, 0, 1, 1]))


def test_the_highest_power_of_a_mixture_is_expanded() -> None:
    """Like products are one, so that a power stays as short as its sum of monomials is: 45 of degree 8 of 3 names."""
    names = {"m_post": 1.5, "S_pre": -0.5, "w": 0.25}
    equation = Equation("(m_post + S_pre + w) ** 8", VOCABULARY)
    assert len(equation.products) == 45
    total = 0.0
    for product in equation.products:
        value = product.coefficient
        for factor in product.factors():
            value *= evaluate(factor, names, {})
        total += value
    assert total == pytest.approx(1.25**8, rel=1e-12)
    learner = Learner(
        "4", rule="dfa", input_shape=(3,), classes=2, steps=3, dw="0.001*(m_post + S_pre + w)**8", optimizer="none"
    )
    learner.step((torch.rand(3, 5, 3) < 0.5).float(), torch.tensor([0, 1, 0, 1, 1]))


def test_products_that_cancel_are_left_out() -> None:
    products = Equation("(v_post - S_pre) * (v_post + S_pre)", VOCABULARY).products
    assert [product.show() for product in products] == ["v_post * v_post", "-S_pre * S_pre"]


def test_a_text_of_too_many_products_is_refused_in_one_line() -> None:
    factors = " * ".join(f"(v_post + S_pre * {n}.5 + w + S_post ** {n + 2})" for n in range(7))
    said = refusal_of(factors)
    assert "becomes more than 500 products" in said and len(said) < 400


def test_a_text_that_is_nested_too_deeply_is_refused_by_its_name() -> None:
    said = refusal_of("+".join(["S_pre"] * 20000))
    assert "rule text 'S_pre+S_pre" in said and "nested too deeply" in said and len(said) < 400
