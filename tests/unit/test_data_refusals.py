"""A user's broken or missing data is refused in one plain line."""

from __future__ import annotations

import gzip
import struct
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from neurorules.datasets import _files as files
from neurorules.datasets import _idx as idx_format
from neurorules.datasets import open_dataset
from neurorules.language.errors import UserError


@pytest.fixture(autouse=True)
def no_folders_of_the_user(monkeypatch, tmp_path):
    monkeypatch.delenv("NEURORULES_DATA", raising=False)
    monkeypatch.setenv("NEURORULES_CACHE", str(tmp_path / "cache"))


def refusal(text: str, data_dir: Path | None = None) -> str:
    """The one line with which a data set is refused."""
    with pytest.raises(UserError) as caught:
        open_dataset(text, data_dir)
    line = str(caught.value)
    assert "\n" not in line and line
    return line


def idx_bytes(array: np.ndarray) -> bytes:
    return (
        bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.astype(np.uint8).tobytes()
    )


@pytest.fixture
def idx_folder(tmp_path) -> Path:
    folder = tmp_path / "own"
    folder.mkdir()
    for part, count in (("train", 6), ("t10k", 3)):
        (folder / f"{part}-images-idx3-ubyte").write_bytes(idx_bytes(np.zeros((count, 3, 4))))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx_bytes(np.arange(count) % 3))
    return folder


@pytest.fixture
def recordings(tmp_path) -> Path:
    for part in ("Train", "Test"):
        path = tmp_path / "events" / part / "4" / "00001.bin"
        path.parent.mkdir(parents=True)
        path.write_bytes(bytes([33, 33, 0x80, 0, 9]))
    return tmp_path / "events"


def refused_npz(tmp_path: Path, **changed: np.ndarray | None) -> str:
    arrays = {"x_train": np.zeros((4, 5, 6), np.uint8), "y_train": np.array([0, 1, 2, 1])}
    arrays |= {"x_test": np.zeros((2, 5, 6), np.uint8), "y_test": np.array([2, 0])}
    arrays |= changed
    np.savez(tmp_path / "own.npz", **{key: array for key, array in arrays.items() if array is not None})
    return refusal(str(tmp_path / "own.npz"))


# --- names and paths


def test_an_unknown_name_is_refused_with_the_nearest():
    assert "Did you mean 'mnist'?" in refusal("mnits")
    assert "Did you mean 'path'?" in refusal("npz:paht=x.npz")


def test_a_path_with_nothing_there_is_refused(tmp_path):
    assert "no such file or folder" in refusal(str(tmp_path / "nowhere"))
    assert "no such file or folder" in refusal("nowhere.npz")
    assert "there is no 'nowhere.npz'" in refusal("npz:path=nowhere.npz", tmp_path)
    assert "Write idx:path=PATH" in refusal("idx")
    assert "no such folder" in refusal("mnist", tmp_path / "nowhere")


def test_a_folder_or_file_of_something_else_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("notes")
    assert "neither idx files" in refusal(str(tmp_path))
    assert "no .npz" in refusal(str(tmp_path / "notes.txt"))
    assert "is not a folder" in refusal(f"idx:path={tmp_path / 'notes.txt'}")


# --- idx


def test_a_wrong_magic_number_is_refused(idx_folder):
    path = idx_folder / "train-images-idx3-ubyte"
    path.write_bytes(b"\x89PNG" + path.read_bytes())
    assert "begins with 89 50 4e 47" in refusal(str(idx_folder))
    path.write_bytes(b"")
    assert "begins with nothing" in refusal(str(idx_folder))


@pytest.mark.parametrize(("size", "words"), [(7, "inside its header"), (50, "is cut short"), (100, "is too long")])
def test_an_idx_file_of_the_wrong_length_is_refused(idx_folder, size, words):
    path = idx_folder / "train-images-idx3-ubyte"
    path.write_bytes((path.read_bytes() + bytes(100))[:size])
    assert words in refusal(str(idx_folder))


def test_a_broken_gzip_file_is_refused(idx_folder):
    path = idx_folder / "train-images-idx3-ubyte"
    whole = gzip.compress(idx_bytes(np.random.default_rng(0).integers(0, 256, (6, 10, 20))))
    for broken in (whole[:200], whole[:100] + b"\xff" * 40 + whole[140:], whole[:2] + b"\xff" + whole[3:]):
        path.write_bytes(broken)
        assert "gzip file is broken" in refusal(str(idx_folder))


def test_a_missing_or_twofold_idx_file_is_refused(idx_folder):
    (idx_folder / "other-train-images").write_bytes(b"")
    assert "more than one file" in refusal(str(idx_folder))
    (idx_folder / "other-train-images").unlink()
    (idx_folder / "t10k-labels-idx1-ubyte").unlink()
    assert "no file named like *t10k*labels*" in refusal(str(idx_folder))


def test_counts_of_images_and_labels_that_differ_are_refused(idx_folder):
    (idx_folder / "train-labels-idx1-ubyte").write_bytes(idx_bytes(np.array([0, 1, 2])))
    line = refusal(str(idx_folder))
    assert "6 samples" in line and "3 labels" in line


def test_a_label_beyond_the_named_classes_is_refused(idx_folder):
    assert "label 2 is out of range. Labels must be 0..1" in refusal(f"idx:path={idx_folder}:classes=2")


# --- published sets


def test_a_file_that_is_not_the_published_one_is_refused_with_both_checksums(idx_folder):
    for path in list(idx_folder.iterdir()):
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    line = refusal("mnist", idx_folder)
    found = files.md5_of(idx_folder / "train-images-idx3-ubyte.gz")
    assert found in line and "f68b3c2dcbeaaa9fbdd348bbdeb94873" in line and "--data idx:path=" in line
    (idx_folder / "train-images-idx3-ubyte.gz").unlink()
    assert "is missing beside the other files" in refusal("mnist", idx_folder)


def test_unpacked_files_of_a_published_set_are_led_to_the_idx_entry(idx_folder):
    assert f"--data idx:path={idx_folder}" in refusal("fashion-mnist", idx_folder)


def test_without_a_network_the_manual_way_is_told_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr("neurorules.datasets.mnist.URL", "http://127.0.0.1:9/")
    start = time.monotonic()
    line = refusal("mnist")
    target = tmp_path / "cache" / "data" / "mnist" / "train-images-idx3-ubyte.gz"
    assert "could not be downloaded" in line and str(target) in line and "--data-dir" in line
    assert time.monotonic() - start < files.TIMEOUT_S + 1
    assert list(target.parent.iterdir()) == []


def test_a_download_with_a_wrong_checksum_is_thrown_away(tmp_path, monkeypatch):
    site = tmp_path / "site"
    site.mkdir()
    for name in idx_format.OFFICIAL_FILES.values():
        (site / name).write_bytes(b"an error page")
    monkeypatch.setattr("neurorules.datasets.mnist.URL", site.as_uri() + "/")
    assert "came with md5" in refusal("mnist")
    assert list((tmp_path / "cache" / "data" / "mnist").iterdir()) == []


# --- N-MNIST


def test_nmnist_that_is_nowhere_is_refused_with_the_manual_way(tmp_path):
    line = refusal("nmnist", tmp_path)
    assert "Train.zip and Test.zip" in line and str(tmp_path / "cache" / "data" / "nmnist") in line
    (tmp_path / "Train").mkdir()
    assert "holds no recordings" in refusal("nmnist", tmp_path)


def test_half_of_nmnist_is_refused(recordings):
    (recordings / "Test").rename(recordings / "aside")
    assert "neither Test/ nor Test.zip" in refusal(str(recordings))


def test_a_recording_with_a_part_of_an_event_is_refused(recordings):
    (recordings / "Train" / "4" / "00002.bin").write_bytes(bytes(7))
    line = refusal(str(recordings))
    assert "4/00002.bin" in line and "7 bytes" in line


@pytest.mark.parametrize("event", [bytes([34, 0, 0, 0, 0]), bytes([0, 239, 0, 0, 0])])
def test_an_event_outside_the_sensor_is_refused(recordings, event):
    (recordings / "Train" / "4" / "00002.bin").write_bytes(bytes(5) + event)
    line = refusal(str(recordings))
    assert "4/00002.bin" in line and f"x={event[0]}, y={event[1]}" in line


def test_a_digit_that_is_none_is_refused(recordings):
    (recordings / "Train" / "4").rename(recordings / "Train" / "12")
    assert "label 12 is out of range" in refusal(str(recordings))


def test_a_broken_zip_file_is_refused(recordings):
    (recordings / "Train").rename(recordings / "aside")
    (recordings / "Train.zip").write_bytes(b"PK no zip")
    assert "cannot be read" in refusal(str(recordings))
    with zipfile.ZipFile(recordings / "Train.zip", "w") as archive:
        archive.writestr("Train/4/00001.bin", bytes(500))
    content = bytearray((recordings / "Train.zip").read_bytes())
    content[100] ^= 1
    (recordings / "Train.zip").write_bytes(bytes(content))
    assert "cannot be read" in refusal(str(recordings))


# --- npz


def test_nan_in_a_sample_is_refused_and_the_sample_named(tmp_path):
    x = np.zeros((4, 5, 6))
    x[2, 1, 1] = np.nan
    assert "sample 2 holds NaN" in refused_npz(tmp_path, x_train=x)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"y_test": None}, "holds no y_test"),
        ({"x_train": np.zeros(4)}, "has the shape (4,)"),
        ({"x_train": np.zeros((0, 5, 6))}, "has the shape (0, 5, 6), and holds no number. Give at least one"),
        ({"x_train": np.array(["a", "b", "c", "d"])}, "not numbers"),
        ({"x_train": np.full((4, 5, 6), 1e300)}, "x_train: a number is too large for float32"),
        ({"x_train": np.array([None] * 4)}, "numpy.stack(list(array))"),
        ({"x_test": np.zeros((2, 5, 5), np.uint8)}, "training and test samples differ"),
        ({"x_test": np.zeros((2, 5, 6))}, "training and test samples differ"),
        ({"y_train": np.array([0, 1, 2])}, "4 samples, but"),
        ({"y_test": np.array([0.5, 1])}, "not whole numbers, and are to be classes"),
        ({"y_train": np.array([np.nan, 1, 2, 1])}, "the target of sample 0 is NaN or infinite"),
        ({"y_train": np.array(["a", "b", "c", "d"])}, "not whole numbers"),
        ({"y_train": np.array([0, -1, 2, 1])}, "label -1 is out of range"),
        ({"y_train": np.ones((4, 2), int)}, "labels hold other values than 0 and 1"),
        ({"y_test": np.ones((2, 2), int)}, "several classes at once: say task='multilabel'"),
        ({"y_train": np.array([0, 1, 2, 1000])}, "1001 classes for only 4 samples"),
        ({"y_test": np.array([0, 3])}, "label 3 is out of range. Labels must be 0..2"),
    ],
)
def test_arrays_that_make_no_data_set_are_refused(tmp_path, changed, words):
    assert words in refused_npz(tmp_path, **changed)


def test_a_broken_npz_file_is_refused(tmp_path):
    (tmp_path / "own.npz").write_bytes(b"PK broken")
    assert "cannot be read" in refusal(str(tmp_path / "own.npz"))
    with (tmp_path / "own.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    assert "one bare array" in refusal(str(tmp_path / "own.npz"))
