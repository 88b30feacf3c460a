"""What a cache keeps is used where it is whole, made again where it is not, and done without where it has to be."""

from __future__ import annotations

import ctypes
import http.server
import io
import json
import logging
import os
import shutil
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from neurorules.brian2_steps import program
from neurorules.datasets import _idx as idx_format
from neurorules.datasets import _jpeg_folder
from neurorules.datasets._files import md5_of
from neurorules.disk.cache import DIGITS, cache_path
from neurorules.language.errors import UserError
from neurorules.native import compile as compile_c
from neurorules.native.rings import native as rings


def halved(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flipped(path: Path) -> None:
    """One bit in the middle is another."""
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def zeroed(path: Path) -> None:
    """A page that never reached the disk."""
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 3] + bytes(len(whole) - len(whole) // 3))


def foreign(path: Path) -> None:
    path.write_bytes(b"something else altogether")


DAMAGE = [halved, flipped, emptied, zeroed, foreign]
Damage = Callable[[Path], None]


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("suffix", [".bin", ""])
def test_what_is_damaged_is_made_again_once(damage: Damage, suffix: str, tmp_path: Path) -> None:
    made = []

    def make(path: Path) -> None:
        made.append(path)
        if suffix:
            path.write_bytes(bytes(range(1, 200)))
        else:
            (path / "deep").mkdir(parents=True)
            (path / "deep" / "part").write_bytes(bytes(range(1, 200)))
            (path / "list").write_text("deep/part")

    first = cache_path(tmp_path / "cache", "thing", suffix, make)
    assert cache_path(tmp_path / "cache", "thing", suffix, make) == first and len(made) == 1
    damage(first if suffix else first / "deep" / "part")
    again = cache_path(tmp_path / "cache", "thing", suffix, make)
    assert again == first and len(made) == 2
    assert (again if suffix else again / "deep" / "part").read_bytes() == bytes(range(1, 200))
    assert cache_path(tmp_path / "cache", "thing", suffix, make) == first and len(made) == 2
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [first.name]


def test_many_who_ask_at_once_have_it_made_once_and_another_thing_is_left_alone(tmp_path: Path) -> None:
    made = []

    def make(path: Path) -> None:
        made.append(path)
        path.write_text("x" * 100)

    other = cache_path(tmp_path, "thing-else", ".bin", lambda path: path.write_text("other") and None)
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: cache_path(tmp_path, "thing", ".bin", make), range(16)))
    assert len(found) == len(made) == 1 and other.read_text() == "other"


def test_what_fails_while_it_is_made_leaves_nothing(tmp_path: Path) -> None:
    def make(path: Path) -> None:
        path.write_text("half")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        cache_path(tmp_path, "thing", ".bin", make)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def compiler() -> str:
    found = compile_c.find_compiler()
    if found is None:
        pytest.skip("needs a C compiler")
    return found


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_kernel_is_compiled_again(damage: Damage, compiler: str, tmp_path: Path) -> None:
    flags, source, cache = ("-O0", "-fPIC"), tmp_path / "small.c", tmp_path / "cache"
    source.write_text("int one(void) { return 1; }\n", encoding="utf-8")  # any kernel is kept in the same way
    cache.mkdir()
    compile_c.load_or_compile(compiler, (source,), flags, cache)
    (path,) = cache.iterdir()
    whole = path.read_bytes()
    # Another file of the same name, so that the library loaded above keeps its own.
    shutil.copy(path, cache / "copy")
    (cache / "copy").replace(path)
    damage(path)
    assert isinstance(compile_c.load_or_compile(compiler, (source,), flags, cache), ctypes.CDLL)
    (again,) = cache.iterdir()
    assert (again.name, again.read_bytes()) == (path.name, whole)


def test_a_kernel_may_return_a_number_of_64_bits(compiler: str, tmp_path: Path) -> None:
    source = tmp_path / "small.c"
    source.write_text("long long entries_float32(void) { return 3LL << 32; }\n", encoding="utf-8")
    kernels = compile_c.load_or_compile(compiler, (source,), ("-O0", "-fPIC"), tmp_path)
    assert compile_c.kernel_of(kernels, "entries", torch.float32)() == 3 << 32


def test_a_cache_that_cannot_be_written_is_told_once_and_kernels_run(
    compiler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NEURORULES_CACHE", str(tmp_path / "file" / "cache"))
    compile_c._say_unkept.cache_clear()
    with pytest.warns(RuntimeWarning, match=r"cannot be kept in .*NEURORULES_CACHE") as caught:
        for _ in range(2):
            assert compile_c.load(compiler, rings.SOURCES, ("-O0", "-fPIC")) is not None
    assert len(caught) == 1


def test_half_a_kernel_in_the_cache_stops_no_command(compiler: str, tmp_path: Path) -> None:
    """The real files, in a process of its own: half a library is a Bus error for whoever loads it."""
    stored = Path(rings.library()._name)  # type: ignore[union-attr]
    half = tmp_path / stored.name
    half.write_bytes(stored.read_bytes()[: stored.stat().st_size // 2])
    command = "from neurorules.native.rings import native; print(native.library() is not None)"
    ended = subprocess.run(
        [sys.executable, "-c", command], env={**os.environ, "NEURORULES_CACHE": str(tmp_path)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout.strip()) == (0, "True"), ended.stderr
    assert half.stat().st_size == stored.stat().st_size


def square(brian2: object, started: Callable[[], None]) -> dict[str, object]:
    """A model of one unit, whose variable is the square of another."""
    import brian2 as b

    group = b.NeuronGroup(1, "x : 1\ny : 1", name="unit", dt=1 * b.ms)
    group.run_regularly("y = x * x", dt=1 * b.ms)
    network = b.Network(group)
    started()
    network.run(2 * b.ms)
    return {"unit": group}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache with one compiled model."""
    pytest.importorskip("brian2")
    if program.find_cpp_compiler() is None:
        pytest.skip("needs a C++ compiler")
    home = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEURORULES_CACHE", str(home))
        made = program.program_of("square", square, ("-O0",))
        made.run({"unit.x": 3.0})
        assert made.read("unit.y").tolist() == [9.0]
        yield home


@pytest.mark.parametrize("part", [program.PROGRAM, program.PROJECT])
@pytest.mark.parametrize("damage", [halved, flipped])
def test_a_damaged_program_is_found_out_before_it_runs(
    damage: Damage, part: str, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder,) = (model / "models").iterdir()
    whole, aside = (folder / part).read_bytes(), model / "aside"
    compiled = []

    def instead_of_compiling(brian2: object, make: object, project: Path, flags: object) -> None:
        compiled.append(project)
        shutil.copytree(aside, project)

    shutil.copytree(folder, aside, dirs_exist_ok=True)
    monkeypatch.setattr(program, "_generate", instead_of_compiling)
    damage(folder / part)
    again = program.program_of("square", square, ("-O0",))
    again.run({"unit.x": 4.0})
    assert again.read("unit.y").tolist() == [16.0] and (again.folder / part).read_bytes() == whole
    program.program_of("square", square, ("-O0",)).run({"unit.x": 5.0})
    assert len(compiled) == 1


def test_a_program_that_cannot_be_kept_runs_after_a_line(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (folder,) = (model / "models").iterdir()
    monkeypatch.setattr(program, "_generate", lambda brian2, make, project, flags: shutil.copytree(folder, project))
    (tmp_path / "file").touch()
    monkeypatch.setenv("NEURORULES_CACHE", str(tmp_path / "file" / "cache"))
    with caplog.at_level(logging.WARNING):
        private = program.program_of("square", square, ("-O0",))
    private.run({"unit.x": 2.0})
    assert private.read("unit.y").tolist() == [4.0]
    assert caplog.text.count("compiled models cannot be kept") == 1 and "NEURORULES_CACHE" in caplog.text


def archive(path: Path) -> Path:
    """Two pictures of two classes in each part."""
    with tarfile.open(path, "w") as file:
        for split in ("train", "test"):
            for number, label in enumerate(("cat", "dog")):
                picture = io.BytesIO()
                Image.fromarray(np.full((4, 4, 3), 90 * number, np.uint8)).save(picture, "JPEG")
                info = tarfile.TarInfo(f"{split}/{label}/{number}.jpg")
                info.size = len(picture.getvalue())
                file.addfile(info, io.BytesIO(picture.getvalue()))
    return path


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_decoded_pictures_are_decoded_again(
    damage: Damage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEURORULES_CACHE", str(tmp_path / "cache"))
    given = archive(tmp_path / "pictures.tar")
    first = _jpeg_folder.read_jpeg_archive(given, ("cat", "dog"))
    (stored,) = (tmp_path / "cache" / "decoded").iterdir()
    for _ in range(2):
        again = _jpeg_folder.read_jpeg_archive(given, ("cat", "dog"))
        assert again.keys() == first.keys() and all(np.array_equal(again[key], first[key]) for key in first)
        damage(stored)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A folder on the web, with the four files of a data set like MNIST."""
    folder = tmp_path / "site"
    folder.mkdir()
    for key, name in idx_format.OFFICIAL_FILES.items():
        array = np.zeros((20, 3, 3), np.uint8) if key.startswith("x") else np.arange(20, dtype=np.uint8) % 10
        head = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
        (folder / name).write_bytes(head + array.tobytes())
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", folder
    server.shutdown()
    server.server_close()


def test_a_damaged_download_is_fetched_again_and_a_users_own_file_is_not(
    site: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    url, folder = site
    monkeypatch.setenv("NEURORULES_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("NEURORULES_DATA", raising=False)
    md5 = {key: md5_of(folder / name) for key, name in idx_format.OFFICIAL_FILES.items()}
    load = partial(idx_format.load_official, "tiny", url, md5)
    first = load(None)
    stored = tmp_path / "cache" / "data" / "tiny" / "t10k-images-idx3-ubyte.gz"
    halved(stored)
    with caplog.at_level(logging.WARNING):
        assert load(None).checksum == first.checksum
    assert f"{stored} is damaged: fetching it again" in caplog.text
    own = tmp_path / "own"
    shutil.copytree(folder, own)
    halved(own / "t10k-images-idx3-ubyte.gz")
    with pytest.raises(UserError, match="is not the published file"):
        load(own)
    assert (own / "t10k-images-idx3-ubyte.gz").stat().st_size < stored.stat().st_size


def test_names_in_a_cache_say_what_must_stand_in_them(tmp_path: Path) -> None:
    path = cache_path(tmp_path, "thing", ".json", lambda target: target.write_text(json.dumps([1])) and None)
    stem, _, said = path.stem.rpartition("-")
    assert stem == "thing" and len(said) == DIGITS
