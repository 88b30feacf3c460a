"""Measures of a comparison against what is known: equal updates, random ones, rotations, Student's t."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
import torch
from torch import Tensor

from neurorules.compare.measures.alignment import (
    agreement,
    by_layer,
    compare_updates,
    exact_model,
    exact_state,
    probe_trial,
    probed,
)
from neurorules.compare.measures.probes import probe_accuracy
from neurorules.compare.measures.similarity import linear_cka, reduced
from neurorules.compare.measures.statistics import described, interval, paired_difference
from neurorules.contracts.series import Series
from neurorules.network.initial import initialise
from neurorules.network.model import Learned, Model, build_model
from neurorules.network.network import build_network
from neurorules.rules import RULES
from neurorules.torch_path.trial.learn import learn_trial

STEPS, SAMPLES, CLASSES = 6, 12, 3
TOLERANCE = 1e-10
NETS = ["12-9", "c3k3-p2-10", "12-r8"]


def drive_of(net: str, samples: int = SAMPLES) -> tuple[Series, Tensor]:
    generator = torch.Generator().manual_seed(3)
    shape = (1, 6, 6) if net.startswith("c") else (8,)
    values = torch.rand(STEPS, samples, *shape, generator=generator, dtype=torch.float64) * 2
    return Series(values, False), torch.randint(0, CLASSES, (samples,), generator=generator)


def made(rule: str, net: str, norm: str) -> tuple[Model, Learned]:
    """A rule's model, its running averages moved by a few trials of its own."""
    drive, _ = drive_of(net)
    network = build_network(net, tuple(drive.values.shape[2:]), CLASSES, neuron="lif:beta=0.9", norm=norm)
    model = build_model(network, RULES.make(rule))
    return model, initialise(model, 1, torch.device("cpu"), torch.float64)


def warmed(model: Model, learned: Learned, net: str) -> Learned:
    for _ in range(3):
        found = learn_trial(model, learned, drive_of(net)[0], STEPS, drive_of(net)[1], torch.Generator())
        learned = replace(found.learned, parameters=learned.parameters)
    return learned


def found_by(model: Model, learned: Learned, net: str) -> dict[str, dict[str, float | None]]:
    """By layer, what a comparison's watcher says of a rule's update."""
    found = agreement(model, learned, *drive_of(net)[:1], STEPS, drive_of(net)[1])
    taught = {p.role for p in model.rule.plasticity}
    assert set(found) == {layer.name for layer in model.network.layers if layer.role in taught}
    return found


@pytest.mark.parametrize("norm", ["none", "streaming", "batch"])
@pytest.mark.parametrize("net", NETS)
def test_the_exact_gradient_is_at_no_angle_to_itself(net: str, norm: str) -> None:
    exact = "bptt" if norm == "batch" and "r" not in net else "bptt:statistics=held"
    model, learned = made(exact, net, norm)
    for name, found in found_by(model, warmed(model, learned, net), net).items():
        assert found["cosine"] is not None and found["cosine"] >= 1 - TOLERANCE, name
        assert found["norm_ratio"] == pytest.approx(1, abs=TOLERANCE) and found["sign_agreement"] == 1


@pytest.mark.parametrize("norm", ["none", "streaming", "batch"])
@pytest.mark.parametrize("net", NETS)
def test_the_signal_of_bptt_is_at_no_angle_to_itself_and_its_update_is_the_gradient_where_nothing_streams(
    net: str, norm: str
) -> None:
    model, learned = made("bptt", net, norm)
    for name, found in found_by(model, warmed(model, learned, net), net).items():
        assert found["signal_angle_deg"] == pytest.approx(0, abs=1e-4), name
        gradient = name == "readout" or norm == "none" or (norm == "batch" and "r" not in net)
        assert found["cosine"] is not None and (found["cosine"] >= 1 - TOLERANCE) == gradient, name


@pytest.mark.parametrize("norm", ["none", "streaming"])
@pytest.mark.parametrize("net", NETS)
def test_the_signal_of_feedback_alignment_through_the_transposed_weights_is_bptts_and_through_others_it_is_not(
    net: str, norm: str
) -> None:
    model, learned = made("fa", net, norm)
    learned = warmed(model, learned, net)
    other = found_by(model, learned, net)
    assert all(other[a.name]["signal_angle_deg"] > 25 for a in model.network.hidden)  # type: ignore[operator]
    for name, value in learned.parameters.items():
        if name.endswith(".w"):
            assert f"feedback.{name}" in learned.signal
            learned.signal[f"feedback.{name}"] = value
    for name, found in found_by(model, learned, net).items():
        assert found["signal_angle_deg"] == pytest.approx(0, abs=1e-4), name


@pytest.mark.parametrize("norm", ["streaming", "batch"])
def test_the_exact_side_holds_what_streams_and_goes_through_what_is_the_batchs(norm: str) -> None:
    model, _ = made("sigprop", "12-9", norm)
    exact = exact_model(model)
    assert exact is not None
    weights = next(p for p in exact.rule.plasticity if p.parameter == "w" and p.role == "hidden")
    assert weights.statistics == ("held" if norm == "streaming" else "moving")


def test_a_rule_is_compared_as_it_learns_its_own_running_averages_included() -> None:
    model, learned = made("dfa", "12-9", "streaming")
    learned = warmed(model, learned, "12-9")
    drive, labels = drive_of("12-9")
    exact = exact_model(model)
    assert exact is not None
    mine = learn_trial(model, learned, drive, STEPS, labels, torch.Generator()).gradients["hidden1.ff.w"].flatten()
    gradient = probe_trial(exact, exact_state(learned), drive, STEPS, labels).gradients["hidden1.ff.w"].flatten()
    cosine = float(mine @ gradient / mine.norm() / gradient.norm())
    assert found_by(model, learned, "12-9")["hidden1"]["cosine"] == pytest.approx(cosine, abs=1e-12)


def test_a_phase_that_applies_its_changes_asks_for_what_both_phases_ask_for() -> None:
    # time_local learns after each pass, contrastive after both: at the same weights they are one update.
    updates = []
    for form in ("contrastive", "time_local"):
        model, learned = made(f"pepita:form={form}", "12-9", "none")
        drive, labels = drive_of("12-9")
        updates.append(by_layer(model.network, probe_trial(model, learned, drive, STEPS, labels).gradients))
    for name in updates[0]:
        torch.testing.assert_close(updates[1][name], updates[0][name], rtol=1e-10, atol=1e-13)


def test_a_probe_changes_nothing() -> None:
    model, learned = made("pepita:form=time_local", "12-9", "streaming")
    before = {name: value.clone() for name, value in learned.parameters.items()}
    probe_trial(probed(model), learned, *drive_of("12-9")[:1], STEPS, drive_of("12-9")[1])
    assert all(torch.equal(value, learned.parameters[name]) for name, value in before.items())
    assert not learned.current and not learned.update


def test_a_random_update_of_a_large_layer_stands_at_right_angles() -> None:
    generator = torch.Generator().manual_seed(0)
    here, there = torch.randn(2, 200_000, generator=generator, dtype=torch.float64)
    found = compare_updates(here, there)
    assert found["angle_deg"] == pytest.approx(90, abs=1) and found["sign_agreement"] == pytest.approx(0.5, abs=0.01)


def test_angle_norm_ratio_and_signs_of_updates_worked_out_by_hand() -> None:
    exact = torch.tensor([1.0, 0.0], dtype=torch.float64)
    found = compare_updates(torch.tensor([3.0, 3.0], dtype=torch.float64), exact)
    assert found["angle_deg"] == pytest.approx(45) and found["norm_ratio"] == pytest.approx(math.sqrt(18))
    assert found["sign_agreement"] == 1  # among the weights that both change
    assert compare_updates(-2 * exact, exact)["angle_deg"] == pytest.approx(180)
    nothing = compare_updates(0 * exact, exact)
    assert nothing["norm_ratio"] == 0 and nothing["cosine"] is None
    assert compare_updates(exact, exact / 0)["cosine"] is None


def test_cka_of_a_representation_with_its_own_rotation_is_one() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(60, 20))
    rotation, _ = np.linalg.qr(random.normal(size=(20, 20)))
    assert linear_cka(x, 3 * x @ rotation + 5) == pytest.approx(1, abs=1e-10)
    assert linear_cka(x, x @ np.diag(np.arange(20.0))) < 0.99  # type: ignore[operator]


@pytest.mark.parametrize("features", [20, 2000])
def test_cka_of_independent_noise_is_near_zero_however_many_features(features: int) -> None:
    random = np.random.default_rng(1)
    found = linear_cka(random.normal(size=(200, features)), random.normal(size=(200, features)))
    assert found is not None and abs(found) < 0.05


def test_what_is_kept_of_features_gives_the_same_cka() -> None:
    random = np.random.default_rng(2)
    x = random.normal(size=(40, 90))
    y = x @ random.normal(size=(90, 30)) + random.normal(size=(40, 30))
    assert reduced(x).shape == (40, 40) and reduced(y).shape == (40, 30)
    assert linear_cka(reduced(x), reduced(y)) == pytest.approx(linear_cka(x, y), abs=1e-6)
    assert linear_cka(x[:3], y[:3]) is None and linear_cka(np.ones((9, 2)), y[:9]) is None


def test_a_probe_reads_separable_features_and_nothing_from_noise() -> None:
    random = np.random.default_rng(3)
    labels = random.integers(0, 4, 300)
    centres = 6 * np.eye(4, 10)
    features = centres[labels] + 0.3 * random.normal(size=(300, 10))
    features[:, 9] = 1.0  # a neuron that never changes
    assert probe_accuracy(features[:200], labels[:200], features[200:], labels[200:]) == 1.0
    noise = random.normal(size=(300, 10))
    found = probe_accuracy(noise[:200], labels[:200], noise[200:], labels[200:])
    assert found is not None and found < 0.45
    assert probe_accuracy(features[:5], np.zeros(5, int), features[5:], labels[5:]) is None


def test_an_interval_is_students() -> None:
    values = [0.91, 0.94, 0.92, 0.95]
    found = interval(values)
    low, high = scipy.stats.t.interval(0.95, 3, loc=np.mean(values), scale=scipy.stats.sem(values))
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-12)
    assert found.spread == pytest.approx(np.std(values, ddof=1))
    # By hand: t of 1 degree of freedom at 97.5 % is 12.7062, s = sqrt(2), half width t.
    two = interval([1.0, 3.0])
    assert (two.low, two.high) == pytest.approx((2 - 12.7062, 2 + 12.7062), abs=1e-4)
    assert described([0.5]) == {"mean": 0.5, "low": None, "high": None, "spread": 0.0, "values": [0.5]}


def test_a_difference_seed_by_seed_is_sharper_than_one_of_means_where_seeds_matter_to_both() -> None:
    random = np.random.default_rng(4)
    shared = 0.05 * random.normal(size=5)
    here = {seed: 0.90 + shared[seed] + 0.002 * random.normal() for seed in range(5)}
    there = {seed: 0.88 + shared[seed] + 0.002 * random.normal() for seed in range(5)}
    paired = paired_difference(here, there)
    assert paired is not None and paired["seeds"] == 5
    unpaired = scipy.stats.ttest_ind(list(here.values()), list(there.values())).confidence_interval(0.95)
    assert paired["low"] > 0 > unpaired.low
    assert paired["high"] - paired["low"] < 0.3 * (unpaired.high - unpaired.low)
    assert paired_difference({0: 0.5}, {1: 0.4}) is None
    assert paired_difference({0: 0.5, 7: 0.1}, {0: 0.25}) == {"mean": 0.25, "low": None, "high": None, "seeds": 1}
