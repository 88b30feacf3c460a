"""The audit as text: one matrix per rule, with a row for each learning layer and a column for each change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

Mark = Literal["none", "near", "told", "far", "late", "untried"]
"""The kind of dependence in a cell. none: no bit changed. near: on the layer itself or one below. told: on the label.
far: on a layer above or on other samples. late: on later steps of the trial. untried: not tested, because the net has a
single step."""
MARKS: dict[Mark, str] = {"none": ".", "near": "o", "told": "L", "far": "#", "late": ">", "untried": " "}
"""The character of each mark in the text."""
ALONE = {"label": "label", "other_samples": "other samples", "later_steps": "later steps"}
"""Kinds with a single column, and the title of the column; all other kinds have one column per layer."""


class Matrix(NamedTuple):
    """The dependences of one rule's updates, as a matrix.

    Args:
        rule: the rule as a text.
        layers: names of the layers, from first to last.
        columns: (kind, perturbed) of each column.
        marks: the mark by (learning layer, kind, perturbed).
        summary: a line about the whole rule.
        needs: a line about the needs of the signal, measured and declared.
    """

    rule: str
    layers: list[str]
    columns: list[tuple[str, str]]
    marks: dict[tuple[str, str, str], Mark]
    summary: str
    needs: str


def matrices(audit: Mapping[str, Any]) -> Iterator[Matrix]:
    """Yield one matrix for each audited rule, in order, from the result of `audit_settings`."""
    for fact in audit["facts"]:
        entries = [entry for entry in audit["entries"] if entry["rule"] == fact["rule"]]
        layers = list(dict.fromkeys(entry["update_of"] for entry in entries))
        columns = [(kind, layer) for kind in ("weights", "activity") for layer in layers] + list(ALONE.items())
        marks = {(e["update_of"], e["kind"], e["perturbed"]): mark_of(e, layers) for e in entries}
        yield Matrix(fact["rule"], layers, columns, marks, told_of(fact), needs_line(fact))


def mark_of(entry: Mapping[str, Any], layers: list[str]) -> Mark:
    """The mark that shows the kind of a dependence.

    Args:
        entry: one dependence.
        layers: names of the layers, from first to last.

    Returns:
        The mark of the entry's cell.
    """
    if not entry["depends"]:
        return "none"
    match entry["kind"]:
        case "label":
            return "told"
        case "later_steps":
            return "late"
        case "other_samples":
            return "far"
    return "far" if layers.index(entry["perturbed"]) > layers.index(entry["update_of"]) else "near"


def told_of(fact: Mapping[str, Any]) -> str:
    """A line that names the layers with a backward pass, and the growth of memory with the length of a trial."""
    through = ", ".join(short_name(layer) for layer in fact["backward_through"])
    backward = f"backward pass through {through}" if fact["backward_pass"] else "no backward pass"
    if fact["memory_growth"] is None:
        return f"{backward}; one time step"
    return f"{backward}; memory at 4 T: x {fact['memory_growth']:.2f} ({fact['schedule_used'].replace('_', ' ')})"


TITLES = {
    "weight_symmetry": "weight symmetry", "non_local_signals": "non-local signals",
    "frozen_activity": "frozen activity", "update_locking": "update locking",
}  # fmt: skip
"""Titles of the four problems (see `problems`)."""
COLUMNS = (
    "rule", "backward pass", *TITLES.values(), "told the label", "waits for later steps", "memory at 4 T"
)  # fmt: skip
"""Titles of the columns of `table_rows`."""


def table_rows(audit: Mapping[str, Any], problems: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    """The rows of a table that shows what the hidden layers of each rule depend on.

    Args:
        audit: the result of `audit_settings`.
        problems: the result of `problems_of`, by rule.

    Returns:
        Rows of texts under `COLUMNS`.
    """
    rows = []
    for fact in audit["facts"]:
        rule, growth = fact["rule"], fact["memory_growth"]
        hidden = [e for e in audit["entries"] if e["rule"] == rule and e["update_of"] != "readout"]
        kinds = {kind: [e["depends"] for e in hidden if e["kind"] == kind] for kind in ("label", "later_steps")}
        answers = [fact["backward_pass"], *(problems[rule][name]["has"] for name in TITLES), any(kinds["label"])]
        later = yes_no(any(kinds["later_steps"])) if kinds["later_steps"] else "one step"
        memory = "-" if growth is None else f"x {growth:.2f}"
        rows.append([rule, *map(yes_no, answers), later, memory])
    return rows


def yes_no(value: bool) -> str:
    """The word yes for True, and a dot for False, so that yes stands out in a table."""
    return "yes" if value else "."


def needs_line(fact: Mapping[str, Any]) -> str:
    """A line with the measured needs and their differences from the declared ones."""
    needs, declared = set(fact["needs"]), set(fact["declared_needs"])
    parts = [", ".join(sorted(needs)) or "nothing"]
    if needs - declared:
        parts.append(f"not declared: {', '.join(sorted(needs - declared))}")
    if declared - needs:
        parts.append(f"declared, not found: {', '.join(sorted(declared - needs))}")
    if fact.get("state_moves"):
        parts.append(f"moved, though its signal does not say so: {', '.join(fact['state_moves'])}")
    if fact.get("state_stays"):
        parts.append(f"stayed, though its signal says that it moves: {', '.join(fact['state_stays'])}")
    if fact.get("hidden_memory"):
        parts.append("keeps something outside its state")
    return "; ".join(parts)


def short_name(layer: str) -> str:
    """A short name for a layer: h1, h2, ..., and out for the read-out."""
    return "out" if layer == "readout" else layer.replace("hidden", "h")


def as_text(matrix: Matrix) -> str:
    """Write a matrix as lines for a terminal, with the read-out on top."""
    short = [short_name(layer) for layer in matrix.layers]
    width = max(len(name) for name in short) + 1
    block = width * len(short)
    lines = [
        f"{matrix.rule}: {matrix.summary}",
        f"  {'':10}{'weights of':{block + 2}}{'activity of':{block + 2}}",
        f"  {'update of':10}{''.join(f'{n:{width}}' for n in short)}  {''.join(f'{n:{width}}' for n in short)}  "
        + "  ".join(ALONE.values()),
    ]
    for layer in reversed(matrix.layers):
        signs = [MARKS[matrix.marks.get((layer, *column), "untried")] for column in matrix.columns]
        near, alone = signs[: -len(ALONE)], signs[-len(ALONE) :]
        row = [f"{sign:{width}}" for sign in near]
        ends = "  ".join(f"{sign:{len(name)}}" for sign, name in zip(alone, ALONE.values(), strict=True))
        lines.append(f"  {layer:10}{''.join(row[: len(short)])}  {''.join(row[len(short) :])}  {ends}".rstrip())
    return "\n".join(lines)


LEGEND = (
    "o depends on the layer itself, or one below    # on a layer above, or on other samples\n"
    "L on the label    > on what comes later in the trial    . no bit changed"
)
