"""The seconds of learning are those of learning: kernels that are compiled on first use are not among them."""

from __future__ import annotations

import sys
import time
from itertools import count
from pathlib import Path

import pytest

import neurorules
from neurorules.native import compile as compile_c
from neurorules.torch_path.training import loops, training_run

SMALL = {"net": "5", "steps": 2, "epochs": 2, "limit": 60, "batch_size": 20, "validation": 0}
SLOW_S = 0.3


@pytest.fixture
def slow_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A source file, whose compilation takes some time."""
    compiled = compile_c._compile

    def slowly(compiler: str, flags: tuple[str, ...], source: Path, target: Path) -> None:
        time.sleep(SLOW_S)
        compiled(compiler, flags, source, target)

    monkeypatch.setattr(compile_c, "_compile", slowly)
    (tmp_path / "small.c").write_text("int one(void) { return 1; }\n", encoding="utf-8")
    return tmp_path / "small.c"


def compiles(source: Path, cache: Path) -> None:
    compiler = compile_c.find_compiler()
    if compiler is None:
        pytest.skip("needs a C compiler")
    compile_c.load_or_compile(compiler, (source,), ("-O0", "-fPIC"), cache)


def test_the_clock_stands_still_while_kernels_are_compiled(slow_compiler: Path, tmp_path: Path) -> None:
    started, learning = time.perf_counter(), compile_c.clock()
    compiles(slow_compiler, tmp_path / "cache")
    left_out = (time.perf_counter() - started) - (compile_c.clock() - learning)
    assert left_out >= SLOW_S
    learning = compile_c.clock()
    time.sleep(0.05)
    assert compile_c.clock() - learning >= 0.05


def test_a_terminal_is_told_once_that_kernels_are_compiled(
    slow_compiler: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    compile_c._say_compiling.cache_clear()
    for cache in ("first", "second"):
        compiles(slow_compiler, tmp_path / cache)
    assert [record.message for record in caplog.records] == [compile_c.COMPILING]
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False, raising=False)
    compile_c._say_compiling.cache_clear()
    compiles(slow_compiler, tmp_path / "third")
    compiles(slow_compiler, tmp_path / "third")
    assert len(caplog.records) == 1


def test_training_is_timed_by_this_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each batch asks the clock twice, and this clock is a second later each time it is asked."""
    monkeypatch.setattr(training_run, "clock", map(float, count()).__next__)
    assert neurorules.train("dfa", data="digits", **SMALL)["train_seconds"] == 6.0


def test_your_own_loop_is_timed_by_this_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(loops, "clock", map(float, count()).__next__)
    learner = neurorules.Learner("5", "dfa", input_shape=(4,), classes=2, steps=2)
    rows = learner.fit((torch.rand(6, 4), torch.arange(6) % 2), epochs=2, batch_size=3)
    assert [row["seconds"] for row in rows] == [1.0, 1.0]
