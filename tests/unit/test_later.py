"""Values that are computed when they are first read: a series like any other, and membranes that no trial stores."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import neurorules
from neurorules.contracts.series import Later, LaterSeries, Series, pending_source, series_of
from neurorules.native.scans import build
from neurorules.torch_path.forward import run_layer


def test_a_series_of_later_values_computes_them_once_and_is_read_like_another() -> None:
    values, calls = torch.arange(24.0).reshape(2, 3, 4), []

    def compute() -> Tensor:
        calls.append(1)
        return values.flatten(1)

    series = series_of(Later((2, 3, 4), compute, "source"), values.sum(0))
    assert isinstance(series, LaterSeries) and pending_source(series) == "source"
    assert (series.lead, series.shape, series.constant) == ((2, 3), (4,), False)
    assert torch.equal(series.total(2), values.sum(0)) and not calls
    assert torch.equal(series.values, values) and torch.equal(series.rows(), values.flatten(0, 1))
    read, constant, summed = series
    assert torch.equal(read, values) and not constant and summed is not None
    other = series._replace(values=-values)
    assert type(other) is Series and torch.equal(other.values, -values) and torch.equal(other.total(2), summed)
    assert calls == [1] and pending_source(series) is None and pending_source(Series(values, False)) is None


@pytest.mark.parametrize("rule", ["sigprop", "dfa", "bptt", "traces_propagation"])
def test_a_trial_without_stored_membranes_learns_the_same_bits(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if build.library() is None:
        pytest.skip("this machine has no C compiler")

    def learned() -> tuple[dict[str, Tensor], list[Series], list[bool]]:
        generator = torch.Generator().manual_seed(2)
        learner = neurorules.Learner("40-30", rule, input_shape=(50,), classes=4, seed=3)
        for _ in range(2):
            drive = (torch.rand(9, 6, 50, generator=generator) < 0.2).float()
            trial, _ = learner.learn(drive, torch.randint(4, (6,), generator=generator))
        pending = [pending_source(activity.v) is not None for activity in trial.activity]
        return learner.state(), [activity.v for activity in trial.activity], pending

    stored, membranes, none = learned()
    monkeypatch.setattr(run_layer, "MANY", 1)
    again, computed, pending = learned()
    assert not any(none) and pending[:2] == [True, True]
    assert all(torch.equal(value, again[name]) for name, value in stored.items())
    # Biases have changed in place since, and membranes that are read now are still those of the trial.
    assert all(torch.equal(a.values, b.values) for a, b in zip(membranes, computed, strict=True))
