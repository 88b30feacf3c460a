"""No rule leaves a suite over the registry silently: what suites leave out is listed, with a reason each."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import test_allowance
from left_out import LEFT_OUT, NOT_APPLICABLE, WITHOUT_NET

from neurorules.conformance.small_nets import NETS, build, nets_of
from neurorules.language.errors import UserError
from neurorules.rules import RULES

FOLDERS = [Path(__file__).parent.parent / name for name in ("contract", "oracle", "unit")]
MANY = 6


@pytest.fixture(scope="module")
def modules() -> list[ModuleType]:
    """The files of tests that know the registry of rules; where the whole suite runs, they are imported already."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [*sys.path, *map(str, FOLDERS)])
        paths = [path for folder in FOLDERS for path in sorted(folder.glob("test_*.py"))]
        return [importlib.import_module(path.stem) for path in paths if "RULES" in path.read_text(encoding="utf-8")]


def texts_of(values: Any) -> Iterator[str]:
    """Every text in the values of a parameter."""
    if isinstance(values, str):
        yield values
    elif isinstance(values, list | tuple | dict):  # of a dictionary its keys, as pytest takes them
        for value in values:
            yield from texts_of(value.values if hasattr(value, "marks") else value)


def rules_of(test: Any) -> list[set[str]]:
    """The rules that each parameter of a test names, with whatever options."""
    marks = [mark for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"]
    return [{text.partition(":")[0] for text in texts_of(mark.args[1])} & set(RULES.names()) for mark in marks]


def test_what_suites_leave_out_is_what_is_listed(modules: list[ModuleType]) -> None:
    found: dict[str, set[str]] = {}
    for module in modules:
        for name, test in vars(module).items():
            if name.startswith("test_"):
                for rules in rules_of(test):
                    if MANY <= len(rules) < len(RULES.names()):
                        found[f"{module.__name__}.py::{name}"] = set(RULES.names()) - rules
    assert found == {suite: set(" ".join(rules.values()).split()) for suite, rules in LEFT_OUT.items()}


def test_pairs_of_rule_and_net_that_are_skipped_are_listed() -> None:
    taken = {name: nets_of(name) for name in RULES.names()}
    assert {(name, net) for name in taken for net in NETS if net not in taken[name]} == set(WITHOUT_NET)
    for name, net in WITHOUT_NET:
        with pytest.raises(UserError, match=f"(?i){name}"):
            build(name, net)


def test_every_rule_has_one_reason() -> None:
    for entries in NOT_APPLICABLE.values():
        assert all(len(reason.split()) >= 3 for reason in entries)
    for rules in LEFT_OUT.values():
        named = " ".join(rules.values()).split()
        assert len(named) == len(set(named)) and set(named) <= set(RULES.names())
        assert all(len(reason.split()) >= 3 for reason in rules)


def test_suites_over_every_rule_are_seen_as_such() -> None:
    assert rules_of(test_allowance.test_a_layers_texts_reach_names_and_memory_of_their_own_layer_alone) == [
        set(RULES.names())
    ]
    assert list(texts_of([("a", {"b": 1}), pytest.param("c", id="x"), 3])) == ["a", "b", "c"]
