"""A recording that the user stops: an older trace stays as it was, and a line says what lies where."""

from __future__ import annotations

import signal
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch

from neurorules import Learner, Recorder
from neurorules.brian2_continuous import record as in_continuous_time
from neurorules.cli import run
from neurorules.torch_path.recording import record
from neurorules.traces.header import TraceHeader
from neurorules.traces.store import TraceReader
from neurorules.traces.writer import TraceWriter


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stopped") / "r"
    assert run(["train", "--net", "8", "--steps", "3", "--limit", "60", "--epochs", "1", "--out", str(path)]) == 0
    return path


def stop_at(call: int, owner: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupt a function as it is called for the `call`th time."""
    plain, calls = getattr(owner, name), []

    def interrupted(*arguments: Any, **named: Any) -> Any:
        calls.append(1)
        if len(calls) == call:
            raise KeyboardInterrupt
        return plain(*arguments, **named)

    monkeypatch.setattr(owner, name, interrupted)


def samples_of(path: Path) -> int:
    with TraceReader(path) as reader:
        return len(reader)


def others_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


@pytest.mark.parametrize("call", [1, 2])
def test_an_older_trace_stays_as_it_was_and_the_same_command_records(
    call: int, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "keep.h5"
    assert run(["record", str(folder), "--samples", "5", "--out", str(out)]) == 0
    before, command = out.read_bytes(), ["record", str(folder), "--samples", "7", "--out", str(out), "--force"]
    capsys.readouterr()
    with monkeypatch.context() as patch:
        patch.setattr(record, "ROWS", 2)
        stop_at(call, Recorder, "record", patch)
        assert run(command) == 130
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "stopped" in said and "Give the same command again" in said
    assert ("is the trace that was there before" in said) == (call == 2)
    assert out.read_bytes() == before and others_in(tmp_path) == ["keep.h5"]
    assert run(command) == 0 and samples_of(out) == 7


@pytest.mark.parametrize("call", [1, 2])
def test_without_an_older_trace_the_samples_until_then_are_kept(
    call: int, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new.h5"
    command = ["record", str(folder), "--samples", "7", "--out", str(out)]
    with monkeypatch.context() as patch:
        patch.setattr(record, "ROWS", 2)
        stop_at(call, Recorder, "record", patch)
        assert run(command) == 130
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    if call == 1:
        assert "Give the same command again" in said and others_in(tmp_path) == []
        assert run(command) == 0
    else:
        assert "holds the 2 samples" in said and "--force" in said and samples_of(out) == 2
        assert run([*command, "--force"]) == 0
    assert samples_of(out) == 7


def test_the_same_holds_in_continuous_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("brian2")
    path, out = tmp_path / "r", tmp_path / "t.h5"
    train = ["train", "--path", "continuous", "--rule", "stdp", "--net", "4", "--limit", "20", "--epochs", "1"]
    assert run([*train, "--out", str(path)]) == 0
    monkeypatch.setattr(in_continuous_time, "AT_ONCE", 2)
    command = ["record", str(path), "--samples", "3", "--out", str(out), "--force"]
    stop_at(2, TraceWriter, "append_batch", monkeypatch)
    assert run(command) == 130
    assert samples_of(out) > 0 and "that were recorded until then" in capsys.readouterr().err
    monkeypatch.undo()
    before = out.read_bytes()
    stop_at(2, TraceWriter, "append_batch", monkeypatch)
    monkeypatch.setattr(in_continuous_time, "AT_ONCE", 2)
    assert run(command) == 130
    assert out.read_bytes() == before and "is the trace that was there before" in capsys.readouterr().err


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_loop_of_the_user_s_that_ends_early_replaces_no_older_trace(
    error: type[BaseException], tmp_path: Path
) -> None:
    learner = Learner("4", rule="dfa", input_shape=(5,), classes=3, device="cpu")
    spikes, labels = torch.ones(2, 3, 5), torch.tensor([0, 1, 2])
    for path in (tmp_path / "a.h5", tmp_path / "b.h5"):
        if path.name == "b.h5":
            with Recorder(learner, path) as recorder:
                recorder.record(spikes[:, :1], labels[:1])
        with pytest.raises(error), Recorder(learner, path) as recorder:
            recorder.record(spikes, labels)
            raise error
    assert samples_of(tmp_path / "a.h5") == 3 and samples_of(tmp_path / "b.h5") == 1
    with pytest.raises(error), TraceWriter(tmp_path / "b.h5", TraceHeader("x", {"a": (2,)})):
        raise error
    assert samples_of(tmp_path / "b.h5") == 1 and others_in(tmp_path) == ["a.h5", "b.h5"]


class Dropped:
    """An object that can be referred to weakly."""


def test_an_interrupt_inside_a_callback_of_a_weak_reference_stops_a_recording_too(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out, plain = tmp_path / "new.h5", Recorder.record

    def interrupted(*arguments: Any, **named: Any) -> Any:
        dropped = Dropped()
        reference = weakref.ref(dropped, lambda _: signal.raise_signal(signal.SIGINT))
        del dropped
        assert reference() is None
        return plain(*arguments, **named)

    monkeypatch.setattr(record, "ROWS", 2)
    monkeypatch.setattr(Recorder, "record", interrupted)
    assert run(["record", str(folder), "--samples", "7", "--out", str(out)]) == 130
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "holds the 2 samples" in said and samples_of(out) == 2
