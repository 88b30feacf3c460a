"""Values that are computed when they are first read: a series like any other, and membranes that no trial stores."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import neurorules
from neurorules.contracts.series import Later, LaterSeries, Series, pending_source, series_of
from neurorules.native.scans import build
from neurorules.torch_path.forward import run_layer, summed
from neurorules.torch_path.forward.run_layer import Activity


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


def is_pending(series: Series) -> bool:
    return isinstance(series, LaterSeries) and series.later.pending


@pytest.mark.parametrize("rule", ["sigprop", "dfa", "bptt", "traces_propagation"])
def test_a_trial_without_stored_membranes_learns_the_same_bits(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if build.library() is None:
        pytest.skip("this machine has no C compiler")

    def learned() -> tuple[dict[str, Tensor], list[Series], list[list[bool]]]:
        generator = torch.Generator().manual_seed(2)
        learner = neurorules.Learner("40-30", rule, input_shape=(50,), classes=4, seed=3)
        for _ in range(2):
            drive = (torch.rand(9, 6, 50, generator=generator) < 0.2).float()
            trial, _ = learner.learn(drive, torch.randint(4, (6,), generator=generator))
        layers = trial.activity[:-1]
        pending = [[pending_source(layer.v) is not None for layer in layers], [is_pending(layer.S) for layer in layers]]
        return learner.state(), [series for layer in trial.activity for series in (layer.v, layer.S)], pending

    stored, membranes, none = learned()
    monkeypatch.setattr(run_layer, "MANY", 1)
    again, computed, pending = learned()
    assert not any(map(any, none)) and pending[0] == [True, True]
    # Hidden layers read the spikes of the first one; only a read-out without memory, by their sums, those of the last.
    assert pending[1] == [False, rule in ("sigprop", "dfa")]
    assert all(torch.equal(value, again[name]) for name, value in stored.items())
    # Biases have changed in place since, and membranes that are read now are still those of the trial.
    assert all(torch.equal(a.values, b.values) for a, b in zip(membranes, computed, strict=True))


@pytest.mark.parametrize(
    ("rule", "beta", "options", "sums"),
    [
        ("sigprop", 0.0, {}, True),
        ("local_readout", 0.0, {"net": "40-d0.3"}, False),  # dropout: each step is masked before it is read
        ("dfa", 0.0, {"last_steps": 3}, False),
        ("dfa", 0.9, {}, False),
    ],
)
def test_a_read_out_without_memory_multiplies_sums_over_time(
    rule: str, beta: float, options: dict[str, Any], sums: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def learned() -> tuple[dict[str, Tensor], Tensor, Activity]:
        generator = torch.Generator().manual_seed(2)
        given = {"net": "40", "input_shape": (50,), "classes": 4, "precision": "float64", "lr": 0.01, "seed": 3}
        given["readout_neuron"] = f"leaky_readout:beta={beta}"
        learner = neurorules.Learner(rule=rule, **given | options)
        for _ in range(2):
            drive = (torch.rand(9, 6, 50, generator=generator) < 0.5).double()
            trial, _ = learner.learn(drive, torch.randint(4, (6,), generator=generator))
        return learner.state(), trial.scores, trial.activity[-1]

    state, scores, output = learned()
    assert is_pending(output.v) == sums
    monkeypatch.setattr(summed, "sums_first", lambda layer: False)
    every, plain, steps = learned()
    assert not is_pending(steps.v) and plain.abs().max() > 1e-3
    torch.testing.assert_close(scores, plain, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(output.v.values, steps.v.values, rtol=1e-12, atol=1e-12)
    assert output.current is not None and steps.current is not None
    torch.testing.assert_close(output.current.synaptic.values, steps.current.synaptic.values, rtol=1e-12, atol=1e-12)
    for name, value in every.items():
        torch.testing.assert_close(state[name], value, rtol=1e-9, atol=1e-12)
