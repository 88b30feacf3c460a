"""The audit as a matrix a rule: rows are layers that learn, columns what was changed. As text; `picture` draws it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

Mark = Literal["none", "near", "told", "far", "late", "untried"]
"""No bit changed; depends on what lies at the layer or below it; on the label; on what lies above it, or on other
samples; on what comes later in the trial; not tried (a net without time has no later steps)."""
MARKS: dict[Mark, str] = {"none": ".", "near": "o", "told": "L", "far": "#", "late": ">", "untried": " "}
ALONE = {"label": "label", "other_samples": "other samples", "later_steps": "later steps"}
"""Kinds of one column."""


class Matrix(NamedTuple):
    """One rule's.

    Args:
        rule: its text.
        layers: in order, the first at the bottom of the net.
        columns: (kind, perturbed).
        marks: by (layer, kind, perturbed).
        told: a line about the rule as a whole.
        needs: a line about what its signal needs, found and declared.
    """

    rule: str
    layers: list[str]
    columns: list[tuple[str, str]]
    marks: dict[tuple[str, str, str], Mark]
    told: str
    needs: str


def matrices(audit: Mapping[str, Any]) -> Iterator[Matrix]:
    """One for each audited rule, in order."""
    for fact in audit["facts"]:
        entries = [entry for entry in audit["entries"] if entry["rule"] == fact["rule"]]
        layers = list(dict.fromkeys(entry["update_of"] for entry in entries))
        columns = [(kind, layer) for kind in ("weights", "activity") for layer in layers] + list(ALONE.items())
        marks = {(e["update_of"], e["kind"], e["perturbed"]): mark_of(e, layers) for e in entries}
        yield Matrix(fact["rule"], layers, columns, marks, told_of(fact), needs_line(fact))


def mark_of(entry: Mapping[str, Any], layers: list[str]) -> Mark:
    """How far away lies what an update depends on."""
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
    """Backward pass and memory in a line."""
    through = ", ".join(short_name(layer) for layer in fact["backward_through"])
    backward = f"backward pass through {through}" if fact["backward_pass"] else "no backward pass"
    if fact["memory_growth"] is None:
        return f"{backward}; one time step"
    return f"{backward}; memory at 4 T: x {fact['memory_growth']:.2f} ({fact['schedule_used'].replace('_', ' ')})"


TITLES = {
    "weight_symmetry": "weight symmetry", "non_local_signals": "non-local signals",
    "frozen_activity": "frozen activity", "update_locking": "update locking",
}  # fmt: skip
"""Of the four problems."""
COLUMNS = (
    "rule", "backward pass", *TITLES.values(), "told the label", "waits for later steps", "memory at 4 T"
)  # fmt: skip


def table_rows(audit: Mapping[str, Any], problems: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    """One row a rule: what its hidden layers need, in yes and no."""
    rows = []
    for fact in audit["facts"]:
        rule, growth = fact["rule"], fact["memory_growth"]
        hidden = [e for e in audit["entries"] if e["rule"] == rule and e["update_of"] != "readout"]
        kinds = {kind: [e["depends"] for e in hidden if e["kind"] == kind] for kind in ("label", "later_steps")}
        found = [fact["backward_pass"], *(problems[rule][name]["has"] for name in TITLES), any(kinds["label"])]
        later = yes_no(any(kinds["later_steps"])) if kinds["later_steps"] else "one step"
        memory = "-" if growth is None else f"x {growth:.2f}"
        rows.append([rule, *map(yes_no, found), later, memory])
    return rows


def yes_no(value: bool) -> str:
    """yes, or a dot that lets the eye find it."""
    return "yes" if value else "."


def needs_line(fact: Mapping[str, Any]) -> str:
    """The needs that were found, and where the declaration says otherwise."""
    found, declared = set(fact["needs"]), set(fact["declared_needs"])
    parts = [", ".join(sorted(found)) or "nothing"]
    if found - declared:
        parts.append(f"not declared: {', '.join(sorted(found - declared))}")
    if declared - found:
        parts.append(f"declared, not found: {', '.join(sorted(declared - found))}")
    if fact.get("state_moves"):
        parts.append(f"moved, though its signal does not say so: {', '.join(fact['state_moves'])}")
    if fact.get("hidden_memory"):
        parts.append("keeps something outside its state")
    return "; ".join(parts)


def short_name(layer: str) -> str:
    """h1, h2, ..., out."""
    return "out" if layer == "readout" else layer.replace("hidden", "h")


def as_text(matrix: Matrix) -> str:
    """A matrix for a terminal, the read-out on top."""
    short = [short_name(layer) for layer in matrix.layers]
    width = max(len(name) for name in short) + 1
    block = width * len(short)
    lines = [
        f"{matrix.rule}: {matrix.told}",
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
