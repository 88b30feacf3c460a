"""Files that make a project of the code: citation, changelog, forms of issues; they say what pyproject.toml says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from sources import ROOT

import neurorules
from neurorules.cli import app

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CITATION: dict[str, Any] = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
CFF_KEYS = {
    "abstract", "authors", "cff-version", "commit", "contact", "date-released", "doi", "identifiers", "keywords",
    "license", "license-url", "message", "preferred-citation", "references", "repository", "repository-artifact",
    "repository-code", "title", "type", "url", "version",
}  # fmt: skip
"""All keys of a file of version 1.2.0. Source: Citation File Format 1.2.0, schema guide."""
CHANGES = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
"""The headings of Keep a Changelog 1.1.0."""
FORMS = sorted(path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config")
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")


def test_the_citation_file_has_what_its_format_demands() -> None:
    assert {"cff-version", "message", "title", "authors"} <= set(CITATION) <= CFF_KEYS
    assert CITATION["cff-version"] == "1.2.0" and CITATION["type"] in ("software", "dataset")
    assert all(
        set(author) <= {"name"} or {"family-names", "given-names"} <= set(author) for author in CITATION["authors"]
    )
    assert all(isinstance(CITATION[name], str) for name in ("message", "title", "abstract", "version", "license"))


def test_the_citation_file_says_what_the_package_says() -> None:
    assert CITATION["version"] == PROJECT["version"] == neurorules.__version__
    assert CITATION["title"] == PROJECT["name"] and CITATION["license"] == PROJECT["license"]
    assert CITATION["abstract"] == PROJECT["description"] and CITATION["keywords"] == PROJECT["keywords"]


def test_nobody_and_no_address_is_invented() -> None:
    named = [person["name"] for person in PROJECT.get("authors", [])]
    known = [*named, (ROOT / "LICENSE").read_text(encoding="utf-8")]
    assert all(any(author["name"] in text for text in known) for author in CITATION["authors"])
    addresses = {value for key, value in CITATION.items() if key.startswith(("url", "repository", "doi"))}
    assert addresses <= set(PROJECT.get("urls", {}).values())


def test_the_changelog_keeps_its_format() -> None:
    lines = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").splitlines()
    versions = [line for line in lines if line.startswith("## ")]
    assert versions[0] == "## [Unreleased]"
    assert all(re.fullmatch(r"## \[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", line) for line in versions[1:])
    kinds = [line.removeprefix("### ") for line in lines if line.startswith("### ")]
    assert kinds and set(kinds) <= set(CHANGES)


@pytest.mark.parametrize("page", PAGES)
def test_every_file_and_command_that_a_page_names_is_there(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    assert not [link for link in links if link and not (ROOT / link).exists()]
    folders = ("neurorules/", "tests/", "docs/", "benchmarks/", "hardware_models/")
    named = [word.rstrip("/") for word in re.findall(r"`([\w./-]+)`", text) if word.startswith(folders)]
    assert not [word for word in named if not (ROOT / word).exists()]
    known = {command.name or command.callback.__name__ for command in app.registered_commands}
    known |= {group.name for group in app.registered_groups}
    called = set(re.findall(r"(?:`|^)neurorules ([a-z][a-z-]+)", text, re.M))
    assert called <= known, called - known


def test_there_are_forms_for_issues() -> None:
    assert len(FORMS) >= 3
    assert (FORMS[0].parent / "config.yml").exists()


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_has_what_its_reader_demands(path: Path) -> None:
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert set(form) <= {"name", "description", "title", "labels", "assignees", "body"}
    assert form["name"] and form["description"] and form["body"]
    names = [part["id"] for part in form["body"] if part["type"] != "markdown"]
    assert len(set(names)) == len(names)
    for part in form["body"]:
        assert set(part) <= {"type", "id", "attributes", "validations"}
        assert part["type"] in ("markdown", "textarea", "input", "dropdown", "checkboxes")
        assert part["attributes"].get("label") or part["type"] == "markdown"
        if part["type"] in ("dropdown", "checkboxes"):
            options = part["attributes"]["options"]
            assert options and all(isinstance(o, str) or set(o) <= {"label", "required"} for o in options)
