"""The map of the family: what each rule needs, which problems of backpropagation it solves, its paths, its source."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from neurorules.audit import audit_settings, problems_of, settings_of
from neurorules.audit.problems import PROBLEMS
from neurorules.compare.gather import why_not_audited
from neurorules.compare.rows import parse_row
from neurorules.language.config import TrainConfig
from neurorules.language.signal_spec import SignalSpec
from neurorules.rules import RULES
from neurorules.runner.catalogue import paths_of

STORED = "locality_problems.json"
"""The results of `neurorules audit` for every rule without options: a copy of
docs/results/data/locality-problems.json."""
WORDS = {name: name.replace("_", " ").replace("non local", "non-local") for name in PROBLEMS}
"""The four problems in words, which are also titles in the stored audit."""


@cache
def stored_problems() -> dict[str, dict[str, bool]]:
    """The locality problems of each rule without options, as the stored audit has them."""
    table = json.loads(files("neurorules.benchmark").joinpath(STORED).read_text(encoding="utf-8"))
    places = {name: table["columns"].index(title) for name, title in WORDS.items()}
    return {row[0]: {name: row[place] == "yes" for name, place in places.items()} for row in table["rows"]}


def family_of(runs: Mapping[str, Mapping[str, Any] | None]) -> list[dict[str, Any]]:
    """One entry of the map for each row.

    Args:
        runs: by the text of a row, the settings of one of its runs; None if no task fits it.

    Returns:
        rule, needs (words of the signal), has (whether the rule has each problem of `audit.problems.PROBLEMS`; None if
        that was not measured), audit (`stored`, `measured` with the settings of the run, or the reason why it was not
        measured), paths, and source with authors, year, title and link.
    """
    measured = _measured({row: run for row, run in runs.items() if run is not None and row not in stored_problems()})
    return [_entry(row, measured) for row in runs]


def _measured(runs: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Audit the rows that are missing in the stored audit, such as rules with options, with the settings of their
    training.
    """
    refused = {row: why for row, run in runs.items() if (why := why_not_audited(run)) is not None}
    audit = audit_settings({row: settings_of(run) for row, run in runs.items() if row not in refused})
    return {**audit, "left_out": {**audit["left_out"], **refused}}


def _entry(row: str, audit: Mapping[str, Any]) -> dict[str, Any]:
    config = parse_row(row, TrainConfig())
    rule = RULES.make(config.rule)
    signal = rule.signal if config.signal is None else SignalSpec.parse(config.signal)
    stored = stored_problems().get(row)
    problems = problems_of(row, audit)
    left_out = audit["left_out"].get(row, "no task could serve the rule")
    source = rule.source
    return {
        "rule": row,
        "needs": [] if signal is None else sorted(signal.make().needs),
        "control": rule.control,
        "has": stored or {name: problems[name]["has"] if problems else None for name in PROBLEMS},
        "audit": "stored" if stored else ("measured" if problems and row not in audit["left_out"] else left_out),
        "paths": paths_of(rule),
        "source": {"authors": source.authors, "year": source.year, "title": source.title, "link": source.link},
    }


def solves(has: Mapping[str, bool | None]) -> str:
    """The problems that a rule solves, in words: all four, none, or their names; a question mark where not measured."""
    if any(value is None for value in has.values()):
        return "?"
    names = [WORDS[name] for name, value in has.items() if not value]
    return {len(PROBLEMS): "all four", 0: "none"}.get(len(names), ", ".join(names))


def needs_in_words(needs: Sequence[str]) -> str:
    """Write the needs of a signal as the text of a cell."""
    return ", ".join(need.replace("_", " ") for need in needs) or "nothing"
