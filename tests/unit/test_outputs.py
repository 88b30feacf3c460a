"""What a user names with --out takes the place of its own kind only, and never of a run's files, data, or a folder."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from places import SMALL, content, done, refused, small_trace

from neurorules.runs.folder import CONFIG, METRICS, RESULT, WEIGHTS
from neurorules.runs.outputs import UNKNOWN, kind_of
from neurorules.torch_path.recording.while_training import TRACES
from neurorules.traces.exporters import exporters

FOLDERS = ("events", "sonata")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run that has recorded while it learned."""
    out = tmp_path_factory.mktemp("outputs") / "run"
    done("train", *SMALL, "--record", "S", "--record-samples", "2", "--out", out, "--json")
    return out


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_trace(tmp_path_factory.mktemp("given") / "given.h5")


def data_file(path: Path, kind: str) -> Path:
    """A file of a user's own."""
    if kind == "arrays":
        with path.open("wb") as file:
            np.savez(file, x_train=np.zeros((2, 3)), y_train=np.arange(2), x_test=np.zeros((2, 3)), y_test=np.arange(2))
    elif kind == "array":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    elif kind == "idx":
        path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 1, 7]))
    elif kind == "table":
        path.write_text("name,age\nx,3\n")
    elif kind == "JSON":
        path.write_text(json.dumps({"mine": 1}))
    elif kind == "HDF5":
        import h5py

        with h5py.File(path, "w") as opened:
            opened["mine"] = [1, 2]
    else:
        path.write_text("Dear diary, today I trained a network.\n")
    return path


DATA = ["arrays", "array", "idx", "table", "JSON", "HDF5", "text"]


def command_for(command: str, run: Path, trace: Path) -> list[str | Path]:
    """A command that writes a file, without its --out."""
    return {
        "record": ["record", run, "--samples", "1", "--variables", "S"],
        "plot": ["plot", trace],
        "explain": ["explain", run, "--synapse", "hidden1:0:0"],
        "audit": ["audit", "--rules", "shallow", "--net", "3"],
        "causal": ["causal-distance"],
        **{to: ["export", trace, "--to", to] for to in exporters.names()},
    }[command]


PICTURES = ["plot", "explain", "audit", "causal"]
EXPORTS = [name for name in exporters.names() if name not in FOLDERS]


@pytest.mark.parametrize("name", [CONFIG, RESULT, METRICS, WEIGHTS, "checkpoint.safetensors", TRACES])
@pytest.mark.parametrize("command", ["record", "npz", "csv"])
def test_no_file_of_a_run_is_ever_replaced(
    command: str, name: str, finished: Path, trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = content(finished)
    line = refused(capsys, *command_for(command, finished, trace), "--out", finished / name)
    assert f"is a file of the run in {finished}. Name another file" in line
    assert content(finished) == before


def test_a_link_to_a_file_of_a_run_is_that_file(
    finished: Path, trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.npz").symlink_to(finished / WEIGHTS)
    assert "is a file of the run" in refused(capsys, "export", trace, "--out", tmp_path / "x.npz")


def test_a_file_that_goes_beside_the_one_named_replaces_no_file_of_a_run_either(
    finished: Path, trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = content(finished)
    line = refused(capsys, "export", trace, "--to", "csv", "--out", finished / "config.csv")
    assert f"{CONFIG} is a file of the run" in line
    assert content(finished) == before


@pytest.mark.parametrize("suffix", [".samples.csv", ".json", ".snapshots.npz"])
def test_a_file_that_goes_beside_the_one_named_replaces_only_its_own_kind(
    suffix: str, trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data_file(tmp_path / f"spikes{suffix}", "table")
    before = content(tmp_path)
    assert f"spikes{suffix} is" in refused(capsys, "export", trace, "--to", "csv", "--out", tmp_path / "spikes.csv")
    assert content(tmp_path) == before


@pytest.mark.parametrize("kind", DATA)
@pytest.mark.parametrize("command", ["record", "npz", "csv", "parquet", "nirdata"])
def test_a_file_of_another_kind_is_refused_and_stays(
    command: str, kind: str, finished: Path, trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if command == "parquet":
        pytest.importorskip("pyarrow")
    out = data_file(tmp_path / "mine", kind)
    before = content(tmp_path)
    line = refused(capsys, *command_for(command, finished, trace), "--out", out)
    assert f"{out} is" in line and "would replace it. Name another file, or remove that one" in line
    assert content(tmp_path) == before and os.listdir(tmp_path) == ["mine"]


@pytest.mark.parametrize("command", PICTURES)
def test_a_picture_replaces_pictures_of_its_format_only(
    command: str, finished: Path, trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = command_for(command, finished, trace)
    out = tmp_path / "x.png"
    for kind in ("arrays", "text"):
        data_file(out, kind)
        before = out.read_bytes()
        assert "a PNG picture would replace it" in refused(capsys, *arguments, "--out", out)
        assert out.read_bytes() == before
    (tmp_path / "folder.png").mkdir()
    assert "is a folder. Name a file" in refused(capsys, *arguments, "--out", tmp_path / "folder.png")
    assert sorted(os.listdir(tmp_path)) == ["folder.png", "x.png"]


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_a_picture_may_be_drawn_again(suffix: str, tmp_path: Path) -> None:
    out = tmp_path / f"graph.{suffix}"
    done("causal-distance", "--out", out)
    first = kind_of(out)
    done("causal-distance", "--out", out)
    assert kind_of(out) == first != UNKNOWN and os.listdir(tmp_path) == [out.name]


@pytest.mark.parametrize("command", EXPORTS)
def test_what_a_command_wrote_it_may_write_again(command: str, finished: Path, trace: Path, tmp_path: Path) -> None:
    package = {"parquet": "pyarrow", "nwb": "pynwb", "nix": "nixio"}.get(command)
    if package is not None:
        pytest.importorskip(package)
    arguments = [*command_for(command, finished, trace), "--out", tmp_path / f"again.{command}"]
    done(*arguments)
    first = sorted(os.listdir(tmp_path))
    assert UNKNOWN not in {kind_of(tmp_path / name) for name in first}
    done(*arguments)
    assert sorted(os.listdir(tmp_path)) == first


def test_a_trace_is_recorded_again_only_when_asked_also_one_whose_recorder_was_killed(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = ["record", finished, "--samples", "2", "--variables", "S", "--out", tmp_path / "t.h5"]
    done(*again)
    whole = (tmp_path / "t.h5").read_bytes()
    for older in (whole, whole[: len(whole) // 2]):
        (tmp_path / "t.h5").write_bytes(older)
        assert "holds a recorded trace. Add --force to replace it, or name another file" in refused(capsys, *again)
        assert (tmp_path / "t.h5").read_bytes() == older and os.listdir(tmp_path) == ["t.h5"]
        done(*again, "--force")
    assert len((tmp_path / "t.h5").read_bytes()) == len(whole)


@pytest.mark.parametrize("where", ["folder", "nowhere", "loop", "device"])
@pytest.mark.parametrize("command", ["record", "npz", "plot"])
def test_a_place_that_holds_no_file_is_refused_before_any_work(
    command: str, where: str, finished: Path, trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suffix = ".png" if command == "plot" else ""
    out = tmp_path / f"{where}{suffix}"
    if where == "folder":
        out.mkdir()
    elif where == "device":
        out.symlink_to("/dev/null")
    else:
        out.symlink_to("missing" if where == "nowhere" else out.name)
    words = {"folder": "is a folder", "device": "is not an ordinary file"}.get(where, "is a link that leads nowhere")
    assert words in refused(capsys, *command_for(command, finished, trace), "--out", out)
    assert os.listdir(tmp_path) == [out.name] and os.path.lexists("/dev/null")


@pytest.mark.parametrize("to", FOLDERS)
def test_a_format_that_is_a_folder_replaces_nothing(
    to: str, trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "full").mkdir()
    data_file(tmp_path / "full" / "mine", "text")
    for out in (tmp_path / "full", tmp_path / "full" / "mine"):
        assert "this format is a folder" in refused(capsys, "export", trace, "--to", to, "--out", out)
    (tmp_path / "empty").mkdir()
    done("export", trace, "--to", to, "--out", tmp_path / "empty")
    assert set(os.listdir(tmp_path)) == {"full", "empty"} and os.listdir(tmp_path / "full") == ["mine"]
