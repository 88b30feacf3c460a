"""Data as people have them, in scripts as they stand in forums: each is trained, and beats frozen hidden layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset

import neurorules

SAMPLES, TESTED, STEPS = 480, 120, 5
QUICK: dict[str, Any] = {
    "net": "32",
    "epochs": 6,
    "batch_size": 16,
    "device": "cpu",
    "threads": 1,
    "validation": 90,
}
EVENT = np.dtype([("t", np.int64), ("y", np.int16), ("p", bool), ("x", np.int16)])
"""Another order of fields than that of N-MNIST."""


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Real handwritten digits, (N, 8, 8) in 0..1, and their labels."""
    pixels, labels = load_digits(return_X_y=True)
    return (pixels[:SAMPLES] / 16).reshape(-1, 8, 8).astype(np.float32), labels[:SAMPLES]


def spikes() -> np.ndarray:
    """The digits as spikes over time, (N, T, 64): a pixel spikes at each step with the chance of its brightness."""
    images, _ = digits()
    draws = np.random.default_rng(0).random((SAMPLES, STEPS, 64))
    return (draws < images.reshape(SAMPLES, 1, 64)).astype(np.float32)


class Recorded:
    """A data set of events with the interface of tonic's: brighter pixels have more events, spread over 100 ms."""

    sensor_size = (8, 8, 2)
    classes = tuple(f"digit {number}" for number in range(10))

    def __init__(self, places: range) -> None:
        images, self.labels = digits()
        self.images, self.places = images, places

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        place = self.places[index]
        random = np.random.default_rng(place)
        counts = np.round(self.images[place].ravel() * 4).astype(int)
        pixels = np.repeat(np.arange(64), counts)
        events = np.zeros(len(pixels), EVENT)
        events["x"], events["y"], events["p"] = pixels % 8, pixels // 8, True
        events["t"] = np.sort(random.integers(0, 100_000, len(pixels)))
        return events, int(self.labels[place])


class Stream(IterableDataset):  # type: ignore[type-arg]
    """Samples that can only be gone through."""

    def __init__(self, data: Dataset[Any]) -> None:
        self.data = data

    def __iter__(self) -> Iterator[Any]:
        return (self.data[index] for index in range(len(self.data)))  # type: ignore[arg-type]


def tensors() -> tuple[torch.Tensor, torch.Tensor]:
    images, labels = digits()
    return torch.from_numpy(images)[:, None], torch.from_numpy(labels)


def split(whole: Any) -> tuple[Any, Any]:
    cut = SAMPLES - TESTED
    return Subset(whole, range(cut)), Subset(whole, range(cut, SAMPLES))


def a_pair_of_tensors() -> dict[str, Any]:
    x, y = tensors()
    return {"data": ((x[:-TESTED], y[:-TESTED]), (x[-TESTED:], y[-TESTED:]))}


def a_data_loader_over_a_tensor_data_set() -> dict[str, Any]:
    train, test = split(TensorDataset(*tensors()))
    return {"data": (DataLoader(train, batch_size=50, shuffle=True, drop_last=True), DataLoader(test, batch_size=50))}


def an_iterable_data_set() -> dict[str, Any]:
    train, test = split(TensorDataset(*tensors()))
    return {"data": (Stream(train), Stream(test))}


def batch_first_spikes() -> dict[str, Any]:
    x, (_, y) = spikes(), digits()
    return {"data": ((x[:-TESTED], y[:-TESTED]), (x[-TESTED:], y[-TESTED:])), "batch_first": True}


def time_first_batches_of_a_loader() -> dict[str, Any]:
    def time_first(samples: list[Any]) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.stack([x for x, _ in samples], dim=1), torch.tensor([int(y) for _, y in samples])

    train, test = split(TensorDataset(torch.from_numpy(spikes()), tensors()[1]))
    loaders = (DataLoader(part, batch_size=32, collate_fn=time_first) for part in (train, test))
    return {"data": tuple(loaders), "batch_first": False}


def events_of_a_camera() -> dict[str, Any]:
    cut = SAMPLES - TESTED
    return {"data": (Recorded(range(cut)), Recorded(range(cut, SAMPLES))), "steps": STEPS}


def a_list_of_samples_with_one_hot_labels() -> dict[str, Any]:
    x, y = tensors()
    samples = [(image, torch.nn.functional.one_hot(label, 10)) for image, label in zip(x, y, strict=True)]
    return {"data": tuple(([x for x, _ in part], torch.stack([y for _, y in part])) for part in
                          (samples[:-TESTED], samples[-TESTED:]))}  # fmt: skip


SCRIPTS = [
    a_pair_of_tensors, a_data_loader_over_a_tensor_data_set, an_iterable_data_set, batch_first_spikes,
    time_first_batches_of_a_loader, events_of_a_camera, a_list_of_samples_with_one_hot_labels,
]  # fmt: skip


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)
def test_every_script_trains_above_its_frozen_control(script: Callable[[], dict[str, Any]]) -> None:
    given = {**QUICK, **script()}
    results = {rule: neurorules.train(rule, **given) for rule in ("sigprop", "bptt", "shallow")}
    held = {rule: result["validation_accuracy"] for rule, result in results.items()}
    assert held["sigprop"] > held["shallow"] + 0.05 and held["bptt"] > held["shallow"] + 0.05, held
    assert results["sigprop"]["test_accuracy"] > 0.3
    assert len({result["data_checksum"] for result in results.values()}) == 1
    assert results["sigprop"]["data"].startswith("memory:") and results["sigprop"]["classes"] == 10
