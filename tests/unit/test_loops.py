"""A user's own loader: learned from, evaluated, the state in one file, weights back in the user's module."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

import neurorules
from neurorules import Learner
from neurorules.contracts.series import Series
from neurorules.encoders import open_encoder
from neurorules.language.errors import UserError
from neurorules.torch_path.training.drives import batch_of, time_first
from neurorules.torch_path.training.restore import restore

SHAPE, CLASSES, STEPS = (1, 6, 6), 3, 5


def samples(count: int = 96, time: bool = False, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Images, or frames with time first, of three kinds that a net can tell apart."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, CLASSES, (count,), generator=generator)
    kinds = torch.rand(CLASSES, *SHAPE, generator=torch.Generator().manual_seed(9))
    images = kinds[labels] * 2 + 0.2 * torch.randn(count, *SHAPE, generator=generator)
    if not time:
        return images, labels
    return (torch.rand(STEPS, count, *SHAPE, generator=generator) < images / 3).float(), labels


def loader(count: int = 96, size: int = 16) -> DataLoader[Any]:
    return DataLoader(TensorDataset(*samples(count)), batch_size=size)


def learner(**settings: Any) -> Learner:
    given = {"input_shape": SHAPE, "classes": CLASSES, "steps": STEPS, "seed": 1, "device": "cpu", **settings}
    return Learner("24", "sigprop", **given)


def test_a_data_loader_is_learned_from_and_evaluated() -> None:
    one, rows = learner(), []
    before = one.evaluate(loader())
    history = one.fit(loader(), epochs=6, callbacks=rows.append)
    after = one.evaluate(loader(64))
    assert history == rows and [row["epoch"] for row in history] == [1, 2, 3, 4, 5, 6]
    assert all(row["samples"] == 96 and row["seconds"] > 0 for row in history)
    assert history[-1]["loss"] < 0.5 * history[0]["loss"]
    assert after["accuracy"] > 0.9 > before["accuracy"] + 0.2 and after["loss"] < before["loss"]
    assert after["samples"] == 64 and after["spikes_per_sample"] > 0


def test_fit_is_step_after_step_at_the_rates_of_the_schedule() -> None:
    one, other = learner(), learner()
    one.fit(loader(32), epochs=2, lr_schedule="steps:at=1:factor=0.5")
    for fraction in (1.0, 0.5):
        for images, labels in loader(32):
            other.step(time_first(images, len(labels), SHAPE), labels, fraction)
    assert all(torch.equal(value, other.state()[name]) for name, value in one.state().items())


@pytest.mark.parametrize("schedule", ["by_layer", "pipelined"])
def test_step_and_scores_take_samples_without_time_as_fit_does(schedule: str) -> None:
    images, labels = samples(12)
    one, other = learner(schedule=schedule), learner(schedule=schedule)
    told = one.step(images, labels)
    assert told == other.step(Series(images, True), labels)
    assert all(torch.equal(value, other.state()[name]) for name, value in one.state().items())
    assert torch.equal(one.scores(images), other.scores(Series(images, True)))
    assert torch.equal(one.scores(images.numpy()).argmax(1), one.predict(images))
    fields = np.dtype([("t", np.int64), ("y", np.int16), ("x", np.int16), ("p", bool)])
    events = [np.array([(3, 1, 2, True), (40, 4, 4, False)], fields) for _ in range(3)]
    assert torch.equal(one.scores(events).argmax(1), one.predict(events))
    with pytest.raises(UserError, match="without a step or a sample"):
        one.scores(images[:0])
    with pytest.raises(UserError, match=r"reads \(T, B, 1, 6, 6\), or \(B, 1, 6, 6\) for the same at each step"):
        one.scores(images[0])


def test_step_and_scores_draw_spikes_of_samples_where_predict_does() -> None:
    images, labels = samples(12)
    one = learner()
    one.encoder = open_encoder("poisson", "images")
    images = images.clamp(0, 1)
    assert torch.equal(one.scores(images).argmax(1), one.predict(images))
    assert not torch.equal(one.scores(images), one.scores(Series(images, True)))
    for learning in (True, False):  # what is learned from is drawn anew for each batch
        first, second = (batch_of(one, images, learning=learning).values for _ in range(2))
        assert torch.equal(first, second) != learning
    assert one.step(images, labels)["loss"] > 0


def test_evaluation_changes_nothing_and_equals_the_scores_of_all_samples_at_once() -> None:
    one = learner()
    one.fit(loader(32))
    before = one.state()
    images, labels = samples(50)
    result = one.evaluate(DataLoader(TensorDataset(images, labels), batch_size=7))
    scores = one.scores(time_first(images, 50, SHAPE))
    assert all(torch.equal(value, one.state()[name]) for name, value in before.items())
    assert result["accuracy"] == pytest.approx(float((scores.argmax(1) == labels).double().mean()))
    loss = torch.nn.functional.cross_entropy(scores.double(), labels)
    assert result["loss"] == pytest.approx(float(loss), rel=1e-5)


def test_frames_are_read_time_first_or_batch_first() -> None:
    frames, labels = samples(12, time=True)
    one, other, third = learner(), learner(), learner()
    one.fit([(frames, labels)])
    other.fit([(frames.transpose(0, 1), labels)])
    third.fit([(frames.transpose(0, 1), labels)], batch_first=True)
    for name, value in one.state().items():
        assert torch.equal(value, other.state()[name]) and torch.equal(value, third.state()[name])


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        ((torch.ones(5, 5, *SHAPE), torch.zeros(5, dtype=torch.long)), "either axis could be time"),
        ((torch.ones(4, 5, 6, 6), torch.zeros(4, dtype=torch.long)), r"the network reads \(B, 1, 6, 6\)"),
        ((torch.ones(7, 3, *SHAPE), torch.zeros(4, dtype=torch.long)), "there are 4 labels"),
        ((torch.ones(4, *SHAPE), torch.zeros(3, dtype=torch.long)), "holds 4 samples"),
        ((torch.ones(4, *SHAPE), 3), "labels run 3..3"),  # one sample of four steps
        ((torch.ones(4, *SHAPE), None), "labels are a NoneType"),
        ((torch.ones(4, *SHAPE), torch.full((4,), 0.5)), "whole numbers"),
        ((torch.ones(4, *SHAPE), torch.zeros(4, dtype=torch.long), 0), "is 3 things"),
        (torch.ones(4, *SHAPE), "is a Tensor"),
        ((torch.ones(0, *SHAPE), torch.zeros(0, dtype=torch.long)), "without a step or a sample"),
    ],
)
def test_a_batch_that_cannot_be_read_is_refused_in_one_line_and_changes_nothing(batch: Any, words: str) -> None:
    one = learner()
    before = one.state()
    for call in (one.fit, one.evaluate):
        with pytest.raises(UserError, match=words) as told:
            call([batch])
        assert "\n" not in str(told.value)
    assert all(torch.equal(value, one.state()[name]) for name, value in before.items())


def test_grey_pictures_of_a_loader_get_the_axis_of_their_channel_as_those_of_a_pair_do() -> None:
    one, other = learner(), learner()
    images, labels = samples(8)
    one.fit([(images, labels)])
    other.fit([{"image": images[:, 0].numpy(), "label": labels.float()}])
    assert all(torch.equal(value, other.state()[name]) for name, value in one.state().items())


def test_fields_of_batches_may_have_any_name_that_is_said() -> None:
    one, other = learner(), learner()
    images, labels = samples(8)
    one.fit([(images, labels)])
    other.fit([{"label": 0, "pixels": images, "kind": labels}], keys=("pixels", "kind"))
    assert all(torch.equal(value, other.state()[name]) for name, value in one.state().items())
    rows = [{"pixels": image, "kind": int(label)} for image, label in zip(images, labels, strict=True)]
    loader = DataLoader(rows, batch_size=8)  # type: ignore[arg-type]
    assert other.evaluate(loader, keys=("pixels", "kind")) == one.evaluate((images, labels))
    with pytest.raises(UserError, match="no two of its names"):
        one.evaluate(loader)


class Stream(IterableDataset):  # type: ignore[type-arg]
    """Single samples, one after another."""

    def __iter__(self) -> Any:
        return iter(TensorDataset(*samples(40)))

    def __len__(self) -> int:
        return 40


@pytest.mark.parametrize(
    "single",
    [
        lambda: list(TensorDataset(*samples(40))),
        lambda: (one for one in TensorDataset(*samples(40))),
        Stream,
        lambda: DataLoader(Stream(), batch_size=None),
        lambda: [{"image": image.numpy(), "label": int(label)} for image, label in TensorDataset(*samples(40))],
    ],
)
def test_single_samples_are_learned_in_their_order_as_batches_are(single: Any) -> None:
    one, other = learner(), learner()
    row = one.fit(single(), batch_size=16, lr_schedule="constant")[0]
    expected = other.fit(loader(40), lr_schedule="constant")[0]
    assert {**row, "seconds": 0} == {**expected, "seconds": 0}
    assert all(torch.equal(value, other.state()[name]) for name, value in one.state().items())
    assert one.evaluate(single()) == other.evaluate(loader(40, 40))


def test_a_single_sample_that_does_not_fit_is_named_by_its_place_in_the_loader() -> None:
    singles = enumerate(zip(*samples(12), strict=True))
    with pytest.raises(UserError, match=r"sample 9 has the shape \(1, 6, 5\), and sample 8 has the shape \(1, 6, 6\)"):
        learner().fit(((x[..., :5] if place == 9 else x, y) for place, (x, y) in singles), batch_size=4)


def test_the_rate_falls_over_single_samples_whose_number_is_there_as_over_batches() -> None:
    rows = [learner().fit(data, batch_size=16)[0]["loss"] for data in (Stream(), list(Stream()), loader(40))]
    assert rows[0] == rows[1] == rows[2]


def test_a_second_batch_of_another_shape_is_refused_and_what_was_learned_stays() -> None:
    one, other = learner(), learner()
    images, labels = samples(8)
    other.step(time_first(images, 8, SHAPE), labels)
    with pytest.raises(UserError, match="Reshape"):
        one.fit([(images, labels), (images[:, :, :3], labels)], lr_schedule="constant")
    assert all(torch.equal(value, other.state()[name]) for name, value in one.state().items())


def test_a_loader_that_yields_nothing_is_told() -> None:
    with pytest.raises(UserError, match="yielded no batch"):
        learner().evaluate([])
    once = iter([samples(8)])
    with pytest.raises(UserError, match="once only"):
        learner().fit(once, epochs=2)
    with pytest.raises(UserError, match="the loader is a Tensor"):
        learner().fit(torch.ones(4))  # type: ignore[arg-type]
    with pytest.raises(UserError, match="epochs is 0"):
        learner().fit(loader(), epochs=0)


def test_one_file_holds_the_state_and_learning_goes_on_from_it_to_the_bit(tmp_path: Path) -> None:
    one, other = learner(), learner(seed=5)
    one.fit(loader(32))
    one.save(tmp_path / "deep" / "state.safetensors")
    other.load(tmp_path / "deep" / "state.safetensors")
    assert one.fit(loader(48))[0]["loss"] == other.fit(loader(48))[0]["loss"]
    assert all(torch.equal(value, other.state()[name]) for name, value in one.state().items())


def test_a_damaged_or_missing_file_is_refused_and_nothing_changes(tmp_path: Path) -> None:
    one, path = learner(), tmp_path / "state.safetensors"
    one.save(path)
    content = path.read_bytes()
    before = one.state()
    for broken in (content[: len(content) // 2], b"", b"not a state"):
        path.write_bytes(broken)
        with pytest.raises(UserError, match="damaged"):
            one.load(str(path))
    with pytest.raises(UserError, match="there is no file"):
        one.load(tmp_path / "other.safetensors")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError):
        one.save(tmp_path / "folder")
    assert all(torch.equal(value, one.state()[name]) for name, value in before.items())


def test_a_finished_run_comes_back_as_a_learner(tmp_path: Path) -> None:
    small = {"rule": "dfa", "data": "digits", "net": "12", "steps": 3, "epochs": 1, "device": "cpu"}
    result = neurorules.train(**small, out=tmp_path / "run")
    one = neurorules.load(tmp_path / "run")
    test = restore(tmp_path / "run").data.test
    answer = one.evaluate(test.in_order(100, torch.Generator()))
    assert answer["accuracy"] == pytest.approx(result["test_accuracy"])
    with pytest.raises(UserError, match="no"):
        neurorules.load(tmp_path / "other")


SLIPS = {
    "one.fit(x, y)": "fit takes samples and labels as one pair, and epochs is Tensor. Write fit((x, y), epochs=5)",
    "one.fit((x, y), batch_size=y)": "batch_size is tensor([0, 1, 2]). Give a finite whole number of at least 1",
    "neurorules.Learner('8', None, input_shape=(4,))": "None names nothing. Write name:key=value, for example "
    "sigprop:form=voltage",
}


def test_what_is_often_written_first_is_told_in_a_line() -> None:
    """In a process of its own, since tests hold every call to its types."""
    script = "import neurorules, torch\nfrom neurorules.language.errors import UserError\n"
    script += "x, y = torch.rand(3, 4), torch.arange(3)\n"
    script += "one = neurorules.Learner('8', 'dfa', input_shape=(4,), classes=3)\n"
    for call in SLIPS:
        script += f"try:\n    {call}\nexcept UserError as error:\n    print(error)\n"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == list(SLIPS.values()), done.stderr
