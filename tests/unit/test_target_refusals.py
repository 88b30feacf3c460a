"""Targets that do not fit: one clear line says what they are, what the task needs, and which rule can."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import neurorules
from neurorules import Learner
from neurorules.contracts.target import TASKS, target_rows
from neurorules.datasets._targets import targets_of
from neurorules.language.errors import UserError
from neurorules.rules import RULES

STEPS, SAMPLES, INPUTS, OUTPUTS = 5, 6, 4, 3
SPIKES = (torch.rand(STEPS, SAMPLES, INPUTS, generator=torch.Generator().manual_seed(0)) < 0.5).float()
VALUES = torch.randn(SAMPLES, OUTPUTS, generator=torch.Generator().manual_seed(1))
NAN = VALUES.index_fill(0, torch.tensor([2]), float("nan"))
CLASSES = torch.tensor([0, 1, 2, 0, 1, 2])


def learner(task: str, rule: str = "dfa", **more: Any) -> Learner:
    size = {"outputs": OUTPUTS} if "regression" in task else {"classes": OUTPUTS}
    return Learner("5", rule, input_shape=(INPUTS,), task=task, **{**size, **more})  # type: ignore[arg-type]


BATCHES: list[tuple[str, Any, str]] = [
    ("classes", VALUES, r"labels have shape \(6, 3\)"),
    ("classes", torch.full((SAMPLES,), 0.5), "labels are torch.float32, and must be the whole numbers"),
    ("regression", CLASSES, r"targets have shape \(6,\), and 6 samples need \(6, 3\) values.*looks like classes"),
    ("regression", VALUES[:, :2], r"shape \(6, 2\), and 6 samples need \(6, 3\) values"),
    ("regression", VALUES[:5], r"shape \(5, 3\), and 6 samples need"),
    ("regression", NAN, "the targets hold NaN or infinite values"),
    ("regression", VALUES / 0, "the targets hold NaN or infinite values"),
    ("regression", [[1, 2, 3], [1]], "a list of different things"),
    ("regression", [None] * SAMPLES, "must be real numbers"),
    (
        "multilabel",
        VALUES,
        r"other values than 0 and 1, and several labels for each sample need \(6, 3\) zeros and ones",
    ),
    ("multilabel", torch.full((SAMPLES, OUTPUTS), 2), "other values than 0 and 1"),
    ("multilabel", CLASSES, "looks like classes"),
    ("classes_per_step", CLASSES, r"shape \(6,\), and 6 samples need \(6, 5\) class indices"),
    ("classes_per_step", torch.zeros(SAMPLES, STEPS), "targets are torch.float32, and the task is classes"),
    ("classes_per_step", torch.full((SAMPLES, STEPS), OUTPUTS), "targets run 3..3, and the network has 3 classes"),
    ("regression_per_step", torch.zeros(STEPS, SAMPLES, OUTPUTS), "time stands first, so transpose the first two axes"),
    ("regression_per_step", VALUES, r"need \(6, 5, 3\) values, the samples first"),
]


@pytest.mark.parametrize(("task", "targets", "words"), BATCHES)
def test_a_batch_of_other_targets_is_refused_and_nothing_changes(task: str, targets: Any, words: str) -> None:
    one = learner(task)
    before = {name: value.clone() for name, value in one.state().items()}
    uses = [lambda: one.step(SPIKES, targets)]
    if len(targets) == SAMPLES:  # else the loader says that samples and targets differ in number
        uses.append(lambda: one.evaluate([(SPIKES, targets)], batch_first=False))  # type: ignore[arg-type, return-value]
    for use in uses:
        with pytest.raises(UserError, match=words) as caught:
            use()
        assert "\n" not in str(caught.value)
    assert all(torch.equal(value, before[name]) for name, value in one.state().items())


def test_targets_of_one_output_may_leave_its_axis_out_and_lists_and_arrays_will_do() -> None:
    one, other, third = (learner("regression", outputs=1) for _ in range(3))
    values = VALUES[:, 0]
    found = [one.step(SPIKES, values), other.step(SPIKES, values.numpy()[:, None]), third.step(SPIKES, values.tolist())]
    assert found[0] == found[1] == found[2]
    labels = (VALUES > 0).bool()
    assert learner("multilabel").step(SPIKES, labels) == learner("multilabel").step(SPIKES, labels.float())


SETTINGS: list[tuple[dict[str, Any], str]] = [
    ({"task": "regression", "classes": 3}, "classes=3 is given, and task='regression' counts its outputs"),
    ({"task": "classes", "outputs": 3}, "outputs=3 is given, and task='classes' counts its classes"),
    ({"task": "regression"}, "needs input_shape and outputs"),
    ({"task": "regression", "outputs": 0}, "outputs"),
    ({"task": "classes_per_step", "classes": 1}, "classes"),
    ({"task": "classes", "classes": 3, "last_steps": 0}, "--last-steps is 0"),
]


@pytest.mark.parametrize(("settings", "words"), SETTINGS)
def test_settings_that_do_not_go_together_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        Learner("5", "dfa", input_shape=(INPUTS,), **settings)


@pytest.mark.parametrize("rule", RULES.names())
@pytest.mark.parametrize("task", [task for task in TASKS if task != "classes"])
def test_a_rule_learns_a_task_or_names_rules_that_do(task: str, rule: str) -> None:
    """What a refusal names does learn the task, and every other rule is refused before anything is built."""
    try:
        one = learner(task, rule, steps=STEPS if RULES.make(rule).defaults.steps > 1 else 1)
    except UserError as error:
        line = str(error)
        assert f"rule '{rule}' cannot learn" in line and "\n" not in line
        for name in line.rpartition("Use a rule that can: ")[2].split(", "):
            learner(task, name)
        return
    targets = torch.zeros(SAMPLES, STEPS, OUTPUTS) if "per_step" in task else torch.zeros(SAMPLES, OUTPUTS)
    targets = targets[..., 0].long() if task == "classes_per_step" else targets
    steps = one.steps
    one.step(SPIKES[:steps], targets[:, :steps] if "per_step" in task else targets)
    assert all(bool(value.isfinite().all()) for value in one.read().values())


def test_a_window_that_a_rule_cannot_learn_in_is_refused_in_one_line() -> None:
    one = learner("regression_per_step", "bptt", schedule="by_step")
    with pytest.raises(UserError, match="needs every step of a trial at once"):
        one.step(SPIKES, torch.zeros(SAMPLES, STEPS, OUTPUTS))


def test_a_state_of_another_task_is_refused() -> None:
    with pytest.raises(UserError, match="its task is regression, this one's is multilabel"):
        learner("multilabel").load(learner("regression").state())
    with pytest.raises(UserError, match="its last steps is 2, this one's is none"):
        learner("regression").load(learner("regression", last_steps=2).state())
    one, other = learner("regression_per_step", last_steps=2), learner("regression_per_step", last_steps=2)
    one.step(SPIKES, torch.ones(SAMPLES, STEPS, OUTPUTS))
    other.load(one.state())
    assert all(torch.equal(value, one.state()[name]) for name, value in other.state().items())


WHERE = {"y_train": "training labels", "y_test": "test labels"}


def both(array: Any, test: Any = None) -> dict[str, np.ndarray]:
    return {"y_train": np.asarray(array), "y_test": np.asarray(array if test is None else test)}


FOUND: list[tuple[Any, int | None, str, int]] = [
    ([0, 1, 2], None, "classes", 3),
    ([0.0, 1.0, 2.0], None, "classes", 3),
    ([[0], [1], [1]], None, "classes", 2),
    (np.eye(3), None, "classes", 3),
    ([0.5, 1.0, 2.0], None, "regression", 1),
    ([[0.5], [1.0], [2.0]], None, "regression", 1),
    ([[0.5, 2.0], [1.0, 3.0]], None, "regression", 2),
    ([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], None, "regression", 3),
    ([[1, 1, 0], [0, 0, 0]], None, "multilabel", 3),
    ([[True, True], [False, True]], None, "multilabel", 2),
    (np.ones((2, 4, 3)) / 2, None, "regression_per_step", 3),
    (np.array([[0.5, 1.0, 0.1], [0.1, 0.2, 0.3]]), 3, "regression_per_step", 1),
    ([[0, 2, 1], [1, 2, 0]], 3, "classes_per_step", 3),
    (np.zeros((2, 4, 1), int) + np.arange(4)[:, None], 4, "classes_per_step", 4),
]


@pytest.mark.parametrize(("array", "steps", "task", "outputs"), FOUND)
def test_a_task_is_found_from_type_and_shape(array: Any, steps: int | None, task: str, outputs: int) -> None:
    found = targets_of(both(array), WHERE, steps=steps)
    assert (found.task, found.outputs) == (task, outputs)
    assert found.labels["train"].dtype == (np.int64 if "classes" in task else np.float32)
    forced = targets_of(both(array), WHERE, task=found.task, steps=steps)
    assert np.array_equal(forced.labels["train"], found.labels["train"])


WRONG: list[tuple[Any, dict[str, Any], str]] = [
    (both([0.5, np.nan]), {}, "training labels: the target of sample 1 is NaN or infinite"),
    (both([[0.5, 1.0], [np.inf, 0]]), {"task": "regression"}, "the target of sample 1 is NaN or infinite"),
    (both([0.5, 1.0], [0.5, np.nan]), {}, "test labels: the target of sample 1 is NaN or infinite"),
    (both([1e300, 0.5]), {}, "a number is too large for float32"),
    (both([[0.5, 1.0]], [[0.5, 1.0, 2.0]]), {}, r"targets of one sample have the shapes \(2,\) and \(3,\)"),
    (both([[2, 3], [4, 5]]), {}, "neither one class a sample nor zeros and ones.*task='regression'"),
    (both(np.full((2, 3, 4), 2)), {}, "it cannot be told what they are"),
    (both([0.5, 1.0]), {"task": "classes"}, "labels are not whole numbers, and are to be classes"),
    (both([[0, 2], [1, 1]]), {"task": "multilabel"}, "other values than 0 and 1"),
    (both(np.zeros((2, 3, 4))), {"task": "regression"}, r"needs \(N, O\)"),
    (
        both(np.zeros((2, 3))),
        {"task": "regression_per_step", "steps": 4},
        "one for each of 3 steps, and samples have 4",
    ),
    (both([[0, 1.5], [1, 1]]), {"task": "classes_per_step"}, "not whole numbers from 0"),
    (both([[0, 1], [1, 1]], [[0, 2], [1, 1]]), {"task": "classes_per_step"}, "no training sample has the class 2"),
    (both([0, 1]), {"task": "regression", "classes": 2}, "classes=2 counts classes"),
    (both(["a", "b"]), {"task": "regression"}, "needs numbers"),
]


@pytest.mark.parametrize(("arrays", "how", "words"), WRONG)
def test_targets_that_cannot_be_read_are_refused_in_one_line(
    arrays: Any, how: dict[str, Any], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"), pytest.raises(UserError, match=words) as caught:
        targets_of(arrays, WHERE, **how)
    assert "\n" not in str(caught.value)
    assert not caplog.messages or "training labels" not in words  # before, what they were taken for


def test_data_of_values_say_what_cannot_use_them(tmp_path: Any) -> None:
    x = torch.rand(40, INPUTS)
    data = (x[:30], x[:30, 0]), (x[30:], x[30:, 0])
    with pytest.raises(UserError, match="rule 'sigprop' cannot learn values"):
        neurorules.train("sigprop", data=data, net="4", epochs=1, out=tmp_path / "none")
    with pytest.raises(UserError, match="a circuit in continuous time learns one class for each sample"):
        neurorules.train("drtp", data=data, net="4", epochs=1, path="continuous", out=tmp_path / "none")
    with pytest.raises(UserError, match="Say it in the text of the data, such as npz:own.npz:task=regression"):
        neurorules.train("dfa", data="digits", task="regression")
    assert not (tmp_path / "none").exists()


def test_one_hot_rows_of_a_target_that_is_a_vector_are_that_vector() -> None:
    assert torch.equal(target_rows(VALUES, OUTPUTS, VALUES), VALUES)


@pytest.mark.parametrize(("rule", "task"), [("shallow", "regression_per_step"), ("drtp", "multilabel")])
def test_layers_in_a_pipeline_learn_what_layers_in_turn_learn(rule: str, task: str) -> None:
    more = {"last_steps": 2} if rule == "shallow" else {}
    targets = torch.randn(SAMPLES, STEPS, OUTPUTS) if rule == "shallow" else (VALUES > 0).float()
    one, other = (learner(task, rule, schedule=way, precision="float64", **more) for way in ("by_layer", "pipelined"))
    for _ in range(3):
        assert one.step(SPIKES, targets) == pytest.approx(other.step(SPIKES, targets), rel=1e-12)
    assert all(torch.allclose(value, other.read()[name], rtol=1e-12) for name, value in one.read().items())
