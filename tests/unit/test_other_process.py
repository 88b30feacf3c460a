"""Processes that live on between comparisons find the folder, the environment and the files of the one that asks."""

from __future__ import annotations

import os
import subprocess
import sys

import joblib

from neurorules.language import own_files
from neurorules.runs.other_process import as_here


def there(function, *arguments, same_machine=True):
    """What a function gives in another process, which may have been started by an earlier call.

    The process loads what a run loads first: joblib replaces one whose memory grows after its first call.
    """
    joblib.Parallel(n_jobs=2)(joblib.delayed(exec)("import neurorules.runner.dispatch") for _ in range(2))
    call = joblib.delayed(as_here(function, same_machine=same_machine))
    first, second = joblib.Parallel(n_jobs=2)([call(*arguments)] * 2)
    assert first == second
    return first


def test_another_process_follows_the_folder_the_environment_and_the_files(tmp_path, monkeypatch):
    home = os.getcwd()
    for place in ("one", "two"):
        folder = tmp_path / place
        folder.mkdir()
        monkeypatch.chdir(folder)
        monkeypatch.setenv("NEURORULES_CACHE", place)
        named = {"mine": folder / "mine.py"}
        with own_files.standing_for(named):
            assert there(os.getcwd) == str(folder)
            assert there(os.getenv, "NEURORULES_CACHE") == place
            assert there(own_files.listed) == named
    assert there(own_files.listed) == {}
    monkeypatch.delenv("NEURORULES_CACHE")
    monkeypatch.chdir(home)
    assert there(os.getenv, "NEURORULES_CACHE") is None
    assert there(os.getcwd) == home


def test_a_process_on_another_machine_keeps_its_own_places():
    call = as_here(os.getcwd, same_machine=False)
    assert call.folder is None and call.environment is None
    assert call() == os.getcwd()


REPLACED = """
import os
import joblib
from neurorules.runs.other_process import as_here, replaced_quietly

grow = "import builtins, time; builtins.kept = [*vars(builtins).get('kept', ()), b'x' * 120_000_000]; time.sleep(1.1)"
calls = [joblib.delayed(as_here(os.getcwd))()] * 2 + [joblib.delayed(as_here(exec))(grow, {}) for _ in range(8)]
with replaced_quietly():
    print(len(joblib.Parallel(n_jobs=2)(calls)))
"""


def test_calls_come_back_from_processes_that_are_replaced_even_where_warnings_are_errors():
    command = [sys.executable, "-W", "error::UserWarning", "-c", REPLACED]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "10\n" and "A worker stopped" not in done.stderr
