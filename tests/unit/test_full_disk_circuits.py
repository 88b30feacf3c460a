"""Continuous time on a full disk, or in too little memory: one line, exit 2; nothing is lost, nothing left behind."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from places import content, done, fill, refused

from neurorules.brian2_steps import program
from neurorules.language.errors import UserError
from neurorules.runs import memory
from neurorules.runs.folder import RunFolder

pytest.importorskip("brian2")
pytestmark = pytest.mark.skipif(program.find_cpp_compiler() is None, reason="needs a C++ compiler")

CIRCUIT = ["--path", "brian2", "--rule", "drtp", "--neuron", "rate:period_ms=4", "--data", "digits", "--limit", "60",
           "--validation", "20", "--epochs", "2"]  # fmt: skip
SMALL = [*CIRCUIT, "--net", "6"]


def without_logs(folder: Path) -> dict[str, bytes]:
    """What a folder holds, but for the logs that Brian2 removes when the process ends."""
    return {name: value for name, value in content(folder).items() if not name.startswith("brian_")}


@pytest.fixture
def scratch(full: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The full disk is also where what is passed to compiled models and back lies for a while."""
    monkeypatch.setattr(tempfile, "tempdir", str(full))
    return full


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that had all the room it wanted; its program is kept now."""
    out = tmp_path_factory.mktemp("whole") / "run"
    done("train", *SMALL, "--out", out, "--json")
    return out


@pytest.mark.parametrize("leave", [0, 300_000])
def test_a_model_that_cannot_be_compiled_for_want_of_room_is_told_so(
    leave: int, scratch: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NEURORULES_CACHE", str(scratch / "cache"))
    fill(scratch, leave)
    before = without_logs(scratch)
    line = refused(capsys, "train", *CIRCUIT, "--net", "7", "--out", tmp_path / "run")
    assert "no space left on device. Free some space" in line and "g++" not in line
    assert without_logs(scratch) == before and not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("says", "line"),
    [
        ("objects.cpp:3:1: error: expected a semicolon", "could not compile the model (objects.cpp:3:1: error:"),
        ("as: objects.o: No space left on device", "no space left on device. Free some space"),
    ],
)
def test_what_a_compiler_says_that_fails_is_read_and_told_in_one_line(
    says: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    compiler = tmp_path / "bin" / "g++"
    compiler.parent.mkdir()
    compiler.write_text(f"#!/bin/sh\necho '{says}' >&2\nexit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("PATH", f"{compiler.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("NEURORULES_CACHE", str(tmp_path / "cache"))
    assert line in refused(capsys, "train", *CIRCUIT, "--net", "7", "--out", tmp_path / "run")


@pytest.mark.usefixtures("whole")
@pytest.mark.parametrize("leave", [0, 20_000, 60_000, 100_000, 150_000, 200_000])
def test_a_model_that_cannot_write_what_it_computes_is_told_so(
    leave: int, scratch: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(scratch, leave)
    line = refused(capsys, "train", *SMALL, "--out", tmp_path / "run")
    assert "No space left on device" in line and "TMPDIR" in line, line
    assert list(without_logs(scratch)) == ["ballast"] and not (tmp_path / "run").exists()


def test_a_circuit_whose_run_finds_no_room_leaves_an_older_run_as_it_was(
    whole: Path, full: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done("train", *SMALL, "--out", full / "run", "--json")
    fill(full)
    before = content(full)
    assert "no space left on device. Free some space" in refused(
        capsys, "train", *SMALL, "--seed", "3", "--force", "--out", full / "run"
    )
    assert "no space left on device. Free some space" in refused(capsys, "train", *SMALL, "--out", full / "other")
    assert content(full) == before and not (full / "other").exists()


def test_a_circuit_that_is_stopped_by_a_full_disk_goes_on_to_the_same_weights(
    whole: Path, full: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    size = os.path.getsize(whole / "checkpoint.safetensors")
    fill(full, leave=size + 24_000)  # a checkpoint and a row, and not two
    assert "no space left on device" in refused(capsys, "train", *SMALL, "--out", full / "run")
    kept = sorted(os.listdir(full / "run"))
    assert "checkpoint.safetensors" in kept and not [name for name in kept if ".tmp" in name]
    (full / "ballast").unlink()
    done("train", *SMALL, "--out", full / "run", "--resume", "--json")
    found, expected = (RunFolder.finished(path).load_weights() for path in (full / "run", whole))
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name].numpy(), values.numpy(), err_msg=name)


@pytest.mark.parametrize(
    ("net", "synapses"), [("30000-30000", 902_220_000), ("r40000", 1_602_960_000), ("9999999", 739_999_926)]
)
def test_memory_of_a_circuit_is_foreseen_before_a_weight_is_drawn(
    net: str, synapses: int, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: 10**10)
    line = refused(capsys, "train", *CIRCUIT, "--net", net, "--out", tmp_path / "run")
    assert f"{synapses:,} synapses" in line and "GB of memory, and there are 10.0 GB. Use a smaller --net" in line
    assert not (tmp_path / "run").exists()


def test_a_circuit_that_fits_is_not_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    synapses = 64 * 6 + 6 * 10
    monkeypatch.setattr(memory, "available_bytes", lambda: synapses * 24)
    done("train", *SMALL, "--out", tmp_path / "run", "--json")


def test_a_model_that_the_system_kills_is_told_with_what_may_help(tmp_path: Path) -> None:
    (tmp_path / program.PROJECT).write_text('{"variables": {}}')
    (tmp_path / program.PROGRAM).write_text("#!/bin/sh\nkill -9 $$\n")
    (tmp_path / program.PROGRAM).chmod(0o755)
    with pytest.raises(UserError, match="killed by the system, most likely for want of memory. Use a smaller --net"):
        program.Program(tmp_path).run({})
