"""Every form in which a user has data becomes the same samples; axes, fields, sensors and class names are found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from PIL import Image
from scipy.sparse import csr_array, csr_matrix
from table_of_others import Table
from torch.utils.data import (
    ConcatDataset,
    DataLoader,
    IterableDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
)

from neurorules.contracts.data_set import Recordings
from neurorules.datasets._own import own_data
from neurorules.language.errors import UserError

COUNT = 300
X = torch.rand(COUNT, 2, 5, 6, generator=torch.Generator().manual_seed(0))
Y = torch.arange(COUNT) % 3
TEST = (X[:9], Y[:9])
SET = TensorDataset(X, Y)


class Stream(IterableDataset):  # type: ignore[type-arg]
    def __iter__(self) -> Iterator[Any]:
        return iter(SET)


def padded(samples: list[Any]) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.stack([x for x, _ in samples]), torch.stack([y for _, y in samples])


FORMS: dict[str, Any] = {
    "tensors": (X, Y),
    "arrays": (X.numpy(), Y.numpy()),
    "a list": [X.double(), Y.to(torch.int32)],
    "lists": (list(X), Y.tolist()),
    "an array of objects": (np.fromiter(X.numpy(), dtype=object, count=COUNT), Y),
    "labels as floats": (X, Y.float()),
    "labels as a column": (X, Y[:, None]),
    "one-hot rows": (X, torch.nn.functional.one_hot(Y)),
    "labels from 1": (X, Y + 1),
    "channels last": (X.permute(0, 2, 3, 1), Y),
    "sparse": (X.to_sparse(), Y),
    "a table and its column": (Table(X.numpy()), Table(Y.numpy())),
    "arrays and a column": (X.numpy(), Table(Y.numpy())),
    "rows of a table": [(Table(x.numpy()), int(y)) for x, y in SET],
    "a tensor with gradients": (X.clone().requires_grad_(), Y),
    "a data set": SET,
    "two data sets": ConcatDataset([Subset(SET, range(100)), Subset(SET, range(100, COUNT))]),
    "a loader": DataLoader(SET, batch_size=7),
    "a loader that shuffles": DataLoader(SET, batch_size=7, shuffle=True, drop_last=True),
    "a loader without batches": DataLoader(SET, batch_size=None),
    "a loader of its own collation": DataLoader(SET, batch_size=7, shuffle=True, collate_fn=padded),
    "a loader of a subset": DataLoader(SET, batch_size=7, sampler=SubsetRandomSampler(range(COUNT))),
    "a loader with workers": DataLoader(SET, batch_size=50, num_workers=1),
    "a stream": Stream(),
    "a loader of a stream": DataLoader(Stream(), batch_size=7),
    "samples": list(SET),
    "dicts": [{"image": x, "label": int(y)} for x, y in SET],
    "dicts with other fields": [{"id": 7, "x": x, "y": y} for x, y in SET],
    "dicts of which one name is known": [{"my_sample": x, "label": y} for x, y in SET],
    "a loader of dicts": DataLoader([{"image": x, "label": y} for x, y in SET], batch_size=7),  # type: ignore[arg-type]
    "batches of dicts": [{"input": X[n : n + 7], "target": Y[n : n + 7]} for n in range(0, COUNT, 7)],
    "batches": [(X[n : n + 7], Y[n : n + 7]) for n in range(0, COUNT, 7)],
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_the_same_data(form: str) -> None:
    plain = own_data(((X, Y), TEST))
    test = (X[:9], FORMS[form][1][:9]) if form in ("one-hot rows", "labels from 1") else TEST
    test = (X[:9].permute(0, 2, 3, 1), Y[:9]) if form == "channels last" else test
    read = own_data((FORMS[form], test))
    assert read.name == plain.name and read.checksum == plain.checksum and read.classes == 3
    assert np.array_equal(np.asarray(read.train), X.numpy()) and read.train_labels.tolist() == Y.tolist()


class Rows:
    """A data set with the interface of Hugging Face's: rows are dicts, and the label's field knows its names."""

    class Names:
        names = ("cat", "dog", "emu")

    features: Any = {"image": None, "label": Names()}  # noqa: RUF012

    def __len__(self) -> int:
        return 12

    def __getitem__(self, index: int) -> dict[str, Any]:
        pixels = np.full((9, 8, 3), 20 * index, dtype=np.uint8)
        return {"image": Image.fromarray(pixels).quantize(4), "label": index % 3}


def test_rows_of_hugging_face_have_pictures_and_names_of_classes() -> None:
    read = own_data({"train": Rows(), "test": Rows(), "unsupervised": None})
    assert read.class_names == ("cat", "dog", "emu") and read.shape == (3, 9, 8)
    assert np.asarray(read.train)[5].ravel().tolist() == [100] * 216


@pytest.mark.parametrize("fields", [("image", "picture", "label", "tag"), ("a", "b"), ("image", "x", "label"), ()])
def test_fields_that_do_not_say_what_they_are_end_in_one_line(fields: tuple[str, ...]) -> None:
    rows = [dict.fromkeys(fields, 1.0)] * 3
    if fields[:2] == ("image", "picture"):
        rows = [{**row, "y": 0} for row in rows]
    with pytest.raises(UserError, match=r"is a dict of .*, and no two of its names say.*Say it: keys=") as told:
        own_data((rows, rows))
    assert "\n" not in str(told.value)


NAMED: dict[str, Any] = {
    "rows": [{"pixels": x, "digit": int(y), "image": 0, "label": 9} for x, y in SET],
    "a loader of rows": DataLoader([{"id": 0, "pixels": x, "digit": y} for x, y in SET], batch_size=7),  # type: ignore[arg-type]
    "batches": [{"digit": Y[n : n + 7], "pixels": X[n : n + 7], "id": 0} for n in range(0, COUNT, 7)],
    "a stream of rows": iter([{"pixels": x, "digit": y, "id": 0} for x, y in SET]),
}  # fmt: skip


@pytest.mark.parametrize("form", NAMED)
def test_fields_that_a_user_names_are_read_whatever_others_are_called(form: str) -> None:
    rows = [{"pixels": x, "digit": y} for x, y in zip(*TEST, strict=True)]
    read = own_data((NAMED[form], rows), keys=("pixels", "digit"))
    assert read.checksum == own_data(((X, Y), TEST)).checksum


def test_names_of_classes_are_those_of_the_field_that_a_user_names() -> None:
    class Fine(Rows):
        features = Rows.features | {"fine": type("Names", (), {"names": ("a", "b", "c")})()}

        def __getitem__(self, index: int) -> dict[str, Any]:
            return {**super().__getitem__(index), "fine": index % 3}

    assert own_data((Fine(), Fine()), keys=("image", "fine")).class_names == ("a", "b", "c")


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (("pixels", "class"), "the first thing is a dict of pixels, digit, and none of them is 'class'"),
        (("pixels", "pixels"), "keys is .*Give two names"),
        ("pixels", "keys is 'pixels'. Give two names"),
        (("pixels",), "keys is .*Give two names"),
    ],
)
def test_keys_that_name_no_two_fields_are_refused_in_one_line(keys: Any, words: str) -> None:
    rows = [{"pixels": x, "digit": int(y)} for x, y in SET]
    with pytest.raises(UserError, match=words) as told:
        own_data((rows, rows), keys=keys)
    assert "\n" not in str(told.value)
    with pytest.raises(UserError, match="keys=.* name fields of dicts, and the training data, sample 0 is a tuple"):
        own_data((SET, SET), keys=["pixels", "digit"])


def test_a_generator_is_gone_through_once_and_the_users_generator_is_not_drawn_from() -> None:
    before = torch.get_rng_state()
    read = own_data((iter(SET), DataLoader(SET, batch_size=4, shuffle=True)))
    assert len(read.train_labels) == len(read.test_labels) == COUNT
    assert torch.equal(torch.get_rng_state(), before)


def test_a_loader_of_some_samples_gives_these_in_their_own_order() -> None:
    some = [200, 7, 40, 11, 6, 5]
    read = own_data((DataLoader(SET, batch_size=4, sampler=SubsetRandomSampler(some)), TEST))
    assert np.array_equal(np.asarray(read.train), X[sorted(some)].numpy())


FRAMES = torch.randint(0, 3, (30, 6, 2, 4, 5), generator=torch.Generator().manual_seed(1)).to(torch.uint8)
KINDS = torch.arange(30) % 3


@pytest.mark.parametrize(
    ("part", "batch_first"),
    [
        ((FRAMES, KINDS), None),
        ((FRAMES.transpose(0, 1), KINDS), None),
        ((FRAMES, KINDS), True),
        ((FRAMES.transpose(0, 1), KINDS), False),
        (TensorDataset(FRAMES, KINDS), None),
        (TensorDataset(FRAMES, KINDS), False),
        ([(FRAMES[n : n + 10].transpose(0, 1), KINDS[n : n + 10]) for n in (0, 10, 20)], None),
        ([(FRAMES[n : n + 6].transpose(0, 1), KINDS[n : n + 6]) for n in range(0, 30, 6)], False),
    ],
)
def test_a_time_axis_is_found_or_told(part: Any, batch_first: bool | None) -> None:
    read = own_data((part, part), batch_first)
    assert read.kind == "sequences" and read.steps == 6 and read.shape == (2, 4, 5)
    assert np.array_equal(np.asarray(read.train), FRAMES.numpy())


@pytest.mark.parametrize(("shape", "one"), [((7,), (1, 1, 7)), ((4, 7), (1, 4, 7)), ((2, 4, 7), (2, 4, 7))])
def test_steps_of_vectors_and_of_one_channel_get_the_axes_that_images_get(
    shape: tuple[int, ...], one: tuple[int, ...]
) -> None:
    values = torch.rand(12, 5, *shape)
    read = own_data(((values, Y[:12]), (values, Y[:12])), batch_first=True)
    assert read.shape == one and read.steps == 5
    assert np.array_equal(np.asarray(read.train).reshape(values.shape), values.numpy())


# --- events


def events(names: str, polarities: tuple[Any, Any] = (0, 1), kind: str = "i8") -> list[np.ndarray]:
    """Twelve recordings with fields of these names, in this order."""
    random = np.random.default_rng(0)
    values = {"x": random.integers(0, 6, (12, 20)), "y": random.integers(0, 5, (12, 20))}
    values |= {"t": 5000 + np.sort(random.integers(0, 900, (12, 20))), "p": random.integers(0, 2, (12, 20))}
    recordings = []
    for number in range(12):
        array = np.zeros(20, [(name, kind) for name in names.split()])
        for name in array.dtype.names or ():
            plain = {"timestamp": "t", "ts": "t", "polarity": "p", "pol": "p"}.get(name.lower(), name.lower())
            column = values[plain][number]
            array[name] = np.where(column == 1, polarities[1], polarities[0]) if plain == "p" else column
        recordings.append(array)
    return recordings


def read_events(recordings: list[np.ndarray], **options: Any) -> Any:
    labels = [number % 2 for number in range(12)]
    return own_data(((recordings, labels), (recordings[:4], labels[:4])), **options)


def test_fields_of_events_stand_in_any_order_under_the_usual_names() -> None:
    plain = read_events(events("x y t p"))
    assert plain.kind == "events" and plain.shape == (2, 5, 6)
    assert isinstance(plain.train, Recordings) and plain.train.t_us.min() == 0
    others = [events("t p y x"), events("timestamp x Y polarity"), events("x y ts pol", kind="f8")]
    others += [events("x y t p", (-1, 1)), [array[::1] for array in events("p t x y", kind="i4")]]
    for other in others:
        assert read_events(other).checksum == plain.checksum


def test_events_without_polarity_or_rows_have_one() -> None:
    flat = read_events(events("x t"))
    assert flat.shape == (1, 1, 6)
    assert read_events(events("x y t")).shape == (1, 5, 6)
    merged = read_events(events("x y t p"), sensor_size=(8, 7, 1))
    assert merged.shape == (1, 7, 8) and not merged.train.polarity.any()


class Camera:
    """A data set with tonic's interface."""

    sensor_size = (9, 8, 2)
    classes = ("left", "right")

    def __init__(self) -> None:
        self.recordings = events("x y t p")

    def __len__(self) -> int:
        return 12

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return self.recordings[index], index % 2


def test_sensor_and_class_names_are_found_in_the_data_set_inside_others() -> None:
    camera = Camera()
    inside = Subset(Subset(camera, range(10)), range(8))  # type: ignore[arg-type]
    for part in (
        camera,
        inside,
        DataLoader(inside, batch_size=3, collate_fn=lambda some: list(zip(*some, strict=True))),
    ):
        read = own_data((part, Subset(camera, [10, 11])))  # type: ignore[arg-type]
        assert read.shape == (2, 8, 9) and read.class_names == ("left", "right")
    assert own_data((camera, camera), sensor_size=(20, 10, 2)).shape == (2, 10, 20)
    with pytest.raises(UserError, match="lies outside the sensor"):
        own_data((camera, camera), sensor_size=(5, 8, 2))


# --- labels and pictures


def test_labels_that_are_names_are_numbered_in_their_order() -> None:
    names = ["dog", "ant", "cat"] * 100
    read = own_data(((X, names), (X[:9], np.array(names[:9]))))
    assert read.class_names == ("ant", "cat", "dog") and read.train_labels[:3].tolist() == [2, 0, 1]


def test_pictures_of_pillow_are_samples() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (12, 8, 9, 3), dtype=np.uint8)
    samples = [(Image.fromarray(one), place % 2) for place, one in enumerate(pixels)]
    read = own_data((samples, samples[:4]))
    assert read.shape == (3, 8, 9) and np.asarray(read.train).dtype == np.uint8
    assert np.array_equal(np.asarray(read.train), pixels.transpose(0, 3, 1, 2))


def test_sparse_matrices_of_scipy_data_sets_of_h5py_and_ranges_are_read(tmp_path: Path) -> None:
    rows, labels = (X[:40].reshape(40, -1) > 0.5).float().numpy(), np.arange(40)
    plain = own_data(((rows, labels), (rows, labels)))
    with h5py.File(tmp_path / "rows.h5", "w") as file:
        file["rows"], file["labels"] = rows, labels
        forms: list[Any] = [(csr_matrix(rows), range(40)), (csr_array(rows), labels), (file["rows"], file["labels"])]
        for form in forms:
            assert own_data((form, form)).checksum == plain.checksum
