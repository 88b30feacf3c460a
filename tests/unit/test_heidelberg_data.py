"""The reader of SHD and SSC, on small files that are written in the published HDF5 layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from neurorules.datasets import open_dataset
from neurorules.encoders import open_encoder
from neurorules.language.errors import UserError


def write(path: Path, samples: int, seed: int, classes: int = 20, **changed: Any) -> dict[str, Any]:
    """A file of the published layout: ragged float16 seconds and uint16 units, labels, and what else stands there."""
    random = np.random.default_rng(seed)
    counts = random.integers(3, 30, samples)
    content: dict[str, Any] = {
        "times": [np.sort(random.uniform(0, 1.2, count)).astype(np.float16) for count in counts],
        "units": [random.integers(0, 700, count).astype(np.uint16) for count in counts],
        "labels": (np.arange(samples) % classes).astype(np.uint16),
    } | changed
    with h5py.File(path, "w") as file:
        for name, kind in (("times", np.float16), ("units", np.uint16)):
            rows = file.create_dataset(f"spikes/{name}", (len(content[name]),), h5py.vlen_dtype(kind))
            for number, row in enumerate(content[name]):
                rows[number] = row
        file["labels"] = content["labels"]
        file["extra/speaker"] = random.integers(0, 12, samples).astype(np.uint16)
        file["extra/keys"] = [f"word {number}".encode() for number in range(classes)]
    return content


@pytest.mark.parametrize(("name", "classes"), [("shd", 20), ("ssc", 35)])
def test_events_are_those_of_the_files(tmp_path: Path, name: str, classes: int) -> None:
    train = write(tmp_path / f"{name}_train.h5", classes + 3, 1, classes)
    test = write(tmp_path / f"{name}_test.h5", 7, 2, classes)
    data = open_dataset(name, tmp_path)
    assert (data.kind, data.shape, data.classes, data.steps) == ("events", (1, 1, 700), classes, None)
    for samples, labels, content in ((data.train, data.train_labels, train), (data.test, data.test_labels, test)):
        assert np.array_equal(labels, content["labels"]) and len(samples) == len(labels)
        for number, (times, units) in enumerate(zip(content["times"], content["units"], strict=True)):
            recording = samples.recording(number)
            assert np.array_equal(recording.x, units) and not recording.y.any()
            assert np.abs(recording.t_us - times.astype(np.float64) * 1e6).max() <= 0.5
    assert f"{classes + 3} recordings to learn from and 7 to test" in data.origin
    encoder = open_encoder(data.default_encoder, "events")
    frames = encoder.fit(data.train).prepare(data.train, 130, None)
    assert frames.shape == (classes + 3, 130, 1, 1, 700) and frames.sum() == data.train.events
    assert open_dataset(f"{name}:path={tmp_path}:frames=50").steps == 50


def test_shuffled_times_keep_the_counts_of_each_channel(tmp_path: Path) -> None:
    write(tmp_path / "shd_train.h5", 25, 1)
    write(tmp_path / "shd_test.h5", 7, 2)
    data, shuffled = open_dataset("shd", tmp_path), open_dataset("shd:shuffled=true", tmp_path)
    assert np.array_equal(data.train.x, shuffled.train.x) and not np.array_equal(data.train.t_us, shuffled.train.t_us)
    for number in range(25):
        there, anew = data.train.recording(number).t_us, shuffled.train.recording(number).t_us
        assert there.min() <= anew.min() and anew.max() <= there.max()


def refusal(folder: Path, name: str = "shd") -> str:
    with pytest.raises(UserError) as caught:
        open_dataset(name, folder)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"labels": np.arange(25)}, "labels run outside 0 .. 19, such as 20"),
        ({"labels": np.zeros((25, 2), int)}, "labels (25, 2)"),
        ({"labels": np.zeros(25)}, "labels are of type float64"),
        ({"labels": np.zeros(24, int)}, "25 lists of times, 25 of units and labels (24,)"),
        ({"times": [np.array([0.1, 0.2])] * 25, "units": [np.array([1])] * 25}, "recording 0 differ in number"),
        ({"times": [np.array([-0.1])] * 25, "units": [np.array([1])] * 25}, "times run outside 0"),
        ({"times": [np.array([np.nan])] * 25, "units": [np.array([1])] * 25}, "times run outside 0"),
        ({"times": [np.array([0.1])] * 25, "units": [np.array([700])] * 25}, "units run outside 0 .. 699, such as 700"),
    ],
)
def test_another_layout_is_refused_in_one_line(tmp_path: Path, changed: dict[str, Any], words: str) -> None:
    write(tmp_path / "shd_train.h5", 25, 1, **changed)
    write(tmp_path / "shd_test.h5", 7, 2)
    message = refusal(tmp_path)
    assert "another layout than the published one" in message and words in message


def test_flat_files_packed_files_damaged_files_and_missing_files_are_told_apart(tmp_path: Path) -> None:
    assert "Download shd_train.h5.gz and shd_test.h5.gz" in refusal(tmp_path)
    (tmp_path / "shd_train.h5.gz").write_bytes(b"")
    write(tmp_path / "shd_test.h5", 7, 2)
    assert "shd_train.h5.gz in" in refusal(tmp_path) and "gunzip" in refusal(tmp_path)
    (tmp_path / "shd_train.h5").write_bytes(b"no file of HDF5")
    assert "cannot be read" in refusal(tmp_path)
    with h5py.File(tmp_path / "shd_train.h5", "w") as file:
        file["x"], file["labels"] = np.zeros((5, 700)), np.zeros(5, int)
    assert "it holds no spikes/times, spikes/units" in refusal(tmp_path)
