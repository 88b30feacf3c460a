"""What a user hands to a learner as numbers: whatever is unambiguous is taken, the rest is told in one line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from neurorules import Learner, Series
from neurorules.language.errors import UserError

STEPS, SAMPLES, CLASSES, INPUTS = 4, 5, 3, 7


def learner() -> Learner:
    return Learner("6-5", "sigprop", input_shape=(INPUTS,), classes=CLASSES, device="cpu", steps=STEPS)


def drive() -> Tensor:
    return (torch.rand(STEPS, SAMPLES, INPUTS, generator=torch.Generator().manual_seed(0)) < 0.5).float()


LABELS = torch.tensor([0, 2, 1, 1, 0])
SPIKES: dict[str, Callable[[Tensor], Any]] = {
    "array": lambda x: x.numpy(),
    "array of float64": lambda x: x.numpy().astype(np.float64),
    "array of bool": lambda x: x.numpy().astype(bool),
    "array of uint8": lambda x: x.numpy().astype(np.uint8),
    "array of float16": lambda x: x.numpy().astype(np.float16),
    "array of uint16": lambda x: x.numpy().astype(np.uint16),
    "array of long doubles": lambda x: x.numpy().astype(np.longdouble),
    "array of another byte order": lambda x: x.numpy().astype(">f4"),
    "array seen backwards": lambda x: x.flip(0).numpy()[::-1],
    "array that is not to be written": lambda x: np.broadcast_to(x.numpy(), x.shape),
    "array by columns": lambda x: np.asfortranarray(x.numpy()),
    "tensor of bool": lambda x: x.bool(),
    "tensor of uint8": lambda x: x.to(torch.uint8),
    "tensor of int64": lambda x: x.long(),
    "tensor of half precision": lambda x: x.half(),
    "tensor of bfloat16": lambda x: x.bfloat16(),
    "tensor of double precision": lambda x: x.double(),
    "sparse tensor": lambda x: x.to_sparse(),
    "sparse tensor of bool": lambda x: x.bool().to_sparse(),
    "tensor with gradients": lambda x: x.requires_grad_(),
    "view": lambda x: x.transpose(0, 1).contiguous().transpose(0, 1),
    "series of an array": lambda x: Series(x.numpy(), False),  # type: ignore[arg-type]
    "series of a sparse tensor": lambda x: Series(x.to_sparse(), False),
}
WHOLE: dict[str, Callable[[Tensor], Any]] = {
    "list": lambda y: y.tolist(),
    "tuple": lambda y: tuple(y.tolist()),
    "list of numpy's numbers": lambda y: list(y.numpy()),
    "array": lambda y: y.numpy(),
    "array of uint8": lambda y: y.numpy().astype(np.uint8),
    "array of uint16": lambda y: y.numpy().astype(np.uint16),
    "tensor of int32": lambda y: y.int(),
    "tensor of uint8": lambda y: y.to(torch.uint8),
    "column": lambda y: y[:, None],
    "whole floats": lambda y: y.float(),
    "list of whole floats": lambda y: y.double().tolist(),
    "column of floats": lambda y: y.double()[:, None],
    "one-hot": lambda y: torch.nn.functional.one_hot(y, CLASSES),
    "one-hot of float32": lambda y: torch.nn.functional.one_hot(y, CLASSES).float(),
    "one-hot of bool": lambda y: torch.nn.functional.one_hot(y, CLASSES).bool(),
    "one-hot array": lambda y: np.eye(CLASSES)[y.numpy()],
}


def after(spikes: Any, labels: Any) -> dict[str, Tensor]:
    made = learner()
    made.step(spikes, labels)
    return made.state()


@pytest.fixture(scope="module")
def expected() -> dict[str, Tensor]:
    return after(drive(), LABELS)


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize("name", SPIKES)
def test_spikes_of_any_real_type_are_the_same_spikes(name: str, expected: dict[str, Tensor]) -> None:
    given = SPIKES[name](drive())
    assert same(after(given, LABELS), expected)
    assert torch.equal(learner().scores(given), learner().scores(drive()))


@pytest.mark.parametrize("name", WHOLE)
def test_labels_that_can_be_read_in_one_way_are_the_same_labels(name: str, expected: dict[str, Tensor]) -> None:
    assert same(after(drive(), WHOLE[name](LABELS)), expected)


def _events() -> np.ndarray:
    return np.zeros(9, dtype=[("x", "i2"), ("y", "i2"), ("t", "i8"), ("p", "b1")])


WRONG_SPIKES: dict[str, tuple[Callable[[], Any], str]] = {
    "list": (lambda: drive().tolist(), "is a list"),
    "list of frames": (lambda: list(drive()), "is a list"),
    "text": (lambda: "spikes", "is a str"),
    "none": (lambda: None, "is a NoneType"),
    "complex tensor": (lambda: drive().cfloat(), "a complex tensor"),
    "complex array": (lambda: drive().numpy().astype(complex), "array of complex128"),
    "quantised": (lambda: torch.quantize_per_tensor(drive(), 1.0, 0, torch.quint8), "a quantised tensor"),
    "meta": (lambda: drive().to("meta"), "meta tensor"),
    "nested": (lambda: torch.nested.nested_tensor(list(drive()), layout=torch.jagged), "a nested tensor"),
    "array of objects": (lambda: drive().numpy().astype(object), "array of object"),
    "array of texts": (lambda: drive().numpy().astype(str), "array of <U"),
    "masked": (lambda: np.ma.masked_equal(drive().numpy(), 1.0), r"array\.filled"),
    "events": (_events, r"events \(x, y, t, p\)"),
    "series of a list": (lambda: Series(drive().tolist(), True), "is a list"),  # type: ignore[arg-type]
    "sparse with NaN": (lambda: (drive() * float("nan")).to_sparse(), "NaN"),
    "too large for the precision": (lambda: drive().double() * 1e300, "infinite"),
    "array of one sample": (lambda: drive().numpy()[0, 0], r"\(T, B, 7\)"),
}
WRONG_LABELS: dict[str, tuple[Any, str]] = {
    "number": (1, "is a int"),
    "none": (None, "is a NoneType"),
    "text": ("01", "is a str"),
    "list of texts": (["a"] * SAMPLES, "array of <U1"),
    "list of fractions": ([0.5] * SAMPLES, "whole numbers"),
    "ragged list": ([[0], [1, 2], [0], [1], [2]], "of different things"),
    "two labels a sample": (torch.zeros(SAMPLES, 2, dtype=torch.int64), "5 samples"),
    "floats": (torch.full((SAMPLES,), 0.5), "whole numbers"),
    "infinite": (torch.full((SAMPLES,), float("inf")), "whole numbers"),
    "soft labels": (torch.full((SAMPLES, CLASSES), 1 / CLASSES), "one-hot"),
    "two of them hot": (torch.tensor([[1, 1, 0]] * SAMPLES), "one-hot"),
    "none of them hot": (torch.zeros(SAMPLES, CLASSES), "one-hot"),
    "complex": (torch.zeros(SAMPLES, dtype=torch.complex64), "a complex tensor"),
    "array out of range": (np.full(SAMPLES, 200, dtype=np.uint8), "200..200"),
    "list out of range": ([0, 1, 2, 3, 0], "0..3"),
    "larger than any whole number": ([2**70] * SAMPLES, "array of object"),
}


@pytest.mark.parametrize("name", WRONG_SPIKES)
@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors", "ignore:.*quantiz", "ignore:.*quantize")
def test_spikes_of_another_kind_are_refused_in_one_line_that_changes_nothing(name: str) -> None:
    make, message = WRONG_SPIKES[name]
    made, given = learner(), make()
    before = made.state()
    for call in (lambda: made.step(given, LABELS), lambda: made.scores(given), lambda: made.push(given, LABELS)):
        with pytest.raises(UserError, match=message) as raised:
            call()
        assert "\n" not in str(raised.value)
    assert same(made.state(), before)


@pytest.mark.parametrize("name", WRONG_LABELS)
def test_labels_of_another_kind_are_refused_in_one_line_that_changes_nothing(name: str) -> None:
    labels, message = WRONG_LABELS[name]
    made = learner()
    before = made.state()
    with pytest.raises(UserError, match=message) as raised:
        made.step(drive(), labels)
    assert "\n" not in str(raised.value) and same(made.state(), before)


def test_what_is_handed_over_stays_as_it_is() -> None:
    spikes, labels = drive().numpy(), LABELS.numpy().copy()
    kept = spikes.copy(), labels.copy()
    after(spikes, labels)
    assert np.array_equal(spikes, kept[0]) and np.array_equal(labels, kept[1])


def test_a_recorder_takes_what_a_learner_takes(tmp_path: Any) -> None:
    from neurorules import Recorder
    from neurorules.traces.store import TraceReader

    for name, spikes, labels in (("plain", drive(), LABELS), ("other", drive().bool().numpy(), LABELS.tolist())):
        with Recorder(learner(), tmp_path / f"{name}.h5", ["S", "m"]) as recorder:
            recorder.record(spikes, labels)
            recorder.step(spikes, labels)
    with TraceReader(tmp_path / "plain.h5") as one, TraceReader(tmp_path / "other.h5") as other:
        assert len(one) == len(other) == 2 * SAMPLES and one.count("hidden1") == other.count("hidden1")
