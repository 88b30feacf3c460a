"""Rules that learn from the error of each step, against autograd and against their papers' recursions by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np
import pytest
import torch
from test_brian2_learning import trial_of
from test_brian2_online import assert_same_trajectories
from torch import Tensor
from torch.nn import functional

from neurorules import Learner
from neurorules.contracts.series import Series
from neurorules.language.errors import UserError
from neurorules.language.rules import Plasticity, Rule
from neurorules.language.signal_spec import SignalSpec
from neurorules.network.initial import initialise
from neurorules.network.model import Learned, Model, build_model
from neurorules.network.network import build_network
from neurorules.rules import RULES
from neurorules.torch_path.trial.learn import TrialResult, learn_trial

STEPS, SAMPLES, INPUTS, CLASSES = 12, 4, 5, 3
ALPHA, KAPPA, RHO, B = 0.8, 0.7, 0.9, 0.3
EXACT = 1e-12
Array = np.ndarray


class Case(NamedTuple):
    """A model, what it has learned, one trial of it, and the batch."""

    model: Model
    learned: Learned
    found: TrialResult
    drive: Tensor
    labels: Tensor

    def psi(self, layer: int) -> Array:
        neuron = self.model.network.layers[layer].neuron
        return neuron.psi(self.found.activity[layer].v.values).numpy()

    def spikes(self, layer: int) -> Array:
        return self.drive.numpy() if layer < 0 else self.found.activity[layer].S.values.numpy()

    def m(self, name: str) -> Array:
        return self.found.third_factors[name].over_time(STEPS).numpy()

    def errors(self) -> Array:
        """Softmax of the read-out's membrane at each step minus the label, divided by the steps."""
        p = torch.softmax(self.found.activity[-1].v.values, -1)
        return ((p - functional.one_hot(self.labels, CLASSES)) / STEPS).numpy()


def error_of_the_trial(one: Case) -> Array:
    """Softmax of the mean membrane of the read-out minus the label, shared out over the steps."""
    p = torch.softmax(one.found.activity[-1].v.values.mean(0), -1)
    return ((p - functional.one_hot(one.labels, CLASSES)) / STEPS).numpy()


def case(
    rule: str | Rule, net: str = "6", neuron: str = f"lif:beta={ALPHA}", kappa: float = 0.0, steps: int = STEPS,
    readout: Literal["last", "all"] = "last", last_steps: int | None = None,
) -> Case:  # fmt: skip
    made = RULES.make(rule) if isinstance(rule, str) else rule
    network = build_network(
        net, (INPUTS,), CLASSES, neuron=neuron, norm="none", readout_neuron=f"leaky_readout:beta={kappa}",
        readout=readout,
    )  # fmt: skip
    model = build_model(network.on(torch.device("cpu"), torch.float64), made, last_steps=last_steps)
    learned = initialise(model, 1, torch.device("cpu"), torch.float64)
    generator = torch.Generator().manual_seed(4)
    parameters = {
        name: 0.9 * torch.randn(value.shape, generator=generator, dtype=torch.float64) + (0.2 if name[0] == "h" else 0)
        for name, value in learned.parameters.items()
    }
    learned = replace(learned, parameters=parameters)
    drive = (torch.rand(steps, SAMPLES, INPUTS, generator=generator) < 0.5).double()
    labels = torch.randint(CLASSES, (SAMPLES,), generator=generator)
    found = learn_trial(model, learned, Series(drive, False), steps, labels, torch.Generator().manual_seed(0))
    return Case(model, learned, found, drive, labels)


def autograd(one: Case, reset: str = "subtract", *, detach: bool = True, kappa: float = 0.0) -> dict[str, Tensor]:
    """Gradients of the mean over steps of the cross-entropy, in a net of one hidden layer whose loop is detached.

    Args:
        one: brings parameters and the batch.
        reset: of the neurons.
        detach: whether resets are constants.
        kappa: decay of the read-out.
    """
    neuron = one.model.network.layers[0].neuron
    beta, rho, rise = neuron.beta, getattr(neuron, "rho", 0.0), getattr(neuron, "kappa", 0.0)  # type: ignore[attr-defined]
    w = {name: value.clone().requires_grad_() for name, value in one.learned.parameters.items()}
    u = b = s = torch.zeros(SAMPLES, len(w["hidden1.b"]), dtype=torch.float64)
    y, losses = torch.zeros(SAMPLES, CLASSES, dtype=torch.float64), []
    for here in one.drive:
        late = ((u - rise * b) > 1).double().detach() if reset == "subtract" else torch.zeros_like(u)
        b = rho * b + s
        current = here @ w["hidden1.ff.w"].T + w["hidden1.b"]
        if "hidden1.rec.w" in w:
            current = current + s.detach() @ w["hidden1.rec.w"].T
        v = beta * u + current - late
        soft = neuron.primitive(v - rise * b)
        s = (v - rise * b > 1).double() + soft - soft.detach()
        due = (s.detach() if detach else s) - late
        u = v - {"subtract": due, "zero": due * v, "none": 0.0 * v}[reset]
        y = kappa * y + s @ w["readout.ff.w"].T + w["readout.b"]
        losses.append(functional.cross_entropy(y, one.labels))
    torch.stack(losses).mean().backward()
    return {name: value.grad for name, value in w.items() if value.grad is not None}


def assert_same(found: Tensor, expected: Tensor | Array, within: float = EXACT) -> None:
    expected = torch.as_tensor(expected)
    assert expected.abs().max() > 1e-4
    assert (found - expected).abs().max() < within


def traced(values: Array, decay: float) -> Array:
    now, all_ = np.zeros_like(values[0]), []
    for value in values:
        now = decay * now + value
        all_.append(now)
    return np.stack(all_)


EPROP = f"eprop:alpha={ALPHA}:kappa={KAPPA}"
ALIF = f"alif:beta={ALPHA}:rho={RHO}:kappa={B}"
ADAPTED = f"adaptation={B}:rho={RHO}"


@pytest.mark.parametrize("net", ["7", "r7"])
def test_eprop_is_the_gradient_with_recurrent_spikes_and_resets_detached(net: str) -> None:
    one = case(f"{EPROP}:feedback=symmetric", net, kappa=KAPPA)
    expected = autograd(one, kappa=KAPPA)
    assert len(expected) == (5 if net == "r7" else 4)
    for name, value in expected.items():
        assert_same(one.found.gradients[name], value)


@pytest.mark.parametrize("net", ["7", "r7"])
def test_eprop_of_adaptive_neurons_is_that_gradient_too(net: str) -> None:
    one = case(f"{EPROP}:feedback=symmetric:{ADAPTED}", net, ALIF, KAPPA)
    expected = autograd(one, kappa=KAPPA)
    for name in expected.keys() - {"hidden1.b"}:
        assert_same(one.found.gradients[name], expected[name])
    still = case(f"{EPROP}:feedback=symmetric", net, ALIF, KAPPA)
    assert (still.found.gradients["hidden1.ff.w"] - expected["hidden1.ff.w"]).abs().max() > 1e-3


def test_random_feedback_of_the_read_outs_weights_is_the_symmetric_one_to_the_bit() -> None:
    symmetric, random = (case(f"{EPROP}:feedback={kind}", "r7", kappa=KAPPA) for kind in ("symmetric", "random"))
    random.learned.signal["hidden1.feedback"] = random.learned.parameters["readout.ff.w"].clone()
    found = learn_trial(
        random.model, random.learned, Series(random.drive, False), STEPS, random.labels, torch.Generator()
    )
    for name, value in symmetric.found.gradients.items():
        assert torch.equal(found.gradients[name], value), name


def test_symmetric_feedback_is_refused_where_the_read_out_reads_another_layer() -> None:
    with pytest.raises(UserError, match="one hidden layer, such as --net r100.*feedback=random"):
        case("eprop:feedback=symmetric", "7-6")


@pytest.mark.parametrize("rule", [EPROP, "dfa"])
def test_adaptive_feedback_changes_as_the_read_out_does(rule: str) -> None:
    """Kolen & Pollack 1994, without decay: B - W stays what it was."""
    made = RULES.make(rule)
    one = case(replace(made, signal=SignalSpec("dfa", {"feedback": "adaptive"})), "r7", kappa=KAPPA)
    assert_same(one.found.gradients["hidden1.feedback"], one.found.gradients["readout.ff.w"])
    feedback = one.learned.parameters["hidden1.feedback"].numpy()
    error = one.errors() if made.errors == "step" else np.stack([error_of_the_trial(one)] * STEPS)
    np.testing.assert_allclose(one.m("hidden1"), error @ feedback, rtol=0, atol=EXACT)
    settings = {"input_shape": (INPUTS,), "classes": CLASSES, "precision": "float64", "device": "cpu", "steps": STEPS}
    learner = Learner("r7", "eprop:feedback=adaptive", readout_lr=0.02, signal_lr=0.5, optimizer="adam", **settings)
    apart = learner.learned.parameters["hidden1.feedback"] - learner.learned.parameters["readout.ff.w"]
    before = learner.learned.parameters["readout.ff.w"].clone()
    for _ in range(3):
        learner.step(one.drive, one.labels)
    weights = learner.learned.parameters["readout.ff.w"]
    assert_same(learner.learned.parameters["hidden1.feedback"] - weights, apart)
    assert (weights - before).abs().max() > 1e-2


def test_adaptive_feedback_is_refused_beside_a_read_out_that_spikes() -> None:
    network = build_network("7", (INPUTS,), CLASSES, neuron="lif", norm="none", readout_neuron="lif")
    with pytest.raises(UserError, match="leaks and never spikes.*--readout-neuron leaky_readout"):
        build_model(network, RULES.make("eprop:feedback=adaptive"))


def test_each_layer_is_sent_the_error_through_what_the_read_out_reads_it_by() -> None:
    one = case(f"{EPROP}:feedback=symmetric", "7-6", kappa=KAPPA, readout="all")
    readout = [name for name in one.learned.parameters if name.startswith("readout.") and not name.endswith(".b")]
    for name, weights in zip(("hidden1", "hidden2"), readout, strict=True):
        expected = one.errors() @ one.learned.parameters[weights].numpy()
        np.testing.assert_allclose(one.m(name), expected, rtol=0, atol=EXACT)


def test_a_filtered_eligibility_is_an_error_that_is_scanned_backwards() -> None:
    one = case(EPROP, "r7", kappa=KAPPA)
    back = one.errors() @ one.learned.signal["hidden1.feedback"].numpy()
    for t in reversed(range(STEPS - 1)):
        back[t] += KAPPA * back[t + 1]
    x = traced(one.spikes(-1), ALPHA)
    assert_same(one.found.gradients["hidden1.ff.w"], np.einsum("tbo,tbi->oi", back * one.psi(0), x) / SAMPLES)
    late = np.concatenate([np.zeros_like(one.spikes(0)[:1]), one.spikes(0)[:-1]])
    own = np.einsum("tbo,tbi->oi", back * one.psi(0), traced(late, ALPHA)) / SAMPLES
    assert_same(one.found.gradients["hidden1.rec.w"], own)


@pytest.mark.parametrize("adapted", ["", f":{ADAPTED}"])
def test_firing_rates_are_pulled_towards_their_target_by_the_unfiltered_eligibility(adapted: str) -> None:
    neuron = ALIF if adapted else f"lif:beta={ALPHA}"
    one = case(f"{EPROP}:c_reg=0.5:f_target=0.2{adapted}", "r7", neuron, KAPPA)
    plain = case(f"{EPROP}{adapted}", "r7", neuron, KAPPA)
    rates = np.cumsum(one.spikes(0), 0) / np.arange(1, STEPS + 1)[:, None, None]
    x, psi, b = traced(one.spikes(-1), ALPHA), one.psi(0), B if adapted else 0.0
    eps, pull = np.zeros((SAMPLES, 7, INPUTS)), 0.0
    for t in range(STEPS):
        e = psi[t][:, :, None] * (x[t][:, None] - b * eps)
        pull, eps = pull + 0.5 * np.einsum("bo,boi->oi", rates[t] - 0.2, e), RHO * eps + e
    assert_same(one.found.gradients["hidden1.ff.w"] - plain.found.gradients["hidden1.ff.w"], pull / SAMPLES)


def down(one: Case, names: list[str]) -> list[Array]:
    """m of each hidden layer of a chain, from the errors of the steps through the weights of the steps."""
    sent, m = one.errors(), []
    for layer in reversed(range(len(names))):
        above = "readout" if layer + 1 == len(names) else names[layer + 1]
        m.insert(0, sent @ one.learned.parameters[f"{above}.ff.w"].numpy())
        sent = m[0] * one.psi(layer)
    return m


@pytest.mark.parametrize("net", ["7-6-5", "r7-r6"])
def test_ottt_is_a_presynaptic_trace_times_the_error_of_the_step(net: str) -> None:
    one = case(f"ottt:lam={ALPHA}", net, kappa=KAPPA)
    names = [layer.name for layer in one.model.network.hidden]
    for number, (name, m) in enumerate(zip(names, down(one, names), strict=True)):
        np.testing.assert_allclose(one.m(name), m, rtol=0, atol=EXACT)
        change = np.einsum("tbo,tbi->oi", m * one.psi(number), traced(one.spikes(number - 1), ALPHA)) / SAMPLES
        assert_same(one.found.gradients[f"{name}.ff.w"], change)
        assert_same(one.found.gradients[f"{name}.b"], (m * one.psi(number)).sum((0, 1)) / SAMPLES)


def test_ottt_of_one_spiking_layer_is_backpropagation_through_time() -> None:
    one = case(f"ottt:lam={ALPHA}")
    expected = autograd(one)
    for name in ("hidden1.ff.w", "readout.ff.w", "readout.b"):
        assert_same(one.found.gradients[name], expected[name])
    exact = case(replace(RULES.make("bptt"), errors="step"))
    assert_same(exact.found.gradients["hidden1.ff.w"], expected["hidden1.ff.w"])


def test_ottt_of_two_spiking_layers_is_something_else() -> None:
    one, exact = case(f"ottt:lam={ALPHA}", "7-6"), case(replace(RULES.make("bptt"), errors="step"), "7-6")
    assert_same(one.found.gradients["hidden2.ff.w"], exact.found.gradients["hidden2.ff.w"])
    assert (one.found.gradients["hidden1.ff.w"] - exact.found.gradients["hidden1.ff.w"]).abs().max() > 1e-3


@pytest.mark.parametrize("rule", ["ottt", "ostl", "s_tller:a_post=0"])
def test_in_one_step_space_is_all_there_is(rule: str) -> None:
    one, exact = (case(text, "7-6-5", steps=1) for text in (rule, "bptt"))
    for name, value in exact.found.gradients.items():
        assert (one.found.gradients[name] - value).abs().max() < EXACT, name


def test_without_a_trace_ottt_is_the_error_in_space_times_the_spike() -> None:
    slow, plain = case("ottt:lam=0", "7-6"), case(replace(RULES.make("bptt:presynaptic=spike"), errors="step"), "7-6")
    for name, value in plain.found.gradients.items():
        assert_same(slow.found.gradients[name], value)


def test_a_text_that_goes_through_time_hands_down_what_belongs_to_the_step() -> None:
    text = case(RULES.make(f"ottt:lam={ALPHA}"), "7-6-5", kappa=KAPPA)
    network = text.model.network
    eligible = build_model(network, RULES.make("ottt"), dw="-m_post * psi(v_post) * dv_dw")
    found = learn_trial(eligible, text.learned, Series(text.drive, False), STEPS, text.labels, torch.Generator())
    for name in ("hidden1.ff.w", "hidden2.ff.w", "hidden3.ff.w"):
        assert_same(found.gradients[name], text.found.gradients[name])


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
def test_ostl_of_one_layer_is_backpropagation_through_time_and_through_the_reset(reset: str) -> None:
    one = case(f"ostl:beta={ALPHA}:resets={reset}", "7", f"lif:beta={ALPHA}:reset={reset}")
    expected = autograd(one, reset, detach=False)
    for name in ("hidden1.ff.w", "readout.ff.w"):
        assert_same(one.found.gradients[name], expected[name])
    fixed = case(f"ostl:beta={ALPHA}:resets={reset}:reset=fixed", "7", f"lif:beta={ALPHA}:reset={reset}")
    assert_same(fixed.found.gradients["hidden1.ff.w"], autograd(one, reset)["hidden1.ff.w"])
    apart = (fixed.found.gradients["hidden1.ff.w"] - expected["hidden1.ff.w"]).abs().max()
    assert apart < EXACT if reset == "none" else apart > 1e-3


def test_ostl_with_fixed_resets_that_subtract_is_ottt() -> None:
    one, other = case(f"ostl:beta={ALPHA}:reset=fixed", "7-6"), case(f"ottt:lam={ALPHA}", "7-6")
    for name, value in other.found.gradients.items():
        assert_same(one.found.gradients[name], value)


def test_etlp_without_adaptation_is_target_projection_with_a_trace() -> None:
    one, other = case(f"etlp:alpha={ALPHA}", "7-6"), case("drtp:presynaptic=eligibility", "7-6")
    for name in ("hidden1.ff.w", "hidden2.ff.w"):
        assert_same(one.found.gradients[name], other.found.gradients[name])


@pytest.mark.parametrize("window", [None, 3])
def test_etlp_learns_at_the_steps_that_teach_alone_in_any_window(window: int | None) -> None:
    one = case(f"etlp:alpha={ALPHA}:teaching=0.4", "7-6")
    assert one.model.rule.teaching == 0.4
    drawn = torch.rand(STEPS, generator=torch.Generator().manual_seed(3)) < 0.4
    assert 0 < drawn.sum() < STEPS
    found = learn_trial(
        one.model, one.learned, Series(one.drive, False), STEPS, one.labels, torch.Generator().manual_seed(3), window
    )
    m = -torch.eye(CLASSES)[one.labels].numpy() @ one.learned.signal["hidden1.feedback"].numpy() / STEPS
    psi, x = one.psi(0), traced(one.spikes(-1), ALPHA)
    change = sum(np.einsum("bo,bi->oi", m * psi[t], x[t]) for t in range(STEPS) if drawn[t])
    assert_same(found.gradients["hidden1.ff.w"], change / SAMPLES)
    silent = case(f"etlp:alpha={ALPHA}:teaching=0", "7-6").found.gradients
    assert all(not gradient.any() for gradient in silent.values())


def test_etlp_of_adaptive_neurons_follows_the_threshold() -> None:
    one = case(f"etlp:alpha={ALPHA}:{ADAPTED}", "7", ALIF)
    target = np.eye(CLASSES)[one.labels.numpy()]
    m = -target @ one.learned.signal["hidden1.feedback"].numpy() / STEPS
    psi, x = one.psi(0), traced(one.spikes(-1), ALPHA)
    eps, change = np.zeros((SAMPLES, 7, INPUTS)), 0.0
    for t in range(STEPS):
        e = psi[t][:, :, None] * (x[t][:, None] - B * eps)
        change, eps = change + np.einsum("bo,boi->oi", m, e), RHO * eps + e
    assert_same(one.found.gradients["hidden1.ff.w"], change / SAMPLES)


def test_osttp_is_ostls_eligibility_times_the_projected_label() -> None:
    one = case(f"osttp:beta={ALPHA}", "7-6")
    target = np.eye(CLASSES)[one.labels.numpy()]
    for number, name in enumerate(("hidden1", "hidden2")):
        m = -target @ one.learned.signal[f"{name}.feedback"].numpy() / STEPS
        psi, pre = one.psi(number), one.spikes(number - 1)
        eps, change = np.zeros((SAMPLES, psi.shape[2], pre.shape[2])), 0.0
        for t in range(STEPS):
            gate = ALPHA * (1 - psi[t - 1]) if t else 0 * psi[0]
            eps = gate[:, :, None] * eps + pre[t][:, None]
            change = change + np.einsum("bo,boi->oi", m * psi[t], eps)
        assert_same(one.found.gradients[f"{name}.ff.w"], change / SAMPLES)
    plain = case(f"osttp:beta={ALPHA}:resets=none", "7", f"lif:beta={ALPHA}:reset=none")
    traces = case(f"etlp:alpha={ALPHA}", "7", f"lif:beta={ALPHA}:reset=none")
    assert_same(plain.found.gradients["hidden1.ff.w"], traces.found.gradients["hidden1.ff.w"])


def test_s_tller_without_its_other_term_is_ottt() -> None:
    one, other = case(f"s_tller:a_post=0:l_pre={ALPHA}", "7-6"), case(f"ottt:lam={ALPHA}", "7-6")
    for name, value in other.found.gradients.items():
        assert torch.equal(one.found.gradients[name], value), name


@pytest.mark.parametrize("last", [None, 3])
def test_s_tller_has_a_trace_on_either_side_and_learns_in_its_window(last: int | None) -> None:
    one = case("s_tller:a_post=-0.5:l_pre=0.75:l_post=0.2", "7-6", last_steps=last)
    errors = one.errors()
    if last is not None:
        errors = np.concatenate([0 * errors[:-last], errors[-last:] * STEPS / last])
    m2 = errors @ one.learned.parameters["readout.ff.w"].numpy()
    m1 = (m2 * one.psi(1)) @ one.learned.parameters["hidden2.ff.w"].numpy()
    for number, m in enumerate((m1, m2)):
        psi, pre = one.psi(number), one.spikes(number - 1)
        y = traced(psi, 0.2) - psi
        change = np.einsum("tbo,tbi->oi", m * psi, traced(pre, 0.75)) - 0.5 * np.einsum("tbo,tbi->oi", m * y, pre)
        assert_same(one.found.gradients[f"hidden{number + 1}.ff.w"], change / SAMPLES)


def test_the_sign_of_an_error_of_one_is_the_error() -> None:
    """sDFA, Frenkel et al. 2021: m = B sign(e). Of errors that are -1, 0 or 1 it is m = B e."""
    graded, sign = (case(f"dfa:error={error}", "7-6") for error in ("graded", "sign"))
    for name in ("hidden1", "hidden2"):
        feedback, error = sign.learned.signal[f"{name}.feedback"].numpy(), sign.found.activity[-1].v.values.mean(0)
        e = torch.softmax(error, -1) - functional.one_hot(sign.labels, CLASSES)
        np.testing.assert_allclose(sign.m(name)[0], np.sign(e.numpy()) @ feedback / STEPS, rtol=0, atol=EXACT)
        np.testing.assert_allclose(graded.m(name)[0], e.numpy() @ feedback / STEPS, rtol=0, atol=EXACT)


def test_a_sign_of_each_step_is_shared_out_over_the_steps_that_count() -> None:
    one = case(replace(RULES.make("dfa:error=sign"), errors="step"), "7", last_steps=3)
    sign = np.sign(one.errors()) / 3
    sign[:-3] = 0
    expected = sign @ one.learned.signal["hidden1.feedback"].numpy()
    np.testing.assert_allclose(one.m("hidden1"), expected, rtol=0, atol=EXACT)


def test_otpe_of_equal_leaks_is_eprop_and_the_gradient_with_resets_fixed() -> None:
    one = case(f"otpe:lam={ALPHA}:reset=fixed", "7", kappa=ALPHA)
    other = case(f"eprop:alpha={ALPHA}:kappa={ALPHA}:feedback=symmetric", "7", kappa=ALPHA)
    expected = autograd(one, kappa=ALPHA)
    for name in ("hidden1.ff.w", "readout.ff.w"):
        assert_same(one.found.gradients[name], other.found.gradients[name])
        assert_same(one.found.gradients[name], expected[name])
    through = case(f"otpe:lam={ALPHA}", "7", kappa=ALPHA)
    assert_same(through.found.gradients["hidden1.ff.w"], autograd(one, detach=False, kappa=ALPHA)["hidden1.ff.w"])


@pytest.mark.parametrize("form", ["full", "approximate"])
def test_otpe_filters_twice_and_sends_down_a_running_mean_of_psi(form: str) -> None:
    one = case(f"otpe:lam={ALPHA}:form={form}:reset=fixed", "7-6", kappa=ALPHA)
    count, mean, means = 0.0, np.zeros_like(one.psi(1)[0]), []
    for psi in one.psi(1):  # q = lam n / (lam n + 1), n <- lam n + 1, as the paper's code has it
        q = ALPHA * count / (ALPHA * count + 1)
        count, mean = ALPHA * count + 1, q * mean + (1 - q) * psi
        means.append(mean)
    m2 = one.errors() @ one.learned.parameters["readout.ff.w"].numpy()
    m1 = (m2 * np.stack(means)) @ one.learned.parameters["hidden2.ff.w"].numpy()
    np.testing.assert_allclose(one.m("hidden1"), m1, rtol=0, atol=EXACT)
    x = traced(one.spikes(0), ALPHA)
    if form == "full":
        r = traced(one.psi(1)[:, :, :, None] * x[:, :, None], ALPHA)
        change = np.einsum("tbo,tboi->oi", m2, r)
    else:
        change = np.einsum("tbo,tbi->oi", m2 * np.stack(means), traced(x, ALPHA))
    assert_same(one.found.gradients["hidden2.ff.w"], change / SAMPLES)


def test_what_a_layer_sends_down_is_what_its_text_of_that_name_says() -> None:
    """Also where its weights' own text keeps psi in an eligibility."""
    one, text = case("eprop", "7-6"), case("ottt:lam=0.9", "7-6")
    above = build_model(one.model.network, RULES.make("eprop"), signal="spatial")
    found = learn_trial(above, one.learned, Series(one.drive, False), STEPS, one.labels, torch.Generator())
    np.testing.assert_allclose(found.third_factors["hidden1"].values.numpy(), text.m("hidden1"), rtol=0, atol=EXACT)


def test_a_layer_sends_down_nothing_that_stands_before_it() -> None:
    wrong = replace(
        RULES.make("ottt"), plasticity=(*RULES.make("ottt").plasticity, Plasticity("sent", "m_post * S_pre"))
    )
    with pytest.raises(UserError, match="of `sent` reads what stands at a synapse.*Write postsynaptic factors"):
        case(wrong)


@pytest.mark.parametrize(
    "rule",
    [
        "eprop:adaptation=0.3:c_reg=0.5",
        "etlp:adaptation=0.3",
        "ostl:resets=zero",
        "otpe:form=approximate",
        "s_tller:a_post=1",
    ],
)
def test_other_forms_of_online_rules_move_weights_alike_in_torch_and_in_brian2(rule: str) -> None:
    neuron = RULES.make(rule).defaults.neuron
    assert_same_trajectories(trial_of(rule, net="9-6", neuron=neuron, steps=300, samples=1))
