"""Rules beside devices: the table of the command, and the section of the report."""

from __future__ import annotations

from typing import Any

import pytest
from comparisons import made
from vl_convert import vegalite_to_vega

from neurorules.compare.comparison import plan
from neurorules.compare.measures.on_devices import on_devices
from neurorules.compare.report.page import page_of
from neurorules.compare.report.reading import read
from neurorules.compare.report.sections import sections_of
from neurorules.compare.report.style import looks_of
from neurorules.compare.table import by_device, energy_by_device
from neurorules.language.config import TrainConfig
from neurorules.language.errors import UserError

MEANS = {
    "dfa": 0.95, "dfa @ loihi": 0.9375, "dfa @ fixed_point:bits=4": 0.80,
    "drtp": 0.90, "drtp @ loihi": 0.91,
}  # fmt: skip


def comparison() -> dict[str, Any]:
    """Two rules, of which one has no run on the last device."""
    content = made(list(MEANS), seeds=2, epochs=1, hidden=1)
    for row in content["rules"]:
        row["test_accuracy"]["mean"] = MEANS[row["rule"]]
    for run in content["runs"]:
        _, _, device = run["rule"].partition(" @ ")
        shift = 0.001 if run["seed"] else -0.001
        run |= {
            "hardware": device or "none", "test_accuracy": MEANS[run["rule"]] + shift, "validation_accuracy": None,
            "control": "", "lr": 0.1, "readout_lr": 0.1, "train_seconds": 1.0, "spikes_per_sample": 1.0, "needs": [],
        }  # fmt: skip
    return content


def test_rows_that_differ_in_their_device_alone_stand_side_by_side() -> None:
    assert by_device(comparison()["runs"]) == [
        ("rule", "float", "loihi", "fixed_point:bits=4"),
        ("dfa", "95.00 ± 0.14", "93.75 ± 0.14", "80.00 ± 0.14"),
        ("drtp", "90.00 ± 0.14", "91.00 ± 0.14", "-"),
    ]


@pytest.mark.parametrize("device", ["none", "loihi"])
def test_one_device_makes_no_table_and_no_section(device: str) -> None:
    content = comparison()
    kept = [run for run in content["runs"] if run["hardware"] == device]
    assert on_devices(kept) is None and by_device(kept) == []
    found = read({**content, "runs": kept})
    assert "devices" not in [section.name for section in sections_of(found, looks_of(found))]


def test_a_path_behind_the_device_stays_in_the_name_of_a_row() -> None:
    runs = [
        {"rule": "dfa @ continuous"},
        {"rule": "dfa @ loihi @ continuous", "hardware": "loihi"},
        {"rule": "dfa", "hardware": "none"},
    ]
    found = on_devices(runs)
    assert found is not None
    assert found.rows == {
        "dfa @ continuous": {"none": "dfa @ continuous", "loihi": "dfa @ loihi @ continuous"},
        "dfa": {"none": "dfa"},
    }


def test_the_report_says_what_each_rule_keeps_on_each_device() -> None:
    content = comparison()
    found = read(content)
    section = next(part for part in sections_of(found, looks_of(found)) if part.name == "devices")
    (table,) = section.tables
    assert [column.title for column in table.columns] == ["floating point", "loihi", "fixed_point:bits=4"]
    shown = {row.rule: [(cell.text, cell.note) for cell in row.cells] for row in table.rows}
    assert list(shown) == ["dfa", "drtp"]
    assert shown["dfa"] == [("95.00", ""), ("93.75", "−1.25"), ("80.00", "−15.00")]
    assert shown["drtp"] == [("90.00", ""), ("91.00", "+1.00"), ("–", "")]
    squares = {square["rule"]: square for square in section.lists["devices"]}
    assert [squares[name]["full"] for name in MEANS] == pytest.approx([0, 0.125, 1, 0, 0])
    assert squares["dfa @ loihi"]["change"] == "−1.25 points"
    vegalite_to_vega(section.charts["devices"])
    assert "What each device takes" in page_of(found)


def test_without_floating_point_there_is_no_difference() -> None:
    content = comparison()
    kept = [run for run in content["runs"] if run["hardware"] != "none"]
    rules = [row for row in content["rules"] if " @ " in row["rule"]]
    found = read({**content, "runs": kept, "rules": rules})
    section = next(part for part in sections_of(found, looks_of(found)) if part.name == "devices")
    assert [[cell.note for cell in row.cells] for row in section.tables[0].rows] == [["", ""], ["", ""]]


def test_energies_stand_beside_accuracies_for_the_devices_that_say_them() -> None:
    content = comparison()
    for run in content["runs"]:
        if run["hardware"] == "loihi":
            run["energy"] = {"total": 2000.0 + run["seed"], "learning": {"total": 38_000_000.0}}
    for row in content["rules"]:
        on_loihi = row["rule"].endswith("loihi")
        row |= {"energy_pJ": 2000.5, "learning_energy_pJ": 38_000_000.0} if on_loihi else {"energy_pJ": None}
    assert energy_by_device(content["runs"]) == [
        ("rule", "loihi"),
        ("dfa", "2.001 + 38,000"),
        ("drtp", "2.001 + 38,000"),
    ]
    found = read(content)
    section = next(part for part in sections_of(found, looks_of(found)) if part.name == "devices")
    assert [table.name for table in section.tables] == ["devices", "energy_pJ", "learning_energy_pJ"]
    shown = {row.rule: [cell.text for cell in row.cells] for row in section.tables[2].rows}
    assert shown == {"dfa": ["38,000"], "drtp": ["38,000"]}
    assert [column.title for column in section.tables[1].columns] == ["loihi"]


@pytest.mark.parametrize(
    ("hardware", "words"),
    [("none,xilo", "'xylo'"), ("none,loihi:bitz=4", "'bits'"), ("none,loihi:bits=12", "at most 8"),
     ("none,loihi:rules=engine", "running mean")],
)  # fmt: skip
def test_a_device_that_cannot_serve_is_refused_before_another_row_is_trained(hardware: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        plan(TrainConfig(), "dfa", 1, hardware)
