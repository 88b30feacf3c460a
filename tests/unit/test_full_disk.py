"""Where a disk is full or a file may grow no more: one line, exit 2; what stood there stands, what was begun goes."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import h5py
import numpy as np
import pytest
from places import SMALL, content, done, fill, refused, small_trace

from neurorules.contracts.data_set import Recordings
from neurorules.disk.space import mapped_array
from neurorules.encoders import open_encoder
from neurorules.language.errors import UserError
from neurorules.traces.exporters import export, exporters
from neurorules.traces.header import TraceHeader
from neurorules.traces.store import TraceReader
from neurorules.traces.writer import MARGIN, TraceWriter

PACKAGES = {"parquet": "pyarrow", "nwb": "pynwb", "nix": "nixio"}


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """No file of this process may grow beyond a size."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def open_files() -> int:
    """HDF5 files that the library has open: each would be tried again when the process exits."""
    return h5py.h5f.get_obj_count(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_FILE)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("finished") / "run"
    done("train", *SMALL, "--out", out, "--json")
    return out


def test_training_that_finds_no_room_ends_in_a_line_and_an_older_run_stands(
    full: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done("train", *SMALL, "--out", full / "run", "--json")
    fill(full)
    before = content(full)
    for more in (["--force"], ["--force", "--net", "400", "--seed", "3"]):
        line = refused(capsys, "train", *SMALL, *more, "--out", full / "run")
        assert "no space left on device. Free some space" in line
        assert content(full) == before
    assert "no space left on device" in refused(capsys, "train", *SMALL, "--out", full / "other")
    assert content(full) == before and not (full / "other").exists()


def test_a_run_that_is_stopped_by_a_full_disk_goes_on_when_there_is_room(
    full: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", *SMALL, "--net", "100", "--epochs", "2", "--out", full / "run"]
    fill(full, leave=200_000)  # a checkpoint, and not two
    assert "no space left on device" in refused(capsys, *arguments)
    (full / "ballast").unlink()
    kept = sorted(os.listdir(full / "run"))
    assert "checkpoint.safetensors" in kept and not [name for name in kept if name.endswith(".tmp.safetensors")]
    done(*arguments, "--resume", "--json")


def test_a_comparison_that_finds_no_room_ends_in_a_line(full: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(full, leave=20_000)
    arguments = ["compare", *SMALL, "--net", "60", "--rules", "dfa", "--controls", "none", "--out", full / "c"]
    assert "no space left on device" in refused(capsys, *arguments)
    assert not (full / "c").exists() or not [path for path in (full / "c").rglob("*") if ".tmp" in path.name]


@pytest.mark.parametrize("standing", [True, False], ids=["over a trace", "new"])
@pytest.mark.parametrize("leave", [0, 30_000])
def test_a_recording_that_finds_no_room_leaves_what_stood_there(
    leave: int, standing: bool, finished: Path, full: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, opened = full / "t.h5", open_files()
    if standing:
        small_trace(out)
    fill(full, leave)
    before = content(full)
    line = refused(capsys, "record", finished, "--samples", "60", "--variables", "S,v,dv_dw", "--out", out, "--force")
    assert "no space left on device" in line.lower()
    assert content(full) == before and open_files() == opened


def test_a_trace_that_finds_no_room_at_any_moment_is_whole_samples_or_nothing(full: Path) -> None:
    opened, lengths = open_files(), set()
    for leave in range(2_000, 500_000, 40_000):
        fill(full, leave)
        with suppress(UserError, OSError):
            small_trace(full / "t.h5", samples=4, steps=40, neurons=200)
        assert open_files() == opened
        if (full / "t.h5").exists():
            with TraceReader(full / "t.h5") as reader:
                lengths.add(len(reader))
        for path in full.iterdir():
            path.unlink()
    assert 0 not in lengths and {1, 4} <= lengths


@pytest.mark.parametrize("to", exporters.names())
def test_an_export_that_finds_no_room_leaves_nothing_and_no_file_open(to: str, full: Path, tmp_path: Path) -> None:
    if to in PACKAGES:
        pytest.importorskip(PACKAGES[to])
    trace, opened = small_trace(tmp_path / "given.h5", samples=30, steps=40, neurons=200), open_files()
    for leave in (0, 40_000):
        fill(full, leave)
        with pytest.raises(UserError, match=r"cannot write .* \(No space left on device\)\. Free some space"):
            export(trace, to, full / f"out.{to}")
        assert os.listdir(full) == ["ballast"] and open_files() == opened
        (full / "ballast").unlink()


@pytest.mark.parametrize("to", exporters.names())
def test_an_export_whose_file_may_grow_no_more_leaves_nothing_and_no_file_open(to: str, tmp_path: Path) -> None:
    if to in PACKAGES:
        pytest.importorskip(PACKAGES[to])
    trace, opened = small_trace(tmp_path / "given.h5", samples=30, steps=40, neurons=200), open_files()
    with files_up_to(10_000), pytest.raises(UserError, match=r"cannot write .*too large.*ulimit -f"):
        export(trace, to, tmp_path / f"out.{to}")
    assert os.listdir(tmp_path) == ["given.h5"] and open_files() == opened


def test_a_process_that_could_not_write_hdf5_ends_as_any_other(tmp_path: Path) -> None:
    trace = small_trace(tmp_path / "given.h5", samples=30, steps=40, neurons=200)
    program = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))\n"
        "from neurorules.cli import main\n"
        f"main(['export', {str(trace)!r}, '--to', 'nirdata', '--out', {str(tmp_path / 'x.nirdata')!r}])\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2 and ended.stderr.count("\n") == 1 and "Raise the limit" in ended.stderr


def test_a_picture_that_finds_no_room_leaves_the_one_that_stood_there(
    full: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done("causal-distance", "--out", full / "graph.png")
    fill(full)
    before = content(full)
    assert "cannot write the picture" in refused(capsys, "causal-distance", "--out", full / "graph.png")
    assert content(full) == before


def events(samples: int) -> Recordings:
    """One event a sample, on a sensor of 34 x 34."""
    at = np.arange(samples) % 34
    zeros = np.zeros(samples, np.uint8)
    offsets = np.arange(samples + 1, dtype=np.int64)
    return Recordings(at.astype(np.uint8), zeros, zeros, zeros.astype(np.int32), offsets, (2, 34, 34), f"of {samples}")


@pytest.mark.parametrize("samples", [60, 600])
def test_frames_that_find_no_room_are_told_before_they_are_made(samples: int, full: Path) -> None:
    fill(full, leave=400_000)
    with pytest.raises(UserError, match=r"frames cannot be kept in .*No space left.* take at least .* MB. Free some"):
        open_encoder("frames", "events").prepare(events(samples), 10, full / "cache")
    assert [path.name for path in full.rglob("*") if path.is_file()] == ["ballast"]


def test_frames_whose_file_may_grow_no_more_are_told(tmp_path: Path) -> None:
    with files_up_to(100_000), pytest.raises(UserError, match="frames cannot be kept"):
        open_encoder("frames", "events").prepare(events(60), 10, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_steps_beyond_any_disk_are_told_with_what_they_take(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"take at least 138,720.0 GB"):
        open_encoder("frames", "events").prepare(events(60), 1_000_000_000, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_mapped_array_has_its_room_from_the_beginning(tmp_path: Path) -> None:
    made = mapped_array(tmp_path / "a.npy", np.dtype(np.int16), (300, 1000))
    assert (tmp_path / "a.npy").stat().st_blocks * 512 >= made.nbytes == 600_000 and not made.any()
    made[:] = 7
    made.flush()
    assert (np.load(tmp_path / "a.npy") == 7).all()
    assert mapped_array(tmp_path / "b.npy", np.dtype(np.int16), (0, 3)).shape == (0, 3)


def test_a_trace_that_a_run_writes_keeps_what_came_before_the_disk_was_full(
    full: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", *SMALL, "--net", "40", "--epochs", "30", "--record", "S,w", "--record-samples", "6"]
    fill(full, leave=250_000)
    assert "no space left on device" in refused(capsys, *arguments, "--out", full / "run")
    with TraceReader(full / "run" / "traces.h5") as reader:
        assert len(reader) and {sample.epoch for sample in reader} >= {0}


def test_a_trace_has_its_room_before_it_is_written_and_gives_back_what_it_did_not_need(tmp_path: Path) -> None:
    path = tmp_path / "t.h5"
    with TraceWriter(path, TraceHeader("x", {"a": (100,)})) as writer:
        writer.append(0, 0, {"a": {"v": np.zeros((50, 100), np.float32)}})
        writer.flush()
        assert path.stat().st_blocks * 512 >= path.stat().st_size > MARGIN
    assert path.stat().st_size < MARGIN
    with TraceReader(path) as reader:
        assert len(reader) == 1
