"""A Ctrl-C is kept until a place where it cannot be lost: in blocks, in blocks inside them, and in commands."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path
from typing import Any

import pytest

from neurorules.cli import run
from neurorules.runs.interrupt import polite_stop
from neurorules.runs.kept_interrupt import check_interrupt, no_interrupt_lost


def interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


class Dropped:
    """An object that can be referred to weakly."""


def interrupt_in_a_callback() -> None:
    """Interrupt inside a callback of a weak reference, where Python drops what a handler raises."""
    dropped = Dropped()
    reference = weakref.ref(dropped, lambda _: interrupt())
    del dropped
    assert reference() is None


def test_an_interrupt_is_raised_at_the_next_check_and_once() -> None:
    handler = signal.getsignal(signal.SIGINT)
    with no_interrupt_lost() as keeper:
        interrupt_in_a_callback()
        with pytest.raises(KeyboardInterrupt):
            keeper.check()
        keeper.check()
    check_interrupt()
    assert signal.getsignal(signal.SIGINT) is handler


def test_an_interrupt_that_nothing_looked_at_ends_the_block_also_after_another_error() -> None:
    with pytest.raises(KeyboardInterrupt), no_interrupt_lost():
        interrupt()
    with pytest.raises(KeyboardInterrupt), no_interrupt_lost():
        interrupt()
        raise ValueError("the compiler was interrupted, too")
    with pytest.raises(ValueError, match="alone"), no_interrupt_lost():
        raise ValueError("alone")


def test_a_second_interrupt_is_raised_at_once() -> None:
    reached = []
    with pytest.raises(KeyboardInterrupt), no_interrupt_lost():
        interrupt()
        reached.append(1)
        interrupt()
        reached.append(2)
    assert reached == [1]


@pytest.mark.parametrize("outer", [False, True])
def test_a_block_inside_another_hears_the_interrupt_and_raises_it_alone(outer: bool) -> None:
    with no_interrupt_lost(at_once=outer) as around:
        with pytest.raises(KeyboardInterrupt), no_interrupt_lost():
            interrupt()
            check_interrupt()
        around.check()
    with pytest.raises(KeyboardInterrupt), no_interrupt_lost():
        interrupt()
        with no_interrupt_lost():
            raise AssertionError("the interrupt was there before this block")


def test_an_interrupt_that_was_raised_at_once_and_dropped_is_raised_where_the_block_ends() -> None:
    with pytest.raises(KeyboardInterrupt), no_interrupt_lost(at_once=True), contextlib.suppress(KeyboardInterrupt):
        interrupt()


def test_while_another_process_is_waited_for_an_interrupt_comes_at_once() -> None:
    threading.Timer(0.3, lambda: signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)).start()
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt), no_interrupt_lost() as keeper, keeper.raising():
        time.sleep(30)
    assert time.monotonic() - begun < 10


def test_an_interrupt_calls_what_ends_the_wait_also_where_it_came_before() -> None:
    calls: list[str] = []
    with pytest.raises(KeyboardInterrupt), no_interrupt_lost() as keeper, keeper.calling(lambda: calls.append("now")):
        interrupt()
    with pytest.raises(KeyboardInterrupt), no_interrupt_lost() as keeper:
        interrupt()
        with keeper.calling(lambda: calls.append("late")):
            pass
    assert calls == ["now", "late"]


def test_the_first_interrupt_of_a_polite_stop_is_left_to_it() -> None:
    with polite_stop() as stop:
        with no_interrupt_lost():
            interrupt()
        assert stop.requested
        with pytest.raises(KeyboardInterrupt), no_interrupt_lost():
            interrupt()


def test_another_thread_has_no_handler_and_runs_as_it_is() -> None:
    done: list[Any] = []

    def work() -> None:
        with no_interrupt_lost() as keeper:
            check_interrupt()
            keeper.check()
            done.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [signal.getsignal(signal.SIGINT)]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_command_whose_interrupt_was_dropped_ends_as_stopped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import neurorules.runner.catalogue as catalogue

    plain = catalogue.catalogue

    def interrupted(*arguments: Any) -> Any:
        interrupt_in_a_callback()
        return plain(*arguments)

    monkeypatch.setattr(catalogue, "catalogue", interrupted)
    assert run(["list", "rules"]) == 130
    assert capsys.readouterr().err.endswith("neurorules: stopped\n")


STOPS = """
import neurorules.runner.catalogue as catalogue
from neurorules import cli

def interrupted(*arguments):
    exec("raise KeyboardInterrupt")  # as in the module of a data class

catalogue.catalogue = interrupted
cli.main(["list", "rules"])
"""


def test_the_exit_code_is_130_also_where_python_would_end_itself_by_the_signal(tmp_path: Path) -> None:
    (tmp_path / "stops.py").write_text(STOPS)
    done = subprocess.run([sys.executable, "-m", "stops"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "neurorules: stopped\n")
