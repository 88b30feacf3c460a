"""What is learned depends on training samples alone, whichever command learns; what is read, when, in which order."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import recorded_data
import torch
from recorded_data import READS, TEST, TRAINING

from neurorules.api import train
from neurorules.brian2_continuous import trainer as circuits
from neurorules.brian2_continuous.parts.interpreted import Interpreted
from neurorules.cli import run
from neurorules.compare.comparison import plan
from neurorules.compare.many_runs import run_all
from neurorules.compare.sweep import SWEEP_FILE
from neurorules.compare.tuning import TUNE_FILE, trials
from neurorules.datasets import DATASETS
from neurorules.language.config import TrainConfig
from neurorules.papers.paper import Paper, Row, Table
from neurorules.papers.reproduce import reproduce
from neurorules.rules import RULES
from neurorules.runs.folder import RunFolder
from neurorules.torch_path.training import trainer
from neurorules.torch_path.training.batches import Data, load_data

Way = Callable[[TrainConfig, Path], Path]
Weights = dict[str, list[Any]]

LIMIT, HELD, BATCH, EPOCHS = 22, 8, 8, 2
SMALL: dict[str, Any] = {
    "rule": "sigprop", "net": "3", "steps": 2, "epochs": EPOCHS, "batch_size": BATCH, "limit": LIMIT,
    "validation": HELD, "threads": 1,
}  # fmt: skip
SMALLEST = "drtp"
"""Rule whose circuit is soonest made."""
PRESENTATIONS = 30
"""Of one run of a circuit, so that an epoch takes several."""


@pytest.fixture(scope="module", autouse=True)
def registered() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(DATASETS.modules, "recorded", recorded_data.__name__)
        yield


def asked(data: str = "recorded", **changed: Any) -> TrainConfig:
    return TrainConfig(**{**SMALL, "data": data, **changed})


def loaded(data: str = "recorded", **changed: Any) -> Data:
    return load_data(RULES.make("sigprop").settle(asked(data, **changed)), None)


def numbers(part: Any) -> list[int]:
    """Which samples of the data set a part holds."""
    return [int(number) for number in part.samples.numbers]


def by_train(config: TrainConfig, out: Path) -> Path:
    train(**config.as_dict(), out=out)
    return out


def by_compare(config: TrainConfig, out: Path) -> Path:
    """Watched between epochs, as `compare` trains."""
    tasks = [(run.config, run.folder(out)) for run in plan(config, config.rule, 1)]
    run_all(tasks, out, jobs=1, data_dir=None, quiet=True, command="compare", measured=True)
    return tasks[0][1]


def by_reproduce(config: TrainConfig, out: Path) -> Path:
    paper = Paper("a paper", "us", (Table("a table", (Row("a row", config),)),))
    reproduce(paper, out, quiet=True)
    return next(out.glob("*/*/seed0"))


def in_continuous_time(config: TrainConfig, rule: str = SMALLEST) -> TrainConfig:
    """The same samples for equations in Brian2, one at a time, in presentations that are short."""
    return replace(config, path="brian2", rule=rule, neuron="rate:period_ms=4", steps=None, batch_size=1)


def by_circuit(config: TrainConfig, out: Path, rule: str = SMALLEST) -> Path:
    """In continuous time, by Brian2's numpy target: nothing is compiled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(circuits, "machine_for", Interpreted)
        patch.setattr(circuits, "PRESENTATIONS", PRESENTATIONS)
        return by_train(in_continuous_time(config, rule), out)


WAYS: list[Way] = [by_train, by_compare, by_reproduce, by_circuit]
ALIKE = [by_train, by_compare, by_reproduce]
"""Ways that learn the same from one configuration."""


class Ran(NamedTuple):
    """What a run learned, what its metrics say of training samples, and what it read."""

    weights: Weights
    seen: list[tuple[float, float]]
    result: dict[str, Any]
    reads: list[tuple[str, list[int]]]


def ran(config: TrainConfig, out: Path, way: Way = by_train) -> Ran:
    """Train and look at what is left."""
    folder = RunFolder.finished(way(config, out))
    weights = {name: value.tolist() for name, value in folder.load_weights().items()}
    seen = [(row["train_loss"], row["train_accuracy"]) for row in folder.read_metrics()]
    return Ran(weights, seen, folder.read_result(), list(READS))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Ran]:
    """Runs on the data set, one for each way to train and each change of the data."""

    @cache
    def found(way: Way, data: str = "recorded") -> Ran:
        return ran(asked(data), tmp_path_factory.mktemp("runs") / "run", way)

    return found


def others() -> str:
    """The data set with all samples changed that are not trained on."""
    kept = numbers(loaded().train)
    return f"recorded:changed={'-'.join(str(n) for n in range(TRAINING) if n not in kept)}:test=true"


def test_training_and_held_out_samples_share_none_and_the_limit_holds_for_both() -> None:
    data = loaded()
    assert data.validation is not None
    kept, held, test = map(numbers, (data.train, data.validation, data.test))
    assert (len(kept), len(held), test) == (LIMIT - HELD, HELD, list(range(TEST)))
    assert len(set(kept) | set(held)) == LIMIT
    for part, which in ((data.train, kept), (data.validation, held), (data.test, test)):
        assert list(part.labels) == [number % 3 for number in which]
    assert [numbers(loaded(seed=seed).validation) for seed in (1, 2)] == [held, held]


def test_a_tenth_is_held_out_where_nothing_is_said_and_5000_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(loaded(validation=None).train) == LIMIT - 2
    monkeypatch.setattr("neurorules.torch_path.training.batches.LARGEST_VALIDATION", 1)
    assert len(loaded(validation=None).train) == LIMIT - 1
    assert loaded(validation=0).validation is None


def test_an_encoder_is_fitted_to_training_samples_alone_and_encodes_all_parts_alike() -> None:
    data = loaded()
    values = np.asarray(data.train.samples, dtype=np.float64)
    for part in (data.train, data.validation, data.test):
        assert part is not None
        assert part.encoder.statistics["mean"] == pytest.approx(values.mean(), rel=1e-6)
        assert part.encoder.statistics["deviation"] == pytest.approx(values.std(), rel=1e-6)
        drive, labels = part.batch(np.array([3, 1]), torch.Generator())
        raw = np.asarray(part.samples)[[3, 1]]
        np.testing.assert_allclose(drive.values, (raw - values.mean()) / values.std(), rtol=1e-5)
        assert labels.tolist() == [int(part.labels[3]), int(part.labels[1])]


@pytest.mark.parametrize("way", WAYS)
def test_no_bit_of_what_is_learned_depends_on_a_sample_that_is_not_trained_on(
    runs: Callable[..., Ran], way: Way
) -> None:
    before, after = runs(way), runs(way, others())
    assert (after.weights, after.seen) == (before.weights, before.seen)


@pytest.mark.parametrize("way", ALIKE)
def test_every_way_learns_the_same_and_what_looks_on_in_a_comparison_changes_nothing(
    runs: Callable[..., Ran], way: Way
) -> None:
    found = runs(way)
    assert (found.weights, found.seen) == (runs(by_train).weights, runs(by_train).seen)
    assert found.result["test_accuracy"] == runs(by_train).result["test_accuracy"]


@pytest.mark.parametrize("way", [by_train, by_circuit])
def test_a_change_of_one_training_sample_is_seen(runs: Callable[..., Ran], way: Way) -> None:
    changed, before = runs(way, f"recorded:changed={numbers(loaded().train)[0]}"), runs(way)
    (name,) = [name for name in before.weights if name.endswith("readout.ff.w")]
    assert changed.weights[name] != before.weights[name]


@pytest.mark.parametrize("rule", [name for name in RULES.names() if name != "sigprop"])
def test_no_rule_learns_from_samples_that_are_held_out(tmp_path: Path, rule: str) -> None:
    before, after = (
        ran(asked(data, rule=rule, steps=None, epochs=1), tmp_path / str(place))
        for place, data in enumerate(("recorded", others()))
    )
    assert (after.weights, after.seen) == (before.weights, before.seen)


@pytest.mark.slow
def test_a_circuit_that_remembers_classes_learns_nothing_of_samples_that_are_held_out(tmp_path: Path) -> None:
    before, after = (
        ran(asked(data, epochs=1), tmp_path / str(place), partial(by_circuit, rule="sigprop"))
        for place, data in enumerate(("recorded", others()))
    )
    assert (after.weights, after.seen) == (before.weights, before.seen)


@pytest.mark.parametrize("way", WAYS)
def test_the_test_set_is_read_once_after_the_last_epoch(runs: Callable[..., Ran], way: Way) -> None:
    data = loaded()
    assert data.validation is not None
    kept, held = set(numbers(data.train)), set(numbers(data.validation))
    reads = runs(way).reads
    first = [part for part, _ in reads].index("test")
    assert {part for part, _ in reads[first:]} == {"test"}
    assert [number for part, which in reads if part == "test" for number in which] == list(range(TEST))
    # Every epoch had read its training samples before.
    learned_from = [number for part, which in reads[:first] if part == "train" for number in which if number in kept]
    assert len(learned_from) >= EPOCHS * len(kept)
    assert {number for part, which in reads if part == "train" for number in which} == kept | held


class Tuned(NamedTuple):
    """What a search printed, what each of its trials learned, and what it read."""

    chosen: dict[str, Any]
    weights: list[Weights]
    reads: list[tuple[str, list[int]]]


def tuned(out: Path, circuit: bool, data: str = "recorded", trials: int = 3) -> Tuned:
    """Search with the command line, and keep what is thrown away there: the weights of each trial."""
    made: list[Any] = []

    def kept(make: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *given, **more: made.append(make(*given, **more)) or made[-1]

    config = in_continuous_time(asked(data)) if circuit else asked(data)
    usual = TrainConfig(rule=config.rule).as_dict()
    options = {name: value for name, value in config.as_dict().items() if value != usual[name]}
    words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "make_learner", kept(trainer.make_learner))
        patch.setattr(circuits, "prepare", kept(circuits.prepare))
        patch.setattr(circuits, "machine_for", Interpreted)
        patch.setattr(circuits, "PRESENTATIONS", PRESENTATIONS)
        assert run(["tune", "--rules", config.rule, *words, "--trials", str(trials), "--out", str(out), "--json"]) == 0
    parameters = [one.stream.parameters() if circuit else one.state() for one in made]
    weights = [{name: value.tolist() for name, value in one.items()} for one in parameters]
    (chosen,) = json.loads((out / TUNE_FILE).read_text())["chosen"]
    return Tuned(chosen, weights, list(READS))


PATHS = [pytest.param(False, id="torch"), pytest.param(True, id="circuit")]


@pytest.mark.parametrize("circuit", PATHS)
def test_no_bit_of_what_a_trial_of_tune_learns_depends_on_a_sample_that_is_not_trained_on(
    runs: Callable[..., Ran], tmp_path: Path, circuit: bool
) -> None:
    before, after = tuned(tmp_path / "a", circuit, trials=1), tuned(tmp_path / "b", circuit, others(), trials=1)
    assert after.weights == before.weights
    # Its first trial is what `train` learns, and is judged by the same samples.
    whole = runs(by_circuit if circuit else by_train)
    assert before.weights == [whole.weights]
    assert before.chosen["validation_accuracy"] == whole.result["validation_accuracy"]


@pytest.mark.parametrize("circuit", PATHS)
def test_tune_reads_no_test_sample_and_every_trial_learns_from_training_samples(tmp_path: Path, circuit: bool) -> None:
    found = tuned(tmp_path, circuit)
    data = loaded()
    assert data.validation is not None and len(found.weights) == found.chosen["trials"] == 3
    kept, held = set(numbers(data.train)), set(numbers(data.validation))
    assert {part for part, _ in found.reads} == {"train"}
    assert {number for _, which in found.reads for number in which} == kept | held
    assert sum(number in kept for _, which in found.reads for number in which) >= 3 * EPOCHS * len(kept)


def swept(out: Path, circuit: bool, data: str, nets: str) -> list[dict[str, Any]]:
    """The trials of a sweep over nets, which ends those that are worse than the best before."""
    config = in_continuous_time(asked(data)) if circuit else asked(data)
    usual = TrainConfig().as_dict()
    given = {key: value for key, value in config.as_dict().items() if value != usual[key] and key != "net"}
    lines = [f"{key} = {json.dumps(value)}" for key, value in given.items()]
    text = "\n".join(['way = "grid"', "at_once = 1", "prune = true", "[train]", *lines, "[space]", f"net = {nets}"])
    out.with_suffix(".toml").write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(circuits, "machine_for", Interpreted)
        patch.setattr(circuits, "PRESENTATIONS", PRESENTATIONS)
        patch.setattr(trials, "STARTUP", 1)
        patch.setattr(trials, "median", lambda figures: max(figures) + 0.01 * circuit)
        assert run(["sweep", str(out.with_suffix(".toml")), "--out", str(out), "--json"]) == 0
    (tried,) = json.loads((out / SWEEP_FILE).read_text())["trials"].values()
    return list(tried)


@pytest.mark.parametrize("circuit", PATHS)
def test_sweep_reads_no_test_sample_and_prunes_by_held_out_samples_alone(tmp_path: Path, circuit: bool) -> None:
    nets = '["3", "4"]' if circuit else '["3", "4", "5", "6"]'
    tried, reads = swept(tmp_path / "one", circuit, "recorded", nets), list(READS)
    data = loaded()
    kept, held = set(numbers(data.train)), set(numbers(data.validation))
    assert {part for part, _ in reads} == {"train"}
    assert {number for _, which in reads for number in which} == kept | held
    assert {trial["state"]: len(trial["curves"][0]) for trial in tried} == {"complete": EPOCHS, "pruned": 1}
    if not circuit:
        assert swept(tmp_path / "other", circuit, "recorded:test=true", nets) == tried


def epochs_of_a_run(epochs: int = 3, **changed: Any) -> list[list[int]]:
    """The order in which each epoch of a run without held-out samples read its batches."""
    settings = {"rule": "shallow", "validation": 0, "epochs": epochs, **changed}
    READS.clear()
    train(**asked(**settings).as_dict())
    ends = [place for place, (part, which) in enumerate(READS) if part == "train" and len(which) == LIMIT]
    order = [number for part, which in READS[ends[0] + 1 :] if part == "train" for number in which]
    order = order[-epochs * LIMIT :]
    return [order[epoch * LIMIT : (epoch + 1) * LIMIT] for epoch in range(epochs)]


def test_each_epoch_reads_every_training_sample_once_in_an_order_of_its_own() -> None:
    kept = numbers(loaded(validation=0).train)
    orders = epochs_of_a_run()
    assert all(sorted(order) == kept for order in orders)
    assert len({tuple(order) for order in [*orders, kept]}) == 4
    assert epochs_of_a_run() == orders
    assert not set(map(tuple, epochs_of_a_run(seed=1))) & set(map(tuple, orders))


@pytest.mark.parametrize("size", [1, LIMIT - 1, LIMIT, LIMIT + 1])
def test_no_size_of_a_batch_loses_a_sample(size: int) -> None:
    (order,) = epochs_of_a_run(1, batch_size=size)
    assert sorted(order) == numbers(loaded(validation=0).train)
