"""`benchmark --trials`: learning rates chosen for each rule and for frozen layers, on validation samples alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from neurorules.benchmark.benchmark import benchmark
from neurorules.benchmark.cells import at_the_edge_note, rates_of
from neurorules.benchmark.page import OWN_RATES
from neurorules.benchmark.planning import plan_suite
from neurorules.benchmark.rates import FACTOR, RATES, search_of, space_around
from neurorules.benchmark.suite import Suite, Task
from neurorules.cli import run
from neurorules.language.config import TrainConfig
from neurorules.language.errors import UserError
from neurorules.runner.dispatch import settle

ORDER = TrainConfig(data="order:cue=4:gap=2:pause=2:train=200:test=40", net="6", neuron="lif:beta=0.9", epochs=1)
SUITE = Suite("Order", (Task("order", "which came first", ORDER, in_time=True),))
RULES_ASKED = "bptt,eprop,dfa@lr=0.01,drtp@lr=0.02@readout_lr=0.03,bsp"
TRIALS = 3


def tried(out: Path, trials: int = TRIALS, rules: str = RULES_ASKED, **how: Any) -> dict[str, Any]:
    """What a benchmark of the suite holds."""
    plans = plan_suite(SUITE, rules, 2, None, rates_open=trials > 0)
    return benchmark(SUITE, plans, out, trials=trials, quiet=True, command="neurorules ...", **how)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished benchmark whose rates were chosen."""
    folder = tmp_path_factory.mktemp("rates") / "order"
    tried(folder)
    return folder


def cells_of(out: Path) -> list[dict[str, Any]]:
    return json.loads((out / "benchmark.json").read_text())["cells"]


def trials_of(out: Path) -> dict[str, list[dict[str, Any]]]:
    """The trials of each row of the search."""
    return json.loads((out / "order-rates" / "benchmark-rates.json").read_text())["trials"]


def results_of(out: Path, cell: dict[str, Any]) -> list[dict[str, Any]]:
    return [json.loads((out / folder / "result.json").read_text()) for folder in cell["folders"]]


def test_every_row_has_as_many_trials_of_which_the_first_has_its_own_rates(out: Path) -> None:
    trials = trials_of(out)
    frozen = {row for row in trials if row.startswith("shallow")}
    assert set(trials) - frozen == {"bptt", "eprop", "dfa@lr=0.01"} and len(frozen) == 2
    for row, tries in trials.items():
        assert len(tries) == TRIALS and tries[0]["settings"] == {}
        names = ("readout_lr",) if row in frozen or row.startswith("dfa") else RATES
        assert all(tuple(one["settings"]) == names for one in tries[1:])
        own = settle(TrainConfig(rule=row.partition("@")[0]))
        factors = [value / getattr(own, name) for one in tries[1:] for name, value in one["settings"].items()]
        assert len(set(factors)) == len(factors) and all(0.99 / FACTOR < factor < 1.01 * FACTOR for factor in factors)
        assert max(factors) / min(factors) > 2


@pytest.mark.parametrize("rule", ["dfa", "reward_stdp", "sigprop"])
def test_rates_are_tried_around_those_of_the_rule(rule: str) -> None:
    cell, frozen = plan_suite(SUITE, rule, 1, None, rates_open=True)[0].cells[:2]
    for one, names in ((cell, RATES), (frozen, ("readout_lr",))):
        own, space = one.runs[0].config, space_around(one)
        assert tuple(space) == names
        for name, dimension in space.items():
            rate = getattr(own, name)
            assert dimension.ends == (pytest.approx(rate / FACTOR, rel=1e-2), pytest.approx(rate * FACTOR, rel=1e-2))


def test_a_cell_is_trained_with_the_rates_of_its_best_trial(out: Path) -> None:
    trials = trials_of(out)
    chosen = [cell for cell in cells_of(out) if cell["rates"] is not None and cell["kind"] != "shuffled time"]
    assert {cell["rule"] for cell in chosen if cell["kind"] == "rule"} == {"bptt", "eprop", "dfa@lr=0.01"}
    rows = dict(zip([row for row in trials if row.startswith("shallow")], ["frozen"] * 2, strict=True))
    searched = iter(rows)
    for cell in chosen:
        tries = trials[cell["rule"]] if cell["kind"] == "rule" else trials[next(searched)]
        best = max(tries, key=lambda one: one["validation_accuracy"])
        results = results_of(out, cell)
        assert [result["seed"] for result in results] == [0, 1]
        for result in results:
            assert {name: result[name] for name in cell["rates"]} == cell["rates"]
        assert best["settings"] in ({}, cell["rates"])
        assert results[0]["validation_accuracy"] == pytest.approx(best["validation_accuracy"])  # the same training


def test_rates_that_a_row_gives_stay(out: Path) -> None:
    dfa, drtp = (next(c for c in cells_of(out) if c["rule"].startswith(rule)) for rule in ("dfa", "drtp"))
    assert {result["lr"] for result in results_of(out, dfa)} == {0.01} and set(dfa["rates"]) == {"readout_lr"}
    given = {(result["lr"], result["readout_lr"]) for result in results_of(out, drtp)}
    assert given == {(0.02, 0.03)} and drtp["rates"] is None


def test_frozen_layers_have_a_rate_of_their_own_and_shuffled_time_that_of_its_rule(out: Path) -> None:
    cells = cells_of(out)
    frozen = {cell["rule"]: cell for cell in cells if cell["kind"] == "frozen"}
    assert len(frozen) == 2 and all(set(cell["rates"]) == {"readout_lr"} for cell in frozen.values())
    for name, cell in frozen.items():
        assert f"@readout_lr={cell['rates']['readout_lr']}" in name
        assert all(result["neuron"] == "lif:beta=0.9" for result in results_of(out, cell))
    for cell in cells:
        if cell["kind"] == "rule" and cell["refusal"] is None:
            assert cell["frozen"] in frozen and cell["over_frozen"] is not None
    bptt, late = (next(c for c in cells if (c["kind"], c["rule"]) == (k, "bptt")) for k in ("rule", "shuffled time"))
    assert late["rates"] == bptt["rates"]
    for result in results_of(out, late):
        assert result["data"].endswith("shuffled=true") and result["lr"] == bptt["rates"]["lr"]


def test_the_page_says_how_rates_were_chosen_and_shows_them(out: Path, tmp_path: Path) -> None:
    content = json.loads((out / "benchmark.json").read_text())
    assert content["trials"] == TRIALS
    page = (out / "benchmark.md").read_text()
    assert f"in {TRIALS} trials" in page and OWN_RATES not in page
    titles, rows = rates_of(content)
    assert titles == ["rule", "order"] and "| " + " | ".join(rows[0]) + " |" in page
    by_row = dict(rows)
    bptt = next(cell for cell in content["cells"] if cell["rule"] == "bptt")
    shown = [f"{value:g}" + "*" * (name in bptt["at_the_edge"]) for name, value in bptt["rates"].items()]
    assert by_row["bptt"] == " and ".join(shown)
    assert [row for row in by_row if row.startswith("shallow")] == [
        "shallow", "shallow@readout_neuron=leaky_readout:beta=0.9",
    ]  # fmt: skip
    untuned = tried(tmp_path / "out", trials=0, rules="dfa")
    page = (tmp_path / "out" / "benchmark.md").read_text()
    assert untuned["trials"] == 0 and OWN_RATES in page and "Chosen learning rates" not in page


def test_a_stopped_choice_goes_on_to_the_same_rates(out: Path) -> None:
    before = cells_of(out)
    path = out / "order-rates" / "benchmark-rates.json"
    kept = path.read_text()
    with pytest.raises(UserError, match="asked 2"):
        tried(out, trials=2, resume=True)
    with pytest.raises(UserError, match="--resume"):
        tried(out)
    assert path.read_text() == kept and cells_of(out) == before
    path.unlink()
    after = tried(out, resume=True)["cells"]
    assert [cell["rates"] for cell in after] == [cell["rates"] for cell in before]
    assert [cell["folders"] for cell in after] == [cell["folders"] for cell in before]


def test_rates_cannot_be_chosen_without_held_out_samples(tmp_path: Path) -> None:
    whole = Suite("x", (Task("order", "order", TrainConfig(**{**ORDER.as_dict(), "validation": 0})),))
    with pytest.raises(UserError, match="no training sample is held out to choose by"):
        search_of(plan_suite(whole, "dfa", 1, None, rates_open=True)[0], 2, None)


def test_the_command_takes_a_number_of_trials(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["benchmark", "--suite", "temporal", "--quick", "--tasks", "order", "--rules", "dfa"]
    out = tmp_path / "out"
    assert run([*arguments, "--trials", "-1", "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert "--trials" in error and error.count("\n") == 1 and not out.exists()
    assert run([*arguments, "--trials", "2", "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "chosen on validation samples" in shown and max(map(len, shown.splitlines())) <= 100
    title = next(line for line in shown.splitlines() if "chosen on validation samples" in line)
    assert len(title.partition(";")[0] + at_the_edge_note({"cells": [{"at_the_edge": ["lr"]}]})) <= 100
    assert "--trials=2" in json.loads((out / "benchmark.json").read_text())["command"]
