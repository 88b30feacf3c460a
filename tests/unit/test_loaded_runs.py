"""`neurorules.load` gives every kind of run back; learners side by side and in other processes learn as each alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import neurorules

EVENT = np.dtype([("x", np.int16), ("y", np.int16), ("t", np.int64), ("p", bool)])
QUICK: dict[str, Any] = {"net": "12", "epochs": 1, "batch_size": 16, "device": "cpu", "threads": 1, "validation": 4}


def images(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Images of two kinds, (N, 8, 8), and their labels."""
    labels = np.arange(count) % 2
    return np.random.default_rng(count).random((count, 8, 8), np.float32) / 2 + labels[:, None, None] / 2, labels


def recording(label: int, seed: int) -> np.ndarray:
    """Events of one sample, on the half of the sensor that its label names."""
    random = np.random.default_rng(seed)
    events = np.zeros(60, EVENT)
    events["x"], events["y"] = random.integers(0, 4, 60) + 4 * label, random.integers(0, 8, 60)
    events["t"], events["p"] = np.sort(random.integers(0, 90_000, 60)), random.random(60) < 0.5
    return events


class Recordings:
    """A data set of events with the interface of tonic's."""

    sensor_size = (8, 8, 2)

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, place: int) -> tuple[np.ndarray, int]:
        return recording(place % 2, place), place % 2


def in_a_file(folder: Path) -> str:
    (train, y_train), (test, y_test) = images(48), images(20)
    np.savez(folder / "own.npz", x_train=train, y_train=y_train, x_test=test, y_test=y_test)
    return str(folder / "own.npz")


RUNS: dict[str, dict[str, Any]] = {
    "own file": {"rule": "dfa"},
    "in memory": {"rule": "sigprop", "data": (images(48), images(20))},
    "events": {"rule": "dfa", "data": (Recordings(48), Recordings(20)), "steps": 4},
    "convolution": {"rule": "sigprop", "net": "c4k3-p2-8", "steps": 4},
    "recurrent": {"rule": "traces_propagation", "net": "r8", "steps": 4},
    "own signal and text": {"rule": "dfa", "signal": "drtp", "dw": "-m_post * S_pre"},
    "hardware": {"rule": "dfa", "hardware": "fixed_point:bits=6"},
    "bptt": {"rule": "bptt", "readout": "all", "net": "8-8"},
}


@pytest.mark.parametrize("kind", RUNS)
def test_a_run_of_every_kind_comes_back_as_it_was(kind: str, tmp_path: Path) -> None:
    settings = {**QUICK, "data": in_a_file(tmp_path), **RUNS[kind]}
    result = neurorules.train(**settings, out=tmp_path / "run")
    in_memory = not isinstance(settings["data"], str)
    learner = neurorules.load(tmp_path / "run", **({"data": settings["data"]} if in_memory else {}))
    test = settings["data"][1] if in_memory else images(20)
    assert learner.evaluate(test)["accuracy"] == result["test_accuracy"]
    before = learner.state()
    learner.fit(test, epochs=1)
    assert any(not torch.equal(value, learner.state()[name]) for name, value in before.items())


def learner(rule: str) -> neurorules.Learner:
    return neurorules.Learner("10-8", rule, input_shape=(6,), classes=3, steps=5, seed=2, device="cpu")


def batch(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(5, 12, 6, generator=generator) * 2, torch.arange(12) % 3


def test_two_learners_side_by_side_learn_the_same_bits_as_each_alone() -> None:
    rules = ("sigprop", "traces_propagation")
    alone = []
    for rule in rules:
        one = learner(rule)
        for seed in range(4):
            one.step(*batch(seed))
        alone.append(one.state())
    together = [learner(rule) for rule in rules]
    for seed in range(4):
        for one in together:
            one.step(*batch(seed))
            one.scores(batch(9)[0])
    for state, one in zip(alone, together, strict=True):
        assert state.keys() == one.state().keys()
        assert all(torch.equal(value, one.state()[name]) for name, value in state.items())


SPAWN = """
import hashlib, json, multiprocessing, sys
import torch, neurorules

def learned(rule):
    torch.set_num_threads(1)
    learner = neurorules.Learner("10", rule, input_shape=(6,), classes=3, steps=5, seed=2, device="cpu")
    generator = torch.Generator().manual_seed(0)
    learner.fit([(torch.rand(5, 12, 6, generator=generator) * 2, torch.arange(12) % 3)], epochs=2)
    state = learner.state()
    return hashlib.sha256(b"".join(state[name].numpy().tobytes() for name in sorted(state))).hexdigest()

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(json.dumps([pool.map(learned, ["sigprop"])[0], learned("sigprop")]))
"""


def test_a_learner_works_in_a_process_that_is_spawned(tmp_path: Path) -> None:
    (tmp_path / "loop.py").write_text(SPAWN, encoding="utf-8")
    done = subprocess.run([sys.executable, "loop.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    there, here = json.loads(done.stdout)
    assert there == here
