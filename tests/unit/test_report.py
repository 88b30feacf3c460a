"""The report of a comparison: what it says follows from the numbers, and nothing in them can break the page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from comparisons import RULES, made
from vl_convert import vegalite_to_vega

from neurorules.cli import run
from neurorules.compare.report.finding import find
from neurorules.compare.report.page import library, page_of, script_json
from neurorules.compare.report.pairs import paired
from neurorules.compare.report.reading import read
from neurorules.compare.report.sections import sections_of
from neurorules.compare.report.style import looks_of
from neurorules.language.errors import UserError

MOST_BYTES = 3_000_000
HOSTILE = "</script><img src=x onerror=alert(1)>:a=\"'&`"

SPARSE: dict[str, dict[str, Any]] = {
    "one seed, one epoch": made(["sigprop", "bptt"], seeds=1, epochs=1, hidden=1),
    "no bptt": made(["sigprop", "drtp"], seeds=2, epochs=2),
    "no alignment": made(["sigprop", "bptt"], seeds=2, epochs=2, alignment=False),
    "nothing but runs": made(["sigprop"], seeds=1, epochs=1, layers=[], alignment=[], audit={}, runs=[]),
    "one control": made(["shallow"], seeds=2, epochs=2),
    "twelve rules": made([f"sigprop:form=voltage:number={n}" for n in range(11)] + ["bptt"], seeds=2, epochs=2),
}


def text_of(html: str) -> str:
    """What a reader sees of a piece of HTML."""
    return " ".join(unescape(re.sub(r"<[^>]+>", "", html)).split())


def headline(comparison: dict[str, Any]) -> str:
    """The finding's sentence."""
    return text_of(find(read(comparison)).headline)


def with_accuracy(comparison: dict[str, Any], rule: str, **test: Any) -> dict[str, Any]:
    """The same comparison with another test accuracy of a rule."""
    for row in comparison["rules"]:
        if row["rule"] == rule:
            row["test_accuracy"] |= test
    return comparison


def test_the_finding_names_the_best_local_rule_and_its_paired_gap() -> None:
    comparison = made(["sigprop", "drtp", "bptt", "shallow"])
    row = comparison["rules"][0]
    row["difference"] |= {"mean": -0.0213, "low": -0.03, "high": -0.0126}
    said = headline(comparison)
    reached = f"{100 * row['test_accuracy']['mean']:.1f} % on the test set"
    assert said.startswith(f"sigprop, the best of 2 rules without a backward pass, reaches {reached}")
    assert ", 2.1 points below bptt" in said
    assert "95 % interval −3.0 to −1.3" in said


def test_a_small_gap_is_not_shown_as_none() -> None:
    comparison = made(["sigprop", "bptt"])
    comparison["rules"][0]["difference"] |= {"mean": 0.0004, "low": 0.00006, "high": 0.0008}
    assert "0.04 points above bptt (paired difference +0.04 points, " in headline(comparison)
    assert "95 % interval +0.01 to +0.08)" in headline(comparison)
    assert "+0.04" in [tile.number for tile in find(read(comparison)).tiles]


def test_the_finding_claims_nothing_where_the_interval_holds_zero() -> None:
    comparison = made(["sigprop", "bptt"])
    comparison["rules"][0]["difference"] |= {"mean": -0.004, "low": -0.011, "high": 0.003}
    assert "do not tell it apart from bptt" in headline(comparison)
    assert "points below" not in headline(comparison)


def test_the_finding_says_when_there_is_one_seed_or_no_bptt() -> None:
    assert "run more seeds" in headline(made(["sigprop", "bptt"], seeds=1))
    assert "1 seed, no interval" in headline(made(["sigprop", "bptt"], seeds=1))
    assert "bptt took no part" in headline(made(["sigprop"]))


def test_a_tie_is_called_a_tie() -> None:
    comparison = made(["sigprop", "drtp", "bptt"], seeds=1)
    first, second, _ = comparison["rules"]
    second["test_accuracy"], second["validation_accuracy"] = first["test_accuracy"], first["validation_accuracy"]
    assert "level with others as the best of 2 rules" in headline(comparison)


def test_the_best_rule_is_chosen_on_validation_samples_not_on_the_test_set() -> None:
    comparison = with_accuracy(made(["sigprop", "drtp", "bptt"]), "drtp", mean=0.999)
    assert headline(comparison).startswith("sigprop")
    for row in comparison["rules"]:
        row["validation_accuracy"] = None
    assert headline(comparison).startswith("drtp")


def test_a_rule_with_a_backward_pass_is_not_called_local_once_the_audit_found_one() -> None:
    comparison = made(["sigprop", "drtp", "bptt"])
    for fact in comparison["audit"]["facts"]:
        fact["backward_pass"] = fact["rule"] != "drtp"
    assert headline(comparison).startswith("drtp")


def reach(comparison: dict[str, Any], rule: str, accuracies: list[float]) -> dict[str, Any]:
    """The same comparison with other runs of a rule."""
    for run_ in comparison["runs"]:
        if run_["rule"] == rule:
            run_["test_accuracy"] = accuracies[run_["seed"]]
    return comparison


def details(comparison: dict[str, Any]) -> str:
    """The finding's further sentences."""
    return text_of(" ".join(find(read(comparison)).details))


def test_the_finding_doubts_a_rule_that_does_not_beat_its_controls() -> None:
    comparison = made(["sigprop", "bptt", "shallow"])
    assert "ahead of the controls: shallow" in details(comparison)
    own = [run_["test_accuracy"] for run_ in comparison["runs"] if run_["rule"] == "sigprop"]
    weak = reach(comparison, "shallow", [own[0] + 0.01, own[1] - 0.01, own[2] - 0.002])
    assert "Not shown to be better than the control shallow" in details(weak)


def test_rivals_are_told_apart_seed_by_seed_not_by_overlapping_intervals() -> None:
    comparison = reach(made(["sigprop", "drtp", "bptt"]), "sigprop", [0.90, 0.93, 0.96])
    close = reach(comparison, "drtp", [0.89, 0.919, 0.949])  # a point behind in every seed, intervals overlap widely
    assert "Seed by seed it is ahead of every other rule" in details(close)
    crossing = reach(comparison, "drtp", [0.93, 0.90, 0.95])
    assert "not told apart from drtp" in details(crossing)


def test_the_paired_interval_is_students() -> None:
    comparison = read(reach(reach(made(["sigprop", "drtp"]), "sigprop", [0.9, 0.8, 0.7]), "drtp", [0.8, 0.6, 0.4]))
    pair = paired(comparison, "sigprop", "drtp")
    # Differences 0.1, 0.2, 0.3: mean 0.2, s = 0.1, t(2 degrees of freedom, 97.5 %) = 4.302653 (any table).
    assert pair == pytest.approx((0.2, 0.2 - 4.302653 * 0.1 / 3**0.5, 0.2 + 4.302653 * 0.1 / 3**0.5), abs=1e-6)


def test_the_tables_hold_the_numbers_of_the_comparison() -> None:
    comparison = made()
    page = page_of(read(comparison))
    table = page[page.index('data-table="accuracy"') :]
    for row in comparison["rules"]:
        cells = table[table.index(f'<tr data-rule="{row["rule"]}"') :]
        assert f'data-value="{row["test_accuracy"]["mean"]!r}"' in cells[: cells.index("</tr>")]


def test_every_number_of_the_lists_is_in_the_page() -> None:
    comparison = made(["sigprop", "bptt"], seeds=2, epochs=3)
    held = numbers_of(page_of(read(comparison)))
    for name in ("alignment", "layers", "epochs"):
        packed = held["lists"][name]
        rows = [dict(zip(packed["columns"], row, strict=True)) for row in packed["rows"]]
        assert rows == comparison[name]
    assert held["rules"] == ["sigprop", "bptt"]


def numbers_of(page: str) -> dict[str, Any]:
    """What the page's script reads."""
    start = page.index('id="numbers">') + len('id="numbers">')
    found: dict[str, Any] = json.loads(page[start : page.index("</script>", start)])
    return found


def test_the_page_asks_no_network_and_stays_small() -> None:
    page = page_of(read(made()))
    own = page.replace(library(), "")
    assert len(page.encode()) < MOST_BYTES
    assert not re.search(r"<(link|iframe|img|script[^>]*\ssrc)|@import|url\(", own)
    assert set(re.findall(r"https?://[^\s\"'<)]+", own)) <= {"https://vega.github.io/schema/vega-lite/v6.json"}
    assert "default-src 'none'" in page


def test_no_name_breaks_out_of_the_page() -> None:
    comparison = made([HOSTILE, "bptt"], seeds=2, epochs=2, title=HOSTILE, command=HOSTILE)
    comparison["rules"][0]["needs"] = [HOSTILE]
    comparison["rules"][0]["problems"]["update_locking"] = {"has": True, "how": HOSTILE, "measured": True}
    page = page_of(read(comparison))
    assert "<img" not in page.replace(library(), "")
    assert numbers_of(page)["rules"][0] == HOSTILE
    assert page.count("</script>") == 3


def test_text_in_a_script_element_cannot_end_it() -> None:
    value = {"a": "</script><!-- & \u2028"}
    assert not re.search("[<>&\u2028]", script_json(value))
    assert json.loads(script_json(value)) == value


@pytest.mark.parametrize("name", SPARSE)
def test_sparse_comparisons_make_a_page(name: str) -> None:
    page = page_of(read(SPARSE[name]))
    json.dumps(numbers_of(page), allow_nan=False)
    shown = page[page.index("<header") : page.index('<script type="application/json"')]
    assert not re.search(r"\b(None|nan|inf)\b", text_of(shown.replace(">None</button>", "")))


def fields_of(spec: Any) -> Iterator[str]:
    """The columns that a specification draws."""
    if isinstance(spec, dict):
        if isinstance(spec.get("field"), str):
            yield spec["field"]
        spec = list(spec.values())
    for part in spec if isinstance(spec, list) else []:
        yield from fields_of(part)


def test_every_chart_compiles_and_draws_columns_that_there_are() -> None:
    comparison = read(made())
    sections = sections_of(comparison, looks_of(comparison))
    lists = {name: rows for section in sections for name, rows in section.lists.items()}
    charts = {name: spec for section in sections for name, spec in section.charts.items()}
    assert len(charts) >= 8
    for name, spec in charts.items():
        columns = {column for row in lists[spec["usermeta"]["rows"]] for column in row}
        assert set(fields_of(spec["layer"])) <= columns | {"value", "text", "seeds", "at"}, name
        vega = vegalite_to_vega({**spec, "data": {"values": []}}, vl_version="6.4")
        assert vega["marks"], name


def test_no_two_rules_look_the_same() -> None:
    rules = [f"sigprop:tau={n / 10}" for n in range(18)] + ["bptt", "shallow"]
    looks = looks_of(read(made(rules, seeds=1, epochs=1, audit=False, alignment=False)))
    assert len(set(looks.values())) == len(rules)


def test_a_matrix_marks_what_lies_above_a_layer() -> None:
    page = page_of(read(made(["sigprop", "bptt"])))
    local, exact = (
        page[start : page.index("</figure>", start)]
        for rule in ("sigprop", "bptt")
        for start in [page.index(f'<figure class="matrix" data-rule="{rule}"')]
    )
    assert local.count('class="above') == 0
    # hidden1 reads three layers above, hidden2 two, hidden3 one, by weights and activity; all four read later steps.
    assert exact.count('class="above') == 2 * 6
    assert exact.count('class="late') == 4


def test_an_audit_reaches_the_rows_of_devices_and_paths() -> None:
    comparison = made(["sigprop", "bptt"])
    for run_ in comparison["runs"]:
        run_["plain_rule"], run_["rule"] = run_["rule"], f"{run_['rule']} @ loihi"
    for row in comparison["rules"]:
        row["rule"] = f"{row['rule']} @ loihi"
    page = page_of(read(comparison))
    assert '<figure class="matrix" data-rule="sigprop @ loihi"' in page
    assert headline(comparison).startswith("sigprop @ loihi")


def test_the_control_of_shuffled_targets_shows_no_audit_that_was_not_its_own() -> None:
    comparison = made(["sigprop", "bptt"])
    shuffled = "sigprop, shuffled targets"
    for name in ("runs", "rules"):
        copies = [
            {**row, "rule": shuffled, "control": "shuffled"} for row in comparison[name] if row["rule"] == "sigprop"
        ]
        comparison[name] = [*copies, *comparison[name]]
    for run_ in comparison["runs"]:
        run_["plain_rule"] = run_["rule"].partition(",")[0]
    page = page_of(read(comparison))
    locality = page[page.index('<section id="locality"') : page.index('<section id="reading"')]
    assert 'data-rule="sigprop"' in locality and shuffled not in locality


def test_another_format_is_refused_in_one_line() -> None:
    with pytest.raises(UserError, match="version 3.*version none.*--resume"):
        read({"runs": [], "alignment": [], "audit": []})
    with pytest.raises(UserError, match="holds no rule"):
        read({"format": "neurorules-compare", "format_version": 3, "rules": []})


def test_the_command_writes_the_page_of_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", str(tmp_path)]) == 2
    assert "there is no file" in capsys.readouterr().err
    (tmp_path / "compare.json").write_text(json.dumps(made(RULES[:2], seeds=2, epochs=2)))
    assert run(["report", str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    page = Path(told["out"]).read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>") and "Rules on digits" in page


@pytest.mark.parametrize(
    ("place", "column", "value"),
    [
        ("runs", "test_accuracy", "0.9"), ("rules", "test_accuracy", {"mean": "0.9"}), ("epochs", "train_loss", [1]),
        ("layers", "cka", "high"), ("alignment", "angle_deg", {}), ("rules", "train_seconds", "long"),
    ],
)  # fmt: skip
def test_what_is_no_number_is_refused_by_its_place(
    place: str, column: str, value: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = made(["sigprop", "bptt"], seeds=2, epochs=2)
    damaged[place][0][column] = value
    (tmp_path / "compare.json").write_text(json.dumps(damaged))
    assert run(["report", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert f"{column} in '{place}' of compare.json" in said and "is no number" in said and said.count("\n") == 1
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize("rows", [3, [3], [{"seed": 1}], {"rule": "dfa"}])
def test_what_is_no_list_of_rows_is_refused(rows: Any) -> None:
    with pytest.raises(UserError, match=r"'runs' of compare.json"):
        read(made(["sigprop"], seeds=1, epochs=1, runs=rows))
