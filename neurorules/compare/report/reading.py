"""Access to `compare.json` for reports, with defaults for everything that a comparison may leave out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurorules.compare.report.checked import checked_rows
from neurorules.compare.report.numbers import Number
from neurorules.contracts.target import first_figure
from neurorules.language.errors import UserError
from neurorules.runs.plain_json import read_json

COMPARISON_FILE = "compare.json"
REPORT_FILE = "report.html"
FORMAT, VERSION = "neurorules-compare", 3

GLOBAL_RULE, FLOOR_RULE = "bptt", "shallow"
READOUT = "readout"

Row = Mapping[str, Any]
"""A row of a list of `compare.json`."""
BACKWARD_NEEDS = frozenset({"above", "weight_transport"})
"""A signal that needs one of these carries errors backward, from layer to layer."""


@dataclass(frozen=True)
class Comparison:
    """The content of a `compare.json` of version 3.

    Lists are empty and numbers are None if nothing was measured. The audit is in `audited` (a line on its nets),
    `dependences` (its entries), `facts` and `left_out`.
    """

    title: str
    command: str
    date: str
    versions: Row
    machine: Row
    settings: Row
    differing: Sequence[str]
    runs: Sequence[Row]
    alignment: Sequence[Row]
    layers: Sequence[Row]
    epochs: Sequence[Row]
    rules: Sequence[Row]
    audited: str
    dependences: Sequence[Row]
    facts: Sequence[Row]
    left_out: Row

    @property
    def figure(self) -> str:
        """The figure by which rules are compared, a key of `contracts.target.FIGURES`: accuracy, or that of a task."""
        return first_figure(self.runs[0] if self.runs else {})

    @property
    def names(self) -> list[str]:
        """Names of the rules, in the order of the comparison."""
        return [row["rule"] for row in self.rules]

    @property
    def layer_names(self) -> list[str]:
        """Names of the layers of the trained nets, from the input on, the read-out last."""
        names = {row["layer"] for row in [*self.alignment, *self.layers]}
        return sorted(names, key=layer_order)

    @property
    def seeds(self) -> int:
        """The largest number of seeds that a rule has."""
        return max((row.get("seeds") or 1 for row in self.rules), default=0)

    def rule(self, name: str) -> Row | None:
        """The row of a rule; None if the rule is not in the comparison."""
        return next((row for row in self.rules if row["rule"] == name), None)

    @property
    def reference(self) -> Row:
        """The first row of backpropagation through time; empty if there is none."""
        return next((row for row in self.rules if is_global(row)), {})

    def controls_of(self, rule: Row) -> list[Row]:
        """The rows of the controls of a rule: its own, or all where a comparison does not say which these are."""
        own = rule.get("controls")
        return [row for row in self.rules if is_control(row) and (own is None or row["rule"] in own)]

    def audited_as(self, name: str) -> str:
        """The name under which a row was audited: its own, or in older comparisons that of its rule."""
        if name in self.left_out or any(row["rule"] == name for row in self.facts):
            return name
        return next((str(run.get("plain_rule") or name) for run in self.runs if run["rule"] == name), name)

    def fact(self, name: str) -> Row | None:
        """The locality that the audit measured of a rule; None if it was not audited."""
        audited = self.audited_as(name)
        return next((row for row in self.facts if row["rule"] == audited), None)


def comparison_in(folder: Path) -> dict[str, Any]:
    """The content of the `compare.json` in a folder.

    Raises:
        UserError: the folder holds none, or it is no JSON object.
    """
    content = read_json(folder / COMPARISON_FILE)
    if not isinstance(content, dict):
        raise UserError(f"{folder / COMPARISON_FILE} is not a comparison. Make it again: neurorules compare --out")
    return content


def read(content: Mapping[str, Any]) -> Comparison:
    """Read a comparison from the content of its JSON file.

    Args:
        content: the content of `compare.json`.

    Raises:
        UserError: it has another format or version, holds no rule, or text where a number belongs.
    """
    name, version = content.get("format"), content.get("format_version")
    if name != FORMAT or version != VERSION:
        shown = f"{name or 'no format'}, version {version or 'none'}"
        raise UserError(
            f"a report is made of {FORMAT}, version {VERSION}; this comparison has {shown}. "
            "Make it again: neurorules compare ... --resume"
        )
    rules = list(checked_rows(content, "rules"))
    if not rules:
        raise UserError(f"{COMPARISON_FILE} holds no rule, there is nothing to report. Run neurorules compare again")
    audit = content.get("audit") or {}
    return Comparison(
        title=content.get("title") or "Comparison",
        command=content.get("command") or "",
        date=content.get("date") or "",
        versions=content.get("versions") or {},
        machine=content.get("machine") or {},
        settings=content.get("settings") or {},
        differing=content.get("differing") or [],
        runs=checked_rows(content, "runs"),
        alignment=_of_rules(content, "alignment", rules),
        layers=_of_rules(content, "layers", rules),
        epochs=_of_rules(content, "epochs", rules),
        rules=rules,
        audited=audit.get("nets") or "",
        dependences=audit.get("entries") or [],
        facts=audit.get("facts") or [],
        left_out=audit.get("left_out") or {},
    )


def _of_rules(content: Mapping[str, Any], name: str, rules: Sequence[Row]) -> list[Row]:
    """The rows of a list that belong to the rules of the comparison."""
    names = {row["rule"] for row in rules}
    return [row for row in checked_rows(content, name) if row["rule"] in names]


def layer_order(layer: str) -> tuple[bool, int, str]:
    """A key that sorts hidden2 before hidden10, and the read-out last."""
    digits = "".join(sign for sign in layer if sign.isdigit())
    return layer == READOUT, int(digits or 0), layer


def is_control(rule: Row) -> bool:
    """Whether a row is a control, which a rule has to beat."""
    return bool(rule.get("control")) or base_name(rule) == FLOOR_RULE


def is_global(rule: Row) -> bool:
    """Whether a row is backpropagation through time itself, with the signal and the text that it brings."""
    return base_name(rule) == GLOBAL_RULE and rule.get("signal") is None and rule.get("dw") is None


def rates_of(rule: Row) -> tuple[Number | None, Number | None]:
    """The learning rates of hidden layers and read-out; None if nothing learns, or the comparison does not say."""
    frozen = is_control(rule) and base_name(rule) == FLOOR_RULE
    return None if frozen else rule.get("lr"), rule.get("readout_lr")


def base_name(rule: Row) -> str:
    """The name of a row's rule, without options, settings, device and path."""
    return str(rule["rule"]).partition(":")[0].partition("@")[0].strip()


def goes_backward(comparison: Comparison, rule: Row) -> bool:
    """Whether errors travel down through layers.

    Args:
        comparison: with the audit, if there was one.
        rule: row of the rule.

    Returns:
        The result of the audit; without one, the needs of the rule's signal decide.
    """
    fact = comparison.fact(rule["rule"])
    if fact is not None and fact.get("backward_pass") is not None:
        return bool(fact["backward_pass"])
    return bool(BACKWARD_NEEDS & set(rule.get("needs") or []))


def has(rows: Sequence[Row], name: str) -> bool:
    """Whether any row has a value in a column.

    Args:
        rows: the rows of a list of `compare.json`.
        name: the name of the column.

    Returns:
        Whether there is a value other than None.
    """
    return any(row.get(name) is not None for row in rows)
