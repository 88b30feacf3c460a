"""Every command that README and documents name is one, with options that it takes, and rules that there are."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sources import ROOT
from typer._click.core import Context
from typer._click.exceptions import UsageError
from typer.main import get_command

from neurorules.cli import app
from neurorules.language.errors import UserError
from neurorules.rules import RULES

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
RULE_OPTIONS = {"train": "--rule", "compare": "--rules", "audit": "--rules", "benchmark": "--rules", "tune": "--rule"}
ELSEWHERE = re.compile(r"my_|\.py|[A-Z(]|1\)")
"""Rules of the reader's own, words such as NAME that stand for one, and texts in brackets."""


@cache
def application() -> Any:
    """The whole command line."""
    return get_command(app)


def commands(text: str) -> Iterator[list[str]]:
    """The words behind `neurorules` of every command in a page, without those that stand for options left out."""
    fenced = False
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        fenced ^= line.startswith("```")
        begins = re.match(r"\s*(\w+=\S+ )*neurorules [a-z]", line) and (fenced or line.startswith("    "))
        for found in [line] if begins else re.findall(r"`((?:\w+=\S+ )*neurorules [a-z][^`]*)`", line):
            words = shlex.split(found, comments=True)
            words = words[words.index("neurorules") + 1 :]
            ends = [words.index(sign) for sign in ("|", ">", ">>", "&", "&&", "2>") if sign in words]
            words = words[: min(ends, default=len(words))]
            if not any("..." in word for word in words) and not (len(words) == 2 and words[-1].startswith("--")):
                yield words


def complaint(words: list[str], own: str = "") -> str | None:
    """What is wrong with a command of a page, which may write rules of its own; None where nothing is."""
    command, rest = application(), words
    while rest and (step := getattr(command, "commands", {}).get(rest[0])) is not None:
        command, rest = step, rest[1:]
    if command is application():
        return f"there is no command '{words[0]}'"
    try:
        command.make_parser(Context(command, info_name=words[0])).parse_args(args=list(rest))
    except UsageError as error:
        return str(error.format_message())
    option = RULE_OPTIONS.get(words[0], "")
    named = words[words.index(option) + 1].split(",") if option in words else []
    named = [rule.partition("@")[0] for rule in named]
    for rule in (rule for rule in named if not ELSEWHERE.search(rule) and f"def {rule}(" not in own):
        try:
            RULES.make(rule)
        except UserError as error:
            return str(error)
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_of_a_page_are_those_that_there_are(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    wrong = {" ".join(words): complaint(words, text) for words in commands(text)}
    assert {line: said for line, said in wrong.items() if said and "KIND" not in line} == {}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("trian --rule dfa", "no command"), ("train --ruel dfa", "No such option"), ("train --rule dfaa", "dfa"),
        ("train --rule dfa:presynaptic=spyke", "presynaptic"), ("list", None),
        ("compare --rules dfa,sigprop@lr=1", None),
    ],
)  # fmt: skip
def test_a_wrong_command_is_told_from_a_right_one(line: str, says: str | None) -> None:
    told = complaint(next(commands(f"`neurorules {line}`")))
    assert told is None if says is None else says in str(told)
