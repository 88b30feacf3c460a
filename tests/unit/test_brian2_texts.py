"""What Brian2 is handed: surrogates, rule texts, the model a person reads, and refusals."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from neurorules.brian2_steps.case import Case, Learning
from neurorules.brian2_steps.describe import describe
from neurorules.brian2_steps.expression_texts import Place
from neurorules.brian2_steps.lowering import can_lower, lower_neuronal, lower_synaptic
from neurorules.brian2_steps.parity import Difference, Parity, compare_spikes
from neurorules.brian2_steps.simulate import run_together, show_model, simulate
from neurorules.brian2_steps.surrogate_texts import psi_text
from neurorules.contracts.surrogate import Surrogate
from neurorules.language.equations import Equation
from neurorules.language.errors import MissingExtra, UserError
from neurorules.language.neuron_trace import Trace
from neurorules.language.rules import HIDDEN_VARIABLES, NEURON_VARIABLES
from neurorules.language.vocabulary import Vocabulary
from neurorules.network.network import Network, build_network
from neurorules.network.products import value_of
from neurorules.neurons._leaky import LeakyIntegrator
from neurorules.rules import RULES
from neurorules.surrogates import SURROGATES, FastSigmoid, make_surrogate

PLACE = Place(FastSigmoid(k=4.0), normalised=False)


def equation(text: str, parameter: str = "w") -> Equation:
    x = frozenset({"x"})
    constants = {"gamma": 0.3}
    return Equation(
        text,
        Vocabulary(
            NEURON_VARIABLES | x,
            HIDDEN_VARIABLES,
            synapse=parameter,
            constants=constants,
            traces={"x": Trace("x", 0.7)},
        ),
    )


def value_in_brian2(text: str, **variables: np.ndarray) -> np.ndarray:
    """What Brian2 makes of an expression, as a subexpression of a population."""
    import brian2

    size = len(next(iter(variables.values())))
    declared = "\n".join(f"{name} : 1" for name in variables)
    group = brian2.NeuronGroup(size, f"{declared}\nvalue = {text} : 1", namespace={})
    for name, value in variables.items():
        setattr(group, name, value)
    return np.asarray(group.value[:])


def arrays(net: Network) -> dict[str, np.ndarray]:
    fresh = net.initial_parameters(torch.Generator().manual_seed(0), torch.float64)
    return {name: value.numpy() for name, value in fresh.items()}


@pytest.mark.parametrize("name", [*SURROGATES, "boxcar:width=0.3", "atan:alpha=3.7", "triangle:width=0.4"])
def test_every_surrogate_has_a_text_of_the_same_value(name: str) -> None:
    surrogate = make_surrogate(name)
    x = torch.linspace(-2, 2, 401, dtype=torch.float64)
    found = value_in_brian2(psi_text(surrogate, "x"), x=x.numpy())
    np.testing.assert_allclose(found, surrogate.psi(x).numpy(), rtol=1e-14, atol=1e-15)


def test_a_surrogate_without_a_text_is_named() -> None:
    class Own(Surrogate):
        def psi(self, x):
            return x

        primitive = psi

    with pytest.raises(UserError, match="'Own' has no Brian2 text"):
        psi_text(Own(), "x")


@pytest.mark.parametrize(
    "text",
    [
        "relu(v_post - gamma) * m_post",
        "clip(v_post, -0.5, gamma) - 2 * S_post / (1 + v_post ** 2)",
        "min(v_post, m_post) + max(abs(v_post), 0.2) - sqrt(exp(v_post)) * tanh(v_post)",
        "sign(v_post) * (v_post >= 0.1) - (v_post < -0.1) * psi(v_post) + (gamma - v_post) ** 3",
        "-through_norm(m_post * (v_post > 0)) * 1e-5",
    ],
)
def test_functions_of_rule_texts_have_the_values_they_have_in_torch(text: str) -> None:
    generator = torch.Generator().manual_seed(0)
    v, m, S = (torch.randn(50, generator=generator, dtype=torch.float64) for _ in range(3))
    neuron = LeakyIntegrator(0.9, 0.7, "subtract", False, FastSigmoid(k=4.0))
    names = {"v_post": v, "m_post": m, "S_post": S, "gamma": 0.3}
    expected = value_of(equation(text).expression, names, neuron.psi, lambda a: a)
    lines = lower_neuronal(equation(text, "b"), Place(FastSigmoid(k=4.0), False, parameter="b")).every_step
    lowered = " + ".join(f"({line.removeprefix('b_change += ')})" for line in lines)
    theta = np.full(50, 0.7)
    found = value_in_brian2(lowered, v=v.numpy(), m=m.numpy(), S=S.numpy(), v_threshold=theta)
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-12, atol=1e-15)


def test_a_product_acts_at_the_spike_it_carries() -> None:
    lowered = lower_synaptic(equation("0.01 * x_pre * S_post - gamma * S_pre * x_post + w * m_post"), PLACE)
    assert lowered.on_post == ("w_change += 0.01*S_post*x_pre",)
    assert lowered.on_pre == ("w_change += -0.3*x_post*S_pre",)
    assert lowered.every_step == ("w_change += m_post*w",)


def test_recurrent_spikes_arrive_a_step_late() -> None:
    lowered = lower_synaptic(equation("m_post * S_pre + m_post * x_pre"), Place(None, False, late=True))
    assert lowered.every_step == ("w_change += m_post*S_late_pre", "w_change += m_post*x_late_pre")


def test_a_mean_is_taken_away_only_where_inputs_are_centred() -> None:
    text = equation("m_post * (S_pre - mean_pre)")
    assert lower_synaptic(text, PLACE).on_pre == ("w_change += m_post*S_pre",)
    centred = Place(None, True, centred=True)
    assert lower_synaptic(text, centred).every_step == ("w_change += m_post*(S_pre - mean_in)",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("m_post * dv_dw * S_pre", "let it stand alone"),
        ("m_post * exp(dv_dw)", "let it stand alone"),
    ],
)
def test_a_text_that_synapses_cannot_carry_is_refused(text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        lower_synaptic(equation(text), PLACE)


@pytest.mark.parametrize("text", ["m_post * S_pre", "m_post * b"])
def test_a_bias_has_no_synapse(text: str) -> None:
    with pytest.raises(UserError, match="belongs to a neuron"):
        lower_neuronal(equation(text, "b"), Place(None, False, parameter="b"))


def test_rules_that_need_what_brian2_lacks_stay_in_torch() -> None:
    backwards_in_time = {"bptt", "eventprop", "fa", "sign_symmetry", "spiking_bsp", "weight_mirroring"}
    inner_integration = {"bsp"}
    missing = {name for name in RULES.names() if not can_lower(RULES.make(name))}
    assert missing == backwards_in_time | inner_integration
    assert not can_lower(RULES.make("pepita:form=dendritic"))  # a linear phase
    assert can_lower(RULES.make("pepita:neurons=rate"))


@pytest.mark.parametrize(
    ("net", "shape", "options", "words"),
    [
        ("8", (5,), {"neuron": "five_element", "connection": "ring"}, "'FiveElement' has no Brian2 text"),
        (
            "8",
            (5,),
            {"connection": "ring"},
            "'hidden1' is a Ring; the Brian2 path runs dense, recurrent and convolutional connections",
        ),
        ("8", (5,), {"neuron": "rate:unit=true"}, "which no equation of a neuron in Brian2 can read"),
        ("c4k3-p2-8", (1, 6, 6), {"neuron": "rate"}, "takes the maximum of values that are not spikes"),
        ("c4k3-a2-p2-8", (1, 6, 6), {}, "takes the maximum of values that are not spikes"),
        ("8", (5,), {"norm": "streaming"}, "its running statistics are missing"),
        ("r8d2-4", (5,), {}, "after 2 steps, .* Use a run whose net has no delays"),
    ],
)
def test_what_has_no_lowering_says_so(net: str, shape: tuple[int, ...], options: dict[str, str], words: str) -> None:
    network = build_network(net, shape, 2, **{"norm": "none", **options})
    with pytest.raises(UserError, match=words) as refused:
        show_model(network, arrays(network))
    assert "--path" not in str(refused.value)  # what Brian2 runs step by step is a net of the torch path already


def test_dropout_is_refused_only_while_it_learns() -> None:
    network = build_network("8-d0.5-4", (1, 2, 3), 2, norm="none")
    assert "Synapses hidden2_ff: hidden1 -> hidden2" in show_model(network, arrays(network))
    with pytest.raises(UserError, match="through Dropout, which the Brian2 path does not run while it learns"):
        show_model(network, arrays(network), rule=RULES.make("dfa"))


def test_drives_that_do_not_fit_are_refused() -> None:
    network = build_network("8", (5,), 2, norm="none")
    with pytest.raises(UserError, match="neither was given"):
        Case(network, {})
    with pytest.raises(UserError, match=r"Give \(T, B, \*\(5,\)\)"):
        Case(network, {}, np.zeros((3, 2, 4)))
    with pytest.raises(UserError, match="without input spikes"):
        Case(network, {}, offset=np.zeros((2, 5)), injected=np.zeros((2, 8)))
    with pytest.raises(UserError, match="7 steps were asked for, and the input has 3"):
        simulate(network, arrays(network), np.zeros((3, 2, 5)), 7)
    learning = Learning(RULES.make("dfa"), m={"hidden1": np.zeros((2, 1, 8))})
    with pytest.raises(UserError, match="7 steps were asked for, and the m of hidden1 has 2"):
        run_together([Case(network, arrays(network), np.zeros((1, 5)), learning=learning)], 7)


def test_the_model_is_shown_without_brian2_and_says_what_each_slot_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "brian2", None)
    network = build_network("8", (5,), 2, neuron="lif:beta=0.9:reset=zero", norm="none")
    shown = show_model(network, arrays(network), rule=RULES.make("sigprop:form=voltage"))
    assert "every step, in step_0, order 0:\n    I = I_in + b\n    I_in = 0\n    late = " in shown
    assert "on_pre, in arrive_0, order 0:\n    I_in_post += w*S_pre" in shown
    assert "on_pre, in learn, order 0:\n    w_change += -(m_post * int(v_post > 0.0))*S_pre" in shown
    with pytest.raises(MissingExtra, match=r"pip install 'neurorules\[brian2\]'"):
        simulate(network, arrays(network), np.zeros((1, 5)), 3)


def test_names_of_one_network_are_kept_apart_from_those_of_another() -> None:
    network = build_network("8", (5,), 2, norm="none")
    text = describe(Case(network, arrays(network), np.zeros((1, 5))), "case7_")
    assert [p.name for p in text.populations] == ["case7_input", "case7_hidden1", "case7_readout"]


def test_the_preferences_of_brian2_are_as_before_after_a_run() -> None:
    import brian2

    before = brian2.prefs["codegen.target"]
    network = build_network("8", (5,), 2, norm="none")
    found = simulate(network, arrays(network), np.ones((1, 5)), 3)
    assert brian2.prefs["codegen.target"] == before
    assert found["hidden1"].S.shape == found["hidden1"].v.shape == (3, 1, 8)


def test_the_first_difference_is_the_earliest_one() -> None:
    a = {"hidden1": np.zeros((4, 2, 3)), "hidden2": np.zeros((4, 2, 5))}
    b = {name: values.copy() for name, values in a.items()}
    assert compare_spikes(a, b) == Parity(2, 0, True, None)
    b["hidden1"][3, 0, 0] = b["hidden2"][1, 1, 4] = 1
    assert compare_spikes(a, b) == Parity(2, 2, False, Difference("hidden2", 1, 1, 4, 0.0, 1.0))
    with pytest.raises(UserError, match="'hidden2' is missing from one of the two paths"):
        compare_spikes(a, {"hidden1": a["hidden1"]})
    with pytest.raises(UserError, match="have the shapes"):
        compare_spikes(a, {**b, "hidden1": np.zeros((4, 2, 1))})
    with pytest.raises(UserError, match="no layer"):
        compare_spikes({}, b)


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        (0.6722755629357705, 0.6722755629357704, True),
        (1.0, 1 - 2e-16, True),
        (0.5, 0.5 + 1e-9, False),
        (0.0, 1.0, False),
    ],
)
def test_graded_outputs_may_differ_by_rounding_and_spikes_may_not(left: float, right: float, equal: bool) -> None:
    """Sums of currents round otherwise on other machines."""
    parity = compare_spikes({"hidden1": np.full((1, 1, 1), left)}, {"hidden1": np.full((1, 1, 1), right)})
    assert parity.spikes_equal is equal and (parity.first_difference is None) is equal
