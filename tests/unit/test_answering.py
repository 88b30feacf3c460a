"""The fresh process behind audits and checks: each answer comes from a copy, and one that does not come is told."""

from __future__ import annotations

import json
import multiprocessing
import sys
from pathlib import Path

import pytest

from neurorules.audit import fresh_process
from neurorules.audit.answering import Answering
from neurorules.audit.fresh_process import ask, one_process
from neurorules.language.errors import UserError

MODULE = """
import json, os, sys
from neurorules.audit.fresh_process import give, read_question
seen = []

def answer():
    question = read_question({})
    seen.append(question["word"])
    print("said aside", end="")
    if question["word"] == "raise":
        raise ValueError("it went wrong")
    if question["word"] == "end":
        os._exit(3)
    if question["word"] == "kill":
        os.kill(os.getpid(), 9)
    give({"seen": seen, "folder": os.getcwd(), "cache": os.environ.get("NEURORULES_CACHE"),
          "pid": os.getpid(), "parent": os.getppid(), "threads": os.environ["OMP_NUM_THREADS"]})
"""


def question(word: str):
    return ask("asked_by_a_test", {"word": word, "modules": {}}, "the process failed")


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that answers, found by the path of this process."""
    (tmp_path / "asked_by_a_test.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(fresh_process, "_current", fresh_process._Current())
    monkeypatch.setenv("OMP_NUM_THREADS", "2")


def test_answers_come_from_copies_that_do_not_see_each_other(tmp_path, monkeypatch):
    with one_process():
        first = question("one")
        monkeypatch.setenv("NEURORULES_CACHE", "elsewhere")
        monkeypatch.chdir(tmp_path)
        second = question("two")
    assert first["seen"] == ["one"] and second["seen"] == ["two"]
    assert first["parent"] == second["parent"] and first["pid"] != second["pid"]
    assert second["folder"] == str(tmp_path) and second["cache"] == "elsewhere"
    assert first["threads"] == second["threads"] == "1"


def test_without_a_block_every_question_has_a_process_of_its_own_which_ends():
    assert question("one")["parent"] != question("two")["parent"]
    assert fresh_process._current.process is None
    with one_process():
        with one_process():
            inner = question("one")
        assert question("two")["parent"] == inner["parent"]
    assert fresh_process._current.process is None


def test_a_copy_of_the_process_that_asks_has_a_server_of_its_own():
    with one_process():
        mine = question("one")["parent"]
        context = multiprocessing.get_context("fork")
        answers = context.Queue()
        copy = context.Process(target=lambda: answers.put(question("two")))
        copy.start()
        theirs = answers.get(timeout=60)
        copy.join(60)
        assert theirs["seen"] == ["two"] and theirs["parent"] != mine
        assert question("three")["parent"] == mine


def test_what_fails_is_told_and_the_next_question_is_answered():
    with one_process():
        with pytest.raises(UserError, match="^the process failed: ValueError: it went wrong$"):
            question("raise")
        for word in ("end", "kill"):
            with pytest.raises(UserError, match="^the process failed: no word$"):
                question(word)
        assert question("next")["seen"] == ["next"]


def test_a_process_that_has_ended_is_replaced():
    with one_process():
        before = question("one")["parent"]
        fresh_process._current.process.process.kill()
        fresh_process._current.process.process.wait()
        assert question("two")["parent"] != before


def test_a_process_that_cannot_load_the_module_says_why():
    answering = Answering()
    try:
        printed = answering.ask("no_such_module_at_all", json.dumps({}))
    finally:
        answering.close()
    assert not printed.whole and "No module named 'no_such_module_at_all'" in printed.err.splitlines()[-1]
