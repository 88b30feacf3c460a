"""`benchmark`: which cells a suite has, what stands in them, what it refuses, and how it goes on after a stop."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import pytest
from sources import ROOT

from neurorules.benchmark.benchmark import benchmark
from neurorules.benchmark.cells import in_few_words, table_of
from neurorules.benchmark.family import STORED, solves, stored_problems
from neurorules.benchmark.planning import choose_rows, plan_suite
from neurorules.benchmark.suite import Suite, Task
from neurorules.benchmark.suites import SUITES
from neurorules.cli import run
from neurorules.compare.controls import READING, STANDING
from neurorules.language.config import TrainConfig
from neurorules.language.errors import UserError
from neurorules.rules import RULES
from neurorules.runner.bibtex import short_name

DIGITS = TrainConfig(data="digits", net="6", epochs=1, limit=100, batch_size=32)
ORDER = TrainConfig(data="order:cue=4:gap=2:pause=2:train=60:test=40", net="6", neuron="lif:beta=0.9", epochs=1)
TINY = Suite(
    "Tiny tasks",
    (Task("digits", "digits", DIGITS), Task("order", "which came first", ORDER, in_time=True)),
    ("A note.",),
)
RULES_ASKED = "sigprop,bptt,bsp"


def tried(out: Path, rules: str = RULES_ASKED, seeds: int = 2, **how: Any) -> dict[str, Any]:
    """What a benchmark of the tiny suite holds."""
    return benchmark(TINY, plan_suite(TINY, rules, seeds, None), out, quiet=True, command="neurorules ...", **how)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished benchmark."""
    folder = tmp_path_factory.mktemp("benchmarks") / "tiny"
    tried(folder)
    return folder


def read(out: Path) -> dict[str, Any]:
    return json.loads((out / "benchmark.json").read_text())


def results_in(folder: Path) -> list[dict[str, Any]]:
    """What the runs of a row left, by seed."""
    places = sorted(folder.glob("seed*"))
    return [json.loads((place / "result.json").read_text()) for place in places]


def test_every_rule_stands_on_every_task_beside_its_controls(out: Path) -> None:
    places = [(cell["kind"], cell["rule"], cell["task"]) for cell in read(out)["cells"]]
    assert len(set(places)) == len(places)
    for task in ("digits", "order"):
        assert [rule for kind, rule, at in places if (kind, at) == ("rule", task)] == RULES_ASKED.split(",")
    assert [place for place in places if place[0] == "shuffled time"] == [("shuffled time", "bptt", "order")]
    frozen = {(cell["rule"], cell["task"]): cell for cell in read(out)["cells"] if cell["kind"] == "frozen"}
    for cell in read(out)["cells"]:
        if cell["kind"] == "rule" and cell["refusal"] is None:
            (mine, *_), (other, *_) = (
                results_in((out / one["folders"][0]).parent) for one in (cell, frozen[cell["frozen"], cell["task"]])
            )
            assert other["rule"].startswith("shallow") and other["data"] == mine["data"]
            assert [other[name] for name in (*READING, *STANDING)] == [mine[name] for name in (*READING, *STANDING)]


def test_a_cell_holds_the_test_accuracies_of_its_own_runs(out: Path) -> None:
    for cell in read(out)["cells"]:
        if cell["refusal"] is not None:
            continue
        results = results_in((out / cell["folders"][0]).parent)
        accuracies = [result["test_accuracy"] for result in results]
        assert cell["seeds"] == [result["seed"] for result in results] == [0, 1]
        assert cell["test_accuracies"] == accuracies
        assert cell["test_accuracy"] == pytest.approx(statistics.mean(accuracies))
        assert cell["spread"] == pytest.approx(statistics.stdev(accuracies))
        assert {result["data"].partition(":")[0] for result in results} == {cell["task"]}
        assert {"shuffled=true" in result["data"] for result in results} == {cell["kind"] == "shuffled time"}
        if cell["kind"] != "frozen":
            assert {result["rule"] for result in results} == {cell["rule"]}
    assert len({tuple(cell["test_accuracies"]) for cell in read(out)["cells"]}) > 4  # cells differ from each other


def test_what_a_rule_has_above_its_frozen_layers_is_paired_by_seed(out: Path) -> None:
    cells = read(out)["cells"]
    served = [cell for cell in cells if cell["kind"] == "rule" and cell["refusal"] is None]
    assert len(served) == 5
    for cell in served:
        (other,) = [c for c in cells if (c["kind"], c["rule"], c["task"]) == ("frozen", cell["frozen"], cell["task"])]
        pairs = zip(cell["test_accuracies"], other["test_accuracies"], strict=True)
        differences = [mine - theirs for mine, theirs in pairs]
        assert cell["over_frozen"] == pytest.approx(statistics.mean(differences))
        assert cell["over_frozen_spread"] == pytest.approx(statistics.stdev(differences))


def test_the_table_shows_each_number_under_its_task(out: Path) -> None:
    content = read(out)
    titles, rows = table_of(content)
    assert titles == ["rule", "digits", "order"]
    assert [row[0] for row in rows] == ["sigprop", "bptt", "bsp", "frozen layers", "bptt, shuffled time", "chance"]
    for rule in ("sigprop", "bptt"):
        for task in ("digits", "order"):
            values = [100 * result["test_accuracy"] for result in results_in(out / task / rule)]
            shown = next(row for row in rows if row[0] == rule)[titles.index(task)]
            assert shown.startswith(f"{statistics.mean(values):.1f} ± {statistics.stdev(values):.1f} (")
    late = [100 * result["test_accuracy"] for result in results_in(out / "order-shuffled" / "bptt")]
    assert rows[4][1:] == ["-", f"{statistics.mean(late):.1f} ± {statistics.stdev(late):.1f}"]
    assert rows[5][1:] == ["10.0", "50.0"]
    page = (out / "benchmark.md").read_text()
    for row in rows:
        assert "| " + " | ".join(row) + " |" in page


def test_a_rule_that_a_task_cannot_serve_says_why_in_a_few_words(out: Path) -> None:
    content = read(out)
    (cell,) = [cell for cell in content["cells"] if cell["refusal"] is not None]
    assert (cell["rule"], cell["task"], cell["test_accuracy"]) == ("bsp", "order", None)
    row = next(row for row in table_of(content)[1] if row[0] == "bsp")
    assert row[2] == "no: the reverse circuit runs through five-element rings" and row[1][0].isdigit()
    assert f"- bsp on order: {cell['refusal']}" in (out / "benchmark.md").read_text()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("rule 'x' cannot learn values (a regression): its signal has none. Use y", "cannot learn values"),
        ("layer 'a' has rate neurons, which run 1 step, and 60 were asked for. Use --steps 1",
         "layer 'a' has rate neurons, which run 1 step"),
        ("neuron lif:beta=0.9 has no rate. Use another", "neuron lif:beta=0.9 has no rate"),
    ],
)  # fmt: skip
def test_a_refusal_is_cut_where_its_first_words_end(line: str, words: str) -> None:
    assert in_few_words(line) == words


def test_what_no_net_can_run_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    timed = Suite("x", (Task("order", "order", TrainConfig(data=ORDER.data, net="6", epochs=1)),))
    plan = plan_suite(timed, "bsp,sigprop@steps=3,dfa", 1, None)[0]
    assert [cell.refusal is not None for cell in plan.cells] == [True, True, False, False]
    assert "which run 1 step" in str(plan.cells[0].refusal) and "time steps" in str(plan.cells[1].refusal)


def test_a_run_that_diverges_leaves_the_others(tmp_path: Path) -> None:
    wild = "bptt@lr=1e38@optimizer=sgd@norm=none"
    suite = Suite("x", TINY.tasks[:1])
    content = benchmark(suite, plan_suite(suite, f"{wild},bptt", 2, None), tmp_path / "out", quiet=True)
    _, rows = table_of(content)
    cell = content["cells"][0]
    gone = cell["test_accuracies"].count(None)
    assert gone and rows[0] == [wild, f"diverged ({gone} of 2 seeds)"] and rows[1][1][0].isdigit()
    assert cell["test_accuracy"] is cell["over_frozen"] is None and "no longer finite" in cell["refusal"]
    again = benchmark(suite, plan_suite(suite, f"{wild},bptt", 2, None), tmp_path / "out", quiet=True, resume=True)
    assert again["cells"] == content["cells"]


def test_a_stopped_benchmark_goes_on_to_the_same_numbers(out: Path) -> None:
    before, page = read(out), (out / "benchmark.md").read_text()
    with pytest.raises(UserError, match="--resume"):
        tried(out)
    for place in ("digits/sigprop/seed1", "order-shuffled/bptt/seed0"):
        (out / place / "result.json").unlink()
    (out / "benchmark.json").unlink()
    after = tried(out, resume=True)
    timed = {"train_seconds"}
    for old, new in zip(before["cells"], after["cells"], strict=True):
        assert {k: v for k, v in new.items() if k not in timed} == {k: v for k, v in old.items() if k not in timed}
    assert (out / "benchmark.md").read_text() == page and after["rules"] == before["rules"]
    with pytest.raises(UserError, match="limit is 100, asked 90"):
        other = Suite("x", (Task("digits", "digits", TrainConfig(**{**DIGITS.as_dict(), "limit": 90})),))
        benchmark(other, plan_suite(other, RULES_ASKED, 2, None), out, quiet=True, resume=True)


def test_the_map_says_needs_problems_paths_and_sources(out: Path) -> None:
    by_rule = {entry["rule"]: entry for entry in read(out)["rules"]}
    assert list(by_rule) == RULES_ASKED.split(",")
    assert by_rule["sigprop"]["needs"] == ["layer_pool", "target"]
    assert (solves(by_rule["sigprop"]["has"]), solves(by_rule["bptt"]["has"])) == ("all four", "none")
    assert by_rule["sigprop"]["paths"] == ["torch", "continuous"] and by_rule["bptt"]["paths"] == ["torch"]
    assert {entry["audit"] for entry in by_rule.values()} == {"stored"}
    page = (out / "benchmark.md").read_text()
    for entry in by_rule.values():
        source = RULES.make(entry["rule"]).source
        assert entry["source"]["link"] == source.link and entry["source"]["year"] == source.year
        assert f"[{short_name(entry['source'])}]({source.link})" in page


def test_a_rule_with_options_is_audited_as_it_was_trained(tmp_path: Path) -> None:
    suite = Suite("x", TINY.tasks[:1])
    rules = "dfa@signal=drtp,dfa"
    content = benchmark(suite, plan_suite(suite, rules, 1, None), tmp_path / "out", quiet=True)
    audits = [(entry["audit"], solves(entry["has"])) for entry in content["rules"]]
    assert audits == [("measured", "all four"), ("stored", "weight symmetry")]
    assert content["rules"][0]["needs"] == ["fixed_feedback", "target"]


def test_the_stored_audit_is_that_of_the_documents_and_has_every_rule() -> None:
    stored = ROOT / "neurorules" / "benchmark" / STORED
    document = ROOT / "docs" / "results" / "data" / "locality-problems.json"
    assert stored.read_bytes() == document.read_bytes(), f"copy {document} to {stored}"
    assert list(stored_problems()) == list(RULES.installed)
    assert not stored_problems()["fa"]["weight_symmetry"] and stored_problems()["fa"]["update_locking"]


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (("E. Oja", 1982), "Oja 1982"),
        (("J.-P. Pfister, W. Gerstner", 2006), "Pfister & Gerstner 2006"),
        (("G. Bellec, F. Scherr, W. Maass", 2020), "Bellec et al. 2020"),
        (("L. Pes et al.", 2025), "Pes et al. 2025"),
    ],
)
def test_a_source_has_a_short_name(source: tuple[str, int], name: str) -> None:
    assert short_name({"authors": source[0], "year": source[1]}) == name


@pytest.mark.parametrize("quick", [False, True])
def test_the_temporal_suite_serves_all_its_rules_but_a_few(quick: bool) -> None:
    plans = plan_suite(SUITES.factory("temporal")(quick=quick), None, 1, None)
    refused = {(cell.task, cell.rule) for plan in plans for cell in plan.cells if cell.refusal is not None}
    whole_trials = ("sigprop", "pepita", "bsp", "spiking_bsp", "traces_propagation")
    tasks = [plan.task.name for plan in plans]
    assert tasks == ["order", "delayed_copy", "randman", "yin_yang"]
    assert refused == {(task, "bsp") for task in tasks} | {("delayed_copy", rule) for rule in whole_trials}
    late = [cell for plan in plans for cell in plan.cells if cell.kind == "shuffled time"]
    assert [cell.task for cell in late] == tasks
    assert all(run.config.data.endswith(":shuffled=true") for cell in late for run in cell.runs)


def test_digits_are_tried_by_every_rule_there_is() -> None:
    (plan,) = plan_suite(SUITES.factory("static")(quick=True), None, 1, None, "digits")
    rules = [cell.rule for cell in plan.cells if cell.kind == "rule"]
    assert rules == [name for name in RULES.installed if name != "shallow"]
    assert not any(cell.refusal for cell in plan.cells)


def test_frozen_layers_beside_others_are_no_row_of_their_own() -> None:
    assert choose_rows("shallow,dfa,dfa") == ["dfa"] and choose_rows("shallow") == ["shallow"]
    assert choose_rows("dfa,shallow@readout_lr=0.1") == ["dfa", "shallow@readout_lr=0.1"]


def test_the_command_prints_a_table_that_fits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["benchmark", "--quick", "--tasks", "digits", "--out", str(tmp_path / "out")]
    assert run([*arguments, "--rules", "reward_stdp,eprop"]) == 0
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 100
    assert "Bellec et al. 2020" in shown and "frozen layers" in shown and f"page: {tmp_path}" in shown
    content = read(tmp_path / "out")
    assert content["command"].startswith("neurorules benchmark --suite=static --rules=reward_stdp,eprop --tasks=digits")
    assert run([*arguments, "--rules", "dfa"]) == 2
    assert "--force" in capsys.readouterr().err
    assert run([*arguments, "--rules", "dfa", "--force", "--json"]) == 0
    assert [e["rule"] for e in json.loads(capsys.readouterr().out)["rules"]] == ["dfa"]
    assert not list((tmp_path / "out" / "digits" / "eprop").glob("*"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--suite", "temporl"], "unknown suite 'temporl'. Did you mean 'temporal'?"),
        (["--tasks", "digit"], "unknown task 'digit'. Did you mean 'digits'?"),
        (["--tasks", ","], "--tasks names no task"),
        (["--rules", ","], "--rules names no rule"),
        (["--rules", "sigrop"], "unknown rule 'sigrop'. Did you mean 'sigprop'?"),
        (["--rules", "dfa@neuron=lfi", "--tasks", "digits"], "unknown neuron 'lfi'"),
        (["--rules", "dfa@net=8", "--tasks", "digits"], "all rows share net"),
        (["--seeds", "0"], "at least 1"),
        (["--jobs", "0", "--tasks", "digits", "--rules", "dfa"], "--jobs"),
        (["--suite", "events", "--data-dir", "{folder}"], "Download Train.zip and Test.zip"),
    ],
)
def test_mistakes_are_told_in_one_line_and_leave_nothing(
    arguments: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NEURORULES_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "data").mkdir()
    arguments = [word.format(folder=tmp_path / "data") for word in arguments]
    assert run(["benchmark", *arguments, "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_missing_data_set_says_how_to_go_without_it(tmp_path: Path) -> None:
    away = Suite("x", (*TINY.tasks, Task("away", "away", TrainConfig(data=f"npz:path={tmp_path / 'none.npz'}"))))
    with pytest.raises(UserError, match=r"^task 'away': .*none\.npz.* --tasks digits,order$"):
        plan_suite(away, "dfa", 1, None)
