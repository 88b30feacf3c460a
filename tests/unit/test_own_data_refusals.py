"""Data of a user that cannot be read are refused in one plain line, and nothing is left behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from table_of_others import Table
from torch.utils.data import DataLoader, IterableDataset, TensorDataset, WeightedRandomSampler

import neurorules
from neurorules.datasets._own import own_data
from neurorules.language.errors import UserError

EVENT = np.dtype([("x", np.int16), ("y", np.int16), ("t", np.int64), ("p", np.int8)])


def images(count: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.rand(count, 1, 4, 4, generator=torch.Generator().manual_seed(0)), torch.arange(count) % 3


def events(count: int = 6, **fields: Any) -> np.ndarray:
    array = np.zeros(count, EVENT)
    array["x"], array["y"], array["t"], array["p"] = np.arange(count) % 4, np.arange(count) % 3, range(count), 1
    for name, values in fields.items():
        array[name] = values
    return array


class Failing:
    """A data set whose third sample cannot be read."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Any:
        if index == 2:
            raise OSError("no such file: 2.png")
        return torch.ones(1, 4, 4), index % 2


class Nothing(IterableDataset):  # type: ignore[type-arg]
    """A data set that ends at once."""

    def __iter__(self) -> Any:
        return iter(())


class OfDicts:
    """A data set whose samples are dicts."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> Any:
        return {"picture": torch.ones(4), "tag": index}


def loader(**options: Any) -> DataLoader[Any]:
    return DataLoader(TensorDataset(*images()), **options)


X, Y = images()
FINE = (X, Y)
HUGE = torch.tensor([0.5] * 11 + [1e300], dtype=torch.float64)
MIXED = [(x * 255).byte() if n % 2 else x for n, x in enumerate(X)]
NAN = X.clone()
NAN[7, 0, 1, 1] = float("nan")

PARTS: list[tuple[Any, str]] = [
    (X, "the training data are a Tensor alone"),
    ((X, Y[:5]), r"12 samples in the shape \(12, 1, 4, 4\), but 5 labels\. Give one label for each sample$"),
    ((X.transpose(0, 1).expand(3, 12, 4, 4), Y), r"second axis of \(3, 12, 4, 4\) counts 12: .* batch_first=False"),
    ((X, Y.float().index_fill(0, torch.tensor([4]), float("nan"))), "the target of sample 4 is NaN or infinite"),
    ((X, torch.ones(12, 3)), "the test data, the labels: labels hold other values than 0 and 1"),
    ((X, torch.zeros(12, dtype=torch.long)), "one class leaves nothing to tell apart"),
    ((X, -Y), "label -2 is out of range"),
    ((X, torch.rand(12, 2, 2)), r"the test data, the labels: targets have the shape \(12,\), .* needs \(N, T, O\)"),
    ((X, torch.full((12, 3), 2)), "neither one class a sample nor zeros and ones"),
    ((X, [{}] * 12), "neither numbers nor names"),
    ((X, 3), "the training data"),
    ((NAN, Y), "the training data: sample 7 holds NaN or infinity"),
    ((X.double() * 1e300, Y), r"the training data: a number is too large for float32, which ends at 3\.403e\+38"),
    ((X, HUGE), "the training data, the labels: a number is too large for float32"),
    ((list(MIXED), Y), "sample 1 is of uint8, and sample 0 of float32: uint8 are grey levels"),
    (list(zip(MIXED, Y, strict=True)), "the training data: sample 1 is of uint8, and sample 0 of float32"),
    ((X, ["a", float("nan"), "c"] * 4), "the training data, the labels: label 1 is nan, and others are names"),
    ((X, [1, "b", "c"] * 4), "label 0 is 1, and others are names"),
    ((X, ["a", None, "c"] * 4), "label 1 is None, and others are names"),
    ((X, [0, None, 1] * 4), "label 1 is None, and others are numbers"),
    ((X, np.array(["a", None, "c"] * 4, dtype=object)), "label 1 is None, and others are names"),
    ((Table(np.array([[1.0, "b"]] * 12, dtype=object)), Y), "the samples is a Table that holds other things than"),
    (Table(np.ones((12, 4))), "the training data are a Table alone"),
    ((X[:0], Y[:0]), "hold no sample"),
    (TensorDataset(X[:0], Y[:0]), "hold no sample: the TensorDataset is empty"),
    (loader(batch_size=16, drop_last=True), "drop_last leaves out a batch smaller than 16, and there are 12 samples"),
    (Nothing(), "yield nothing"),
    (DataLoader(Nothing(), batch_size=4), "yield nothing"),
    ([(X[:6], Y[:6]), (X[6:, :, :3], Y[6:])], r"batch 1 holds samples of the shape \(1, 3, 4\).*batch 0 holds"),
    ([(X[:6], Y[:6]), (X[:0], Y[:0])], "batch 1 hold no sample"),
    ([(X[:6], Y[:6]), (X[6:], torch.eye(6))], r"labels \(N, 6\) of numbers, and batch 0"),
    ([(X[:6], Y[:6], 0)], "is 3 things"),
    ([(X[0], 0), (X[0, :, :2], 1)], r"sample 1 has the shape \(1, 2, 4\), and sample 0 has the shape \(1, 4, 4\)"),
    (Failing(), r"sample 2 cannot be read \(OSError: no such file: 2.png\)"),
    (OfDicts(), "is a dict of picture, tag, and no two of its names say"),
    ((np.array([np.ones(3), None], dtype=object), [0, 1]), "sample 1 is a NoneType"),
    ((np.array([np.ones(3), np.ones(4)], dtype=object), [0, 1]), r"sample 1 has the shape \(4,\)"),
    (TensorDataset(X.to(torch.complex64), Y), "is a complex tensor"),
    ((X.numpy().astype("U3"), Y), "not numbers"),
    ((events(), [0]), "one array of events. Give a list"),
    (([events(), X[0]], [0, 1]), "sample 1 has the shape .*, and sample 0 is an array of events"),
    (([events(), events(t=0.5)[["x", "y"]]], [0, 1]), "fields x, y and the shape"),
    (([events(), events(p=-3)], [0, 1]), "polarities run -3..-3"),
    (([events(), events(x=-1)], [0, 1]), "an event at x=-1 lies outside every sensor"),
    (([events(), events(t=[0, 1, 2, 3, 4, 2**40])], [0, 1]), "longer than 2\\^31"),
]


@pytest.mark.parametrize(("part", "words"), PARTS)
def test_a_part_that_cannot_be_read_is_refused_in_one_line(part: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=words) as told:
        neurorules.train("sigprop", data=(part, FINE), net="4", epochs=1, out=tmp_path / "run")
    assert "\n" not in str(told.value) and len(str(told.value)) < 500
    assert not (tmp_path / "run").exists()


def test_times_that_are_whole_floats_are_read_and_others_are_refused() -> None:
    floats = np.dtype([("x", int), ("y", int), ("t", float), ("p", bool)])
    whole = [events().astype(floats)] * 4
    assert own_data(((whole, [0, 1, 0, 1]), (whole, [0, 1, 0, 1]))).kind == "events"
    broken = [array.copy() for array in whole]
    broken[3]["t"] += 0.5
    with pytest.raises(UserError, match=r"sample 3, field t holds values that are not whole.*microseconds"):
        own_data(((broken, [0, 1, 0, 1]), (whole, [0, 1, 0, 1])))


@pytest.mark.parametrize(
    ("data", "options", "words"),
    [
        (FINE, {}, "the training data are a Tensor alone"),
        ((X, Y, X, Y), {}, r"data is 4 things. Give two parts, data=\(train, test\)"),
        (TensorDataset(X, Y), {}, "data is a TensorDataset. Give two parts"),
        ({"train": FINE, "validation": FINE}, {}, "data is a dict"),
        ((FINE, (X[:, :, :3], Y)), {}, "training and test samples differ"),
        ((FINE, ((X * 255).byte(), Y)), {}, "training and test samples differ"),
        (((X[Y < 2], Y[Y < 2]), FINE), {}, "label 2 is out of range"),
        (((X[Y != 1], Y[Y != 1]), FINE), {}, "no training sample has the class 1"),
        (((X[:4], list("abab")), (X[:2], list("ac"))), {}, "no training sample has the class 'c'"),
        (((X[:4], list("abab")), (X[:2], [0, 1])), {}, "the labels of one part are names"),
        ((FINE, ([events()] * 12, Y)), {}, "are events, and the others are not"),
        ((FINE, FINE), {"sensor_size": (4, 4, 2)}, "the samples are not events"),
        ((FINE, FINE), {"data_dir": "here"}, "Leave data_dir out"),
        (("digits"), {"batch_first": True}, "batch_first is for data that are handed over"),
        ((([events()] * 12, Y),) * 2, {"batch_first": True}, "batch_first says where the time axis"),
        ((([events()] * 12, Y),) * 2, {"sensor_size": (3, 3, 2)}, r"sample 0: an event at x=3 lies outside the sensor"),
        ((([events()] * 12, Y),) * 2, {"sensor_size": (4, 2, 2)}, "an event at y=2 lies outside the sensor"),
        ((([events()] * 12, Y),) * 2, {"sensor_size": (4, 0, 2)}, "Give three whole numbers"),
        ((FINE, FINE), {"batch_first": False}, r"read as \(T, N, ...\)"),
        (((X[:, 0, 0], Y), (X[:, 0, 0], Y)), {"batch_first": True}, "have a time axis beside that of the samples"),
        (((torch.ones(12, 12, 1, 4, 4), Y),) * 2, {}, "either axis could be time"),
        (((torch.ones(12, 5, 1, 4, 4), Y), FINE), {}, "have a time axis, and the others have none"),
        (((torch.ones(12, 5, 1, 4, 4), Y),) * 2, {"steps": 4}, "the data have 5 time steps per sample, and --steps"),
    ],
)  # fmt: skip
def test_data_that_do_not_fit_each_other_are_refused_in_one_line(
    data: Any, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(UserError, match=words) as told:
        neurorules.train("sigprop", data=data, net="4", epochs=1, **options)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("call", [lambda one, data: one.fit(data), lambda one, data: one.evaluate(data)])
def test_a_learner_refuses_what_it_cannot_read_and_stays_as_it_was(call: Callable[[Any, Any], Any]) -> None:
    one = neurorules.Learner("4", "sigprop", input_shape=(2, 3, 4), classes=3, steps=3, device="cpu")
    before = {name: value.clone() for name, value in one.state().items()}
    refused = [
        (([events(x=9)] * 3, [0, 1, 2]), "lies outside the sensor of 4 x 3 pixels"),
        (DataLoader(list(zip([events()] * 4, range(4), strict=True))), "Give the data set itself"),  # type: ignore[arg-type]
        (TensorDataset(X, Y), "the network reads"),
        (TensorDataset(X[:0], Y[:0]), "hold no sample"),
        (TensorDataset(torch.ones(3, 2, 3, 4), torch.rand(3)), "whole numbers"),
        ([([1, 2], torch.zeros(2))], "no arrays of events"),
    ]
    for data, words in refused:
        with pytest.raises(UserError, match=words) as told:
            call(one, data)
        assert "\n" not in str(told.value)
    assert all(torch.equal(value, one.state()[name]) for name, value in before.items())


def test_a_loader_with_another_sampler_is_gone_through_as_it_is() -> None:
    weights = WeightedRandomSampler([1.0] * 6 + [0.0] * 6, 9, generator=torch.Generator().manual_seed(0))
    data = own_data((loader(batch_size=4, sampler=weights), FINE))
    assert len(data.train_labels) == 9
    rows = {row.tobytes() for row in X[:6].numpy()}
    assert all(np.ascontiguousarray(row).tobytes() in rows for row in np.asarray(data.train))
