"""Settings are written once, and rules know no command line; every rule's source has a link of a known form."""

from __future__ import annotations

import ast
import inspect
import re
from dataclasses import fields
from typing import Any, get_args, get_type_hints

import pytest
import typer
from sources import Source, sources, under

import neurorules
from neurorules.commands.compare import compare
from neurorules.commands.train import train
from neurorules.commands.tune import tune
from neurorules.language.config import SETTINGS, SettledConfig, TrainConfig
from neurorules.language.settings import GROUPS, Defaults
from neurorules.rules import RULES
from neurorules.torch_path.training.learner import Learner
from neurorules.torch_path.training.learner_settings import LearnerSettings

HOME = "neurorules/language/settings.py"
MOST = 5
"""Settings that a class or a function elsewhere may name with a default: more would be a list of settings."""
LINK = re.compile(r"https://(doi\.org/10\.\d{4,9}/\S+|arxiv\.org/abs/\d{4}\.\d{4,5})")


def is_shared(default: ast.expr) -> bool:
    """Whether a default is read from the settings that rules decide, `Defaults.neuron`, and so written there alone."""
    return isinstance(default, ast.Attribute) and ast.unparse(default.value) == "Defaults"


def defaults_in(node: ast.AST) -> list[str]:
    """Names of settings to which a class's fields, or a function's arguments, give a default."""
    if isinstance(node, ast.ClassDef):
        named = [s.target.id for s in node.body if isinstance(s, ast.AnnAssign) and s.value is not None
                 and isinstance(s.target, ast.Name)]  # fmt: skip
    elif isinstance(node, ast.FunctionDef):
        places = [*node.args.posonlyargs, *node.args.args]
        with_default = places[len(places) - len(node.args.defaults) :]
        keywords = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
        named = [
            *(a.arg for a in with_default),
            *(a.arg for a, default in keywords if default is not None and not is_shared(default)),
        ]
    else:
        return []
    return [name for name in named if name in SETTINGS]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("class A:\n    lr: float = 1.0\n    net: str\n", ["lr"]),
        ("def f(net, lr=1.0, *, seed, norm=None): pass", ["lr", "norm"]),
    ],
)
def test_a_default_is_seen_where_it_stands(text: str, names: list[str]) -> None:
    assert defaults_in(ast.parse(text).body[0]) == names


def test_no_other_place_lists_settings_and_their_defaults() -> None:
    lists = [
        f"{source.name}:{node.lineno} {node.name}: {', '.join(names)}"
        for source in sources()
        if source.name != HOME
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and len(names := defaults_in(node)) > MOST
    ]
    assert not lists, lists


def test_no_help_stands_a_second_time() -> None:
    texts = {setting.help.text for setting in SETTINGS.values()}
    again = [
        f"{source.name}:{node.lineno}"
        for source in sources()
        if source.name != HOME
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Constant) and node.value in texts
    ]
    assert not again, again


def test_every_setting_has_a_group_a_place_and_help_of_its_own() -> None:
    assert [setting.help.place for setting in SETTINGS.values()] == list(range(1, len(SETTINGS) + 1))
    assert {setting.group for setting in SETTINGS.values()} == set(GROUPS)
    assert len({setting.help.text for setting in SETTINGS.values()}) == len(SETTINGS)
    assert {field.name for field in fields(TrainConfig)} == set(SETTINGS) == set(TrainConfig().as_dict())


def test_what_a_rule_decides_is_what_the_groups_leave_open() -> None:
    settled, open_ = get_type_hints(Defaults), get_type_hints(TrainConfig)
    for name, kind in settled.items():
        assert SETTINGS[name].default is None, name
        assert set(get_args(open_[name])) - {type(None)} in ({kind}, set(get_args(kind))), name
    assert [f.name for f in fields(SettledConfig)] == [f.name for f in fields(TrainConfig)]


def shown(of: Any) -> dict[str, Any]:
    """Settings in a signature, with their defaults."""
    parameters = inspect.signature(of).parameters.values()
    return {p.name: p.default for p in parameters if p.name in SETTINGS and p.default is not inspect.Parameter.empty}


def test_a_learner_and_train_show_every_setting_with_its_default_and_help() -> None:
    learns = {name: s.default for name, s in SETTINGS.items() if s.group in ("net", "learning") and name != "net"}
    assert (
        shown(Learner) == learns == {name: Learner.__init__.__signature__.parameters[name].default for name in learns}
    )  # type: ignore[attr-defined]
    assert shown(neurorules.train) == {name: setting.default for name, setting in SETTINGS.items()}
    assert set(inspect.signature(Learner).parameters) == {field.name for field in fields(LearnerSettings)}
    assert list(inspect.signature(Learner).parameters)[:2] == ["net", "rule"]
    for of, names in ((Learner, learns), (neurorules.train, SETTINGS)):
        text = " ".join((inspect.getdoc(of) or "").split())
        assert [name for name in names if f"{name}: {SETTINGS[name].help.text}" not in text] == []


def test_a_keyword_that_is_no_setting_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'lrr'"):
        Learner("4", "dfa", input_shape=(3,), classes=2, lrr=0.1)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("command", "other"), [(train, ()), (compare, ("rule", "hardware", "path")), (tune, ("rule",))]
)
def test_a_command_has_every_setting_as_an_option(command: Any, other: tuple[str, ...]) -> None:
    parameters = inspect.signature(command).parameters
    for name, setting in SETTINGS.items():
        if name in other:
            continue
        options = [
            extra for extra in get_args(parameters[name].annotation) if isinstance(extra, typer.models.OptionInfo)
        ]
        assert (options[0].help or "").startswith(setting.help.text)


def rule_files() -> list[Source]:
    return [s for s in under("neurorules.rules") if not s.path.stem.startswith("_")]


def test_a_rule_file_does_not_know_the_command_line() -> None:
    options = re.compile(r"(?<![\w-])--[a-z]")
    wrong = [source.name for source in rule_files() if options.search(source.text)]
    assert len(rule_files()) > 10 and not wrong, wrong


@pytest.mark.parametrize("name", RULES.names())
def test_a_rules_source_has_a_link_that_leads_somewhere(name: str) -> None:
    link = RULES.make(name).source.link
    assert LINK.fullmatch(link), link
