"""Rule texts, evaluated by Python itself: what a text means, what its products add up to, and how it is cut."""

from __future__ import annotations

import math

import pytest

from neurorules.language.architecture import AfterSpec, parse_net
from neurorules.language.equations import Equation
from neurorules.language.expressions import evaluate
from neurorules.language.neuron_trace import Trace
from neurorules.language.vocabulary import Vocabulary

VOCABULARY = Vocabulary(frozenset({"S", "v", "x"}), constants={"theta": 0.7, "A": 1.3}, traces={"x": Trace("x", 0.7)})
NAMES = {
    "S_pre": 2.0, "x_pre": -0.5, "mean_pre": 0.25, "m_post": 3.0, "v_post": -1.5, "S_post": 1.0, "w": 0.4,
    "theta": 0.7, "A": 1.3,
}  # fmt: skip
FUNCTIONS = {"relu": lambda a: max(a, 0.0), "tanh": math.tanh, ">": lambda a, b: float(a > b)}
# A text, and its products: coefficient, and how many factors of each side.
TEXTS = {
    "-m_post * S_pre": [(-1.0, 1, 1, 0)],
    "m_post - S_pre": [(1.0, 0, 1, 0), (-1.0, 1, 0, 0)],
    "S_pre - v_post - w": [(1.0, 1, 0, 0), (-1.0, 0, 1, 0), (-1.0, 0, 0, 1)],
    "m_post * (S_pre - 2 * v_post)": [(1.0, 1, 1, 0), (-2.0, 0, 2, 0)],
    "(S_pre - m_post)**2": [(1.0, 2, 0, 0), (-2.0, 1, 1, 0), (1.0, 0, 2, 0)],
    "(S_pre + w)**3": [(1.0, 3, 0, 0), (3.0, 2, 0, 1), (3.0, 1, 0, 2), (1.0, 0, 0, 3)],
    "3 * S_pre * (2 * m_post)": [(6.0, 1, 1, 0)],
    "-(m_post - 1) * (S_pre - mean_pre)": [(-1.0, 1, 1, 0)],
    "S_pre * m_post / v_post": [(1.0, 1, 2, 0)],
    "relu(v_post - theta) * S_pre - A * w": [(1.0, 1, 1, 0), (-1.0, 0, 0, 1)],
    "S_pre * (v_post > theta) - x_pre": [(1.0, 1, 1, 0), (-1.0, 1, 0, 0)],
}


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_means_what_python_makes_of_it(text: str) -> None:
    meant = float(eval(text, {"relu": FUNCTIONS["relu"], "tanh": math.tanh}, NAMES))
    equation = Equation(text, VOCABULARY)
    assert evaluate(equation.expression, NAMES, FUNCTIONS) == pytest.approx(meant, rel=1e-12)
    total = 0.0
    for product in equation.products:
        value = product.coefficient
        for factor in product.factors():
            value *= evaluate(factor, NAMES, FUNCTIONS)
        total += value
    assert total == pytest.approx(meant, rel=1e-12) and abs(meant) > 0.01


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_has_the_products_that_a_hand_finds(text: str) -> None:
    found = [(p.coefficient, len(p.pre), len(p.post), len(p.weight)) for p in Equation(text, VOCABULARY).products]
    assert sorted(found) == sorted(TEXTS[text])


def test_every_letter_of_a_net_counts() -> None:
    net = parse_net("c8k5s2v-p3-c4k3vs2-a2-d0.25-r7-n-9-d0.5")
    assert [(a.size, a.kernel, a.stride, a.padding, a.recurrent, a.normalised) for a in net.layers] == [
        (8, 5, 2, "valid", False, False),
        (4, 3, 2, "valid", False, False),
        (7, None, 1, "same", True, True),
        (9, None, 1, "same", False, False),
    ]
    assert [a.before for a in net.layers] == [
        (),
        (AfterSpec("max", 3.0),),
        (AfterSpec("average", 2.0), AfterSpec("dropout", 0.25)),
        (),
    ]
    assert net.last == (AfterSpec("dropout", 0.5),)
    (plain,) = parse_net("c8k3").layers
    assert (plain.padding, plain.stride) == ("same", 1)
