"""Random changes of training pictures: what they change, where they are used, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from neurorules.cli import run
from neurorules.contracts.data_set import DataSet
from neurorules.contracts.series import Series
from neurorules.datasets import open_dataset
from neurorules.language.augmentation import Augmentation, parse_augmentation
from neurorules.language.config import TrainConfig
from neurorules.language.errors import UserError
from neurorules.torch_path.training.augmented import augmentation_for, augmented
from neurorules.torch_path.training.learner import Learner
from neurorules.torch_path.training.trainer import train

COPIES = 300


def moved(picture: Tensor, down: int, right: int) -> Tensor:
    """A picture (..., H, W) that is shifted by hand, pixel by pixel."""
    high, wide = picture.shape[-2:]
    result = torch.zeros_like(picture)
    for row in range(high):
        for column in range(wide):
            if 0 <= row - down < high and 0 <= column - right < wide:
                result[..., row, column] = picture[..., row - down, column - right]
    return result


@pytest.mark.parametrize(
    ("text", "size", "dtype"),
    [
        ("shift:pixels=2+flip", (3, 4, 5), torch.uint8),
        ("shift", (2, 2, 4, 3), torch.float32),
        ("flip", (1, 3, 4), None),
    ],
)
def test_every_change_is_one_of_those_allowed_and_all_of_them_are_as_likely(
    text: str, size: tuple[int, ...], dtype: torch.dtype | None
) -> None:
    """Frames and channels of a sample change together: (C, H, W) or (T, C, H, W)."""
    how = parse_augmentation(text)
    picture = torch.arange(1, 1 + int(np.prod(size))).reshape(size).to(dtype or torch.uint8)
    reach = range(-how.pixels, how.pixels + 1)
    turned = (picture, picture.flip(-1)) if how.flip else (picture,)
    allowed = [moved(one, down, right) for one in turned for down in reach for right in reach]
    samples = picture.expand(COPIES, *size).clone()
    changed = augmented(samples, how, torch.Generator().manual_seed(3))
    assert changed.shape == samples.shape and changed.dtype == samples.dtype and changed.is_contiguous()
    found = [next(n for n, one in enumerate(allowed) if torch.equal(one, sample)) for sample in changed]
    counts = np.bincount(found, minlength=len(allowed))
    expected = COPIES / len(allowed)
    assert np.abs(counts - expected).max() < 5 * np.sqrt(expected)
    assert torch.equal(samples, picture.expand(COPIES, *size))


def test_what_is_learned_from_is_changed_anew_each_epoch_and_nothing_else_is(monkeypatch: pytest.MonkeyPatch) -> None:
    learned, seen = [], []
    push, respond = Learner.push, Learner.respond

    def pushed(self: Learner, drive: Series, *more: Any) -> Any:
        learned.append(drive.values)
        return push(self, drive, *more)

    def responded(self: Learner, drive: Series) -> Any:
        seen.append(drive.values)
        return respond(self, drive)

    monkeypatch.setattr(Learner, "push", pushed)
    monkeypatch.setattr(Learner, "respond", responded)
    config = TrainConfig(
        "dfa", data="digits", net="3", steps=1, epochs=2, limit=12, validation=4, batch_size=8, threads=1,
        encode="constant:standardise=false", augment="shift:pixels=1",
    )  # fmt: skip
    train(config, quiet=True)
    source = open_dataset("digits", None)
    pictures = torch.from_numpy(np.concatenate([source.train, source.test]).astype(np.float32))
    pictures = pictures / 255 if source.train.dtype == np.uint8 else pictures
    shifts = [torch.roll(torch.nn.functional.pad(pictures, (1,) * 4), (a, b), (2, 3))[..., 1:-1, 1:-1]
              for a in (-1, 0, 1) for b in (-1, 0, 1)]  # fmt: skip
    known = {tuple(one.flatten().tolist()) for one in torch.cat(shifts)}
    originals = {tuple(one.flatten().tolist()) for one in pictures}
    first, second = ([tuple(one.flatten().tolist()) for one in batch] for batch in learned)
    assert set(first) <= known and set(second) <= known and set(first) != set(second)
    assert not set(first) <= originals
    assert all(tuple(one.flatten().tolist()) in originals for batch in seen for one in batch)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("shfit", "unknown augmentation 'shfit'. Did you mean 'shift'?"),
        ("shift:pixels=0", "augmentation 'shift': pixels is 0. Give a whole number of at least 1"),
        ("flip+shift+flip", "augmentation 'flip+shift+flip' names 'flip' twice. Name it once"),
        ("shift:pixels=8", "--augment shift:pixels=8 shifts by the whole picture of (8, 8) pixels. Shift by less"),
    ],
)
def test_what_cannot_be_done_to_pictures_is_refused_before_a_folder_is_made(
    text: str, line: str, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["train", "--augment", text, "--limit", "20", "--out", str(tmp_path / "run")]) == 2
    assert capsys.readouterr().err == f"neurorules: {line}\n"
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("kind", "shape"), [("sequences", (1, 8, 8)), ("images", (1, 1, 8))])
def test_only_pictures_can_be_changed(kind: Any, shape: tuple[int, int, int]) -> None:
    nothing, labels = np.zeros((1, *shape), np.float32), np.zeros(1, np.int64)
    source = DataSet("none", kind, shape, 2, nothing, labels, nothing, labels, "0", "constant")
    with pytest.raises(UserError, match="--augment flip changes pictures, and these samples are"):
        augmentation_for("flip", source)
    assert augmentation_for(None, source) is None
    assert augmentation_for("flip", DataSet(**{**vars(source), "kind": "images", "shape": (1, 2, 8)})) == Augmentation(
        0, True
    )
