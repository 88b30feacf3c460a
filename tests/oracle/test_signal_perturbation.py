"""PEPITA's signal in spiking nets against its forms by hand; rate nets: `test_pepita`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from by_hand import (
    CLASSES,
    INPUTS,
    SAMPLES,
    STEPS,
    Array,
    Hand,
    Pass,
    assert_gradients,
    assert_m,
    batch,
    error_of,
    product,
    psi,
)

from neurorules import Series
from neurorules.torch_path.trial.learn import learn_trial

X, LABELS = batch()
STRONG = ":kappa=9"
"""So that spikes of these few neurons move."""


class Passes:
    """Both passes of a trial, and the error between them."""

    def __init__(self, hand: Hand, x: Array, labels: Array, size: float = 1.0, signs: bool = False) -> None:
        self.first = hand.run(x)
        self.e = error_of(self.first.output, labels)
        shown = 0.1 * np.sign(self.e) if signs else self.e
        self.push = size * shown @ hand.state("projection").reshape(CLASSES, -1) @ hand.weights("hidden1").T
        self.second = hand.run(x, beside=self.push)

    @property
    def differences(self) -> list[Array]:
        return [(r - err) / STEPS for r, err in zip(self.first.rates, self.second.rates, strict=True)]


@pytest.mark.parametrize(
    ("options", "size", "signs"),
    [("", 1.0, False), (":sign=minus", -1.0, False), (":error_sign=true", 1.0, True), (":init=normal", 1.0, False)],
)
def test_the_rate_difference_is_what_the_pushed_input_changes_the_other_way_round(
    options: str, size: float, signs: bool
) -> None:
    """Dellaferrera & Kreiman 2022: dW_l = (h_l - h_l^err) h_{l-1}^err^T, h rates; events stay the presynaptic ones."""
    hand = Hand(f"pepita{STRONG}{options}")
    passes, found = Passes(hand, X, LABELS, size, signs), hand.trial(X, LABELS)
    for layer, name in enumerate(hand.names):
        assert_gradients(found, {f"{name}.ff.w": product(passes.differences[layer], passes.second.pre[layer])})
    assert_gradients(found, {"readout.ff.w": passes.e.T @ passes.second.rates[-1] / SAMPLES})


def test_the_read_out_may_learn_from_the_second_passs_error_and_layers_from_the_first_passs_input() -> None:
    hand = Hand(f"pepita{STRONG}:error=second:presynaptic=forward")
    passes, found = Passes(hand, X, LABELS), hand.trial(X, LABELS)
    again = error_of(passes.second.output, LABELS)
    assert_gradients(found, {"hidden2.ff.w": product(passes.differences[1], passes.first.pre[1])})
    assert_gradients(found, {"readout.ff.w": again.T @ passes.first.rates[-1] / SAMPLES})


def test_the_contrastive_form_is_hebbian_in_one_pass_and_anti_hebbian_in_the_other() -> None:
    """Srinivasan et al. 2024: dW = h h^T - h^err h^err^T at every step; read-out: p r^T - y* r^err^T."""
    hand = Hand(f"pepita{STRONG}:form=contrastive")
    passes, found = Passes(hand, X, LABELS), hand.trial(X, LABELS)
    for layer, name in enumerate(hand.names):
        both = [product(run.s[layer], run.pre[layer]) for run in (passes.first, passes.second)]
        assert_gradients(found, {f"{name}.ff.w": both[0] - both[1]})
    y = np.eye(CLASSES)[LABELS]
    p = passes.e + y
    both = [a.T @ run.rates[-1] for a, run in ((p, passes.first), (y, passes.second))]
    assert_gradients(found, {"readout.ff.w": (both[0] - both[1]) / SAMPLES})


def currents(hand: Hand, run: Pass, push: Array | float, layer: int) -> Array:
    """Mean current of a layer, (B, N)."""
    name = hand.names[layer]
    return run.pre[layer].mean(0) @ hand.weights(name).T + hand.parameter(f"{name}.b") + (push if layer == 0 else 0)


def test_the_graded_form_compares_currents() -> None:
    hand = Hand("pepita:form=graded")
    passes, found = Passes(hand, X, LABELS), hand.trial(X, LABELS)
    for layer, name in enumerate(hand.names):
        m = currents(hand, passes.first, 0, layer) - currents(hand, passes.second, passes.push, layer)
        if np.abs(m).max() > 1e-6:
            assert_m(found, name, m / STEPS)
            post = m / STEPS * psi(passes.first.v[layer])
            assert_gradients(found, {f"{name}.ff.w": product(post, passes.first.pre[layer])})


def dendritic(hand: Hand, run: Pass, push: Array) -> list[Array]:
    """a_1 = W_1 F e, a_l = W_l (mean psi_{l-1} a_{l-1}), up to the read-out's."""
    found = [push]
    for layer, name in enumerate([*hand.names[1:], "readout"]):
        found.append((psi(run.v[layer]).mean(0) * found[-1]) @ hand.weights(name).T)
    return found


@pytest.mark.parametrize("kappa", ["", ":kappa=3"])
def test_the_dendritic_form_carries_the_push_beside_the_spikes(kappa: str) -> None:
    hand = Hand(f"pepita:form=dendritic{kappa}")
    passes, found = Passes(hand, X, LABELS), hand.trial(X, LABELS)
    for layer, (name, a) in enumerate(zip(hand.names, dendritic(hand, passes.first, passes.push), strict=False)):
        assert_m(found, name, -a / STEPS)
        post = -a / STEPS * psi(passes.first.v[layer])
        assert_gradients(found, {f"{name}.ff.w": product(post, passes.first.pre[layer])})
    assert_gradients(found, {"readout.ff.w": passes.e.T @ passes.first.rates[-1] / SAMPLES})


@pytest.mark.parametrize("sign", ["plus", "minus"])
def test_the_mirror_is_the_running_product_of_noise_and_its_answer(sign: str) -> None:
    """J <- .98 J + .02 mean(n j^T), j what noise n at the input brings about at the read-out; F opposes J after 20."""
    hand = Hand(f"pepita:form=dendritic:mirror=running:sign={sign}")
    signal = hand.learner.model.signal
    assert signal is not None
    mirror, first = np.zeros((CLASSES, INPUTS)), hand.state("projection")
    noises = []
    for trial in range(23):
        x, labels = batch(trial)
        found = hand.trial(x, labels)
        here = {**hand.learned.signal, "trial": hand.learned.signal["trial"] + 1}
        drive = signal.drive(
            "noise", here, {}, hand.learner.model.shape, Series(torch.from_numpy(x), False), None, None
        )
        assert drive.offset is not None
        noise = drive.offset.rows().numpy()
        noises.append(noise)
        answer = dendritic(hand, hand.run(x), noise @ hand.weights("hidden1").T)[-1]
        mirror = 0.98 * mirror + 0.02 * answer.T @ noise / SAMPLES
        hand.learned = replace(found.learned, parameters=hand.learned.parameters)
        np.testing.assert_allclose(hand.state("mirror"), mirror, rtol=0, atol=1e-10)
        if trial < 20:
            assert np.array_equal(hand.state("projection"), first)
        else:
            opposed = (-1 if sign == "plus" else 1) * mirror / mirror.std(ddof=1)
            expected = opposed * (2 / INPUTS) ** 0.5
            np.testing.assert_allclose(hand.state("projection"), expected, rtol=0, atol=1e-10)
    assert set(np.unique(noises)) == {-1.0, 1.0} and abs(np.mean(noises)) < 0.2
    assert not np.array_equal(noises[0], noises[1])


def test_class_means_are_running_products_of_inputs_and_centred_labels() -> None:
    """The control init=class_means: F has the direction of the classes' mean inputs, and the size it was drawn with."""
    hand = Hand("pepita:form=dendritic:init=class_means")
    means, size = np.zeros((CLASSES, INPUTS)), hand.state("projection").std(ddof=1)
    for trial in range(3):
        x, labels = batch(trial)
        hand.learned = replace(hand.trial(x, labels).learned, parameters=hand.learned.parameters)
        members = np.eye(CLASSES)[labels]
        means = 0.98 * means + 0.02 * (members - members.mean(0)).T @ x.mean(0) / SAMPLES
        np.testing.assert_allclose(hand.state("class_means"), means, rtol=0, atol=1e-12)
        expected = means / means.std(ddof=1) * size
        np.testing.assert_allclose(hand.state("projection"), expected, rtol=0, atol=1e-10)


def test_mirroring_layer_by_layer_answers_noise_into_each_layer_alone() -> None:
    """Akrout et al. 2019: B_l <- B_l + .1 (mean(n^T h(W_l n)) - .5 B_l), all times one factor; F = -B_1 B_2 B_3."""
    hand = Hand("pepita:neurons=rate:mirror=layers:init=normal", neuron="rate", init="he")
    names = [*hand.names, "readout"]
    before = {name: hand.state(f"feedback.{name}") for name in names}
    x = Series(torch.from_numpy(X[0]), True)
    learned = learn_trial(hand.learner.model, hand.learned, x, 1, torch.from_numpy(LABELS), torch.Generator()).learned
    moved = {}
    for name in names:
        inputs = before[name].shape[0]
        words = torch.Generator().manual_seed((int(hand.learned.signal["seed"]) * 1_000_003 + 1) % 2**63)
        drawn = torch.empty(-(-SAMPLES * inputs // 8), dtype=torch.int64).random_(generator=words)
        bits = drawn.view(torch.int8)[: SAMPLES * inputs].numpy() & 1
        noise = 0.1 * (2.0 * bits.reshape(SAMPLES, inputs) - 1)
        noise = noise - noise.mean(0)
        w = hand.weights(name)
        answer = noise @ w.T if name == "readout" else np.maximum(noise @ w.T, 0)
        moved[name] = before[name] + 0.1 * (noise.T @ answer / SAMPLES - 0.5 * before[name])
    total = moved["hidden1"] @ moved["hidden2"] @ moved["readout"]
    factor = 0.05 * (2 / INPUTS) ** 0.5 / total.std(ddof=1)
    for name in names:
        got = learned.signal[f"feedback.{name}"].numpy()
        np.testing.assert_allclose(got, moved[name] * factor ** (1 / 3), rtol=0, atol=1e-10, err_msg=name)
    np.testing.assert_allclose(learned.signal["projection"].numpy(), -factor * total.T, rtol=0, atol=1e-10)
