"""Every paper's file: its rows can be built, name rules that exist, and its numbers say how far to trust them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from neurorules.cli import run
from neurorules.commands.reproduce import show
from neurorules.datasets import DATASETS
from neurorules.language.config import TrainConfig
from neurorules.language.errors import UserError
from neurorules.papers.paper import Paper, Published, Row, Table
from neurorules.papers.reproduce import folder_of, reproduce
from neurorules.papers.tables import PAPERS
from neurorules.rules import RULES
from neurorules.torch_path.training.batches import sizes_of
from neurorules.torch_path.training.learner import Learner

SHAPES = {
    "mnist": (1, 28, 28),
    "fashion_mnist": (1, 28, 28),
    "nmnist": (2, 34, 34),
    "cifar10": (3, 32, 32),
    "cifar100": (3, 32, 32),
}
DRAWN = ("evidence", "pattern")
FORMS = [(name, quick) for name in PAPERS.names() for quick in (False, True)]


def _paper(name: str, quick: bool) -> Paper:
    paper = PAPERS.factory(name)(quick=quick)
    assert isinstance(paper, Paper)
    return paper


@pytest.mark.parametrize(("name", "quick"), FORMS)
def test_every_row_can_be_built(name: str, quick: bool) -> None:
    for table in _paper(name, quick).tables:
        kind = table.data.partition(":")[0]
        assert kind in DATASETS.names()
        for row in table.rows:
            assert row.config.data == table.data
            config = RULES.make(row.config.rule).settle(row.config)
            if kind in DRAWN:  # the sizes are those of the samples
                small = DATASETS.make(f"{kind}:train=20:test=10").load()
                Learner(config.net, **sizes_of(small), **config.learner_settings())
                continue
            classes = 100 if kind == "cifar100" else 10
            Learner(config.net, input_shape=SHAPES[kind], classes=classes, **config.learner_settings())


@pytest.mark.parametrize("name", PAPERS.names())
def test_runs_have_folders_of_their_own(name: str) -> None:
    paper = _paper(name, True)
    folders = [folder_of(Path("x"), table, row, 0) for table in paper.tables for row in table.rows]
    assert len(set(folders)) == len(folders)


TRAINED = [name for name in PAPERS.names() if PAPERS.factory(name)(quick=True).tables]


@pytest.mark.parametrize("name", TRAINED)
def test_the_quick_form_is_smaller(name: str) -> None:
    def cost(quick: bool) -> float:
        rows = [row.config for table in _paper(name, quick).tables for row in table.rows]
        return sum(config.epochs * (config.limit or 60_000) for config in rows)

    assert cost(True) < cost(False) / 5


def _reading(config: TrainConfig) -> tuple[float | None, str | None]:
    settled = RULES.make(config.rule).settle(config)
    return settled.readout_lr, settled.readout_optimizer


@pytest.mark.parametrize(("name", "quick"), FORMS)
def test_a_table_with_frozen_layers_has_them_beside_every_way_in_which_its_local_rules_read_out(
    name: str, quick: bool
) -> None:
    for table in _paper(name, quick).tables:
        rules = {row.label: RULES.make(row.config.rule) for row in table.rows}
        frozen = {_reading(row.config) for row in table.rows if rules[row.label].control}
        local = {_reading(row.config) for row in table.rows if rules[row.label].name not in ("shallow", "bptt")}
        assert not frozen or local <= frozen, table.title


def _tiny() -> Paper:
    config = TrainConfig(data="digits", net="8", steps=2, epochs=1, limit=40)
    rows = (Row("Shallow", replace(config, rule="shallow"), Published(92.76, trust="second-hand")), Row("SP", config))
    away = Table("Elsewhere", (Row("SP", replace(config, data="npz:path=nowhere.npz")),))
    measures = {"epochs": lambda trained: str(len(trained[0].metrics))}
    return Paper("A paper", "Nobody 1900", (Table("Digits", rows), away), measures=measures)


def test_a_row_is_trained_kept_and_found_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = reproduce(_tiny(), tmp_path, seeds=2, only="digits+SHALLOW", quiet=True)
    shallow, ours = first["tables"][0]["rows"]
    assert (shallow["seeds"], ours["seeds"]) == (2, 0)
    assert 0 <= shallow["test_accuracy"] <= 1
    assert (shallow["measures"], ours["measures"]) == ({"epochs": "1"}, {"epochs": "-"})
    assert "nowhere.npz" in first["tables"][1]["missing"]
    with pytest.raises(UserError, match="--resume"):
        reproduce(_tiny(), tmp_path, quiet=True)
    again = reproduce(_tiny(), tmp_path, seeds=2, resume=True, quiet=True)
    assert again["tables"][0]["rows"][0] == shallow
    assert again["tables"][0]["rows"][1]["seeds"] == 2
    show(again)
    shown = capsys.readouterr().out
    assert "92.76 (second-hand)" in shown
    assert "not run:" in shown


def test_a_row_of_values_shows_their_squared_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = TrainConfig(
        data="pattern:length=20:channels=8:train=20:test=10",
        rule="bptt",
        net="r4",
        epochs=1,
        batch_size=5,
        validation=5,
    )
    paper = Paper("A paper", "Nobody 1900", (Table("Values", (Row("BPTT", config), Row("left out", config))),))
    result = reproduce(paper, tmp_path, seeds=2, only="BPTT", quiet=True)
    row, other = result["tables"][0]["rows"]
    errors = [json.loads(file.read_text())["test_mse"] for file in tmp_path.glob("*/bptt/*/result.json")]
    assert row["test_mse"] == pytest.approx(sum(errors) / 2) and len(errors) == 2 and "test_accuracy" not in row
    assert other["test_accuracy"] is None
    show(result)
    head, line = capsys.readouterr().out.splitlines()[3:5]
    assert "%" not in head and f"{row['test_mse']:.4g} ± {row['spread']:.4g} (2 seeds" in line


def test_what_is_measured_stands_beside_the_papers_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["reproduce", "clopath", "--only", "+10 ms, 50", "--out", str(tmp_path / "clopath")]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("+10 ms, 50 Hz"))
    assert row.split()[4:] == ["167.25", "(second-hand)", "165.0", "165.00"]
    assert (
        run(["reproduce", "triplet", "--only", "visual,+-10 ms, 0.1", "--out", str(tmp_path / "triplet"), "--json"])
        == 0
    )
    (table,) = json.loads(capsys.readouterr().out)["measured"]
    (row,) = table["rows"]
    assert row["published"]["value"] == -29 and row["ours"] == pytest.approx(-31.22, abs=0.01)


PERFORMED = [name for name in PAPERS.names() if PAPERS.factory(name)(quick=True).experiments]


@pytest.mark.parametrize("name", PERFORMED)
def test_experiments_have_folders_of_their_own_on_data_that_exist_and_fewer_samples_where_it_is_quick(
    name: str,
) -> None:
    def rows(quick: bool) -> list[Any]:
        return [(table, row) for table in _paper(name, quick).experiments for row in table.rows]

    assert len({folder_of(Path("x"), table, row, 0) for table, row in rows(False)}) == len(rows(False))
    assert all(table.data == row.settings.data and table.data in DATASETS.names() for table, row in rows(False))
    samples = [
        sum((row.settings.limit or 60_000) * row.settings.epochs for _, row in rows(quick)) for quick in (True, False)
    ]
    assert samples[0] < samples[1] / 5


MEASURED = [name for name in PAPERS.names() if PAPERS.factory(name)(quick=True).protocols]


@pytest.mark.parametrize("name", MEASURED)
def test_protocols_have_labels_of_their_own_and_fewer_where_it_is_quick(name: str) -> None:
    whole, quick = (
        [(t.title, row.label) for t in _paper(name, form).protocols for row in t.rows] for form in (False, True)
    )
    assert len(set(whole)) == len(whole) and set(quick) < set(whole) and quick


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["sigprop-spikin"], "Did you mean 'sigprop-spiking'"),
        (["sigprop-spiking", "--only", "nothing"], "names no row"),
        (["sigprop-spiking", "--seeds", "0"], "at least 1"),
    ],
)
def test_mistakes_are_told_in_one_line(
    arguments: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["reproduce", *arguments, "--out", str(tmp_path / "p")]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
