"""The kit for a paper: its numbers are those of compare.json, its LaTeX can be set, and it tells what was recorded."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from comparisons import made
from vl_convert import vegalite_to_vega

from neurorules.cli import run
from neurorules.compare.measures.statistics import interval
from neurorules.compare.paper import kit, write_paper
from neurorules.compare.paper.bands import summaries
from neurorules.compare.paper.latex import escaped, latex_table
from neurorules.compare.paper.methods import as_latex, as_markdown, methods
from neurorules.compare.paper.pictures import Picture, pictures_of
from neurorules.compare.paper.references import references_of
from neurorules.compare.paper.text_tables import TextTable, csv_table, markdown_table, text_table
from neurorules.compare.report.reading import read
from neurorules.compare.report.sections import sections_of
from neurorules.compare.report.style import looks_of

HOSTILE = "mine:a=\\x{$&%#_~^}|\"'`<b>"
SETTINGS = {
    "data": "digits", "net": "16-12", "neuron": "lif:beta=0.9", "readout_neuron": "leaky_readout", "steps": 7,
    "connection": "dense", "encode": "poisson", "epochs": 8, "batch_size": 33, "optimizer": "adam",
    "readout_optimizer": "momentum", "lr_schedule": "cosine", "weight_decay": 0.0125, "norm": "streaming", "init": "he",
    "readout": "all", "schedule": "by_layer", "device": "cpu", "path": "torch", "hardware": "none",
    "precision": "float64", "threads": 2, "limit": 555, "signal": None, "dw": None,
}  # fmt: skip
SPARSE = {
    "one seed, one epoch": made(["sigprop", "bptt"], seeds=1, epochs=1, hidden=1),
    "no bptt, no audit": made(["sigprop", "drtp"], seeds=2, epochs=2, audit=False),
    "nothing but rules": {**made(["sigprop"], seeds=1, layers=[], alignment=[], audit={}, runs=[]), "epochs": []},
    "hostile": made(["sigprop", HOSTILE, "bptt"], seeds=2, epochs=2, hidden=1),
}


def whole() -> dict[str, Any]:
    """A comparison with every setting recorded, and two rates."""
    found = made(["sigprop:form=voltage", "dfa", "bptt", "shallow"], seeds=3, epochs=3, hidden=2, settings=SETTINGS)
    found["differing"] = ["lr"]
    for row in [*found["runs"], *found["rules"]]:
        row |= {"lr": 0.003 if row["rule"] == "dfa" else 0.002, "readout_lr": 0.01}
    for row in found["runs"]:
        row |= {"train_samples": 1337, "validation_samples": 149, "test_samples": 311, "data": "digits"}
    return found


def tables_of(found: dict[str, Any]) -> dict[str, TextTable]:
    comparison = read(found)
    sections = sections_of(comparison, looks_of(comparison))
    return {table.name: text_table(table) for section in sections for table in section.tables}


def rows_in(table: TextTable) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(csv_table(table))))


def pictures(found: dict[str, Any]) -> dict[str, Picture]:
    comparison = read(found)
    looks = looks_of(comparison)
    return {picture.name: picture for picture in pictures_of(comparison, sections_of(comparison, looks), looks)}


def paragraph(found: dict[str, Any]) -> str:
    comparison = read(found)
    return as_markdown(methods(comparison, references_of(comparison)))


def test_the_numbers_of_every_table_are_those_of_the_comparison() -> None:
    found = whole()
    tables = tables_of(found)
    assert set(tables) == {"accuracy", "alignment", "layers", "cost", "needs", "locality", "facts", "runs"}
    by_name = {row["rule"]: row for row in found["rules"]}
    shown = rows_in(tables["accuracy"])
    assert [row["rule"] for row in shown] == sorted(by_name, key=lambda n: -by_name[n]["test_accuracy"]["mean"])
    for row in shown:
        of = by_name[row["rule"]]
        assert float(row["test %"]) == pytest.approx(100 * of["test_accuracy"]["mean"], rel=1e-15)
        assert float(row["spread"]) == pytest.approx(100 * of["test_accuracy"]["spread"], rel=1e-15)
        assert float(row["validation %"]) == pytest.approx(100 * of["validation_accuracy"]["mean"], rel=1e-15)
        assert row["read-out rate"] == "0.01" and int(row["seeds"]) == 3
        gap = of["difference"]
        assert (row["to BPTT"] == "") == (gap is None)
        assert gap is None or float(row["to BPTT"]) == pytest.approx(100 * gap["mean"], rel=1e-15)
    for row in rows_in(tables["cost"]):
        assert float(row["seconds to train"]) == by_name[row["rule"]]["train_seconds"]
        assert float(row["bytes moved to learn, a sample"]) == by_name[row["rule"]]["learning_bytes_per_sample"]
    for row, of in zip(rows_in(tables["runs"]), found["runs"], strict=True):
        assert (row["rule"], int(row["seed"]), float(row["seconds"])) == (of["rule"], of["seed"], of["train_seconds"])
        assert float(row["test %"]) == pytest.approx(100 * of["test_accuracy"], rel=1e-15)
        assert row["lr"] == str(of["lr"])


def test_the_numbers_of_layers_are_means_over_seeds_after_the_last_epoch() -> None:
    found = whole()
    tables = tables_of(found)
    for name, head, column, scale in (
        ("alignment", "angle at last °", "angle_deg", 1), ("alignment", "same sign %", "sign_agreement", 100),
        ("layers", "spikes a neuron and step", "firing_rate", 1), ("layers", "dead neurons %", "dead", 100),
    ):  # fmt: skip
        for row in rows_in(tables[name]):
            own = [r[column] for r in found[name]
                   if (r["rule"], r["layer"], r["epoch"]) == (row["rule"], row["layer"], 3)]  # fmt: skip
            assert len(own) == 3
            if None in own:
                assert row[head] == ""
            else:
                assert float(row[head]) == pytest.approx(scale * sum(own) / 3, rel=1e-12)
    depends = {(e["rule"], e["update_of"], e["kind"], e["perturbed"]): e["depends"] for e in found["audit"]["entries"]}
    cells = {(row["rule"], row["layer"]): row for row in rows_in(tables["locality"])}
    for (rule, layer, kind, changed), is_so in depends.items():
        if kind in ("weights", "activity"):
            assert cells[rule, layer][f"{kind} of {changed}"] == ("yes" if is_so else "no")


def test_what_is_shown_is_the_rounded_number_in_all_formats() -> None:
    table = tables_of(whole())["accuracy"]
    for row, values in zip(table.rows, table.values, strict=True):
        assert row[3] == f"{float(values[3]):.2f}"
        assert f" & {row[3]} & " in latex_table(table) and f" | {row[3]} | " in markdown_table(table)


def split_cells(line: str, sign: str) -> list[str]:
    """The cells of a line, at signs that no backslash stands before."""
    return re.split(rf"(?<!\\){re.escape(sign)}", line)


def check_latex(source: str) -> None:
    """Groups and environments close in order, math does, and no sign with a meaning stands in a text by itself."""
    kept = "\n".join(line for line in source.splitlines() if not line.startswith("%"))
    plain = re.sub(r"\\[a-zA-Z]+|\\[^a-zA-Z]", lambda command: " " * len(command[0]), kept)
    depth = 0
    for sign in plain:
        depth += {"{": 1, "}": -1}.get(sign, 0)
        assert depth >= 0
    assert depth == 0 and plain.count("$") % 2 == 0 and not set("%#\\") & set(plain)
    outside = re.sub(r"\$[^$]*\$", "", plain)
    assert not set("_^") & set(re.sub(r"(label|cite)?\{[^{}]*\}", "", outside))
    opened: list[str] = []
    for word, name in re.findall(r"\\(begin|end)\{(\w+)\}", kept):
        if word == "begin":
            opened.append(name)
        else:
            assert opened.pop() == name
    assert opened == []


def tabular_lines(source: str) -> Iterator[str]:
    body = source[source.index(r"\toprule") : source.rindex(r"\end{")]
    yield from (line for line in body.splitlines() if line.endswith(r"\\"))


@pytest.mark.parametrize("name", ["whole", *SPARSE])
def test_every_table_can_be_set_and_has_all_its_cells(name: str) -> None:
    found = SPARSE.get(name) or whole()
    for table in tables_of(found).values():
        source = latex_table(table)
        check_latex(source)
        for needed in ("\\toprule", "\\midrule", "\\bottomrule", f"\\label{{tab:{table.name}}}", "\\caption{"):
            assert source.count(needed) == 1
        lines = list(tabular_lines(source))
        assert len(lines) == 1 + len(table.rows)
        assert {len(split_cells(line, "&")) for line in lines} == {len(table.head)}
        marked = [line for line in markdown_table(table).splitlines() if line.startswith("|")]
        assert {len(split_cells(line, "|")) for line in marked} == {len(table.head) + 2}
        assert len(rows_in(table)) == len(table.rows)


def test_every_sign_that_means_something_to_latex_is_escaped() -> None:
    assert escaped("a_b%c") == r"a\_b\%c"
    assert escaped("\\{}$&#~^|") == (
        r"\textbackslash{}\{\}\$\&\#\textasciitilde{}\textasciicircum{}\textbar{}"
    )  # fmt: skip
    assert escaped("−1 ± 2\u2009000 × 3°") == r"$-$1 $\pm$ 2\,000 $\times$ 3$^\circ$"
    comparison = read(SPARSE["hostile"])
    check_latex(as_latex(methods(comparison, references_of(comparison))))


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
@pytest.mark.parametrize("name", ["whole", "hostile"])
def test_latex_itself_sets_all_of_it(tmp_path: Path, name: str) -> None:
    write_paper(SPARSE.get(name) or whole(), tmp_path / "paper", tables=["tex"], charts=[])
    inputs = "\n".join(rf"\input{{paper/tables/{path.name}}}" for path in (tmp_path / "paper" / "tables").iterdir())
    packages = r"\usepackage[T1]{fontenc}\usepackage[utf8]{inputenc}\usepackage{textcomp,booktabs,longtable}"
    (tmp_path / "all.tex").write_text(
        rf"\documentclass{{article}}{packages}\begin{{document}}\input{{paper/methods.tex}}{inputs}\end{{document}}",
        encoding="utf-8",
    )
    done = subprocess.run(
        ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "all.tex"],
        cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]


def test_curves_are_the_mean_and_the_interval_over_seeds() -> None:
    found = whole()
    rows = summaries(read(found), found["epochs"], "epoch", "validation_accuracy")
    assert len(rows) == 4 * 3
    for row in rows:
        own = [r["validation_accuracy"] for r in found["epochs"]
               if (r["rule"], r["epoch"]) == (row["rule"], row["epoch"])]  # fmt: skip
        wanted = interval(own)
        assert (row["value"], row["low"], row["high"], row["seeds"]) == (wanted.mean, wanted.low, wanted.high, 3)
    spec = pictures(found)["learning_validation_accuracy"].spec
    assert spec["data"]["values"] == rows
    fields = {(layer["mark"]["type"], layer["encoding"]["y"]["field"]) for layer in spec["layer"][1:]}
    assert fields == {("area", "low"), ("line", "value"), ("point", "value")}
    assert spec["layer"][1]["encoding"]["y2"] == {"field": "high"}


def test_a_chart_by_layer_shows_the_last_epoch() -> None:
    found = whole()
    shown = pictures(found)["alignment_by_depth_cosine"].spec["data"]["values"]
    for row in shown:
        own = [r["cosine"] for r in found["alignment"]
               if (r["rule"], r["layer"], r["epoch"]) == (row["rule"], row["layer"], 3)]  # fmt: skip
        assert (row["value"], row["seeds"]) == (interval(own).mean, 3)
    assert len(shown) == 4 * 3


def test_intervals_over_folds_are_widened_for_their_overlap() -> None:
    found = whole()
    for row in found["runs"]:
        row["data"] = f"nmnist:folds=3:fold={row['seed']}"
    rows = summaries(read(found), found["epochs"], "epoch", "validation_accuracy")
    own = [r["validation_accuracy"] for r in found["epochs"] if (r["rule"], r["epoch"]) == ("dfa", 3)]
    row = next(row for row in rows if (row["rule"], row["epoch"]) == ("dfa", 3))
    assert (row["low"], row["high"]) == interval(own, overlap=311 / 1337)[1:3] != interval(own)[1:3]
    found["settings"] = {**SETTINGS, "data": "nmnist:folds=3"}
    assert "once for each fold" in paragraph(found) and "overlap of folds" in paragraph(found)


def test_every_chart_of_the_report_has_a_picture_for_each_measure_and_layer() -> None:
    names = set(pictures(whole()))
    wanted = {"accuracy", "learning_train_loss", "alignment_by_depth_cosine", "alignment_over_epochs_cosine_hidden2",
              "alignment_over_epochs_angle_deg_readout", "inside_by_depth_dead", "inside_over_epochs_cka_hidden1",
              "cost_train_seconds", "trade_off_learning_bytes_per_sample"}  # fmt: skip
    assert wanted <= names
    comparison = read(whole())
    for section in sections_of(comparison, looks_of(comparison)):
        for chart in section.charts:
            assert any(name.startswith(chart) for name in names)


@pytest.mark.parametrize("name", ["whole", *SPARSE])
def test_every_picture_compiles_with_all_names_and_no_colour_of_the_page(name: str) -> None:
    found = SPARSE.get(name) or whole()
    for picture in pictures(found).values():
        text = json.dumps(picture.spec)
        assert "var(--" not in text and '"container"' not in text
        vegalite_to_vega(picture.spec, vl_version=kit.VEGA_LITE)
        titles = [layer["encoding"][axis]["axis"]["title"] for layer in picture.spec["layer"] for axis in "xy"
                  if "axis" in layer["encoding"].get(axis, {})]  # fmt: skip
        assert any(titles), picture.name


def test_charts_are_files_of_their_kind_with_names_and_titles(tmp_path: Path) -> None:
    out = tmp_path / "paper"
    files = write_paper(whole(), out, tables=[], charts=["pdf", "png", "svg"], only="validation_accuracy")
    charts = {path.suffix: path for path in files if path.parent.name == "charts"}
    assert charts[".pdf"].read_bytes().startswith(b"%PDF") and charts[".png"].read_bytes().startswith(b"\x89PNG")
    texts = [e.text for e in ElementTree.parse(charts[".svg"]).iter() if e.tag.endswith("text")]
    assert {"sigprop:form=voltage", "dfa", "bptt", "shallow", "epoch", "validation accuracy"} <= set(texts)


def test_the_methods_name_what_was_recorded() -> None:
    said = paragraph(whole())
    for words in (
        "on `digits`", "hidden layers `16-12`", "hidden neurons `lif:beta=0.9`", "7 time steps", "encoder `poisson`",
        "8 epochs", "batches of 33 samples", "optimiser `adam`", "optimiser of the read-out `momentum`",
        "weight decay 0.0125", "initial weights `he`", "all hidden layers", "precision `float64`", "seed (0, 1, 2)",
        "1337 training samples, 149 validation samples and 311 test samples", "of 555 samples",
        "0.002 in hidden layers and 0.01 in the read-out for `sigprop:form=voltage` and `bptt`",
        "0.003 in hidden layers and 0.01 in the read-out for `dfa`", "frozen hidden layers and 0.01", "PyTorch 2.13.0",
        "beside the controls `shallow`", "paired by seed", "neurorules compare --rules",
    ):  # fmt: skip
        assert words in said, words
    assert "device model" not in said and "Brian2" not in said


@pytest.mark.parametrize(
    ("left_out", "words"),
    [("epochs", "epochs"), ("encode", "encoder"), ("optimizer", "optimiser `"), ("net", "hidden layers `"),
     ("limit", "limited to"), ("precision", "precision")],
)  # fmt: skip
def test_what_was_not_recorded_is_not_told(left_out: str, words: str) -> None:
    found = whole()
    command = {"command": ""}
    assert words in paragraph(found | command)
    del found["settings"][left_out]
    for row in found["runs"]:
        row.pop(left_out, None)
    assert words not in paragraph(found | command)


def test_nothing_recorded_leaves_no_sentence_about_it() -> None:
    found = made(["sigprop"], seeds=1, epochs=1, layers=[], alignment=[], audit={}, runs=[], settings={}, versions={},
                 machine={}, command="")  # fmt: skip
    assert paragraph(found) == "We trained spiking networks with `sigprop`\u00a0[@kohan2023sigprop].\n"


def test_a_setting_that_rows_bring_is_told_row_by_row() -> None:
    found = whole()
    del found["settings"]["neuron"]
    for row in found["runs"]:
        row["neuron"] = "if" if row["rule"] == "dfa" else "lif"
    assert "hidden neurons `lif` (`sigprop:form=voltage`, `bptt` and `shallow`) and `if` (`dfa`)" in paragraph(found)


def test_the_papers_of_all_rules_stand_once_and_every_citation_leads_to_one() -> None:
    found = made(["sigprop", "sigprop:form=voltage", "dfa", "not_installed_here", "bptt", "shallow"])
    references = references_of(read(found))
    text = references.text()
    assert text.count("@misc{kohan2023sigprop,") == 1 and text.count("@misc{") == 4
    assert "% not_installed_here: this rule is not installed here" in text
    cited = set(re.findall(r"@(\w+)\]", paragraph(found)))
    assert cited == set(references.entries) == {
        "kohan2023sigprop", "nokland2016dfa", "neftci2019bptt", "widrow1960shallow",
    }  # fmt: skip
    assert set(re.findall(r"\\cite\{(\w+)\}", as_latex(methods(read(found), references)))) == cited


@pytest.fixture
def comparison(tmp_path: Path) -> Path:
    """A folder with a comparison."""
    folder = tmp_path / "side"
    folder.mkdir()
    (folder / "compare.json").write_text(json.dumps(whole()), encoding="utf-8")
    return folder


def test_the_command_writes_the_kit_and_replaces_it_only_when_asked(
    comparison: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["paper", str(comparison), "--charts", "svg", "--only", "accuracy"]
    assert run([*arguments, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    out = comparison / "paper"
    files = {str(path.relative_to(out)) for path in map(Path, told["files"])}
    assert files >= {
        "tables/accuracy.tex", "tables/accuracy.csv", "tables/accuracy.md", "charts/accuracy.svg",
        "charts/learning_validation_accuracy.svg", "methods.md", "methods.tex", "references.bib",
    }  # fmt: skip
    assert all("accuracy" in name for name in files if "/" in name)
    assert run(arguments) == 2
    assert "Replace it with --force" in capsys.readouterr().err
    assert run(["paper", str(comparison), "--charts", "none", "--tables", "csv", "--force"]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["methods.md", "methods.tex", "references.bib", "tables"]
    assert {path.name for path in comparison.iterdir()} == {"compare.json", "paper"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--charts", "pdv"], ["unknown format of charts 'pdv'", "pdf"]),
        (["--tables", "latex"], ["unknown format of tables 'latex'", "tex"]),
        (["--only", "acuracy"], ["unknown table or chart 'acuracy'", "accuracy"]),
        (["--out", "."], ["contains other files"]),
        (["--out", ".", "--force"], ["contains other files"]),
        (["--out", "compare.json"], ["compare.json", "contains other files"]),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing_behind(
    comparison: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str],
    words: list[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(comparison)
    assert run(["paper", ".", *arguments]) == 2
    said = capsys.readouterr()
    assert said.out == "" and len(said.err.strip().splitlines()) == 1
    assert all(word in said.err for word in words)
    assert [path.name for path in comparison.iterdir()] == ["compare.json"]


@pytest.mark.parametrize(
    ("content", "words"), [(None, "there is no file"), ("[1]", "is not a comparison"), ('{"format": 1}', "version 3")]
)
def test_a_folder_without_a_comparison_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, words: str
) -> None:
    if content is not None:
        (tmp_path / "compare.json").write_text(content, encoding="utf-8")
    before = sorted(tmp_path.iterdir())
    assert run(["paper", str(tmp_path)]) == 2
    assert words in capsys.readouterr().err and sorted(tmp_path.iterdir()) == before


def test_a_kit_that_cannot_be_finished_leaves_the_older_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "paper"
    write_paper(whole(), out, charts=[])
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}

    def full(picture: Picture, format_: str) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kit, "_picture", full)
    with pytest.raises(OSError, match="No space left"):
        write_paper(whole(), out, only="accuracy", force=True)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["paper"]
