"""Data as it lies about: labels of other sets, marks in recordings, what systems leave beside files, and any bytes."""

from __future__ import annotations

import gzip
import io
import logging
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neurorules.contracts.data_set import DataSet, Recordings
from neurorules.datasets import DATASETS, open_dataset
from neurorules.datasets._idx import read_idx
from neurorules.datasets._labels import as_labels
from neurorules.datasets._synthetic import Synthetic
from neurorules.datasets.yin_yang import YinYang
from neurorules.language.errors import UserError


@pytest.fixture(autouse=True)
def no_folders_of_the_user(monkeypatch, tmp_path):
    monkeypatch.delenv("NEURORULES_DATA", raising=False)
    monkeypatch.setenv("NEURORULES_CACHE", str(tmp_path / "cache"))


def idx_bytes(array: np.ndarray, code: int = 8, kind: str = ">u1") -> bytes:
    return bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.astype(kind).tobytes()


def event_bytes(x, y, polarity, t_us) -> bytes:
    words = [(a << 32) | (b << 24) | (p << 23) | t for a, b, p, t in zip(x, y, polarity, t_us, strict=True)]
    return b"".join(int(word).to_bytes(5, "big") for word in words)


def arrays(**changed: np.ndarray) -> dict[str, np.ndarray]:
    found = {"x_train": np.zeros((6, 5, 5), np.uint8), "y_train": np.array([0, 1, 2, 0, 1, 2])}
    return found | {"x_test": np.zeros((3, 5, 5), np.uint8), "y_test": np.array([2, 0, 1])} | changed


def npz(path: Path, **changed: np.ndarray) -> Path:
    np.savez(path, **arrays(**changed))
    return path


def refusal(text: str) -> str:
    with pytest.raises(UserError) as caught:
        open_dataset(text)
    line = str(caught.value)
    assert line and len(line.splitlines()) == 1
    return line


def recordings(folder: Path, content: bytes = event_bytes([1], [2], [1], [9]), name: str = "00001.bin") -> Path:
    for part in ("Train", "Test"):
        path = folder / part / "4" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


# --- labels


@pytest.mark.parametrize("classes", ["", ":classes=26"])
def test_letters_from_1_to_26_are_26_classes_and_one_line_says_so(tmp_path, caplog, classes):
    y = np.arange(1, 27)
    path = npz(tmp_path / "letters.npz", x_train=np.zeros((26, 2, 2)), y_train=y, x_test=np.zeros((2, 2, 2)),
               y_test=np.array([26, 3]))  # fmt: skip
    data = open_dataset(f"npz:path={path}{classes}")
    assert data.classes == 26 and data.train_labels.tolist() == (y - 1).tolist()
    assert data.test_labels.tolist() == [25, 2]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "labels run from 1 to 26, and are read as classes 0 to 25" in caplog.text


def test_labels_from_1_stay_where_classes_or_test_labels_say_that_there_is_a_0(tmp_path, caplog):
    y = np.array([1, 2, 3, 1, 2, 3])
    data = open_dataset(f"npz:path={npz(tmp_path / 'a.npz', y_train=y, y_test=y[:3])}:classes=4")
    assert data.classes == 4 and data.train_labels.tolist() == y.tolist() and not caplog.records
    path = npz(tmp_path / "b.npz", y_train=y, y_test=np.array([0, 3, 1]))
    assert "no training sample has the class 0" in refusal(str(path))
    data = open_dataset(f"npz:path={path}:classes=4")
    assert data.classes == 4 and data.train_labels.tolist() == y.tolist()


def test_classes_without_a_sample_are_named(tmp_path, caplog):
    y = np.array([0, 3, 5, 0, 3, 5])
    data = open_dataset(str(npz(tmp_path / "own.npz", y_train=y, y_test=y[:3])))
    assert data.classes == 6 and "3 of 6 classes have no sample: 1, 2, 4" in caplog.text


def test_a_single_class_is_refused(tmp_path):
    path = npz(tmp_path / "own.npz", y_train=np.zeros(6, int), y_test=np.zeros(3, int))
    assert "one class leaves nothing to tell apart" in refusal(str(path))


def test_the_eight_columns_of_qmnist_are_told_and_the_class_is_read(tmp_path, caplog):
    table = np.array([[5, 0, 2441, 23, 35, 222222, 0, 0], [0, 0, 2100, 4, 30, 222223, 0, 0], [4, 4, 1, 2, 34, 9, 0, 0]])
    for part in ("train", "test"):
        content = idx_bytes(np.zeros((3, 4, 4)))
        (tmp_path / f"qmnist-{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(content))
        content = gzip.compress(idx_bytes(table, 0x0C, ">i4"))
        (tmp_path / f"qmnist-{part}-labels-idx2-int.gz").write_bytes(content)
    data = open_dataset(f"idx:path={tmp_path}:classes=10")
    assert data.train_labels.tolist() == data.test_labels.tolist() == [5, 0, 4]
    assert "labels have QMNIST's 8 columns; the first one, the class, is read" in caplog.text


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.eye(8) + np.eye(8)[::-1], "several classes at once"),
        (np.zeros((3, 4), int), "several classes at once"),
        (np.array([0.5, 1.5]), "say task='regression'"),
        (np.full((4, 3), 2.0), "Give one whole number a sample"),
        (np.full((4, 8), 0.5), "Give one whole number a sample"),
        (np.array([0, np.inf]), "not whole numbers"),
        (np.array([0, 1e300]), "out of range"),
        (np.array([0, 2**63], np.uint64), "out of range"),
        (np.array([0, 1j]), "not whole numbers"),
        (np.zeros((2, 2, 2)), "shape (2, 2, 2)"),
        (np.zeros(0), "shape (0,)"),
        (np.array(3), "shape ()"),
        (np.array(["2020-01-01"], "M8[D]"), "not whole numbers"),
    ],
)
def test_labels_of_another_kind_are_refused(labels, words):
    with pytest.raises(UserError) as caught:
        as_labels(labels, "y_train")
    assert words in str(caught.value)


def test_one_hot_rows_are_read_as_classes_and_one_line_says_so(caplog):
    rows = np.eye(8)[[3, 0, 7, 7]]
    for labels in (rows, rows.astype(int), rows.astype(bool)):
        assert as_labels(labels, "y_train").tolist() == [3, 0, 7, 7]
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 3
    assert "y_train: labels are one-hot rows, and are read as class numbers 0 to 7" in caplog.text


# --- arrays in files


@pytest.mark.parametrize("kind", ["uint8", ">u2", "<i2", ">i8", ">f4", "f2", ">f8", "bool"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_of_any_number_type_and_order_are_read(tmp_path, kind, order):
    x = np.arange(120).reshape(6, 4, 5) % (2 if kind == "bool" else 120)
    y = np.asarray([0, 1, 2, 0, 1, 2], ">i8")
    images = {"x_train": np.asarray(x, kind, order), "x_test": np.asarray(x[:3], kind, order)}
    data = open_dataset(str(npz(tmp_path / "own.npz", y_train=y, **images)))
    assert isinstance(data.train, np.ndarray) and data.train.dtype.isnative
    np.testing.assert_array_equal(data.train[:, 0], x)
    assert data.train_labels.dtype == np.int64 and data.train_labels.tolist() == y.tolist()


def test_arrays_of_python_objects_are_never_unpickled(tmp_path):
    class Trap:
        def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    trap = np.empty(6, object)
    trap[:] = [Trap() for _ in range(6)]
    assert "Python objects" in refusal(str(npz(tmp_path / "own.npz", y_train=trap)))
    assert not (tmp_path / "sprung").exists()


def npy(header: str, values: bytes = b"", version: bytes = b"\1\0") -> bytes:
    return b"\x93NUMPY" + version + struct.pack("<H", len(header)) + header.encode("latin1") + values


@pytest.mark.parametrize(
    ("member", "words"),
    [
        (b"", "cannot be read"),
        (b"not an array", "cannot be read"),
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (6,"), "cannot be read"),
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (6, 4, 5)}\n", bytes(10)), "is cut short"),
        (npy("{'descr': '|u1', 'fortran_order': False, 'shape': (6, 4, 5)}\n", bytes(999)), "is too long"),
        (npy("{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999, 9999999999)}\n"), "is cut short"),
        (npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-3, -4)}\n"), "is cut short"),
        (npy("{'descr': '|O', 'fortran_order': False, 'shape': (6,)}\n"), "Python objects"),
        (npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (6,)}\n", bytes(24)), "not numbers"),
        (npy("{'descr': '<c8', 'fortran_order': False, 'shape': (6,)}\n", bytes(48)), "not numbers"),
        (npy("(" * 400), "cannot be read"),
        (npy("{'descr': '<f4'}", version=b"\3\0"), "no plain numbers"),
        (npy("{'descr': '<f4'}", version=b"\x09\0"), "no plain numbers"),
    ],
)
def test_a_damaged_array_is_refused_in_one_line(tmp_path, member, words):
    with zipfile.ZipFile(tmp_path / "own.npz", "w") as archive:
        for key, array in arrays().items():
            with archive.open(f"{key}.npy", "w") as file:
                np.save(file, array)  # type: ignore[arg-type]
        archive.filelist = [info for info in archive.filelist if info.filename != "x_train.npy"]
        archive.NameToInfo.pop("x_train.npy")
        archive.writestr("x_train.npy", member)
    assert words in refusal(str(tmp_path / "own.npz"))


def test_a_gzip_bomb_is_not_unpacked_beyond_what_its_header_asks_for(tmp_path):
    image = idx_bytes(np.zeros((2, 3, 4)))
    (tmp_path / "long").write_bytes(gzip.compress(image + bytes(1 << 28), 1))
    (tmp_path / "boast").write_bytes(gzip.compress(bytes([0, 0, 8, 3]) + struct.pack(">3I", *[2**31] * 3)))
    (tmp_path / "many").write_bytes(gzip.compress(bytes([0, 0, 8, 255]) + bytes(4 * 255)))
    (tmp_path / "whole").write_bytes(gzip.compress(image))
    read = 0
    inflate = gzip.GzipFile.readinto

    def counting(file, into):
        nonlocal read
        found = inflate(file, into)
        read += found
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gzip.GzipFile, "readinto", counting)
        for name, words in (("long", "is too long"), ("boast", "cannot hold"), ("many", "255 dimensions")):
            with pytest.raises(UserError, match=words):
                read_idx(tmp_path / name)
    assert read < 1 << 20
    assert read_idx(tmp_path / "whole").shape == (2, 3, 4)


# --- recordings


@pytest.mark.parametrize("seed", range(4))
def test_marks_of_an_overflow_are_read_as_tonic_reads_them(tmp_path, seed):
    tonic_io = pytest.importorskip("tonic.io")
    random = np.random.default_rng(seed)
    contents = []
    for number in range(5):
        size = int(random.integers(0, 40))
        y = np.where(random.random(size) < (0.3 if number else 1.0), 240, random.integers(0, 34, size))
        x = np.where(y == 240, random.integers(0, 256, size), random.integers(0, 34, size))
        contents.append(event_bytes(x, y, random.integers(0, 2, size), random.integers(0, 2**23, size)))
    for part in ("Train", "Test"):
        for number, content in enumerate(contents):
            path = tmp_path / part / "4" / f"{number:05d}.bin"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    found = open_dataset(str(tmp_path)).train
    assert isinstance(found, Recordings) and len(found) == 5
    kind = np.dtype([("x", int), ("y", int), ("t", int), ("p", int)])
    for number, content in enumerate(contents):
        theirs = tonic_io.read_mnist_file(io.BytesIO(content), kind, is_stream=True)
        ours = found.recording(number)
        for mine, name in zip(ours, ("x", "y", "p", "t"), strict=True):
            np.testing.assert_array_equal(mine, theirs[name])


def test_a_recording_that_runs_over_for_ever_is_refused(tmp_path):
    assert "lasts longer" in refusal(str(recordings(tmp_path, bytes([0, 240, 0, 0, 0]) * 262_144)))


def test_what_systems_leave_beside_recordings_is_left_alone(tmp_path):
    recordings(tmp_path, name="00001.BIN")
    junk = ["Thumbs.db", ".DS_Store", "Train/.DS_Store", "Train/4/Thumbs.db", "Train/4/notes.txt"]
    junk += ["Train/4/._00001.bin", "Train/4/._00002.BIN", "Train/__MACOSX/4/._00001.bin", "Train/__MACOSX/00003.bin"]
    junk += ["__MACOSX/Train/4/00009.bin"]
    for name in junk:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"junk!!")
    (tmp_path / "Train" / "4" / "00007.bin").mkdir()
    (tmp_path / "Train" / "4" / "00008.bin").symlink_to("00008.bin")
    data = open_dataset(str(tmp_path))
    assert len(data.train) == len(data.test) == 1 and data.train_labels.tolist() == [4]


@pytest.mark.parametrize("below", ["", "Train/", "N-MNIST/Train/"])
def test_what_systems_leave_in_zip_files_is_left_alone(tmp_path, below):
    for part in ("train", "TEST"):
        with zipfile.ZipFile(tmp_path / f"{part}.ZIP", "w") as archive:
            for name in ("4/00001.BIN", "4/._00001.bin", "__MACOSX/4/00001.bin", "__MACOSX/4/._00001.bin", ".DS_Store"):
                archive.writestr(below + name, event_bytes([1], [2], [1], [9]))
            archive.writestr(f"__MACOSX/{below}4/00002.bin", b"junk!!")
            archive.mkdir(f"{below}5/00003.bin")
    data = open_dataset(f"nmnist:path={tmp_path}")
    assert len(data.train) == 1 and data.train_labels.tolist() == [4]


def test_a_recording_that_is_there_twice_is_refused(tmp_path):
    recordings(tmp_path)
    recordings(tmp_path, name="1.bin")
    line = refusal(str(tmp_path))
    assert "holds one recording twice" in line and "4/00001.bin" in line and "4/1.bin" in line


@pytest.mark.parametrize("at", [8, 10, 26, 28, -20, -12, -8])
@pytest.mark.parametrize("value", [0, 1, 99, 255])
def test_a_damaged_zip_file_is_refused_or_read(tmp_path, at, value):
    recordings(tmp_path)
    (tmp_path / "Train" / "4" / "00001.bin").rename(tmp_path / "one.bin")
    (tmp_path / "Train" / "4").rmdir()
    (tmp_path / "Train").rmdir()
    with zipfile.ZipFile(tmp_path / "Train.zip", "w") as archive:
        archive.writestr("4/00001.bin", (tmp_path / "one.bin").read_bytes())
    content = bytearray((tmp_path / "Train.zip").read_bytes())
    content[at] = value
    (tmp_path / "Train.zip").write_bytes(content)
    read_or_refused(str(tmp_path))


# --- folders


def idx_folder(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for part, count in (("train", 6), ("t10k", 3)):
        (folder / f"{part}-images-idx3-ubyte").write_bytes(idx_bytes(np.zeros((count, 3, 4))))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx_bytes(np.arange(count) % 3))
    return folder


@pytest.mark.parametrize("name", ["with space", "with\nnewline", "größe-日本", "-dash", "a'b\"c"])
def test_a_path_may_have_any_name(tmp_path, name):
    assert open_dataset(str(idx_folder(tmp_path / name))).classes == 3
    assert open_dataset(str(npz(tmp_path / name / "own.npz"))).classes == 3
    assert "shape" in refusal(str(npz(tmp_path / name / "bad.NPZ.npz", x_train=np.zeros(3))))


def test_what_systems_leave_beside_idx_files_is_left_alone(tmp_path):
    idx_folder(tmp_path)
    for name in ("._train-images-idx3-ubyte", "._t10k-labels-idx1-ubyte", ".DS_Store", "Thumbs.db"):
        (tmp_path / name).write_bytes(b"junk")
    (tmp_path / "old-train-images").mkdir()
    (tmp_path / "older-train-images").symlink_to("older-train-images")
    assert open_dataset(str(tmp_path)).classes == 3


def test_folders_and_loops_where_files_are_wanted_are_refused(tmp_path):
    (tmp_path / "own.npz").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling.npz").symlink_to("nowhere")
    (tmp_path / "pipe.npz").symlink_to("/dev/null")
    for name in ("own.npz", "loop", "dangling.npz", "pipe.npz"):
        refusal(str(tmp_path / name))
    refusal(f"npz:path={tmp_path}")
    refusal(f"npz:path={tmp_path / 'own.npz'}")
    refusal(f"nmnist:path={tmp_path / 'own.npz'}")
    refusal("")
    refusal("~nobody-of-that-name/own.npz")
    refusal("idx:path=~nobody-of-that-name")
    idx_folder(tmp_path)
    (tmp_path / "train-images-idx3-ubyte").unlink()
    (tmp_path / "train-images-idx3-ubyte").mkdir()
    assert "no file named" in refusal(f"idx:path={tmp_path}")


@pytest.mark.parametrize("name", DATASETS.names())
def test_every_data_set_whose_files_are_damaged_is_refused_and_leaves_nothing(tmp_path, monkeypatch, name):
    if name == "digits" or issubclass(DATASETS.factory(name), Synthetic | YinYang):
        pytest.skip("reads no files of a user's")
    for module in ("mnist", "fashion_mnist"):
        monkeypatch.setattr(f"neurorules.datasets.{module}.URL", "http://127.0.0.1:9/")
    monkeypatch.setattr("neurorules.datasets._cifar.URL", "http://127.0.0.1:9/")
    files = ["Train.zip", "Test.zip", "cifar-10-binary.tar.gz", "cifar-100-binary.tar.gz", "own.npz"]
    files += [f"{name}_{part}.h5" for name in ("shd", "ssc") for part in ("train", "test")]
    files += [f"{part}-{kind}-ubyte.gz" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")]
    folder = tmp_path / "own"
    folder.mkdir()
    for file in files:
        (folder / file).write_bytes(b"\x1f\x8bdamaged")
    text = {"idx": f"idx:path={folder}", "npz": f"npz:path={folder / 'own.npz'}"}.get(name, name)
    with pytest.raises(UserError) as caught:
        open_dataset(text, folder)
    assert len(str(caught.value).splitlines()) == 1
    assert sorted(path.name for path in folder.iterdir()) == sorted(files)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.parent != folder]


# --- any bytes


def read_or_refused(text: str) -> DataSet | None:
    """The data set, or None where it was refused in one line."""
    try:
        return open_dataset(text)
    except UserError as error:
        assert len(str(error).splitlines()) == 1
        return None


CHEAP = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
WHOLE = io.BytesIO()
np.savez(WHOLE, **arrays())


@CHEAP
@given(content=st.binary(max_size=200))
def test_any_bytes_give_a_data_set_or_a_refusal(tmp_path, content):
    for name in ("own.npz", "Train.zip", "Test.zip"):
        (tmp_path / name).write_bytes(content)
    folder = idx_folder(tmp_path / "idx")
    read_or_refused(str(tmp_path / "own.npz"))
    read_or_refused(f"nmnist:path={tmp_path}")
    for file, begin in (("train-images-idx3-ubyte", b""), ("train-labels-idx1-ubyte", b"\0\0\x08")):
        (folder / file).write_bytes(begin + content)
        read_or_refused(str(folder))
        (folder / file).write_bytes(gzip.compress(begin + content))
        read_or_refused(str(folder))


@CHEAP
@given(edits=st.lists(st.tuples(st.integers(0, len(WHOLE.getvalue()) - 1), st.integers(0, 255)), max_size=4))
def test_an_npz_file_with_any_bytes_changed_gives_a_data_set_or_a_refusal(tmp_path, edits):
    content = bytearray(WHOLE.getvalue())
    for at, value in edits:
        content[at] = value
    (tmp_path / "own.npz").write_bytes(content)
    data = read_or_refused(str(tmp_path / "own.npz"))
    assert data is None or (data.classes == 3 and data.train.shape == (6, 1, 5, 5))  # type: ignore[union-attr]


@CHEAP
@given(content=st.binary(max_size=100))
def test_any_recording_gives_a_data_set_or_a_refusal(tmp_path, content):
    data = read_or_refused(str(recordings(tmp_path, content)))
    assert data is None or (isinstance(data.train, Recordings) and (np.diff(data.train.offsets) >= 0).all())
