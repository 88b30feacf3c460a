"""Rule texts: parsed once, checked, reduced to a sum of products that means the same."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurorules.language.architecture import parse_net
from neurorules.language.eligibility import Eligibility
from neurorules.language.equations import Equation
from neurorules.language.errors import UserError, nearest
from neurorules.language.expressions import Binary, Call, Expression, Name, Number, evaluate, names_in, parse, show
from neurorules.language.neuron_trace import Trace
from neurorules.language.options import parse_list, parse_named
from neurorules.language.rules import Plasticity, Rule, Source
from neurorules.language.vocabulary import Side, Vocabulary
from neurorules.network.products import group_products

VOCABULARY = Vocabulary(frozenset({"S", "v", "x"}), constants={"theta": 0.7, "A": 1.3}, traces={"x": Trace("x", 0.7)})
FUNCTIONS = {
    "relu": lambda a: max(a, 0.0),
    "abs": abs,
    "tanh": math.tanh,
    "sign": lambda a: float((a > 0) - (a < 0)),
    "psi": lambda a: 1 / (1 + abs(a)) ** 2,
    "through_norm": lambda a: 2 * a - 1,
    "min": min,
    "max": max,
    "clip": lambda a, low, high: min(max(a, low), high),
    ">": lambda a, b: float(a > b),
    "<": lambda a, b: float(a < b),
}
SIDES = {"pre": ["S_pre", "x_pre", "mean_pre"], "post": ["m_post", "v_post", "S_post"], "weight": ["w"]}


def numbers() -> st.SearchStrategy[Expression]:
    return st.sampled_from([0.5, 1.0, 2.0, -1.5]).map(Number)


PAST_OF = {"pre": ["before(x_pre)", "delay(S_pre, 3)", "delay(x_pre, 12)"], "post": ["before(x_post)"], "weight": []}


ALONE = ("relu", "abs", "tanh")


def of_the_neuron(argument: Expression) -> Expression:
    """What `psi` and `through_norm` take: an expression that reads something of the postsynaptic neuron."""
    read = any(name in SIDES["post"] or name == "x_post" for name in names_in(argument))
    return argument if read else Binary("+", Name("v_post"), argument)


def one_sided(names: list[str], depth: int = 2) -> st.SearchStrategy[Expression]:
    """Any expression of one side, non-linear functions, comparisons and the past included."""
    past = next(PAST_OF[side] for side, own in SIDES.items() if own == names)
    leaf = st.one_of(
        st.sampled_from([*names, "theta", "A"]).map(Name), numbers(), *(st.just(parse(text)) for text in past)
    )
    if depth == 0:
        return leaf
    inner = one_sided(names, depth - 1)
    unary = [*ALONE, *(["psi", "through_norm"] if "v_post" in names else [])]
    return st.one_of(
        leaf,
        st.builds(lambda f, a: Call(f, (a if f in ALONE else of_the_neuron(a),)), st.sampled_from(unary), inner),
        st.builds(lambda f, a, b: Call(f, (a, b)), st.sampled_from(["min", "max"]), inner, inner),
        st.builds(Binary, st.sampled_from(["+", "-", "*", ">", "<"]), inner, inner),
    )


def rules(depth: int = 3) -> st.SearchStrategy[Expression]:
    """Legal rules: sums and products of one-sided pieces, small whole powers, one-sided divisors."""
    piece = st.one_of(*(one_sided(names) for names in SIDES.values()))
    if depth == 0:
        return piece
    inner = rules(depth - 1)
    divisor = st.one_of(
        *(one_sided(n, 1).map(lambda a: Binary("+", Number(1.5), Call("abs", (a,)))) for n in SIDES.values())
    )
    return st.one_of(
        piece,
        st.builds(Binary, st.sampled_from(["+", "-", "*"]), inner, inner),
        st.builds(lambda a, d: Binary("/", a, d), inner, divisor),
        st.builds(lambda a, n: Binary("**", a, Number(float(n))), rules(0), st.integers(1, 3)),
    )


READABLE = [name for known in (SIDES, PAST_OF) for names in known.values() for name in names]
values = st.fixed_dictionaries({name: st.floats(-2, 2) for name in READABLE})


@given(rules(), values)
def test_the_normal_form_means_what_the_text_means(expression: Expression, names: dict[str, float]) -> None:
    equation = Equation(show(expression), VOCABULARY)
    bound = {**names, **VOCABULARY.constants}
    direct = evaluate(equation.expression, bound, FUNCTIONS)
    total, largest = 0.0, 1.0
    for product in equation.products:
        value = product.coefficient
        for factor in product.factors():
            value *= evaluate(factor, bound, FUNCTIONS)
        total, largest = total + value, max(largest, abs(value))
    assert total == pytest.approx(direct, rel=1e-9, abs=1e-9 * largest)


@given(rules())
def test_every_factor_of_the_normal_form_has_one_side(expression: Expression) -> None:
    for product in Equation(show(expression), VOCABULARY).products:
        for side, factors in zip(Side, (product.pre, product.post, product.weight), strict=True):
            found = {VOCABULARY.side(name) for factor in factors for name in names_in(factor)} - {None}
            assert found == ({side} if factors else set())


@given(rules())
def test_a_text_that_is_shown_parses_to_itself(expression: Expression) -> None:
    once = parse(show(expression))
    assert parse(show(once)) == once


@given(rules())
def test_reads_are_the_names_of_the_text_without_constants(expression: Expression) -> None:
    equation = Equation(show(expression), VOCABULARY)
    assert equation.reads == {n for n in names_in(parse(show(expression))) if n not in ("theta", "A")}


ONE = {side: st.sampled_from(names).map(Name) for side, names in SIDES.items()}
PAIRS = st.sampled_from([("pre", "post"), ("pre", "weight"), ("post", "weight")]).flatmap(
    lambda pair: st.tuples(ONE[pair[0]], ONE[pair[1]], st.sampled_from(["+", "-", "*"]))
)
MIXERS = st.sampled_from(
    [
        lambda mixed: Call("clip", (mixed, Number(0.0), Number(1.0))),
        lambda mixed: Call("tanh", (mixed,)),
        lambda mixed: Binary(">", mixed, Number(0.0)),
        lambda mixed: Binary("/", Number(1.0), mixed),
        lambda mixed: Binary("**", mixed, Number(0.5)),
        lambda mixed: Call("max", (mixed, Number(0.0))),
    ]
)


@given(PAIRS, MIXERS, rules(1))
def test_every_illegal_mix_is_refused_and_the_term_is_named(pair, mixer, rest: Expression) -> None:  # type: ignore[no-untyped-def]
    left, right, operator = pair
    mixed = mixer(Binary(operator, left, right))
    with pytest.raises(UserError, match="mixes|take one side|has no") as refusal:
        _ = Equation(show(Binary("+", rest, mixed)), VOCABULARY, "rule 'mine'").products
    assert left.text in str(refusal.value) and right.text in str(refusal.value) and "rule 'mine'" in str(refusal.value)


def test_an_unknown_name_is_refused_with_the_nearest_legal_one() -> None:
    with pytest.raises(UserError, match=r"rule 'three_factor' reads `m_pst`.*Did you mean `m_post`\?"):
        _ = Equation("m_pst * S_pre", VOCABULARY, "rule 'three_factor'").expression


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("S_pre *", "is not an expression"),
        ("S_pre if w else 1", "which rules do not have"),
        ("S_pre < x_pre < 2", "which rules do not have"),
        ("sgn(S_pre)", "Did you mean 'sign'"),
        ("clip(S_pre, 1)", r"clip\(\) takes 3 argument"),
        ("S_pre.real", "which rules do not have"),
        ("True * S_pre", "which rules do not have"),
        ("(m_post * S_pre) ** 40", "mixes"),
        ("before(S_pre)", r"before\(\) takes a trace, found S_pre. It may be x_post, x_pre"),
        ("before(x_pre, 2)", r"before\(\) takes 1 argument"),
        (
            "delay(m_post, 3)",
            r"delay\(\) takes spikes, a membrane or a trace, found m_post. It may be x_post, x_pre, S_p",
        ),
        ("delay(S_pre, 0)", "found S_pre, 0"),
        ("delay(S_pre, 2.5)", "found S_pre, 2.5"),
        ("delay(S_pre, -1)", "found S_pre, "),
        ("delay(S_pre, theta)", "found S_pre, theta"),
        ("delay(S_pre, 1001)", "found S_pre, 1001"),
        ("delay(S_pre)", r"delay\(\) takes 2 argument"),
        ("delay(before(x_pre), 2)", r"found before\(x_pre\), 2"),
        ("exp(before(x_pre) * x_post)", "mixes post and pre"),
    ],
)
def test_what_is_no_rule_text_is_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as refusal:
        _ = Equation(text, VOCABULARY).products
    assert "\n" not in str(refusal.value)


TAG = Eligibility("e", 0.9, "psi(v_post) * S_pre")


def tagged(text: str, *eligibilities: Eligibility) -> Rule:
    return Rule(
        "mine", (Plasticity("w", text),), "dfa", Source("-", 2026, "-"), constants={"gamma": 0.3},
        eligibilities=eligibilities,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("m_post * e * S_pre", "uses e beside or inside something presynaptic.*let it stand alone"),
        ("m_post * tanh(e)", "let it stand alone"),
        ("m_post * e ** 2", "let it stand alone"),
        ("m_post * e * dv_dw", "let it stand alone"),
        ("tanh(m_post * e)", "mixes post and pre"),
        ("m_post * ee", "Did you mean `e`"),
    ],
)
def test_an_eligibility_stands_alone_where_a_presynaptic_factor_stands(text: str, message: str) -> None:
    rule = tagged(text, TAG)
    with pytest.raises(UserError, match=message) as refusal:
        group_products(rule.equation(rule.plasticity[0]))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("w * S_pre", "reads w, and may hold presynaptic and postsynaptic factors alone. Move w to the text"),
        ("m_post * dv_dw", "reads dv_dw, and may hold"),
        ("through_norm(v_post) * S_pre", r"reads through_norm\(\), and may hold"),
        ("e * S_pre", "eligibility 'e' reads `e`, which no synapse can see"),
        ("x_pre * S_post", "reads `x_pre`, which no synapse can see"),
        ("tanh(v_post * S_pre)", "mixes post and pre"),
    ],
)
def test_the_text_of_an_eligibility_holds_activity_alone(text: str, message: str) -> None:
    rule = tagged("m_post * e", replace(TAG, text=text))
    with pytest.raises(UserError, match=message):
        group_products(rule.equation(rule.plasticity[0]))


@pytest.mark.parametrize("name", ["E", "2e", "", "for", "e_pre", "psi"])
def test_an_eligibility_needs_a_name_that_a_text_can_read(name: str) -> None:
    with pytest.raises(UserError, match="has no name that a text can read"):
        Eligibility(name, 0.9, "S_pre")


@pytest.mark.parametrize("decay", [-0.1, 1.1, math.nan])
def test_an_eligibility_fades_or_stays(decay: float) -> None:
    with pytest.raises(UserError, match=r"eligibility 'e': decay is .*\. Give a (finite )?number in \[0, 1\]"):
        Eligibility("e", decay, "S_pre")


@pytest.mark.parametrize("name", ["w", "b", "gamma", "dv_dw", "tag"])
def test_an_eligibility_needs_a_name_of_its_own(name: str) -> None:
    with pytest.raises(UserError, match=f"declares the eligibility '{name}', but that name is taken"):
        tagged("m_post * S_pre", replace(TAG, name="tag"), replace(TAG, name=name))


def test_a_bias_has_no_eligibility_of_a_synapse() -> None:
    rule = replace(tagged("m_post * e", TAG), plasticity=(Plasticity("b", "m_post * e"),))
    with pytest.raises(UserError, match="reads `e`, which belongs to a synapse"):
        _ = rule.reads


def test_a_rule_reads_what_its_eligibilities_read_and_declares_them() -> None:
    rule = replace(tagged("-m_post * e + delay(S_pre, 4)", TAG), trace_decay=0.8)
    assert rule.reads == {"m_post", "e", "v_post", "S_pre"}
    assert rule.declarations == (
        "gamma = 0.3",
        "x[t] = 0.8 x[t-1] + S[t], of every neuron",
        "e[t] = 0.9 e[t-1] + psi(v_post) * S_pre, of every synapse "
        "(B x O x I numbers per layer where it runs step by step)",
        "delay(a, n)[t] = a[t-n], 0 before the first step",
    )
    low = tagged("-m_post * e", replace(TAG, text="gamma * S_pre"))
    assert "of every synapse (B x I numbers" in low.declarations[1]
    assert not rule.equation(rule.plasticity[0]).drifts
    drifting = tagged("m_post * w - e", replace(TAG, text="gamma * v_post"))
    assert drifting.equation(drifting.plasticity[0]).drifts


def test_a_term_without_activity_drifts() -> None:
    assert Equation("S_pre * m_post - 0.1 * w", VOCABULARY).drifts
    assert not Equation("S_pre * (m_post - w)", VOCABULARY).drifts


def test_options_split_at_colons_and_lists_at_commas() -> None:
    assert parse_named("sigprop:form=voltage:tau=0.1") == ("sigprop", {"form": "voltage", "tau": "0.1"})
    assert parse_list("a:x=1, b ,") == ["a:x=1", "b"]
    for bad in (":a=1", "a:b", "a:b=", "a:b=1:b=2"):
        with pytest.raises(UserError):
            parse_named(bad)


def test_nets_are_read_and_what_is_none_is_refused() -> None:
    spec = parse_net("c16k3-n-p2-c32k5vs2-r128-d0.1")
    assert [(a.size, a.kernel, a.stride, a.padding, a.recurrent, a.normalised) for a in spec.layers] == [
        (16, 3, 1, "same", False, True),
        (32, 5, 2, "valid", False, False),
        (128, None, 1, "same", True, False),
    ]
    assert [a.kind for a in spec.layers[1].before] == ["max"] and spec.last[0].amount == 0.1
    for bad in ("", "64--64", "n-64", "0", "c0k3", "p2", "64-p1", "64x", "c3"):
        with pytest.raises(UserError, match="net '"):
            parse_net(bad)


def test_nearest_finds_small_mistakes_and_nothing_in_the_dark() -> None:
    assert nearest("sigprp", ["sigprop", "bptt"]) == "sigprop"
    assert nearest("zzz", ["sigprop", "bptt"]) is None


@pytest.mark.parametrize(
    ("traces", "words"),
    [
        ([Trace("u", 0.9), Trace("u", 0.8)], "the name 'u'|trace 'u', but that name is taken"),
        ([Trace("late", 0.9, "early"), Trace("early", 0.9)], "reads `early`, which is not a variable of its neuron"),
        ([Trace("u", 0.9, "S_post")], "reads `S_post`, which is not a variable of its neuron. It may read"),
        ([Trace("u", 0.9, "before(S)")], r"before\(\) takes a trace, found S"),
        ([Trace("kept", 0.9)], "declares the trace 'kept', but that name is taken"),
    ],
)
def test_a_trace_that_cannot_be_is_refused_when_the_rule_is_built(traces: list[Trace], words: str) -> None:
    with pytest.raises(UserError, match=words):
        Rule("mine", (), None, Source("-", 2026, "-"), traces=tuple(traces))


@pytest.mark.parametrize(
    ("name", "decay", "text", "words"),
    [
        ("u", 1.5, "S", "decay is 1.5"), ("u", float("nan"), "S", "decay is nan"), ("U_pre", 0.5, "S", "has no name"),
        ("v", 0.5, "S", "has no name"), ("u", 0.5, "through_norm(v)", "calls through_norm"),
        ("u", 0.5, "S +", "is not"),
    ],
)  # fmt: skip
def test_a_trace_out_of_range_is_refused(name: str, decay: float, text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        Trace(name, decay, text)


def test_a_trace_of_membranes_is_read_of_the_postsynaptic_neuron_alone() -> None:
    traces = (Trace("u", 0.9, "tanh(v)"), Trace("slow", 0.9, "u"), Trace("x", 0.5))
    rule = Rule("mine", (), None, Source("-", 2026, "-"), traces=traces)
    assert rule.equation(Plasticity("w", "slow_post * u_post * x_pre")).reads == {"slow_post", "u_post", "x_pre"}
    for name in ("u_pre", "slow_pre"):
        with pytest.raises(UserError, match=f"reads `{name}`, which no synapse can see"):
            _ = rule.equation(Plasticity("w", f"{name} * S_post")).reads


@pytest.mark.parametrize(
    ("eligibilities", "words"),
    [
        ([Eligibility("e", "0.9 * S_pre", "S_pre")], "decay of eligibility 'e': its text '0.9 [*] S_pre' reads S_pre"),
        ([Eligibility("e", "1 - w", "S_pre")], "decay of eligibility 'e': its text '1 - w' reads w"),
        ([Eligibility("e", 0.9, "f * S_post"), Eligibility("f", 0.9, "S_pre")], "eligibility 'e' reads `f`"),
        ([Eligibility("f", 0.9, "S_pre"), Eligibility("e", 0.9, "f * S_pre")], "uses f beside or inside"),
        ([Eligibility("f", 0.9, "S_pre"), Eligibility("e", 0.9, "delay(f, 2)")], r"Write f or delay\(f, 1\)"),
        ([Eligibility("f", 0.9, "S_pre"), Eligibility("e", 0.9, "abs(f) * S_post")], "uses f beside or inside"),
    ],
)
def test_an_eligibility_that_cannot_be_followed_is_refused(eligibilities: list[Eligibility], words: str) -> None:
    rule = replace(tagged("-m_post * e", TAG), eligibilities=tuple(eligibilities))
    with pytest.raises(UserError, match=words):
        group_products(rule.equation(rule.plasticity[0]))
