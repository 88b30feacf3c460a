"""Data that a command line names: functions of the user's, data sets of tonic, pictures in folders, files with time."""

from __future__ import annotations

import json
import struct
import sys
import zlib
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

import neurorules
from neurorules.cli import run as command
from neurorules.contracts.data_set import DataSet, Recordings
from neurorules.contracts.rows import rows_of
from neurorules.datasets import open_dataset, steps_of
from neurorules.datasets._own import gather as gather_room
from neurorules.datasets._own import growing as growing_room
from neurorules.datasets._own import own_data
from neurorules.encoders import open_encoder
from neurorules.language.errors import UserError
from neurorules.torch_path.training import batches

QUICK = ["--net", "8", "--epochs", "1", "--batch-size", "16", "--device", "cpu", "--threads", "1", "--json"]


def refusal(text: str, data_dir: Path | None = None) -> str:
    with pytest.raises(UserError) as told:
        open_dataset(text, data_dir)
    assert "\n" not in str(told.value)
    return str(told.value)


# --- a function of the user's


MODULE = """
import numpy as np
from sklearn.datasets import load_digits

def make_data(samples: int = 200):
    with open("calls.txt", "a") as file:
        print("made", file=file)
    pixels, labels = load_digits(return_X_y=True)
    cut = samples * 3 // 4
    return (pixels[:cut] / 16, labels[:cut]), (pixels[cut:samples] / 16, labels[cut:samples])

def over_time():
    x, y = np.ones((40, 5, 6), np.float32), np.arange(40) % 2
    x[1::2] = 0
    return (x, y), (x[:10], y[:10])

def broken():
    raise RuntimeError("no such disk")

nothing = 3
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    name = f"made_by_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{name}.py").write_text(MODULE)
    (tmp_path / "needy.py").write_text("import no_such_package\n")
    (tmp_path / "wrong.py").write_text("def f(:\n")
    monkeypatch.chdir(tmp_path)
    return Path(name)


def test_a_function_of_the_current_folder_is_trained_on(module: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = list(sys.path)
    assert command(["train", "--data", f"{module}:make_data:samples=160", "--out", "run", *QUICK]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["data"] == f"{module}:make_data:samples=160" and result["classes"] == 10
    assert result["train_samples"] + result["validation_samples"] == 120 and result["test_samples"] == 40
    assert sys.path == before and Path("calls.txt").read_text() == "made\n"
    assert command(["record", "run", "--samples", "2", "--out", "traces.h5", "--json"]) == 0


def test_a_comparison_calls_the_function_once(module: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--rules", "sigprop,dfa", "--controls", "none", "--out", "out"]
    assert command(["compare", "--data", f"{module}:make_data:samples=80", *words, *QUICK]) == 0
    assert Path("calls.txt").read_text() == "made\n"
    assert command(["train", "--data", f"{module}:over_time:batch_first=true", "--out", "timed", *QUICK]) == 0
    lines = capsys.readouterr().out.strip().split("\n")
    assert json.loads(lines[-1])["steps"] == 5


def test_a_function_may_return_rows_whose_fields_are_named_behind_it(module: Path) -> None:
    Path("hub.py").write_text(
        "import numpy as np\n"
        "def rows(count: int = 12):\n"
        "    return [{'pixels': np.full(4, n % 3, np.float32), 'kind': n % 3} for n in range(count)]\n"
        "def make():\n    return rows(), rows(6)\n"
    )
    read = open_dataset("hub:make:keys=pixels+kind")
    assert read.classes == 3 and read.train_labels.tolist() == [0, 1, 2] * 4
    assert "Give two names" in refusal("hub:make:keys=pixels")
    assert "no two of its names say" in refusal("hub:make")
    with pytest.raises(UserError, match=r"such as mymodule:make_data:keys=pixels\+digit"):
        neurorules.train("dfa", data="hub:make", keys=("pixels", "digit"))


def test_what_is_no_such_function_is_refused(module: Path) -> None:
    assert "has no function 'missing'" in refusal(f"{module}:missing")
    assert "has no function 'nothing'" in refusal(f"{module}:nothing")
    assert "broken() failed (RuntimeError: no such disk)" in refusal(f"{module}:broken")
    assert "imports a package that is not installed" in refusal("needy:make")
    assert "does not import (SyntaxError" in refusal("wrong:f")
    assert "no module 'mnits'. Did you mean 'mnist'?" in refusal("mnits:make")
    assert "Did you mean 'nmnist'?" in refusal("nmnits:folds=5")
    assert "unknown option" in refusal(f"{module}:make_data:sample=3")
    assert "which is not a whole number" in refusal(f"{module}:make_data:samples=three")
    assert "Write columns x rows x polarities" in refusal(f"{module}:make_data:sensor_size=34")


# --- tonic


def nmnist_files(folder: Path, count: int = 6) -> Path:
    """Recordings as tonic lays N-MNIST out: NMNIST/Train/<digit>/<number>.bin, five bytes an event."""
    random = np.random.default_rng(0)
    for part in ("Train", "Test"):
        for digit in range(3):
            target = folder / "NMNIST" / part / str(digit)
            target.mkdir(parents=True)
            for number in range(count):
                x, y, polarity = (random.integers(0, high, 50) for high in (34, 34, 2))
                times = np.sort(random.integers(0, 300_000, 50))
                rows = [x, y, (polarity << 7) | (times >> 16), (times >> 8) & 255, times & 255]
                name = f"{10 * number + digit:05}.bin"
                (target / name).write_bytes(np.stack(rows, axis=1).astype(np.uint8).tobytes())
    return folder


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NEURORULES_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("NEURORULES_DATA", raising=False)
    return tmp_path / "cache"


def frames(recordings: Recordings, steps: int) -> np.ndarray:
    return np.asarray(open_encoder("frames", "events").prepare(recordings, steps, None))


def as_pairs(data: DataSet) -> list[tuple[int, bytes]]:
    """Labels and frames of all training samples, in an order of their own."""
    assert isinstance(data.train, Recordings)
    counted = (np.ascontiguousarray(one).tobytes() for one in frames(data.train, 7))
    return sorted(zip(data.train_labels.tolist(), counted, strict=True))


def test_tonics_n_mnist_is_read_as_our_own_and_cached_in_mapped_files(tmp_path: Path, own_cache: Path) -> None:
    pytest.importorskip("tonic")
    folder = nmnist_files(tmp_path / "data")
    ours = open_dataset(str(folder / "NMNIST"))
    for text in ("tonic:NMNIST:frames=7", "tonic:nmnist:frames=7", f"tonic:name=NMNIST:frames=7:path={folder}"):
        theirs = open_dataset(text, folder)
        assert theirs.steps == steps_of(text, folder) == 7 and theirs.shape == ours.shape == (2, 34, 34)
        assert theirs.class_names[:2] == ("0 - zero", "1 - one") and theirs.classes == 3
        assert as_pairs(theirs) == as_pairs(ours)
        assert isinstance(theirs.train, Recordings) and isinstance(theirs.train.x, np.memmap)
    assert len(list((own_cache / "events").glob("tonic-*"))) == 1
    assert open_dataset("tonic:NMNIST", folder).steps is None


def test_a_new_file_is_seen_by_the_cache(tmp_path: Path, own_cache: Path) -> None:
    pytest.importorskip("tonic")
    folder = nmnist_files(tmp_path / "data", 2)
    before = len(open_dataset("tonic:NMNIST", folder).train_labels)
    one = next((folder / "NMNIST" / "Train" / "1").glob("*.bin"))
    (one.parent / "99999.bin").write_bytes(one.read_bytes())
    assert len(open_dataset("tonic:NMNIST", folder).train_labels) == before + 1


def test_what_tonic_has_not_downloaded_is_refused_in_one_line(tmp_path: Path, own_cache: Path) -> None:
    pytest.importorskip("tonic")
    assert "'tonic:NMNIST' are not downloaded" in refusal("tonic:NMNIST:frames=20")
    (tmp_path / "data" / "DVSGesture").mkdir(parents=True)
    line = refusal("tonic:DVSGesture", tmp_path / "data")
    assert "are not downloaded" in line and "tonic.datasets.DVSGesture(" in line
    (tmp_path / "data" / "SHD").mkdir()
    assert "are not downloaded" in refusal("tonic:SHD", tmp_path / "data")
    assert "Did you mean 'DVSGesture'?" in refusal("tonic:DVSGestures")
    assert "needs a class of tonic.datasets" in refusal("tonic")
    assert "frames is 0" in refusal("tonic:NMNIST:frames=0")
    assert not list((tmp_path / "data" / "DVSGesture").iterdir())


def test_a_data_set_of_tonic_in_one_part_asks_for_a_share(tmp_path: Path, own_cache: Path) -> None:
    pytest.importorskip("tonic")
    folder = tmp_path / "data"
    for label in ("airplane", "bird"):
        place = folder / "CIFAR10DVS" / label
        place.mkdir(parents=True)
        for number in range(5):
            (place / f"{label}_{number}.aedat4").write_bytes(b"not looked into")
    assert "comes in one part. Say which share" in refusal("tonic:CIFAR10DVS", folder)
    assert "cannot be read" in refusal("tonic:CIFAR10DVS:test=0.4", folder)


def test_gestures_and_spoken_digits_in_tonics_layout_are_read(tmp_path: Path, own_cache: Path) -> None:
    pytest.importorskip("tonic")
    import h5py

    random = np.random.default_rng(0)
    folder = tmp_path / "data"
    for part, users in (("ibmGestureTrain", (1, 2)), ("ibmGestureTest", (3,))):
        for user in users:
            place = folder / "DVSGesture" / part / f"user{user:02}_led"
            place.mkdir(parents=True)
            for label in range(3):
                columns = [random.integers(0, high, 40) for high in (128, 128, 2)]
                table = np.stack([*columns, np.sort(random.integers(0, 900, 40))], axis=1).astype(np.int64)
                np.save(place / f"{label}.npy", table)
    gestures = open_dataset("tonic:DVSGesture:frames=3", folder)
    assert gestures.shape == (2, 128, 128) and len(gestures.train_labels) == 6 and gestures.classes == 3
    (folder / "SHD").mkdir()
    for part in ("train", "test"):
        with h5py.File(folder / "SHD" / f"shd_{part}.h5", "w") as file:
            times = file.create_dataset("spikes/times", (4,), dtype=h5py.vlen_dtype(np.float16))
            units = file.create_dataset("spikes/units", (4,), dtype=h5py.vlen_dtype(np.uint16))
            for place in range(4):
                times[place] = np.sort(random.random(9)).astype(np.float16)
                units[place] = random.integers(0, 700, 9)
            file["labels"] = np.arange(4) % 2
            file["extra/keys"] = np.array([b"zero", b"one"])
            file["extra/speaker"] = np.zeros(4)
    spoken = open_dataset("tonic:SHD:frames=5", folder)
    assert spoken.shape == (1, 1, 700) and spoken.class_names == ("zero", "one")
    counted = frames(spoken.train, 5) if isinstance(spoken.train, Recordings) else np.zeros(0)
    assert counted.shape == (4, 5, 1, 1, 700) and counted.sum() == 36


# --- folders of pictures


def png_of_16_bits(pixels: np.ndarray) -> bytes:
    """A PNG of 16 bits a channel, written out here, since Pillow writes no colours of 16 bits."""
    height, width = pixels.shape[:2]
    kind = {1: 0, 3: 2, 4: 6}[pixels.shape[2]]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def pictures(root: Path, make: Any, parts: tuple[str, ...] = ("train/", "test/"), count: int = 4) -> Path:
    for part in parts:
        for place, label in enumerate(("cat", "dog")):
            folder = root / f"{part}{label}"
            folder.mkdir(parents=True)
            for number in range(count):
                make(folder / f"{number}.png", place, number)
    return root


def grey(path: Path, place: int, number: int) -> None:
    Image.fromarray(np.full((5, 6), 100 * place + number, np.uint8)).save(path)


def test_grey_pictures_of_8_bits_stay_as_they_are(tmp_path: Path) -> None:
    data = open_dataset(f"folder:{pictures(tmp_path / 'grey', grey)}")
    assert data.shape == (1, 5, 6) and data.class_names == ("cat", "dog") and data.train.dtype == np.uint8  # type: ignore[union-attr]
    assert np.asarray(data.train)[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 100, 101, 102, 103]
    assert data.train_labels.tolist() == [0] * 4 + [1] * 4


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pictures_of_16_bits_keep_every_bit(tmp_path: Path, channels: int) -> None:
    random = np.random.default_rng(0)
    written: dict[str, np.ndarray] = {}

    def deep(path: Path, place: int, number: int) -> None:
        pixels = random.integers(0, 65536, (4, 5, channels)).astype(np.uint16)
        written[str(path)] = pixels
        path.write_bytes(png_of_16_bits(pixels))

    root = pictures(tmp_path / "deep", deep)
    data = open_dataset(f"folder:{root}")
    shown = min(channels, 3)
    expected = [pixels[:, :, :shown] for path, pixels in written.items() if "/train/" in path]
    found = np.asarray(data.train).transpose(0, 2, 3, 1)
    assert found.dtype == np.float32 and np.array_equal(np.round(found * 65535).astype(int), np.stack(expected))


def test_colours_and_greys_go_together_and_a_palette_is_looked_up(tmp_path: Path) -> None:
    def mixed(path: Path, place: int, number: int) -> None:
        colour = Image.fromarray(np.full((5, 6, 3), [250, 10 * place, number], np.uint8))
        {0: lambda: colour.save(path), 1: lambda: colour.convert("P").save(path),
         2: lambda: colour.convert("RGBA").save(path), 3: lambda: grey(path, place, number)}[number]()  # fmt: skip

    data = open_dataset(f"folder:{pictures(tmp_path / 'mixed', mixed)}")
    assert data.shape == (3, 5, 6)
    pixels = np.asarray(data.train)[:, :, 0, 0].astype(int)
    assert (abs(pixels[:3, 0] - 250) < 30).all() and pixels[3].tolist() == [3, 3, 3]


def test_a_folder_without_parts_is_divided_and_the_same_each_time(tmp_path: Path) -> None:
    root = pictures(tmp_path / "one", grey, ("",), 10)
    assert "comes in one part" in refusal(f"folder:{root}")
    one, other = (open_dataset(f"folder:{root}:test=0.3") for _ in range(2))
    assert len(one.train_labels) == 14 and np.bincount(one.test_labels).tolist() == [3, 3]
    assert one.checksum == other.checksum
    rows = {row.tobytes() for row in np.asarray(one.train)}
    assert not any(row.tobytes() in rows for row in np.asarray(one.test))


def test_folders_that_hold_no_pictures_are_refused(tmp_path: Path) -> None:
    root = pictures(tmp_path / "own", grey)
    (root / "train" / "cat" / "2.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    assert "2.png cannot be read" in refusal(f"folder:{root}")
    Image.fromarray(np.zeros((5, 7), np.uint8)).save(root / "train" / "cat" / "2.png")
    assert "has 7 x 5 pixels, and" in refusal(f"folder:{root}")
    (root / "train" / "cat" / "2.png").unlink()
    (root / "test" / "bird").mkdir()
    assert "bird holds no picture" in refusal(f"folder:{root}")
    grey(root / "test" / "bird" / "0.png", 1, 0)
    assert "no training picture has the class 'bird'" in refusal(f"folder:{root}")
    assert "Write folder:path=PATH" in refusal("folder")
    (tmp_path / "empty").mkdir()
    assert "holds no folders of classes" in refusal(f"folder:{tmp_path / 'empty'}:test=0.2")


# --- files with time


def timed(path: Path, swap: bool = False, **changed: Any) -> Path:
    random = np.random.default_rng(0)
    arrays = {"x_train": random.random((12, 5, 2, 3, 4)), "y_train": np.arange(12) % 3}
    arrays |= {"x_test": random.random((6, 5, 2, 3, 4)), "y_test": np.arange(6) % 3}
    arrays |= changed
    if swap:
        arrays |= {name: np.swapaxes(arrays[name], 0, 1) for name in ("x_train", "x_test")}
    np.savez(path, **arrays)
    return path


def test_an_npz_file_with_a_time_axis_is_found_or_told(tmp_path: Path) -> None:
    one, other = timed(tmp_path / "a.npz"), timed(tmp_path / "b.npz", swap=True)
    data = [
        open_dataset(text)
        for text in (str(one), str(other), f"{one}:batch_first=true", f"npz:{other}:batch_first=false")
    ]
    for read in data:
        assert read.kind == "sequences" and read.steps == 5 and read.shape == (2, 3, 4)
        assert np.array_equal(np.asarray(read.train), np.asarray(data[0].train))
    assert steps_of(f"npz:{other}") == steps_of(f"npz:{one}:batch_first=true") == 5
    flat = timed(tmp_path / "c.npz", x_train=np.ones((12, 5, 7)), x_test=np.ones((6, 5, 7)))
    assert open_dataset(str(flat)).kind == "images" and steps_of(f"npz:{flat}") is None
    read = open_dataset(f"npz:{flat}:batch_first=true")
    assert read.shape == (1, 1, 7) and read.steps == steps_of(f"npz:{flat}:batch_first=true") == 5
    twelve = timed(tmp_path / "d.npz", x_train=np.ones((12, 12, 2, 3, 4)))
    assert "either axis could be time" in refusal(str(twelve))


def test_a_file_with_time_trains_with_its_own_steps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = timed(tmp_path / "a.npz")
    assert command(["train", "--data", str(path), "--out", str(tmp_path / "run"), *QUICK]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == 5
    assert command(["train", "--data", str(path), "--steps", "4", "--out", str(tmp_path / "other"), *QUICK]) == 2
    assert "the data have 5 time steps per sample" in capsys.readouterr().err and not (tmp_path / "other").exists()
    assert command(["train", "--data", str(path), "--encode", "poisson", *QUICK]) == 2
    assert "Write --encode sequence" in capsys.readouterr().err


# --- large data


def test_large_data_are_gathered_in_a_file_that_goes_with_them(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growing_room, "LARGE", 20_000)
    monkeypatch.setattr(gather_room, "Growing", lambda: growing_room.Growing(20_000))
    pixels, labels = load_digits(return_X_y=True)
    samples = list(zip(pixels[:600].reshape(-1, 8, 8), labels[:600], strict=True))
    plain = own_data(((pixels[:600].reshape(-1, 8, 8), labels[:600]),) * 2)
    mapped: DataSet | None = own_data((iter(samples), samples))
    assert mapped is not None and mapped.checksum == plain.checksum
    assert len(list((own_cache / "gathered").iterdir())) == 2
    mapped = None
    assert not list((own_cache / "gathered").iterdir())


@pytest.mark.parametrize("encode", ["constant", "poisson", "latency", "sequence", "sequence:standardise=true"])
def test_rows_of_large_data_are_trained_on_to_the_same_bits(encode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels, labels = load_digits(return_X_y=True)
    x = (pixels[:90] / 16).reshape(90, 1, 8, 8).astype(np.float32)
    if encode.startswith("sequence"):
        x = np.repeat(x[:, None], 3, axis=1)
    settings: dict[str, Any] = {
        "encode": encode,
        "net": "6",
        "epochs": 1,
        "batch_size": 20,
        "device": "cpu",
        "threads": 1,
    }
    if not encode.startswith("sequence"):
        settings["steps"] = 3
    data = (x[:70], labels[:70]), (x[70:], labels[70:90])
    copied = neurorules.train("sigprop", data=data, **settings)
    monkeypatch.setattr(batches, "rows_of", partial(rows_of, large=1))
    fetched = neurorules.train("sigprop", data=data, **settings)
    for name in ("test_accuracy", "validation_accuracy", "encoder_statistics", "spikes_per_sample"):
        assert copied[name] == fetched[name]
