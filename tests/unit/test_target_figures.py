"""Figures of each task against scikit-learn, however the samples are divided into batches."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn import metrics
from torch import Tensor

from neurorules.contracts.target import FIGURES_OF, TASKS, shown, target_rows
from neurorules.torch_path.update.figures import Scoring, Tally, figure_names, figures_on_device

SAMPLES, STEPS, OUTPUTS = 23, 5, 4


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def tallied(scoring: Scoring, scores: Tensor, targets: Tensor, size: int) -> dict[str, float]:
    tally = Tally(scoring)
    for start in range(0, len(scores), size):
        tally.add(scores[start : start + size], targets[start : start + size])
    return tally.figures()


@pytest.mark.parametrize("size", [SAMPLES, 4, 1])
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_errors_of_values_are_those_of_scikit_learn(size: int, offset: float) -> None:
    scores, targets = numbers(SAMPLES, OUTPUTS) + offset, numbers(SAMPLES, OUTPUTS, seed=1) + offset
    found = tallied(Scoring("regression"), scores, targets, size)
    assert found["mse"] == pytest.approx(metrics.mean_squared_error(targets, scores), rel=1e-9)
    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(targets, scores), rel=1e-9)
    assert found["r2"] == pytest.approx(metrics.r2_score(targets, scores), rel=1e-6)
    assert found["loss"] == pytest.approx(float((scores - targets).square().sum(1).mean() / 2), rel=1e-9)


def test_r2_of_the_mean_is_0_of_the_truth_1_and_constant_outputs_count_as_in_scikit_learn() -> None:
    targets = numbers(SAMPLES, OUTPUTS)
    assert tallied(Scoring("regression"), targets.mean(0).expand_as(targets), targets, 5)["r2"] == pytest.approx(
        0, abs=1e-9
    )
    assert tallied(Scoring("regression"), targets, targets, 5)["r2"] == 1
    targets[:, 0] = 3.0
    for scores in (targets, targets + numbers(SAMPLES, OUTPUTS, seed=2)):
        expected = metrics.r2_score(targets, scores)
        assert tallied(Scoring("regression"), scores, targets, 5)["r2"] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("size", [SAMPLES, 4])
@pytest.mark.parametrize(
    ("scoring", "border"), [(Scoring("multilabel"), 0.0), (Scoring("multilabel", "squared", 0.6, -0.2), 0.2)]
)
def test_figures_of_several_labels_are_those_of_scikit_learn(scoring: Scoring, border: float, size: int) -> None:
    scores, targets = numbers(SAMPLES, OUTPUTS) + border, (numbers(SAMPLES, OUTPUTS, seed=1) > 0).double()
    said = (scores > border).long().numpy()
    found = tallied(scoring, scores, targets, size)
    assert found["f1"] == pytest.approx(metrics.f1_score(targets, said, average="micro"))
    assert found["exact_match"] == pytest.approx(metrics.accuracy_score(targets, said))
    assert found["label_accuracy"] == pytest.approx(1 - metrics.hamming_loss(targets, said))


def test_no_label_anywhere_and_none_predicted_is_no_mistake() -> None:
    found = tallied(Scoring("multilabel"), -torch.ones(3, 2), torch.zeros(3, 2), 2)
    assert found["f1"] == found["exact_match"] == found["label_accuracy"] == 1


@pytest.mark.parametrize("last", [None, 2])
def test_each_step_that_is_scored_counts_like_a_sample(last: int | None) -> None:
    first = 0 if last is None else STEPS - last
    values, truth = numbers(SAMPLES, STEPS, OUTPUTS), numbers(SAMPLES, STEPS, OUTPUTS, seed=1)
    found = tallied(Scoring("regression_per_step", last_steps=last), values, truth, 4)
    rows, wanted = values[:, first:].reshape(-1, OUTPUTS), truth[:, first:].reshape(-1, OUTPUTS)
    assert found["mse"] == pytest.approx(metrics.mean_squared_error(wanted, rows))
    assert found["r2"] == pytest.approx(metrics.r2_score(wanted, rows))
    classes = torch.from_numpy(np.random.default_rng(0).integers(0, OUTPUTS, (SAMPLES, STEPS)))
    found = tallied(Scoring("classes_per_step", last_steps=last), values, classes, 4)
    assert found["accuracy"] == pytest.approx(float((values.argmax(2) == classes)[:, first:].double().mean()))


@pytest.mark.parametrize("task", TASKS)
def test_a_batch_alone_and_the_tally_agree(task: str) -> None:
    scoring = Scoring(task)  # type: ignore[arg-type]
    scores = numbers(SAMPLES, STEPS, OUTPUTS) if "per_step" in task else numbers(SAMPLES, OUTPUTS)
    targets = (
        (scores + numbers(*scores.shape, seed=3)).argmax(-1) if "classes" in task else numbers(*scores.shape, seed=4)
    )
    targets = (targets > 0).double() if task == "multilabel" else targets
    batch, whole = figures_on_device(scoring, scores, targets), tallied(scoring, scores, targets, 6)
    assert tuple(batch) == figure_names(scoring)
    assert set(FIGURES_OF[scoring.task]) | {"loss"} == set(whole)
    for name in batch:
        assert float(batch[name]) == pytest.approx(whole[name], rel=1e-6), name


def test_targets_become_vectors_in_one_place() -> None:
    like = torch.zeros(1, dtype=torch.float64)
    assert target_rows(torch.tensor([2, 0]), 3, like).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert target_rows(torch.tensor([[1, 0]]), 2, like).tolist() == [[[0, 1], [1, 0]]]
    values = torch.tensor([[0.5, -1.0]])
    assert torch.equal(target_rows(values, 2, like), values.double())


def test_a_figure_is_shown_in_its_own_unit() -> None:
    assert shown("accuracy", 0.9721) == "97.21 %"
    assert shown("f1", 0.5) == "F1 50.00 %"
    assert shown("mse", 0.041234) == "mean squared error 0.04123"
