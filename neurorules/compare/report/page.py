"""Puts the page of a report together: template, style, script, chart library and numbers, in one file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from neurorules.compare.report.finding import Finding, find
from neurorules.compare.report.markup import code, facts_html, rule_name
from neurorules.compare.report.reading import REPORT_FILE, Comparison, is_control, rates_of, read
from neurorules.compare.report.sections import Section, sections_of
from neurorules.compare.report.style import looks_of
from neurorules.runs.atomic import write_text
from neurorules.runs.plain_json import to_json

VEGA_LITE = "6.4"
"""Version of the chart library."""
PLACE = re.compile(r"\{\{(\w+)\}\}")
"""A place of the template, which a value fills."""


def write_report(comparison: Mapping[str, Any], out: Path) -> None:
    """Write `report.html`, one page that needs no network and contains every number of the comparison.

    Args:
        comparison: the content of `compare.json`.
        out: folder of the comparison.

    Raises:
        UserError: the comparison has another format or version, or holds no rule.
    """
    write_text(out / REPORT_FILE, page_of(read(comparison)))


def page_of(comparison: Comparison) -> str:
    """The HTML of the whole page."""
    looks = looks_of(comparison)
    sections = sections_of(comparison, looks)
    charts = {name: spec for section in sections for name, spec in section.charts.items()}
    lists = {name: packed(rows) for section in sections for name, rows in section.lists.items()}
    choices = {group: measures for section in sections for group, measures in section.choices.items()}
    numbers = {
        "rules": comparison.names,
        "controls": [row["rule"] for row in comparison.rules if is_control(row)],
        "layers": comparison.layer_names,
        "charts": charts,
        "lists": lists,
        "choices": choices,
    }
    return fill(
        _asset("report.html"),
        {
            "title": escape(comparison.title),
            "style": _asset("report.css"),
            "summary": escape(_summary(comparison)),
            "settings": rates_html(comparison)
            + facts_html("Settings that all runs share", comparison.settings, "settings"),
            "finding": _finding_html(find(comparison)),
            "rules": _chips("rule", {name: rule_name(name, looks) for name in _chip_order(comparison)}),
            "layers": _layer_chips(comparison),
            "contents": "".join(
                f'<a href="#{section.name}" data-jump>{escape(section.title)}</a>' for section in sections
            ),
            "sections": "\n".join(_section_html(section) for section in sections),
            "numbers": script_json(numbers),
            "library": library(),
            "licence": _asset("vega-licence.txt"),
            "script": _asset("report.js"),
        },
    )


def fill(template: str, values: Mapping[str, str]) -> str:
    """Fill the places of a template with values, once: the text of a value is never read as a place.

    Args:
        template: text with places such as {{title}}.
        values: by the name of their place.

    Returns:
        The filled text.
    """
    return PLACE.sub(lambda place: values[place[1]], template)


def script_json(value: Any) -> str:
    """JSON that may stand in a script element: no text in it can end the element or open a comment."""
    text = to_json(value)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def packed(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Rows as names of columns and lists of values, which takes a third of the space."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return {"columns": names, "rows": [[row.get(name) for name in names] for row in rows]}


@cache
def library() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, from the package that carries them."""
    from vl_convert import javascript_bundle

    text = javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VEGA_LITE)
    return re.sub(r"</(script)", r"<\\/\1", text, flags=re.IGNORECASE)


@cache
def _asset(name: str) -> str:
    """The text of a file beside the page's modules."""
    return files("neurorules.compare.report").joinpath("assets", name).read_text(encoding="utf-8")


def _summary(comparison: Comparison) -> str:
    """A line on the data, the net and the numbers of epochs, seeds and rules."""
    settings = comparison.settings
    controls = sum(is_control(row) for row in comparison.rules)
    parts = [str(settings["data"])] if settings.get("data") else []
    parts += [f"net {settings['net']}"] if settings.get("net") else []
    parts += [f"{settings['net_layers']}; {_begins(settings.get('init'))}"] if settings.get("net_layers") else []
    parts += [_counted(settings["epochs"], "epoch")] if settings.get("epochs") else []
    parts += [_counted(comparison.seeds, "seed"), _counted(len(comparison.rules) - controls, "rule")]
    parts += [_counted(controls, "control")] if controls else []
    parts += [comparison.date[:10]] if comparison.date else []
    return " · ".join(parts)


def _begins(init: Any) -> str:
    """Say in words how the weights of a net of modules begin."""
    if init == "given":
        return "each run begins with the weights of the module"
    return "weights are drawn anew for each seed, and not those of the module"


def rates_html(comparison: Comparison) -> str:
    """A line of HTML with the learning rates of every row, rows of equal rates together."""
    groups: dict[tuple[str, str], list[str]] = {}
    for row in comparison.rules:
        hidden, reading = rates_of(row)
        if reading is not None:
            shown = ("frozen" if hidden is None else f"{hidden:g}", f"{reading:g}")
            groups.setdefault(shown, []).append(code(row["rule"]))
    parts = [f"{', '.join(rules)}: {hidden} and {reading}" for (hidden, reading), rules in groups.items()]
    return f'<p class="summary">Learning rates of hidden layers and read-out: {"; ".join(parts)}</p>' if parts else ""


def _counted(number: int, thing: str) -> str:
    """A number of things in words, such as "3 seeds"."""
    return f"{number} {thing}{'s' * (number != 1)}"


def _finding_html(finding: Finding) -> str:
    """The HTML of the finding: headline, key numbers and further sentences."""
    details = "".join(f"<li>{line}</li>" for line in finding.details)
    tiles = "".join(
        f"<div><dt>{escape(tile.title)}</dt><dd>{escape(tile.number)}</dd><dd class='below'>{escape(tile.below)}</dd>"
        "</div>"
        for tile in finding.tiles
    )
    return (
        f'<p class="headline">{finding.headline}</p>'
        + (f'<dl class="tiles">{tiles}</dl>' if tiles else "")
        + (f'<ul class="details">{details}</ul>' if details else "")
    )


def _chip_order(comparison: Comparison) -> list[str]:
    """Names of the rules in the order in which a reader picks them: controls last."""
    controls = {row["rule"] for row in comparison.rules if is_control(row)}
    return sorted(comparison.names, key=lambda name: name in controls)


def _chips(kind: str, labels: Mapping[str, str]) -> str:
    """Boxes with which a reader picks rules or layers; `labels` holds the HTML of each by its name."""
    return "".join(
        f'<label class="chip"><input type="checkbox" data-pick="{kind}" value="{escape(name)}" checked>{label}</label>'
        for name, label in labels.items()
    )


def _layer_chips(comparison: Comparison) -> str:
    """The boxes of the layers; empty if no layer was measured."""
    names = comparison.layer_names
    if not names:
        return ""
    chips = _chips("layer", {name: code(name) for name in names})
    return f'<fieldset class="pick"><legend>Layers</legend><div class="chips">{chips}</div></fieldset>'


def _section_html(section: Section) -> str:
    """The HTML of a section: its title, its lead and its body."""
    return (
        f'<section id="{section.name}"><h2>{escape(section.title)}</h2>'
        f'<p class="lead">{escape(section.lead)}</p>{section.body}</section>'
    )
