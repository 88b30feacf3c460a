"""Warnings of dead and saturated layers: once for each layer, with advice that fits the net."""

from __future__ import annotations

import pytest

import neurorules
from neurorules.network.network import build_network
from neurorules.torch_path.training.evaluate import Evaluation
from neurorules.torch_path.training.health import Health

SMALL = {"data": "digits", "net": "16-16", "epochs": 3, "limit": 200, "threads": 1}


def lines_of(caplog: pytest.LogCaptureFixture, **settings: object) -> list[str]:
    """The warnings of a short training."""
    with caplog.at_level("WARNING", logger="neurorules"):
        neurorules.train("shallow", **{**SMALL, **settings})
    return [record.getMessage() for record in caplog.records if "layer '" in record.getMessage()]


@pytest.mark.parametrize(("norm", "advice"), [("none", "use --norm streaming"), ("streaming", "take more --steps")])
def test_a_dead_layer_is_told_once_with_advice_that_is_left(
    norm: str, advice: str, caplog: pytest.LogCaptureFixture
) -> None:
    lines = lines_of(caplog, neuron="lif:v_threshold=1000", norm=norm)
    assert [line.split("'")[1] for line in lines] == ["hidden1", "hidden2"], lines
    for line in lines:
        assert line.endswith(f"Lower v_threshold, {advice}, or a smaller --lr") and "100% of its neurons" in line


def test_a_layer_that_falls_ill_again_is_told_again() -> None:
    hidden = build_network("4-4", (3,), 2).hidden

    def after(dead: set[str]) -> Evaluation:
        silent = {layer.name: float(layer.name in dead) for layer in hidden}
        return Evaluation({}, 0.0, 0.0, {layer.name: 0.1 for layer in hidden}, silent, {}, False)

    health = Health()
    told = [len(health.news(after(dead), hidden)) for dead in ({"hidden1"}, {"hidden1", "hidden2"}, set(), {"hidden1"})]
    assert told == [1, 1, 0, 1]


@pytest.mark.parametrize(
    ("norm", "advice"), [("none", "use --norm streaming, or a smaller"), ("batch", "or use a smaller")]
)
def test_a_saturated_layer_is_told_what_is_left(norm: str, advice: str) -> None:
    hidden = build_network("4-4", (3,), 2, norm=norm).hidden
    loud = Evaluation({}, 0.0, 0.0, {layer.name: 0.99 for layer in hidden}, {}, {}, False)
    for line, layer in zip(Health().news(loud, hidden), hidden, strict=True):
        assert line == (
            f"layer '{layer.name}' is saturated: it fires at 99% of all steps. Raise v_threshold, {advice} --lr"
        )
