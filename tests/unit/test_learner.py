"""The learner: what a user may hand to it, and that it goes on where it stopped, to the same bits."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from neurorules import Learner, Series
from neurorules.language.errors import UserError
from neurorules.rules import RULES

STEPS, SAMPLES, CLASSES, INPUTS = 5, 9, 3, 12
TRAINED = ("bptt", "dfa", "drtp", "fa", "local_readout", "pepita", "sigprop", "stdp")


def make(rule: str = "sigprop", net: str = "16-d0.2-10", **options: object) -> Learner:
    given = {"input_shape": (INPUTS,), "classes": CLASSES, "device": "cpu", "neuron": "lif:beta=0.9"} | options
    return Learner(net, rule=rule, **given)  # type: ignore[arg-type]


def batch(number: int = 0, samples: int = SAMPLES) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(number)
    labels = torch.randint(0, CLASSES, (samples,), generator=generator)
    return (torch.rand(STEPS, samples, INPUTS, generator=generator) < 0.4).float(), labels


def learn(learner: Learner, first: int, last: int) -> None:
    for number in range(first, last):
        learner.step(*batch(number))


def assert_equal_states(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> None:
    assert set(one) == set(other)
    different = [name for name in one if not torch.equal(one[name], other[name])]
    assert not different, different


WITH_NAN = batch()[0].index_fill(2, torch.tensor([3]), float("nan"))
WRONG_DRIVES = {
    "NaN": (WITH_NAN, "NaN or infinite"),
    "infinite": (batch()[0] / 0.0, "NaN or infinite"),
    "too few inputs": (batch()[0][..., 1:], r"shape \(5, 9, 11\)"),
    "maps": (batch()[0].reshape(STEPS, SAMPLES, 3, 4), "Reshape it"),
    "no step": (batch()[0][:0], "without a step or a sample"),
}
WRONG_LABELS = {
    "too high": (torch.full((SAMPLES,), CLASSES), "0..2"),
    "negative": (torch.full((SAMPLES,), -1), "0..2"),
    "floating point": (torch.full((SAMPLES,), 0.5), "whole numbers"),
    "boolean": (torch.zeros(SAMPLES, dtype=torch.bool), "whole numbers"),
    "too few": (torch.zeros(SAMPLES - 1, dtype=torch.int64), "9 samples"),
    "one-hot": (torch.zeros(SAMPLES, CLASSES, dtype=torch.int64), "9 samples"),
}
WRONG_SETTINGS: dict[str, tuple[dict[str, object], str]] = {
    "device": ({"device": "gpu"}, "auto, cpu or cuda"),
    "rule": ({"rule": "sigprob"}, "sigprop"),
    "option of the rule": ({"rule": "sigprop:fom=voltage"}, "form"),
    "signal": ({"signal": "dfaa"}, "dfa"),
    "neuron": ({"neuron": "liff"}, "lif"),
    "norm": ({"norm": "streeming"}, "streaming"),
    "optimizer": ({"optimizer": "adm"}, "adam"),
    "net": ({"net": "16-x"}, "16-x"),
    "hardware": ({"hardware": "loihii"}, "loihii"),
    "precision": ({"precision": "flaot64"}, "float64"),
    "schedule": ({"schedule": "by_leyer"}, "by_layer"),
    "schedule of no steps": ({"schedule": "0"}, "by_layer"),
    "shape": ({"input_shape": None}, "input_shape"),
}


@pytest.mark.parametrize("name", WRONG_DRIVES)
def test_an_input_that_does_not_fit_is_refused_in_one_line(name: str) -> None:
    drive, message = WRONG_DRIVES[name]
    with pytest.raises(UserError, match=message) as raised:
        make().step(drive, batch()[1])
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", WRONG_LABELS)
def test_labels_that_do_not_fit_are_refused_in_one_line(name: str) -> None:
    labels, message = WRONG_LABELS[name]
    with pytest.raises(UserError, match=message) as raised:
        make().step(batch()[0], labels)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", WRONG_SETTINGS)
def test_a_setting_that_is_not_known_is_refused_in_one_line(name: str) -> None:
    options, message = WRONG_SETTINGS[name]
    with pytest.raises(UserError, match=message) as raised:
        make(**options)  # type: ignore[arg-type]
    assert "\n" not in str(raised.value)


def test_a_network_with_another_number_of_outputs_than_classes_is_refused() -> None:
    with pytest.raises(UserError, match="3 outputs, and classes is 10"):
        Learner(make().model.network, classes=10, device="cpu")


def test_a_refused_step_changes_nothing() -> None:
    learner = make()
    before = learner.state()
    with pytest.raises(UserError):
        learner.step(WITH_NAN, batch()[1])
    assert_equal_states(before, learner.state())


def test_every_rule_that_learns_is_tested_here() -> None:
    assert set(TRAINED) <= set(RULES.modules)


@pytest.mark.parametrize("rule", TRAINED)
def test_a_learner_learns_from_one_sample_at_a_time(rule: str) -> None:
    learner = make(rule, "40-10")
    before = {name: value.clone() for name, value in learner.learned.parameters.items()}
    for number in range(6):
        metrics = learner.step(*batch(number, samples=1))
        assert all(torch.isfinite(torch.tensor(value)) for value in metrics.values())
    assert all(bool(torch.isfinite(value).all()) for value in learner.learned.parameters.values())
    assert not torch.equal(before["hidden1.ff.w"], learner.learned.parameters["hidden1.ff.w"])


@pytest.mark.parametrize("rule", TRAINED)
def test_the_same_seed_gives_the_same_bits_whatever_was_drawn_elsewhere(rule: str) -> None:
    one = make(rule, seed=3)
    learn(one, 0, 3)
    torch.manual_seed(12345)
    torch.rand(7)
    other = make(rule, seed=3)
    learn(other, 0, 3)
    assert_equal_states(one.state(), other.state())


def test_another_seed_gives_other_weights() -> None:
    assert not torch.equal(
        make(seed=1).state()["parameters/hidden1.ff.w"], make(seed=2).state()["parameters/hidden1.ff.w"]
    )


@pytest.mark.parametrize("optimizer", ["adam", "momentum", "sgd", "none"])
@pytest.mark.parametrize("rule", ["sigprop", "local_readout", "pepita"])
def test_a_learner_goes_on_from_its_state_to_the_same_bits(rule: str, optimizer: str) -> None:
    options = {"optimizer": optimizer, "lr": 1e-3, "readout_lr": 1e-3}
    through, first, second = make(rule, **options), make(rule, **options), make(rule, seed=9, **options)
    learn(through, 0, 5)
    learn(first, 0, 2)
    second.load(first.state())
    learn(second, 2, 5)
    assert_equal_states(through.state(), second.state())
    drive, _ = batch(77)
    assert torch.equal(through.scores(drive), second.scores(drive))


def test_a_state_is_a_copy_that_later_steps_leave_alone() -> None:
    learner = make()
    learn(learner, 0, 1)
    state = learner.state()
    kept = {name: value.clone() for name, value in state.items()}
    learn(learner, 1, 3)
    assert_equal_states(state, kept)


def test_weights_alone_give_the_same_scores() -> None:
    one, other = make(), make(seed=4)
    learn(one, 0, 3)
    other.load(one.state(), weights_only=True)
    drive, _ = batch(77)
    assert torch.equal(one.scores(drive), other.scores(drive))


def test_a_constant_drive_is_the_same_as_one_repeated_at_each_step() -> None:
    values = torch.rand(SAMPLES, INPUTS, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    learner = make(precision="float64", steps=STEPS)
    constant = learner.scores(Series(values, True))
    repeated = learner.scores(values.expand(STEPS, SAMPLES, INPUTS))
    torch.testing.assert_close(constant, repeated, rtol=1e-12, atol=1e-14)


def test_scoring_changes_nothing() -> None:
    learner = make()
    learn(learner, 0, 1)
    before = learner.state()
    learner.scores(batch(5)[0])
    assert_equal_states(before, learner.state())


def test_metrics_are_plain_numbers_in_their_ranges() -> None:
    metrics = make().step(*batch())
    assert set(metrics) == {"loss", "accuracy", "spikes.hidden1", "spikes.hidden2"}
    assert all(type(value) is float for value in metrics.values())
    assert metrics["loss"] >= 0 and 0 <= metrics["accuracy"] <= 1 and metrics["spikes.hidden1"] > 0


def test_a_signal_without_passes_learns_by_the_rules_text_of_the_input_alone() -> None:
    # sigprop's text of the pass "input" is the text below; its pass "target" belongs to its own signal.
    text = "-through_norm(m_post * psi(v_post)) * (S_pre - mean_pre)"
    settings = {"input_shape": (6,), "classes": 3, "steps": 4, "precision": "float64"}
    swapped = Learner("5-4", "sigprop:bias=none", signal="dfa", readout_lr=3e-3, **settings)
    written = Learner("5-4", "dfa", dw=text, **settings)
    for name, value in written.learned.parameters.items():
        assert torch.equal(swapped.learned.parameters[name], value)
    generator = torch.Generator().manual_seed(1)
    spikes = (torch.rand(4, 7, 6, generator=generator) < 0.5).double()
    labels = torch.randint(0, 3, (7,), generator=generator)
    for learner in (swapped, written):
        learner.step(spikes, labels)
    for name in ("hidden1.ff.w", "hidden2.ff.w", "readout.ff.w"):
        assert torch.equal(swapped.learned.parameters[name], written.learned.parameters[name]), name


@pytest.mark.parametrize("rule", ["sigprop:predict=prototypes", "sigprop:predict=neutral", "pepita"])
def test_a_rule_that_needs_its_own_signals_passes_refuses_a_signal_without(rule: str) -> None:
    with pytest.raises(UserError, match="does not work without its phase .*'dfa' does not drive"):
        Learner("5", rule, signal="dfa", input_shape=(6,), classes=3)
