"""Data sets: what they hold, where their files are found, and what a user's path is taken for."""

from __future__ import annotations

import gzip
import hashlib
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurorules.datasets import DATASETS, open_dataset
from neurorules.datasets import _files as files
from neurorules.datasets import _idx as idx_format
from neurorules.datasets.nmnist import decode_events
from neurorules.language.errors import UserError

BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture(autouse=True)
def no_folders_of_the_user(monkeypatch, tmp_path):
    monkeypatch.delenv("NEURORULES_DATA", raising=False)
    monkeypatch.setenv("NEURORULES_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def real_data() -> Path:
    folder = Path(os.environ.get("NEURORULES_DATA") or BESIDE)
    if not (folder / "mnist").is_dir():
        pytest.skip("needs the real data sets in NEURORULES_DATA")
    return folder


def idx_bytes(array: np.ndarray) -> bytes:
    return (
        bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.astype(np.uint8).tobytes()
    )


def event_bytes(x, y, polarity, t_us) -> bytes:
    words = [(a << 32) | (b << 24) | (p << 23) | t for a, b, p, t in zip(x, y, polarity, t_us, strict=True)]
    return b"".join(word.to_bytes(5, "big") for word in words)


def write_idx_folder(folder: Path, packed: bool = False) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for part, count in (("train", 6), ("t10k", 3)):
        images = np.arange(count * 12).reshape(count, 3, 4)
        for name, array in (("images-idx3", images), ("labels-idx1", np.arange(count) % 3)):
            content = idx_bytes(array)
            path = folder / f"{part}-{name}-ubyte{'.gz' if packed else ''}"
            path.write_bytes(gzip.compress(content) if packed else content)


def write_recordings(folder: Path) -> None:
    for part in ("Train", "Test"):
        for number, digit in ((2, 0), (1, 5), (10, 0)):
            path = folder / part / str(digit) / f"{number:05d}.bin"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(event_bytes([number, 33], [3, 33], [1, 0], [number * 100_000, 2**23 - 1]))


# --- what they hold


def test_every_entry_is_listed_and_tells_what_it_is():
    assert {"digits", "mnist", "fashion_mnist", "nmnist", "idx", "npz"} <= set(DATASETS.names())
    assert all(len(DATASETS.summary(name)) > 20 for name in DATASETS.names())


def test_digits_are_those_of_scikit_learn_in_a_split_that_holds_every_class_alike():
    from sklearn.datasets import load_digits

    data = open_dataset("digits")
    assert data.train.shape == (1437, 1, 8, 8) and data.test.shape == (360, 1, 8, 8)
    assert data.train.dtype == np.float32 and data.train.min() == 0.0 and data.train.max() == 1.0
    together = np.concatenate([data.train, data.test]).reshape(1797, 64) * 16
    assert sorted(map(tuple, together)) == sorted(map(tuple, load_digits().data))
    share = np.bincount(data.test_labels) / np.bincount(np.concatenate([data.train_labels, data.test_labels]))
    assert np.abs(share - 0.2).max() < 0.004


def test_the_split_of_the_digits_never_changes():
    data = open_dataset("digits")
    seen = hashlib.sha256(data.test_labels.tobytes() + (data.test * 16).astype(np.uint8).tobytes()).hexdigest()
    assert seen[:16] == "50982c45115a7a55"


def test_mnist_holds_its_published_numbers(real_data):
    data = open_dataset("mnist", real_data)
    assert (data.kind, data.shape, data.classes, data.default_encoder) == ("images", (1, 28, 28), 10, "constant")
    assert data.train.shape == (60_000, 1, 28, 28) and data.test.shape == (10_000, 1, 28, 28)
    assert data.train.dtype == np.uint8 and data.train_labels.dtype == np.int64
    assert list(data.train_labels[:10]) == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert list(np.bincount(data.test_labels)) == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_the_recordings_of_nmnist_stand_in_the_order_of_mnist(real_data):
    events, images = open_dataset("nmnist", real_data), open_dataset("mnist", real_data)
    assert (events.kind, events.shape, events.default_encoder) == ("events", (2, 34, 34), "frames")
    assert np.array_equal(events.train_labels, images.train_labels[: len(events.train)])
    assert np.array_equal(events.test_labels, images.test_labels[: len(events.test)])


def test_a_recording_of_nmnist_looks_like_its_digit(real_data):
    events, images = open_dataset("nmnist", real_data), open_dataset("mnist", real_data)
    seen = np.zeros((len(events.test), 34, 34))
    owner = np.repeat(np.arange(len(events.test)), np.diff(events.test.offsets))
    np.add.at(seen, (owner, events.test.y.astype(int), events.test.x.astype(int)), 1)
    drawn = np.pad(images.test[: len(seen), 0].astype(float), ((0, 0), (3, 3), (3, 3)))
    match = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(seen, drawn, strict=True)]
    turned = [np.corrcoef(a.T.ravel(), b.ravel())[0, 1] for a, b in zip(seen, drawn, strict=True)]
    assert np.mean(match) > 0.3 and np.mean(match) > np.mean(turned) + 0.1  # x is the column, y the row


def test_nmnist_reads_the_same_from_the_zip_files_and_unpacked(real_data, tmp_path):
    for part in ("Train", "Test"):
        with zipfile.ZipFile(real_data / "nmnist" / f"{part}.zip") as archive:
            archive.extractall(tmp_path, [name for name in archive.namelist() if name.endswith("1.bin")])
            with zipfile.ZipFile(tmp_path / f"{part}.zip", "w") as smaller:
                for name in archive.namelist():
                    if name.endswith("1.bin"):
                        smaller.writestr(name, archive.read(name))
    unpacked = open_dataset(str(tmp_path))
    for part in ("Train", "Test"):
        (tmp_path / part).rename(tmp_path / f"{part}-aside")
    assert len(unpacked.train) == 100
    assert unpacked.checksum == open_dataset(str(tmp_path)).checksum


def test_nmnist_is_read_in_pieces_as_in_one(real_data, monkeypatch):
    whole = open_dataset("nmnist", real_data)
    monkeypatch.setattr("neurorules.datasets.nmnist.CHUNK_BYTES", 100_000)
    assert open_dataset("nmnist", real_data).checksum == whole.checksum


def test_colour_images_with_the_channels_last_are_turned(real_data):
    path = real_data / "cifar10" / "cifar10_lossless_subset.npz"
    if not path.is_file():
        pytest.skip("needs the CIFAR-10 subset")
    data = open_dataset(str(path))
    assert data.shape == (3, 32, 32) and data.classes == 10
    with np.load(path) as archive:
        assert np.array_equal(data.test[5, :, 7, 9], archive["x_test"][5, 7, 9])


# --- the 5-byte format and recordings

EVENTS = st.lists(st.tuples(st.integers(0, 33), st.integers(0, 33), st.integers(0, 1), st.integers(0, 2**23 - 1)))


@given(EVENTS)
def test_events_of_five_bytes_come_back_as_they_were_written(events):
    x, y, polarity, t_us = (list(column) for column in zip(*events, strict=True)) if events else ([], [], [], [])
    found = decode_events(event_bytes(x, y, polarity, t_us))
    assert [list(column) for column in found] == [x, y, polarity, t_us]


def test_recordings_are_sorted_by_their_number_whatever_their_digit(tmp_path):
    write_recordings(tmp_path)
    data = open_dataset(str(tmp_path))
    assert list(data.train_labels) == [5, 0, 0]
    assert list(data.train.recording(2).x) == [10, 33]
    assert list(data.train.recording(2).t_us) == [1_000_000, 2**23 - 1]


def test_a_subset_of_recordings_is_those_recordings(tmp_path):
    write_recordings(tmp_path)
    train = open_dataset(str(tmp_path)).train
    part = train.subset(np.array([2, 0, 2]))
    assert len(part) == 3 and part.events == 6
    for place, index in enumerate([2, 0, 2]):
        assert all(np.array_equal(a, b) for a, b in zip(part.recording(place), train.recording(index), strict=True))
    assert part.checksum != train.checksum and part.checksum == train[np.array([2, 0, 2])].checksum
    assert np.array_equal(train[1:].t_us, train.t_us[2:])
    with pytest.raises(IndexError):
        train.subset(np.array([3]))


def test_an_empty_recording_is_kept(tmp_path):
    write_recordings(tmp_path)
    (tmp_path / "Train" / "7").mkdir()
    (tmp_path / "Train" / "7" / "00003.bin").write_bytes(b"")
    data = open_dataset(str(tmp_path))
    assert list(data.train_labels) == [5, 0, 7, 0] and len(data.train.recording(2).x) == 0
    assert len(data.train[np.array([2])]) == 1


# --- a user's own images


@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_of_idx_files_is_read_packed_or_not(tmp_path, packed):
    write_idx_folder(tmp_path / "own", packed)
    data = open_dataset(str(tmp_path / "own"))
    assert (data.name, data.shape, data.classes, len(data.train), len(data.test)) == ("own", (1, 3, 4), 3, 6, 3)
    assert np.array_equal(data.train.ravel(), np.arange(72))
    assert data.checksum == open_dataset(f"idx:path={tmp_path / 'own'}").checksum


def test_big_endian_floats_of_an_idx_file_are_understood(tmp_path):
    path = tmp_path / "some"
    path.write_bytes(bytes([0, 0, 0x0D, 1]) + struct.pack(">I", 2) + struct.pack(">2f", 0.5, -2.0))
    assert list(idx_format.read_idx(path)) == [0.5, -2.0]


@pytest.mark.parametrize(
    ("given_shape", "shape"),
    [((5, 4), (1, 1, 4)), ((5, 6, 7), (1, 6, 7)), ((5, 3, 6, 7), (3, 6, 7)), ((5, 6, 7, 3), (3, 6, 7))],
)
def test_vectors_and_images_of_every_layout_are_read_from_an_npz_file(tmp_path, given_shape, shape):
    x = np.random.default_rng(0).random(given_shape)
    y = np.array([[0], [1], [2], [1], [0]])
    np.savez(tmp_path / "own.npz", x_train=x, y_train=y, x_test=x, y_test=y.astype(float), other=np.zeros(1))
    data = open_dataset(str(tmp_path / "own.npz"))
    assert data.shape == shape and data.train.dtype == np.float32 and data.classes == 3
    assert list(data.test_labels) == [0, 1, 2, 1, 0]
    assert sorted(data.train.ravel()) == sorted(x.astype(np.float32).ravel())


def test_the_axis_of_the_channels_can_be_told(tmp_path):
    x, y = np.zeros((4, 3, 9, 2), np.uint8), np.array([0, 1, 0, 1])
    np.savez(tmp_path / "own.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    with pytest.raises(UserError, match="channels=first"):
        open_dataset(str(tmp_path / "own.npz"))
    assert open_dataset(f"npz:path={tmp_path / 'own.npz'}:channels=last").shape == (2, 3, 9)


def test_a_relative_path_is_sought_in_the_data_folder_too(tmp_path):
    write_idx_folder(tmp_path / "own")
    assert open_dataset("idx:path=own", tmp_path).name == "own"


# --- where the files of a published set are found


@pytest.fixture
def tiny_mnist(tmp_path, monkeypatch) -> Path:
    """A folder of four small files that pass for MNIST's, which is no web site but a folder as well."""
    site = tmp_path / "site"
    write_idx_folder(site, packed=True)
    md5 = {key: files.md5_of(site / name) for key, name in idx_format.OFFICIAL_FILES.items()}
    monkeypatch.setattr("neurorules.datasets.mnist.MD5", md5)
    monkeypatch.setattr("neurorules.datasets.mnist.URL", site.as_uri() + "/")
    return site


def test_missing_files_are_downloaded_once_and_kept_in_the_cache_folder(tiny_mnist, tmp_path, capfd):
    assert len(open_dataset("mnist").train) == 6
    for path in tiny_mnist.iterdir():
        path.unlink()
    assert len(open_dataset("mnist").train) == 6
    kept = sorted(path.name for path in (tmp_path / "cache" / "data" / "mnist").iterdir())
    assert kept == sorted(idx_format.OFFICIAL_FILES.values())
    assert capfd.readouterr() == ("", "")  # no bar where stderr is no terminal


@pytest.mark.parametrize("below", ["", "mnist"])
def test_files_are_sought_in_the_named_folder_and_in_the_one_of_the_environment(
    tiny_mnist, tmp_path, monkeypatch, below
):
    site = tiny_mnist.rename(tmp_path / "mnist")
    root = site if not below else site.parent
    assert len(open_dataset("mnist", root).train) == 6
    monkeypatch.setenv("NEURORULES_DATA", str(root))
    assert len(open_dataset("mnist").train) == 6
    assert not (tmp_path / "cache").exists()


def test_a_hyphen_in_a_name_is_an_underscore():
    with pytest.raises(UserError, match="fashion_mnist"):
        open_dataset("fashion-mnis")
    assert DATASETS.factory("fashion-mnist") is DATASETS.factory("fashion_mnist")
