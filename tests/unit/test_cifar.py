"""The CIFAR loaders: records come back as they were written; wrong files are refused in one line."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from neurorules.datasets import open_dataset
from neurorules.datasets._cifar import Archive, load_archive
from neurorules.datasets._files import md5_of
from neurorules.datasets._jpeg_folder import read_jpeg_archive
from neurorules.language.errors import UserError

RNG = np.random.default_rng(0)


def _pack(path: Path, members: dict[str, bytes], mode: str) -> None:
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


@pytest.mark.parametrize("label_bytes", [1, 2])
def test_binary_records_come_back_as_they_were_written(tmp_path: Path, label_bytes: int) -> None:
    images = RNG.integers(0, 256, (6, 3, 32, 32), dtype=np.uint8)
    labels = np.array([3, 1, 0, 2, 9, 4], dtype=np.uint8)
    records = [bytes([7] * (label_bytes - 1) + [y]) + x.tobytes() for x, y in zip(images, labels, strict=True)]
    path = tmp_path / "tiny.tar.gz"
    _pack(
        path, {"a.bin": b"".join(records[:2]), "b.bin": b"".join(records[2:4]), "t.bin": b"".join(records[4:])}, "w:gz"
    )
    data = load_archive(
        "tiny", Archive(path.name, md5_of(path), ("a.bin", "b.bin"), ("t.bin",), label_bytes, 10), tmp_path
    )
    np.testing.assert_array_equal(data.train, images[:4])
    np.testing.assert_array_equal(data.test, images[4:])
    assert [*data.train_labels, *data.test_labels] == [*labels]
    assert data.classes == 10


def test_another_archive_of_that_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tiny.tar.gz"
    _pack(path, {"a.bin": b""}, "w:gz")
    with pytest.raises(UserError, match="is not the published file"):
        load_archive("tiny", Archive(path.name, "0" * 32, ("a.bin",), ("a.bin",), 1, 10), tmp_path)


def _jpeg(level: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32), (level, level, level)).save(buffer, "JPEG")
    return buffer.getvalue()


def test_pictures_are_sorted_by_their_path_and_kept_once_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEURORULES_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "pictures.tar.xz"
    names = ["x/train/dog/0001.jpg", "x/train/cat/0000.jpg", "x/test/dog/0000.jpg", "x/readme.txt"]
    _pack(path, {name: _jpeg(40 * i) for i, name in enumerate(names)}, "w:xz")
    first = read_jpeg_archive(path, ("cat", "dog"))
    assert first["y_train"].tolist() == [0, 1]
    assert first["y_test"].tolist() == [1]
    assert first["x_train"].shape == (2, 32, 32, 3)
    assert abs(int(first["x_train"][0, 0, 0, 0]) - 40) <= 2
    again = read_jpeg_archive(path, ("cat", "dog"))
    assert len(list((tmp_path / "cache").rglob("*.npz"))) == 1
    np.testing.assert_array_equal(again["x_train"], first["x_train"])


def test_an_archive_without_pictures_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pictures.tar.xz"
    _pack(path, {"readme.txt": b"nothing"}, "w:xz")
    with pytest.raises(UserError, match="holds no pictures"):
        read_jpeg_archive(path, ("cat", "dog"))


def test_a_missing_copy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEURORULES_DATA", raising=False)
    with pytest.raises(UserError, match="no folder holds cifar10_jpeg_lossy"):
        open_dataset("cifar10:copy=jpeg", tmp_path)


@pytest.mark.data
def test_the_real_copy_is_whole(data_folder: Path) -> None:
    data = open_dataset("cifar10:copy=jpeg", data_folder)
    assert data.train.shape == (50_000, 3, 32, 32)
    assert np.bincount(data.test_labels).tolist() == [1000] * 10
