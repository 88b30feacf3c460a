"""`python docs/figures/store.py COMPARISON NAME` keeps a comparison's results as docs/results/data/NAME.json.

COMPARISON is the folder that `neurorules compare` made, or that of `neurorules benchmark`, all of whose numbers are
kept and whose NAME is benchmark-SUITE, or that of `neurorules bench`, whose picture is kept as well. Of a comparison,
kept are its command, its date and machine, the commit of this checkout, and for each run what the pages show.
`--commit` names another commit, where the runs were made by one. `--join` keeps what is stored of other rules.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
from pathlib import Path
from typing import Any

from bench_tables import keep_picture, tables_of
from stored import FOLDER, Run

FIELDS = ("seed", "test_accuracy", "validation_accuracy", "train_seconds", "spikes_per_sample", "needs")
SETTLED = ("optimizer", "lr", "readout_lr", "readout_optimizer", "norm", "neuron", "steps", "epochs", "data")
MEASURES = {
    "angle_deg": "alignment", "signal_angle_deg": "alignment", "norm_ratio": "alignment", "sign_agreement": "alignment",
    "cka": "layers", "probe_accuracy": "layers", "firing_rate": "layers",
}  # fmt: skip
"""Measures by layer that are kept, each with the list of a comparison that holds it."""
EARLY = ("angle_deg", "signal_angle_deg")
"""Measures that are kept before learning and after the first epoch as well."""
COUNTS = ("train_samples", "validation_samples", "test_samples")


def main() -> None:
    """Store one comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("comparison", type=Path, help="folder with compare.json")
    parser.add_argument("name", help="of the stored file")
    parser.add_argument("--note", default="", help="what a reader must know of these runs")
    parser.add_argument("--commit", default=None, help="that made the runs; the one checked out where left out")
    parser.add_argument(
        "--label", action="append", default=[], metavar="ROW=>LABEL", help="another name of a row on the pages"
    )
    parser.add_argument("--join", action="store_true", help="add the rules or rows to those stored already")
    parser.add_argument("--hottest", action="store_true", help="keep the hottest places of a measurement as well")
    asked = parser.parse_args()
    if (asked.comparison / "benchmark.json").is_file():
        found = json.loads((asked.comparison / "benchmark.json").read_text(encoding="utf-8"))
        found |= {"command": repeated(found["command"]), "commit": asked.commit or checked_out()}
        write(asked.name, joined(asked.name, found) if asked.join else found)
        return
    if (asked.comparison / "bench.json").is_file():
        found = json.loads((asked.comparison / "bench.json").read_text(encoding="utf-8"))
        command = re.sub(r" --out=\S+", "", found["command"])
        ratios, hottest = tables_of(found, command, asked.commit or checked_out())
        write(asked.name, ratios)
        if asked.hottest:
            write(f"{asked.name}-hottest", hottest)
        keep_picture(asked.comparison, asked.name)
        return
    labels = dict(text.split("=>", 1) for text in asked.label)
    found = json.loads((asked.comparison / "compare.json").read_text(encoding="utf-8"))
    content = {
        "command": repeated(found["command"]),
        "commit": asked.commit or checked_out(),
        "date": found["date"],
        "machine": {**found["machine"], "torch": found["versions"].get("torch")},
        "note": asked.note,
        "runs": [record(run, found, labels) for run in found["runs"]],
    }
    write(asked.name, with_rows(asked.name, content) if asked.join else content)


def with_rows(name: str, found: dict[str, Any]) -> dict[str, Any]:
    """A stored comparison with rows that were trained later; one of the same name is replaced at its place.

    Raises:
        SystemExit: the rows are of other samples.
    """
    stored = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    for field in ("data", *COUNTS):
        there, new = ({run[field] for run in content["runs"]} for content in (stored, found))
        if there != new:
            raise SystemExit(f"the runs of {name} have {field} {there}, these have {new}: train all rows again")
    rows: dict[str, list[Run]] = {}
    for run in stored["runs"]:
        rows.setdefault(run["row"], []).append(run)
    new_rows = list(dict.fromkeys(run["row"] for run in found["runs"]))
    rows |= {row: [run for run in found["runs"] if run["row"] == row] for row in new_rows}
    later = f"{', '.join(new_rows)} later by {found['command']}, {found['date']}, commit {found['commit']}"
    later += f" ({found['note']})" if found["note"] else ""
    return {**stored, "note": f"{stored['note']}; {later}", "runs": [run for runs in rows.values() for run in runs]}


def joined(name: str, found: dict[str, Any]) -> dict[str, Any]:
    """A stored benchmark with further rules, which were trained on the same tasks later.

    Raises:
        SystemExit: the tasks differ.
    """
    stored = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    if stored["tasks"] != found["tasks"]:
        raise SystemExit(f"the tasks of {name} have other settings than those of these runs: train its rules again")
    new = {cell["rule"] for cell in found["cells"] if cell["kind"] == "rule"}
    kept = [cell for cell in stored["cells"] if cell["rule"] not in new or cell["kind"] == "frozen"]
    there = {(cell["task"], cell["rule"], cell["kind"]) for cell in kept}
    cells = kept + [cell for cell in found["cells"] if (cell["task"], cell["rule"], cell["kind"]) not in there]
    beside = {(cell["task"], cell["frozen"]) for cell in cells if cell["kind"] == "rule"}
    cells = [cell for cell in cells if cell["kind"] != "frozen" or (cell["task"], cell["rule"]) in beside]
    rules = [rule for rule in stored["rules"] if rule["rule"] not in new]
    rules += [rule for rule in found["rules"] if rule["rule"] in new]
    order = [task["name"] for task in stored["tasks"]]

    def place(cell: Any) -> tuple[int, bool, str]:
        is_rule = cell["kind"] == "rule"
        return order.index(cell["task"]), not is_rule, cell["rule"] if is_rule else ""

    begun = f"Later: {', '.join(sorted(new))}: "
    later = f"{begun}{found['command']}, {found['date']}, commit {found['commit']}."
    return {
        **stored, "cells": sorted(cells, key=place),
        "rules": sorted(rules, key=lambda rule: rule["rule"]),
        "notes": [note for note in stored["notes"] if not note.startswith(begun)] + [later],
    }  # fmt: skip


def repeated(command: str) -> str:
    """A command without the options that say where and how to run it, and not what."""
    return re.sub(r" --(out|data-dir|jobs|threads|resume|force)(=\S+| [^-]\S*)?", "", command)


def write(name: str, content: dict[str, Any]) -> None:
    """Write a stored file: one line for each run or row, so that a change of one is one line."""
    lines = [f"{json.dumps(key)}: {one_a_line(value)}" for key, value in content.items()]
    (FOLDER / f"{name}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def one_a_line(value: Any) -> str:
    """JSON of a value; a list of lists or mappings has a line for each."""
    if isinstance(value, list) and value and not isinstance(value[0], str):
        return "[\n  " + ",\n  ".join(json.dumps(item, ensure_ascii=False) for item in value) + "\n]"
    return json.dumps(value, ensure_ascii=False)


def record(run: Run, comparison: dict[str, Any], labels: dict[str, str]) -> Run:
    """What is kept of one run: its row, its numbers, its settled settings, and measures after the last epoch."""
    kept = {"row": labels.get(run["rule"], run["rule"]), "rule": run["rule"]}
    kept |= {name: run.get(name) for name in (*FIELDS, *SETTLED, *COUNTS)}
    if ":fold=" in str(run["data"]):
        kept["overlap"] = run["test_samples"] / run["train_samples"]
    own = [row for row in comparison["rules"] if row["rule"] == run["rule"]]
    kept["learning_bytes_per_sample"] = own[0]["learning_bytes_per_sample"] if own else None
    for measure, source in MEASURES.items():
        rows = [row for row in comparison[source] if (row["rule"], row["seed"]) == (run["rule"], run["seed"])]
        epochs = {e: f"{measure}_epoch_{e}" for e in (0, 1) if measure in EARLY} | {run["epochs"]: measure}
        for epoch, name in epochs.items():
            values = [row.get(measure) for row in rows if row["epoch"] == epoch and row["layer"] != "readout"]
            if values and None not in values:
                kept[name] = values
    return kept


def checked_out() -> str:
    """The commit of this checkout, marked where files differ from it.

    Raises:
        SystemExit: this is no checkout.
    """
    words = ["git", "-C", str(FOLDER), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit("this folder is no git checkout: name the commit that made the runs with --commit")
    return done.stdout.strip()


if __name__ == "__main__":
    main()
