"""The texts of the table rule x task, which terminal and page share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

ENDS = (". ", ": ", " (", ", and ", ", asked ")
"""The pattern that ends the first few words of a refusal."""
FROZEN = "frozen layers"
"""Title of the row of all frozen hidden layers."""


def table_of(content: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Titles and cells of the table: a row for each rule, then one of each kind of control, then chance.

    Args:
        content: the content of `benchmark.json`.

    Returns:
        The titles, and the rows, whose first cell is the name of the rule.
    """
    tasks = [task["name"] for task in content["tasks"]]
    rules = list(dict.fromkeys(cell["rule"] for cell in content["cells"] if cell["kind"] == "rule"))
    late = list(dict.fromkeys(cell["rule"] for cell in content["cells"] if cell["kind"] == "shuffled time"))
    by_place = {(cell["kind"], cell["rule"], cell["task"]): cell for cell in content["cells"]}
    rows = [[rule, *(_text(by_place.get(("rule", rule, task)), by_place) for task in tasks)] for rule in rules]
    rows.append([FROZEN, *(_range(content["cells"], task) for task in tasks)])
    rows += [
        [f"{rule}, shuffled time", *(_text(by_place.get(("shuffled time", rule, task)), by_place) for task in tasks)]
        for rule in late
    ]
    rows.append(["chance", *(f"{100 * task['chance']:.1f}" for task in content["tasks"])])
    return ["rule", *tasks], rows


def _text(cell: Mapping[str, Any] | None, by_place: Mapping[tuple[str, str, str], Mapping[str, Any]]) -> str:
    """The text of one cell: accuracy in percent, its spread, and in brackets that of its frozen layers."""
    if cell is None:
        return "-"
    if cell["diverged"]:
        return f"diverged ({cell['diverged']} of {len(cell['seeds'])} seeds)"
    if cell["refusal"] is not None:
        return f"no: {in_few_words(cell['refusal'])}"
    other = by_place.get(("frozen", cell["frozen"], cell["task"]))
    control = "" if other is None or other["test_accuracy"] is None else f" ({100 * other['test_accuracy']:.1f})"
    return number(cell) + control


def number(cell: Mapping[str, Any]) -> str:
    """The accuracy of a cell in percent, with its spread if there are several seeds."""
    spread = f" ± {100 * cell['spread']:.1f}" if len(cell["seeds"]) > 1 else ""
    return f"{100 * cell['test_accuracy']:.1f}{spread}"


def rates_of(content: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Titles and cells of the table of chosen learning rates: a row for each rule and each net of frozen layers.

    Args:
        content: the content of `benchmark.json`.

    Returns:
        The titles, and the rows. A cell has the rate of hidden layers and that of the read-out, with a * at the edge of
        what was searched.
    """
    tasks = [task["name"] for task in content["tasks"]]
    chosen = [cell for cell in content["cells"] if cell["kind"] != "shuffled time" and cell.get("rates")]
    cells: dict[str, dict[str, str]] = {}
    for cell in chosen:
        name = cell["rule"] if cell["kind"] == "rule" else _without_rate(cell["rule"])
        marks = [(f"{value:g}" + "*" * (rate in cell["at_the_edge"])) for rate, value in cell["rates"].items()]
        cells.setdefault(name, {})[cell["task"]] = " and ".join(marks)
    return ["rule", *tasks], [[name, *(row.get(task, "-") for task in tasks)] for name, row in cells.items()]


def at_the_edge_note(content: Mapping[str, Any]) -> str:
    """The words that explain a * in the table of chosen rates; empty if there is none."""
    return "; *: at the edge of the search" if any(cell.get("at_the_edge") for cell in content["cells"]) else ""


def _without_rate(row: str) -> str:
    """The name of a row of frozen layers without the rate of its read-out, which differs between tasks."""
    return "@".join(piece for piece in row.split("@") if not piece.startswith("readout_lr="))


def _range(cells: Sequence[Mapping[str, Any]], task: str) -> str:
    """The lowest and the highest accuracy of the frozen hidden layers on a task."""
    means = [c["test_accuracy"] for c in cells if (c["task"], c["kind"]) == (task, "frozen")]
    ends = sorted({f"{100 * mean:.1f}" for mean in means if mean is not None}, key=float)
    return " to ".join(dict.fromkeys([*ends[:1], *ends[-1:]])) or "-"


def in_few_words(refusal: str) -> str:
    """The first few words of a line that says why a task does not fit a rule, without the rule's name."""
    words = refusal
    if words.startswith("rule '"):
        words = words.removeprefix("rule '").partition("' ")[2]
    for end in ENDS:
        words = words.partition(end)[0]
    return words
