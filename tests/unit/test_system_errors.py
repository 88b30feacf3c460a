"""What the system, memory and depth refuse is told in one line, and what never began leaves nothing behind."""

from __future__ import annotations

import errno
import json
import os
from importlib import metadata
from pathlib import Path

import pytest
import torch
from places import SMALL, content, done, refused

from neurorules.cli import LONGEST, run
from neurorules.compare.report import COMPARISON_FILE
from neurorules.disk.failures import ADVICE, line_of_failure
from neurorules.language.config import TrainConfig
from neurorules.language.errors import UserError
from neurorules.runs import memory
from neurorules.runs.beginning import ASIDE, MEASURES, own_run
from neurorules.runs.folder import METRICS, RESULT, RunFolder
from neurorules.runs.outputs import TRACES
from neurorules.torch_path.training.learner import Learner


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a file, and links that lead nowhere, to work in."""
    (tmp_path / "file").write_text("mine")
    (tmp_path / "dangling").symlink_to("missing")
    (tmp_path / "loop").symlink_to("loop")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("out", "words"),
    [
        ("file", ["file is a file", "--out"]),
        ("file/run", ["file/run", "not a directory", "name another place"]),
        ("file/deep/run", ["file", "name another place"]),
        ("dangling", ["a link that leads nowhere", "--out"]),
        ("dangling/run", ["dangling", "file exists", "name another place"]),
        ("loop", ["a link that leads nowhere"]),
        ("loop/run", ["loop", "name another place"]),
        ("n" * 300, ["file name too long", "Use a shorter name"]),
        ("deep/" + "n" * 300 + "/run", ["file name too long", "Use a shorter name"]),
        ("/proc/x", ["/proc/x", "name another place"]),
        ("/proc/self/x/y", ["name another place"]),
        ("nul\0byte", ["null"]),
    ],
)
@pytest.mark.parametrize("command", ["train", "compare"])
def test_a_place_that_cannot_hold_a_run_is_told_and_nothing_is_left(
    command: str, out: str, words: list[str], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["--rules", "shallow", "--controls", "none"] if command == "compare" else []
    line = refused(capsys, command, *SMALL, *more, "--out", out)
    assert all(word in line for word in words), line
    assert len(line) < 2 * LONGEST and sorted(os.listdir(place)) == ["dangling", "file", "loop"]


@pytest.mark.parametrize("command", ["record", "export", "plot", "causal-distance"])
@pytest.mark.parametrize("out", ["file/x.png", "loop/x.png", "n" * 300 + ".png", "/proc/x.png"])
def test_a_place_that_cannot_hold_a_file_is_told(
    command: str, out: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from places import small_trace

    run_folder = place / "run"
    arguments: list[str | Path] = {
        "record": ["record", run_folder, "--samples", "1"],
        "export": ["export", "given.h5"],
        "plot": ["plot", "given.h5"],
        "causal-distance": ["causal-distance"],
    }[command]
    if command == "record":
        done("train", *SMALL, "--out", run_folder, "--json")
    elif command in ("export", "plot"):
        small_trace(place / "given.h5")
    before = content(place)
    refused(capsys, *arguments, "--out", out)
    assert content(place) == before


@pytest.mark.skipif(not os.geteuid(), reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_told(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "closed").mkdir(mode=0o500)
    assert "permission denied" in refused(capsys, "train", *SMALL, "--out", "closed/run")


@pytest.mark.parametrize("data", ["d" * 300, "./" + "d" * 300, "d" * 5000, "npz:path=" + "d" * 5000, "/proc/self/mem"])
def test_data_of_an_impossible_name_is_told(data: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(refused(capsys, "train", *SMALL, "--data", data, "--out", "run")) < 1000
    assert not (place / "run").exists()


@pytest.mark.parametrize("suffix", ["json", "toml"])
def test_settings_nested_too_deeply_are_told(suffix: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    deep = "[" * 100_000
    (place / f"deep.{suffix}").write_text(deep if suffix == "json" else f"a = {deep}")
    assert len(refused(capsys, "train", "--config", f"deep.{suffix}", "--out", "run")) < 1000
    assert not (place / "run").exists()


@pytest.mark.parametrize(
    "dw",
    ["-m_post * S_pre" + " * v_post" * 20_000, "-m_post * S_pre" + "*v_post" * 20_000, "(" * 3000, "-" * 90_000 + "1"],
)
def test_a_rule_text_too_long_to_be_read_is_told(dw: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "long.json").write_text(json.dumps({"dw": dw}))
    assert len(refused(capsys, "train", *SMALL, "--config", "long.json", "--out", "run")) < 2000
    assert not (place / "run").exists()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--net", "99999999"], ["parameters", "GB", "Use a smaller --net"]),
        (["--net", "400000-400000"], ["parameters", "GB"]),
        (["--steps", "1000000", "--net", "50000"], ["steps", "GB", "Use fewer --steps"]),
    ],
)
def test_memory_is_foreseen_with_what_is_needed_and_what_there_is(
    more: list[str], words: list[str], place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: 10**10)
    drawn = []
    monkeypatch.setattr(torch, "rand", lambda *shape, **_: drawn.append(shape) or 1 / 0)
    if "--steps" in more:
        monkeypatch.undo()
        monkeypatch.setattr(memory, "available_bytes", lambda: 10**10)
    line = refused(capsys, "train", *SMALL, *more, "--out", place / "run")
    assert all(word in line for word in words) and "there are 10.0 GB" in line, line
    assert not drawn and not (place / "run").exists()


def test_a_learner_of_ones_own_is_foreseen_too() -> None:
    with pytest.raises(UserError, match=r"takes at least .* GB of memory, and there are .*Use a smaller --net"):
        Learner("9999999-9999999", input_shape=(64,), classes=10)


def test_what_fits_is_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = 64 * 12 + 12 + 12 * 10 + 10
    monkeypatch.setattr(memory, "available_bytes", lambda: parameters * 8)
    Learner("12", input_shape=(64,), classes=10)
    monkeypatch.setattr(memory, "available_bytes", lambda: parameters * 8 - 1)
    with pytest.raises(UserError, match=f"a net of {parameters} parameters"):
        Learner("12", input_shape=(64,), classes=10)


def test_memory_there_is_counts_what_the_system_and_a_container_leave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable: 300 kB\nSwapFree: 100 kB\n")
    monkeypatch.setattr(memory, "MEMORY", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "GROUP", tmp_path)
    assert memory.available_bytes() == 400 * 1024
    for most, expected in (("max", 400 * 1024), ("5000", 4000), ("10", 0)):
        (tmp_path / "memory.max").write_text(f"{most}\n")
        (tmp_path / "memory.current").write_text("1000\n")
        assert memory.available_bytes() == expected
    monkeypatch.setattr(memory, "MEMORY", tmp_path / "missing")
    assert (memory.available_bytes() or 0) > 10**8


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "x", "a/b"), "a/b: no space left on device. Free some space"),
        (OSError(errno.EDQUOT, "x"), "Disk quota exceeded. Free some space"),
        (PermissionError(errno.EACCES, "x", "a"), "a: permission denied. Name a place that you may"),
        (OSError(errno.EMFILE, "x", "a"), "ulimit -n"),
        (OSError("a library's own words"), "a library's own words. Check"),
        (MemoryError(), "there is not enough memory. Use a smaller --net"),
        (MemoryError("Unable to allocate 7.28 TiB for an array with shape (1000000, 1000000)"), "7.28 TiB were asked"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4000000000000 bytes. Error"),
         "4,000.0 GB were asked for at once"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0"), "2.00 GiB were asked for"),
        (RuntimeError("Storage size calculation overflowed with sizes=[1]"), "there is not enough memory."),
        (RecursionError("maximum recursion depth exceeded"), "nested too deeply or too long"),
        (RuntimeError("can't start new thread"), "Use fewer --threads"),
    ],
)  # fmt: skip
def test_every_kind_of_refusal_has_its_line(
    error: Exception, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(kind: str) -> None:
        raise error

    monkeypatch.setattr("neurorules.runner.catalogue.catalogue", fails)
    assert words in refused(capsys, "list", "rules")


@pytest.mark.parametrize("error", [KeyError("x"), RuntimeError("size mismatch"), ValueError("x"), AttributeError("x")])
def test_a_fault_of_the_program_is_not_taken_for_one_of_the_system(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert line_of_failure(error) is None
    monkeypatch.setattr("neurorules.runner.catalogue.catalogue", lambda kind: (_ for _ in ()).throw(error))
    with pytest.raises(type(error)):
        run(["list", "rules"])


def test_every_advice_is_a_sentence_without_its_end() -> None:
    assert all(text[0].isupper() and not text.endswith(".") for text in ADVICE.values())


@pytest.mark.parametrize("damage", ["{}", "[]", "3", '{"epoch": "one"}', "[" * 100_000])
def test_metrics_that_are_no_rows_are_told(damage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = RunFolder.create(tmp_path / "run", {"rule": "x"})
    folder.append_metrics({"epoch": 1, "validation_accuracy": 0.5, "train_accuracy": 0.5})
    with (folder.path / METRICS).open("a") as file:
        file.write(damage + "\n")
    line = refused(capsys, "plot", folder.path, "--kind", "curves", "--out", tmp_path / "x.png")
    assert f"{METRICS} is damaged" in line and "Remove" in line


@pytest.mark.parametrize("damage", ["{}", "[]", "3", "[" * 100_000])
def test_results_and_comparisons_that_hold_nothing_are_told(
    damage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done("train", *SMALL, "--out", tmp_path / "run", "--json")
    (tmp_path / "run" / RESULT).write_text(damage)
    line = refused(capsys, "compare", "--runs", tmp_path / "run", "--out", tmp_path / "c")
    assert f"{RESULT} is damaged" in line and not (tmp_path / "c").exists()
    (tmp_path / COMPARISON_FILE).write_text(damage)
    line = refused(capsys, "report", tmp_path)
    assert "Make it again: neurorules compare" in line or f"{COMPARISON_FILE} is damaged" in line


def kept_nothing(folder: RunFolder) -> None:
    raise MemoryError


def kept_a_row(folder: RunFolder) -> None:
    folder.append_metrics({"epoch": 1})
    raise MemoryError


def test_a_run_that_never_began_leaves_nothing_and_one_that_began_keeps_what_it_has(tmp_path: Path) -> None:
    for fails, left in ((kept_nothing, []), (kept_a_row, ["config.json", METRICS])):
        with pytest.raises(MemoryError), own_run(tmp_path / "a" / "b", TrainConfig(), False, False) as folder:
            fails(folder)
        assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == left
    assert (tmp_path / "a" / "b").is_dir()


def test_a_run_that_is_replaced_comes_back_where_the_new_one_never_began(tmp_path: Path) -> None:
    done("train", *SMALL, "--out", tmp_path, "--json")
    (tmp_path / "notes.txt").write_text("mine")
    before = content(tmp_path)
    with pytest.raises(MemoryError), own_run(tmp_path, TrainConfig(seed=3), False, True) as folder:
        assert folder.config()["seed"] == 3 and {*os.listdir(tmp_path / ASIDE), "notes.txt"} == set(before)
        kept_nothing(folder)
    assert content(tmp_path) == before
    with pytest.raises(MemoryError), own_run(tmp_path, TrainConfig(seed=3), False, True) as folder:
        kept_a_row(folder)
    assert sorted(os.listdir(tmp_path)) == ["config.json", METRICS, "notes.txt"]


def test_what_fails_in_the_first_look_at_a_run_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", *SMALL, "--record-samples", "2", "--out", tmp_path / "deep" / "run"]
    assert "nonsense" in refused(capsys, *arguments, "--record", "S,nonsense")
    assert list(tmp_path.iterdir()) == []


def test_what_was_recorded_and_measured_of_a_run_that_never_began_goes_with_it(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / TRACES).write_text("of before")
    for name in ("new", "old"):
        with pytest.raises(MemoryError), own_run(tmp_path / name, TrainConfig(), False, False) as folder:
            (folder.path / MEASURES).mkdir()
            (folder.path / MEASURES / "epochs.jsonl").touch()
            (folder.path / TRACES).touch()
            kept_nothing(folder)
    assert content(tmp_path) == {f"old/{TRACES}": b"of before"}


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"neurorules {metadata.version('neurorules')}\n"
