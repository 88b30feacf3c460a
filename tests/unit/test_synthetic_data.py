"""Data sets drawn from a seed: what their targets are, that counts tell nothing, and that shuffled time tells nothing.

The classes are told by a linear read-out, of the counts of each channel or of all spikes in bins of time, that learns
from the training part and is tested on the other. Chance is met within four deviations of a fair coin.
"""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from neurorules.contracts.data_set import DataSet
from neurorules.datasets import open_dataset, steps_of
from neurorules.datasets.yin_yang import class_of
from neurorules.language.errors import UserError


def accuracy(data: DataSet, bins: int) -> float:
    """The test accuracy of a linear read-out of the counts in so many bins of time."""

    def features(samples: np.ndarray) -> np.ndarray:
        parts = np.array_split(samples[:, :, 0, 0], bins, axis=1)
        return np.concatenate([part.sum(axis=1, dtype=np.float64) for part in parts], axis=1)

    model = LogisticRegression(C=0.1, max_iter=2000).fit(features(data.train), data.train_labels)
    return float(model.score(features(data.test), data.test_labels))


def chance_limits(data: DataSet) -> float:
    """The accuracy above which a guess does not come by chance."""
    share = np.bincount(data.test_labels).max() / len(data.test_labels)
    return float(share + 4 * np.sqrt(share * (1 - share) / len(data.test_labels)))


NEED_TIME = {"order": (12, 0.95), "delayed_copy": (60, 0.9), "randman:manifolds=4": (20, 0.8)}


@pytest.mark.parametrize("text", NEED_TIME)
def test_counts_tell_nothing_and_times_tell_the_class(text: str) -> None:
    data = open_dataset(text)
    bins, enough = NEED_TIME[text]
    assert accuracy(data, 1) < chance_limits(data)
    assert accuracy(data, bins) > enough


@pytest.mark.parametrize("text", NEED_TIME)
def test_shuffled_time_tells_nothing_and_keeps_the_counts(text: str) -> None:
    whole, shuffled = open_dataset(text), open_dataset(f"{text}:shuffled=true")
    assert np.array_equal(whole.train.sum(axis=1), shuffled.train.sum(axis=1))
    assert np.array_equal(whole.test_labels, shuffled.test_labels) and whole.checksum != shuffled.checksum
    assert accuracy(shuffled, NEED_TIME[text][0]) < chance_limits(shuffled)


def test_a_stored_bit_is_the_last_that_came_with_a_store_and_counts_do_not_tell_it() -> None:
    data = open_dataset("store_recall:dt_ms=10:rate_hz=100:train=2000:test=1000:symbols=6")
    groups = data.train[:, :, 0, 0].reshape(2000, 6, 20, 4, 25).any(axis=(2, 4))
    for symbols, label in zip(groups, data.train_labels, strict=True):
        store = np.flatnonzero(symbols[:, 2])[-1]
        assert symbols[-1, 3] and not symbols[-1, :3].any() and symbols[store, label] and not symbols[store, 1 - label]
        assert not symbols[store:-1, 3].any(), "nothing is recalled between the last store and the end"
        assert (symbols[:, :2].sum(axis=1) == ~symbols[:, 3]).all()
    assert accuracy(data, 1) < chance_limits(data)
    shuffled = open_dataset("store_recall:dt_ms=10:rate_hz=100:train=2000:test=1000:symbols=6:shuffled=true")
    assert accuracy(shuffled, 6) < chance_limits(shuffled)


def test_evidence_is_the_side_with_more_cues_at_the_published_times() -> None:
    data = open_dataset("evidence:train=60:test=20")
    assert data.steps == steps_of("evidence") == 2250 and data.shape == (1, 1, 40)
    spikes = data.train[:, :, 0, 0].reshape(60, 2250, 4, 10)
    cues = spikes[:, :1050].reshape(60, 7, 150, 4, 10)
    assert not cues[:, :, :50, :3].any() and not spikes[:, 1050:2100, :3].any() and not spikes[:, :2100, 2].any()
    sides = cues[..., :2, :].any(axis=(2, 4))
    assert (sides.sum(axis=2) == 1).all(), "each cue has one side"
    assert np.array_equal((2 * sides[:, :, 1].sum(axis=1) > 7).astype(int), data.train_labels)
    rate = cues[:, :, 50:, 0, :][sides[:, :, 0]].mean(), spikes[:, :, 3].mean(), spikes[:, 2100:, 2].mean()
    assert rate == pytest.approx((0.04, 0.01, 0.04), rel=0.05)


def test_the_spikes_to_repeat_are_those_that_came() -> None:
    data = open_dataset("delayed_copy:answer=copy:noise=0:length=5:delay=7:channels=3:spikes=1:train=20:test=5")
    assert (data.task, data.classes, data.steps, data.train_labels.shape) == ("regression_per_step", 3, 17, (20, 17, 3))
    assert np.array_equal(data.train[:, :5, 0, 0, :3], data.train_labels[:, -5:])
    assert not data.train_labels[:, :-5].any() and (data.train_labels.sum(axis=1) == 1).all()
    assert np.array_equal(data.train[0, :, 0, 0, 3], np.arange(17) >= 12), "the cue"


def test_a_pattern_has_one_target_whose_waves_fit_the_trial_and_shuffled_times_do_not_tell_it() -> None:
    data = open_dataset("pattern:length=200:train=60:test=20")
    target = data.train_labels[0, :, 0]
    assert (data.train_labels[..., 0] == target).all() and np.abs(target).max() == 1
    waves = np.abs(np.fft.rfft(target))
    assert sorted(np.argsort(waves)[-4:]) == [1, 2, 3, 5] and np.sort(waves)[-5] < 1e-3
    for text, low, high in (("", 0.3, 1.0), (":shuffled=true", -2.0, 0.05)):
        samples = open_dataset(f"pattern:length=200:train=60:test=20{text}")
        x, t = (part[:, :, 0, 0].reshape(-1, 100).astype(float) for part in (samples.train, samples.test))
        weights = np.linalg.lstsq(x.T @ x + 10 * np.eye(100), x.T @ np.tile(target, 60), rcond=None)[0]
        wrong = np.mean((t @ weights - np.tile(target, 20)) ** 2) / target.var()
        assert low < 1 - wrong < high


def test_yin_yang_points_lie_in_the_part_that_their_class_names() -> None:
    data = open_dataset("yin_yang")
    values = data.train.reshape(-1, 5).astype(np.float64)
    assert (len(data.train), len(data.test), data.default_encoder) == (5000, 1000, "latency")
    assert values[:, :2] + values[:, 2:4] == pytest.approx(1) and (values[:, 4] == 1).all()
    assert (np.hypot(values[:, 0] - 0.5, values[:, 1] - 0.5) <= 0.5 + 1e-6).all()
    assert [class_of(*point) for point in values[:, :2]] == list(data.train_labels)
    # The centres of both dots, and a point of each bulge: the figure turned by half a turn swaps yin and yang.
    assert [class_of(0.25, 0.5), class_of(0.75, 0.5), class_of(0.25, 0.65), class_of(0.75, 0.35)] == [2, 2, 1, 0]
    assert [class_of(0.5, 0.9), class_of(0.5, 0.1), class_of(0.25, 0.29), class_of(0.75, 0.71)] == [1, 0, 1, 0]
    assert np.bincount(data.train_labels) / 5000 == pytest.approx([1 / 3] * 3, abs=0.03)
    assert open_dataset("yin_yang:seed=1").checksum != data.checksum
    anew = open_dataset("yin_yang:shuffled=true")
    model = LogisticRegression(max_iter=500).fit(anew.train.reshape(-1, 5) ** 2, anew.train_labels)
    assert model.score(anew.test.reshape(-1, 5) ** 2, anew.test_labels) < chance_limits(anew)


@pytest.mark.parametrize("name", ["order", "delayed_copy", "evidence:dt_ms=10", "store_recall:dt_ms=10", "randman"])
def test_a_seed_draws_other_samples_and_more_training_samples_leave_the_others_alone(name: str) -> None:
    few, more, other = (
        open_dataset(f"{name}:train={train}:test=8:seed={seed}") for train, seed in ((10, 0), (14, 0), (10, 1))
    )
    assert np.array_equal(few.train, more.train[:10]) and np.array_equal(few.test, more.test)
    assert not np.array_equal(few.train, other.train)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("evidence:cues=6", "Give an odd number"),
        ("evidence:dt_ms=7", "cue_ms is 100, no whole number of steps of 7 ms"),
        ("evidence:dt_ms=50", "rate_hz=40 is more than one spike in a step of 50 ms. Give at most 20"),
        ("store_recall:symbol_ms=0.25", "no whole number of steps"),
        ("store_recall:rate_hz=2000", "Give at most 1000"),
        ("delayed_copy:spikes=30", "do not fit into length=20 steps"),
        ("order:train=10000000:cue=1000000", "Give fewer samples"),
        ("order:rate=2", "Give a number in [0, 1]"),
        ("randman:manifolds=1", "Give a whole number of at least 2"),
    ],
)
def test_options_that_fit_nothing_are_refused_in_one_line(text: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        open_dataset(text)
    assert words in str(caught.value) and len(str(caught.value).splitlines()) == 1
