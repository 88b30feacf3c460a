"""Rows of a comparison: their texts, names and folders; the controls that stand beside each; signals for all rows."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from neurorules.cli import run
from neurorules.compare.comparison import Planned, check_folders, plan
from neurorules.compare.controls import frozen_beside
from neurorules.compare.gather import VERSION
from neurorules.compare.report.finding import find
from neurorules.compare.report.page import page_of
from neurorules.compare.report.reading import read
from neurorules.compare.rows import NAMED, OWN, SHARED, folder_name, name_of, parse_row, parse_rows
from neurorules.language.config import TrainConfig
from neurorules.language.errors import UserError
from neurorules.rules import RULES
from neurorules.runner.dispatch import settle
from neurorules.runs.seal import SEAL_FILE

SMALL = ["--net", "5", "--steps", "2", "--epochs", "1", "--limit", "60", "--batch-size", "30", "--threads", "1"]
TEXT = "-m_post * psi(v_post) * delay(S_pre, 1)"


def names(rules: str, controls: str = "none", **settings: Any) -> list[str]:
    return [planned.row for planned in plan(TrainConfig(**settings), rules, 1, controls=controls)]


def test_every_setting_is_shared_or_a_rows_own() -> None:
    fields = set(TrainConfig().as_dict())
    assert set(OWN) | set(SHARED) == fields and not set(OWN) & set(SHARED)
    assert {"lr", "readout_lr", "optimizer", "norm", "epochs", "batch_size", "weight_decay", "lr_schedule"} <= set(OWN)
    assert {"schedule", "signal", "dw", "targets", "readout_optimizer", "signal_lr", "steps", "neuron"} <= set(OWN)


def test_a_colon_gives_an_option_of_the_rule_and_an_at_a_setting_of_its_training() -> None:
    shared = TrainConfig(lr=0.5, epochs=7)
    found = parse_row("sigprop:form=voltage @ readout-lr=0.03@lr_schedule=steps:at=1-2:factor=0.5@batch_size=4", shared)
    assert found == replace(
        shared, rule="sigprop:form=voltage", readout_lr=0.03, lr_schedule="steps:at=1-2:factor=0.5", batch_size=4
    )
    assert parse_row("bptt@norm=none@neuron=lif:beta=0.8", shared).neuron == "lif:beta=0.8"
    assert [row.dw for row in parse_rows(f"dfa@dw={TEXT},drtp", shared)] == [TEXT, None]


def test_a_batch_size_is_that_of_the_rows_in_torch_beside_continuous_time(caplog: pytest.LogCaptureFixture) -> None:
    shared = TrainConfig(batch_size=8)
    planned = plan(shared, "drtp,sigprop", 1, paths="torch,continuous", controls="shallow")
    sizes = {one.row: one.config.batch_size for one in planned}
    assert sizes["drtp"] == sizes["sigprop"] == 8 and sizes["drtp @ continuous"] == sizes["sigprop @ continuous"] == 1
    assert all("batch_size" not in row for row in sizes)
    assert caplog.messages == [
        "--batch-size 8 is for the rows of torch: in continuous time weights change after every sample"
    ]
    for rules, paths in (("drtp", "continuous"), ("drtp@batch_size=4", "torch,continuous")):
        with pytest.raises(UserError, match="has no meaning with --path continuous: weights change after every"):
            plan(shared, rules, 1, paths=paths)


def test_a_name_is_the_text_that_makes_its_row_again() -> None:
    shared = TrainConfig(epochs=5, lr=0.02)
    text = f"sigprop:form=voltage@lr=0.01@readout_lr=0.03,bptt@batch_size=9@norm=none,stdp@optimizer=adam,dfa@dw={TEXT}"
    for row in parse_rows(text, shared):
        name = name_of(settle(row).as_dict(), shared)
        assert name in text and settle(parse_row(name, shared)) == settle(row)


def test_a_name_says_only_what_shared_settings_and_the_rule_do_not_give() -> None:
    assert names("sigprop@lr=0.003,bptt@readout_lr=0.003@optimizer=adam") == ["sigprop", "bptt"]
    assert names("sigprop@lr=0.003,bptt", lr=0.1) == ["sigprop@lr=0.003", "bptt"]
    assert names("sigprop@optimizer=sgd") == ["sigprop@optimizer=sgd"]
    assert names("sigprop@optimizer=sgd@readout_optimizer=adam") == ["sigprop@optimizer=sgd@readout_optimizer=adam"]
    assert set(NAMED) == set(OWN) - {"targets"}
    assert names("sigprop@targets=shuffled@lr=0.1") == ["sigprop@lr=0.1, shuffled targets"]


def test_a_row_that_stands_twice_is_run_once() -> None:
    assert names("sigprop,bptt,sigprop@lr=0.003, sigprop") == ["sigprop", "bptt"]
    assert names("sigprop,sigprop@lr=0.01,sigprop@lr=1e-2") == ["sigprop", "sigprop@lr=0.01"]
    assert names("s_tller,s-tller, s-tller@lr=0.01") == ["s_tller", "s_tller@lr=0.01"]


def test_rows_have_folders_of_their_own_that_a_file_system_takes() -> None:
    long = "@".join(
        ["sigprop", *(f"{name}=0.0123456789" for name in ("lr", "readout_lr", "signal_lr", "weight_decay"))]
    )
    rows = f"sigprop,sigprop:form=voltage@lr=0.01,dfa@dw={TEXT},dfa@dw={TEXT.replace('*', '/')},{long},{long}@norm=none"
    planned = plan(TrainConfig(), rows, 2, hardware="none,fixed_point:bits=4", controls="shallow,shuffled")
    folders = [run.folder(Path("out")) for run in planned]
    assert len(set(folders)) == len(folders) and len({folder.parent for folder in folders}) == len(
        {p.row for p in planned}
    )
    for folder in folders:
        assert len(folder.parent.name) < 130 and not set(folder.parent.name) & set(' :*/()"'), folder
    assert folder_name("sigprop:form=voltage@lr=0.01") == "sigprop_form=voltage@lr=0.01"
    assert (
        folder_name("sigprop, shuffled targets @ fixed_point:bits=4") == "sigprop@shuffled_targets@fixed_point_bits=4"
    )


def test_rows_that_would_share_a_folder_are_refused() -> None:
    config = settle(TrainConfig())
    with pytest.raises(UserError, match="rows 'a:b' and 'a_b' would share the folder a_b/seed0"):
        check_folders([Planned("a:b", config), Planned("a_b", config)])


def frozen(rules: str, **settings: Any) -> list[TrainConfig]:
    shared = TrainConfig(**settings)
    return frozen_beside(parse_rows(rules, shared), shared)


def test_a_frozen_control_reads_out_as_the_rule_beside_it_on_the_net_that_the_rule_stands_on() -> None:
    for rule in RULES.names():
        if RULES.make(rule).control:
            continue
        here = settle(TrainConfig(rule=rule))
        [row] = frozen(rule)
        there = settle(row)
        for name in (
            "readout_lr",
            "readout_optimizer",
            "neuron",
            "readout_neuron",
            "steps",
            "norm",
            "init",
            "connection",
        ):
            assert getattr(there, name) == getattr(here, name), (rule, name)
        own, control = RULES.make(rule), RULES.make(row.rule)
        assert control.control and control.loss == own.loss
        assert own.loss == "cross_entropy" or control.targets == own.targets
        assert row.signal is None and row.dw is None and row.targets == "own"


def test_there_is_one_frozen_row_for_each_distinct_way_of_reading_out() -> None:
    assert names("sigprop,bptt,shallow") == ["sigprop", "bptt", "shallow@readout_lr=0.01", "shallow@readout_lr=0.003"]
    assert names("shallow,sigprop@lr=1,sigprop@lr=2") == ["shallow@readout_lr=0.01", "sigprop@lr=1.0", "sigprop@lr=2.0"]
    rows = names("dfa,dfa@readout_optimizer=sgd,dfa@batch_size=16", "shallow")[3:]
    assert rows == [
        "shallow@readout_lr=0.003", "shallow@readout_optimizer=sgd@readout_lr=0.003",
        "shallow@batch_size=16@readout_lr=0.003",
    ]  # fmt: skip
    assert names("sigprop,bptt", "shallow", readout_lr=0.02)[2:] == ["shallow@readout_lr=0.02"]
    assert names("sigprop,shallow@readout_lr=0.3", "shallow") == ["sigprop", "shallow@readout_lr=0.3"]
    assert names("shallow", "shallow") == ["shallow@readout_lr=0.003"]


def test_the_control_of_shuffled_targets_keeps_its_rows_settings() -> None:
    shared = TrainConfig()
    *_, last = plan(shared, "bptt@lr=0.1,dfa@lr=0.02@signal=drtp@epochs=5", 1, controls="shuffled")
    assert last.row == "dfa@epochs=5@lr=0.02@signal=drtp, shuffled targets" and last.config.targets == "shuffled"
    assert (last.config.lr, last.config.signal, last.config.epochs) == (0.02, "drtp", 5)


def test_a_signal_for_all_rows_leaves_the_reference_and_controls_alone() -> None:
    rows = names("sigprop,bptt,drtp@signal=dfa,shallow", signal="dfa,drtp,bptt")
    assert rows == [
        "sigprop@signal=dfa", "sigprop@signal=drtp", "sigprop@signal=bptt", "bptt", "drtp@signal=dfa",
        "shallow@readout_lr=0.01", "shallow@readout_lr=0.003",
    ]  # fmt: skip
    planned = plan(TrainConfig(dw=TEXT), "dfa,bptt", 1, controls="shallow")
    assert [(run.row, run.config.dw) for run in planned] == [
        (f"dfa@dw={TEXT}", TEXT), ("bptt", None), ("shallow@readout_lr=0.003", None),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seeds of rows with settings of their own, and of a signal for all."""
    out = tmp_path_factory.mktemp("rows") / "c"
    rules = "sigprop,dfa@lr=0.02@epochs=2,bptt,bptt@signal=dfa"
    assert run(["compare", *SMALL, "--rules", rules, "--signal", "drtp", "--out", str(out), "--json"]) == 0
    return out


def test_a_row_named_bptt_is_bptt(comparison: Path) -> None:
    found = json.loads((comparison / "compare.json").read_text())
    last = max(row["epoch"] for row in found["alignment"])
    angles = {
        rule: max(a["signal_angle_deg"] for a in found["alignment"] if a["rule"] == rule and a["layer"] == "hidden1")
        for rule in ("bptt", "bptt@signal=dfa", "sigprop@signal=drtp")
    }
    assert angles["bptt"] < 0.1 and min(angles["bptt@signal=dfa"], angles["sigprop@signal=drtp"]) > 20 and last == 2
    rows = {row["rule"]: row for row in found["rules"]}
    assert {row["difference"]["to"] for row in rows.values() if row["difference"]} == {"bptt"}
    assert rows["bptt"]["difference"] is None and rows["bptt@signal=dfa"]["difference"] is not None


def test_rates_and_controls_are_in_every_table(comparison: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads((comparison / "compare.json").read_text())
    assert {"lr", "readout_lr", "epochs", "signal"} <= set(found["differing"]) and "optimizer" not in found["differing"]
    rows = {row["rule"]: row for row in found["rules"]}
    assert len(rows) == len(found["rules"]) and len({r["rule"] for r in found["runs"]}) == len(rows)
    own = "dfa@epochs=2@lr=0.02@signal=drtp"
    assert rows["sigprop@signal=drtp"]["controls"][0] == "shallow@readout_lr=0.01"
    assert rows["bptt"]["controls"] == rows["bptt@signal=dfa"]["controls"] == ["shallow@readout_lr=0.003"]
    assert rows[own]["controls"] == ["shallow@epochs=2@readout_lr=0.003"] and rows[own]["lr"] == 0.02
    with (comparison / "runs.csv").open() as file:
        runs = {row["rule"]: row for row in csv.DictReader(file)}
    assert (runs["sigprop@signal=drtp"]["lr"], runs["sigprop@signal=drtp"]["readout_lr"]) == ("0.003", "0.01")
    assert (runs[own]["lr"], runs[own]["optimizer"], runs[own]["encode"]) == ("0.02", "adam", "constant")
    capsys.readouterr()
    folders = [comparison / folder_name(row) / "seed0" for row in ("sigprop@signal=drtp", "bptt")]
    again = comparison.parent / "again"
    assert run(["compare", "--runs", ",".join(map(str, folders)), "--out", str(again)]) == 0
    shown = capsys.readouterr().out
    assert [word in shown for word in ("read-out rate", "0.01", "0.003", "sigprop@signal=drtp")] == [True] * 4


def test_the_reports_top_and_table_say_the_rates(comparison: Path) -> None:
    page = page_of(read(json.loads((comparison / "compare.json").read_text())))
    head = page[: page.index("<nav")]
    assert "Learning rates of hidden layers and read-out: " in head
    assert "<code>sigprop@<wbr>" not in head or "0.003 and 0.01" in head
    assert "0.003 and 0.01" in head and "frozen and 0.003" in head and "0.02 and 0.003" in head
    table = page[page.index('data-table="accuracy"') :]
    assert "read-out rate" in table[: table.index("</table>")]


def test_finished_runs_of_an_earlier_version_are_named_by_what_their_rule_decides(
    comparison: Path, tmp_path: Path
) -> None:
    folders = [tmp_path / folder_name(row) for row in ("bptt", "shallow@readout_lr=0.01")]
    for folder in folders:
        shutil.copytree(comparison / folder.name / "seed0", folder)
    for folder in folders[:1]:
        (folder / SEAL_FILE).unlink()
        for name in ("config.json", "result.json"):
            stored = json.loads((folder / name).read_text())
            stored |= dict.fromkeys(("lr", "readout_lr", "optimizer"))
            (folder / name).write_text(json.dumps(stored))
    out = tmp_path / "older"
    assert run(["compare", "--runs", ",".join(map(str, folders)), "--out", str(out), "--json"]) == 0
    found = json.loads((out / "compare.json").read_text())
    assert [(r["rule"], r["lr"], r["readout_lr"]) for r in found["runs"]] == [
        ("bptt", 0.003, 0.003), ("shallow@readout_lr=0.01", 0.003, 0.01),
    ]  # fmt: skip
    assert found["differing"] == ["readout_lr"]


def finding(accuracies: dict[str, float]) -> str:
    """The finding's sentences about two rules, of which each has a control of its own."""
    rows = [
        {
            "rule": rule,
            "control": "shallow" if rule.startswith("shallow") else "",
            "controls": {"sigprop": ["shallow@readout_lr=0.01"], "dfa": ["shallow@readout_lr=0.003"]}.get(rule, []),
            "seeds": 1,
            "test_accuracy": {"mean": accuracy},
            "needs": [],
        }
        for rule, accuracy in accuracies.items()
    ]
    runs = [{"rule": row["rule"], "seed": 0, "test_accuracy": row["test_accuracy"]["mean"]} for row in rows]
    found = {"format": "neurorules-compare", "format_version": VERSION, "rules": rows, "runs": runs}
    return " ".join(find(read(found)).details)


def test_the_finding_holds_each_rule_against_its_own_control() -> None:
    good = {"sigprop": 0.9, "dfa": 0.7, "shallow@readout_lr=0.01": 0.8, "shallow@readout_lr=0.003": 0.6}
    assert "It is ahead of the controls: <code>shallow@readout_lr=0.01</code> (80.0 %)." in finding(good)
    assert "Not shown" not in finding(good)
    weak = finding({**good, "dfa": 0.55})
    assert "Not shown to be better than the control</b>: <code>dfa</code> than <code>shallow@readout_lr=0.003" in weak
    assert "It is ahead of the controls: <code>shallow@readout_lr=0.01</code>" in weak
    worst = finding({**good, "sigprop": 0.79, "shallow@readout_lr=0.003": 0.5})
    assert "Not shown to be better than the control</b> <code>shallow@readout_lr=0.01</code> (80.0 %)" in worst


def test_a_stopped_comparison_of_such_rows_goes_on_and_refuses_others(
    comparison: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = json.loads((comparison / "compare.json").read_text())
    arguments = ["compare", *SMALL, "--signal", "drtp", "--out", str(comparison), "--resume", "--json"]
    rules = "sigprop,dfa@lr=0.02@epochs=2,bptt,bptt@signal=dfa"
    (comparison / "bptt@signal=dfa" / "seed0" / "result.json").unlink()
    assert run([*arguments, "--rules", rules]) == 0
    after = json.loads((comparison / "compare.json").read_text())
    assert [r["test_accuracy"] for r in after["runs"]] == [r["test_accuracy"] for r in before["runs"]]
    capsys.readouterr()
    for option, words in ((["--encode", "poisson"], 'encode is "constant", asked "poisson"'),
                          (["--validation", "5"], "validation is 6, asked 5"),
                          (["--readout-lr", "0.5"], "readout_lr is")):  # fmt: skip
        assert run([*arguments, "--rules", rules, *option]) == 2
        assert words in capsys.readouterr().err
