"""Output on terminals that cannot show every letter: the letter is written by its number, and nothing fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ASCII = {**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}


def said(place: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "neurorules", *arguments]
    return subprocess.run(command, cwd=place, env=ASCII, capture_output=True, check=False)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("d\xe4t\xe4")
    x, y = np.random.default_rng(0).random((40, 6), dtype=np.float32), np.arange(40) % 2
    np.savez(place / "d\xe4t\xe4 x.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    return place


TRAIN = ("train", "--data", "npz:d\xe4t\xe4 x.npz", "--net", "4", "--steps", "2", "--epochs", "1", "--batch-size", "20")


def test_a_run_on_data_of_another_alphabet_ends_well(place: Path) -> None:
    done = said(place, *TRAIN, "--out", "r\xfcn")
    assert done.returncode == 0, done.stderr
    assert rb"d\xe4t\xe4 x.npz" in done.stdout and b"Traceback" not in done.stderr


def test_an_object_for_programs_stays_one_that_they_can_read(place: Path) -> None:
    done = said(place, *TRAIN, "--out", "again", "--json")
    assert done.returncode == 0, done.stderr
    assert "d\xe4t\xe4 x.npz" in json.loads(done.stdout)["data"]


def test_a_list_and_a_refusal_are_printed(place: Path) -> None:
    assert said(place, "list", "datasets").returncode == 0
    done = said(place, "train", "--rule", "d\xe4")
    assert done.returncode == 2 and rb"unknown rule 'd\xe4'" in done.stderr
