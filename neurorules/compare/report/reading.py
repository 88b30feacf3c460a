"""What a report reads: `compare.json`, with an answer for everything that a comparison may leave out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from neurorules.compare.report.numbers import Number
from neurorules.language.errors import UserError

COMPARISON_FILE = "compare.json"
REPORT_FILE = "report.html"
FORMAT, VERSION = "neurorules-compare", 3

GLOBAL_RULE, FLOOR_RULE = "bptt", "shallow"
READOUT = "readout"

Row = Mapping[str, Any]

# A signal that needs one of these carries errors backward, from layer to layer.
BACKWARD_NEEDS = frozenset({"above", "weight_transport"})


@dataclass(frozen=True)
class Comparison:
    """The content of a `compare.json` of version 3; lists are empty and numbers None where nothing was measured."""

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
    def names(self) -> list[str]:
        """Rules in the order of the comparison."""
        return [row["rule"] for row in self.rules]

    @property
    def layer_names(self) -> list[str]:
        """Layers of the trained nets, from the input on, the read-out last."""
        found = {row["layer"] for row in [*self.alignment, *self.layers]}
        return sorted(found, key=layer_order)

    @property
    def seeds(self) -> int:
        """The most seeds any rule has."""
        return max((row.get("seeds") or 1 for row in self.rules), default=0)

    def rule(self, name: str) -> Row | None:
        """The row of a rule; None where it took no part."""
        return next((row for row in self.rules if row["rule"] == name), None)

    @property
    def reference(self) -> Row:
        """The first row of backpropagation through time; empty where it took no part."""
        return next((row for row in self.rules if is_global(row)), {})

    def controls_of(self, rule: Row) -> list[Row]:
        """The controls that a rule is held against: its own, all where a comparison does not say which these are."""
        own = rule.get("controls")
        return [row for row in self.rules if is_control(row) and (own is None or row["rule"] in own)]

    def audited_as(self, name: str) -> str:
        """The name under which a row was audited: its own; in older comparisons its rule's, whatever its runs were."""
        if name in self.left_out or any(row["rule"] == name for row in self.facts):
            return name
        return next((str(run.get("plain_rule") or name) for run in self.runs if run["rule"] == name), name)

    def fact(self, name: str) -> Row | None:
        """What the audit measured of a rule; None where it was not audited."""
        audited = self.audited_as(name)
        return next((row for row in self.facts if row["rule"] == audited), None)


def read(found: Mapping[str, Any]) -> Comparison:
    """Read a comparison.

    Args:
        found: the content of `compare.json`.

    Raises:
        UserError: another format or version, or no rule.
    """
    name, version = found.get("format"), found.get("format_version")
    if name != FORMAT or version != VERSION:
        shown = f"{name or 'no format'}, version {version or 'none'}"
        raise UserError(
            f"a report is made of {FORMAT}, version {VERSION}; this comparison has {shown}. "
            "Make it again: neurorules compare ... --resume"
        )
    rules = list(found.get("rules") or [])
    if not rules:
        raise UserError(f"{COMPARISON_FILE} holds no rule, there is nothing to report. Run neurorules compare again")
    audit = found.get("audit") or {}
    return Comparison(
        title=found.get("title") or "Comparison",
        command=found.get("command") or "",
        date=found.get("date") or "",
        versions=found.get("versions") or {},
        machine=found.get("machine") or {},
        settings=found.get("settings") or {},
        differing=found.get("differing") or [],
        runs=found.get("runs") or [],
        alignment=_known(found, "alignment", rules),
        layers=_known(found, "layers", rules),
        epochs=_known(found, "epochs", rules),
        rules=rules,
        audited=audit.get("nets") or "",
        dependences=audit.get("entries") or [],
        facts=audit.get("facts") or [],
        left_out=audit.get("left_out") or {},
    )


def _known(found: Mapping[str, Any], name: str, rules: Sequence[Row]) -> list[Row]:
    """The rows of a list whose rule stands in the table."""
    names = {row["rule"] for row in rules}
    return [row for row in found.get(name) or [] if row["rule"] in names]


def layer_order(layer: str) -> tuple[bool, int, str]:
    """Sorts hidden2 before hidden10, and the read-out last."""
    digits = "".join(sign for sign in layer if sign.isdigit())
    return layer == READOUT, int(digits or 0), layer


def is_control(rule: Row) -> bool:
    """Whether a rule stands there to be beaten."""
    return bool(rule.get("control")) or base_name(rule) == FLOOR_RULE


def is_global(rule: Row) -> bool:
    """Whether it is backpropagation through time itself, with the signal and the text of its own."""
    return base_name(rule) == GLOBAL_RULE and rule.get("signal") is None and rule.get("dw") is None


def rates_of(rule: Row) -> tuple[Number | None, Number | None]:
    """Learning rates of hidden layers and read-out; None where nothing learns, or a comparison does not say."""
    frozen = is_control(rule) and base_name(rule) == FLOOR_RULE
    return None if frozen else rule.get("lr"), rule.get("readout_lr")


def base_name(rule: Row) -> str:
    """The rule's name without options, device and path."""
    return str(rule["rule"]).partition(":")[0].partition("@")[0].strip()


def goes_backward(comparison: Comparison, rule: Row) -> bool:
    """Whether errors travel down through layers: as the audit measured it, else by what the signal needs."""
    fact = comparison.fact(rule["rule"])
    if fact is not None and fact.get("backward_pass") is not None:
        return bool(fact["backward_pass"])
    return bool(BACKWARD_NEEDS & set(rule.get("needs") or []))


def has(rows: Sequence[Row], name: str) -> bool:
    """Whether any row has a number under this name."""
    return any(row.get(name) is not None for row in rows)
