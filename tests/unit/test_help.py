"""Help is grouped by subject, the ten usual options first; its examples are accepted; a shell completes names."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from neurorules.cli import SUBJECTS, app, run
from neurorules.commands.completion import PARTS, SETTINGS, parts
from neurorules.commands.grouped_help import USUAL
from neurorules.commands.settings import TITLES, USUAL_SETTINGS
from neurorules.encoders import ENCODERS
from neurorules.language.config import SETTINGS as ALL_SETTINGS
from neurorules.language.config import config_from
from neurorules.papers.tables import PAPERS
from neurorules.rules import RULES
from neurorules.runner.catalogue import KINDS
from neurorules.runner.dispatch import settle
from neurorules.signals import SIGNALS

EXAMPLE = re.compile(r"such as ('[^']+'|\S+?)[.,;:)]*(?= |$)")
ENUMERATION = re.compile(r"\w+ or \w+")
EITHER = {"norm", "optimizer", "schedule", "lr_schedule", "precision"}
"""Settings whose help lists all that may stand there."""


def help_of(capsys: pytest.CaptureFixture[str], *command: str) -> dict[str, list[str]]:
    """The sections of a help: names of options or commands by title."""
    assert run([*command, "--help"]) == 0
    sections: dict[str, list[str]] = {}
    title = ""
    for line in capsys.readouterr().out.splitlines():
        assert len(line) <= 80
        if re.fullmatch(r"\S.*:", line):
            title = line[:-1]
        elif (entry := re.match(r"  (\S+)  ?", line)) and title:
            sections.setdefault(title, []).append(entry[1])
    return sections


def commands() -> list[tuple[str, Callable[..., None]]]:
    """Every command with its name, those of `new` too."""
    groups = {"": app, **{f"{group.name} ": group.typer_instance for group in app.registered_groups}}
    return [
        (f"{before}{info.name}", info.callback)
        for before, group in groups.items()
        if group is not None
        for info in group.registered_commands
        if info.callback is not None
    ]


def test_commands_stand_under_their_subjects(capsys: pytest.CaptureFixture[str]) -> None:
    sections = help_of(capsys)
    assert list(sections) == ["Options", *SUBJECTS]
    first = ["train", "compare", "benchmark", "deploy", "tune", "sweep", "reproduce", "report", "paper"]
    assert sections["Train and compare"] == first
    assert {"record", "export", "plot", "audit"} <= set(sections["Look inside a network"])
    assert sections["Parts: what there is, and your own"] == ["list", "cite", "check", "check-device", "new"]
    assert sections["This machine"] == ["doctor", "bench"]
    shown = {name for title in SUBJECTS for name in sections[title]}
    assert shown == {name.split()[0] for name, _ in commands()}


@pytest.mark.parametrize(
    ("command", "own"),
    [("train", ["--out", "--resume"]), ("compare", ["--rules", "--seeds", "--out"]),
     ("tune", ["--rules", "--trials", "--out"])],
)  # fmt: skip
def test_the_ten_usual_options_come_first(
    capsys: pytest.CaptureFixture[str], command: str, own: list[str]
) -> None:  # fmt: skip
    sections = help_of(capsys, command)
    assert list(sections)[:2] == [USUAL, "Options"]
    settings = [f"--{name.replace('_', '-')}" for name in USUAL_SETTINGS]
    assert set(sections[USUAL]) == {*own, *settings} - ({"--rule"} if command != "train" else set())
    assert len(sections[USUAL]) == 10
    assert set(list(sections)[2:]) == set(TITLES.values())


def test_every_setting_stands_once_under_its_group(capsys: pytest.CaptureFixture[str]) -> None:
    sections = help_of(capsys, "train")
    for name, setting in ALL_SETTINGS.items():
        option = f"--{name.replace('_', '-')}"
        title = USUAL if name in USUAL_SETTINGS else TITLES[setting.group]
        assert [title_ for title_, options in sections.items() if option in options] == [title]


@pytest.mark.parametrize(("name", "command"), [pytest.param(*both, id=both[0]) for both in commands()])
def test_every_word_that_is_asked_for_has_an_example(name: str, command: Callable[..., None]) -> None:
    for parameter in inspect.signature(command, eval_str=True).parameters.values():
        kind, told = get_args(parameter.annotation)
        text = str(told.help)
        if str not in (kind, *get_args(kind)) or told.hidden:
            continue
        has_example = EXAMPLE.search(text) or ENUMERATION.search(text) or re.search(r": \w", text)
        assert has_example or parameter.default not in (None, "none"), f"{name}: {parameter.name}: {text}"


@pytest.mark.parametrize("name", [name for name, setting in ALL_SETTINGS.items() if EXAMPLE.search(setting.help.text)])
def test_the_examples_of_settings_are_accepted(name: str) -> None:
    found = EXAMPLE.search(ALL_SETTINGS[name].help.text)
    assert found is not None
    value = found[1].strip("'")
    given = {name: value} | ({"data": "digits"} if name != "data" else {})
    if name == "encode":
        ENCODERS.make(value)
    elif name == "dw":
        settle(config_from({**given, "rule": "dfa"}, "the help"))
    elif name == "signal":
        settle(config_from({**given, "rule": "drtp"}, "the help"))
    else:
        settle(config_from(given, "the help"))


def test_settings_of_words_have_an_example_or_list_them() -> None:
    words = [name for name, s in ALL_SETTINGS.items() if "str" in str(s.kind) and "Literal" not in str(s.kind)]
    assert len(words) > 10
    without = [name for name in words if not EXAMPLE.search(ALL_SETTINGS[name].help.text) and name not in EITHER]
    assert without == []


def test_completion_knows_the_registries_without_importing_them() -> None:
    for kind, (word, package) in PARTS.items():
        registry = PAPERS if kind == "papers" else KINDS[kind]
        assert (registry.kind, registry.package) == (word, package)
    assert set(PARTS) == set(KINDS) | {"papers"} and set(SETTINGS.values()) <= set(PARTS)
    code = "import sys; from neurorules.commands.completion import PARTS, parts\n"
    code += "print([len(parts(kind)('')) for kind in PARTS], 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("False\n") and "0" not in re.findall(r"\d+", done.stdout)


def offered(*words: str) -> list[str]:
    """What bash is offered where the last word is being typed."""
    environment = os.environ | {
        "_NEURORULES_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(["neurorules", *words]),
        "COMP_CWORD": str(len(words)), "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "neurorules"], capture_output=True, text=True, check=False, env=environment
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "among"),
    [
        (["co"], ["compare"]),
        (["train", "--ru"], ["--rule"]),
        (["train", "--rule", "b"], ["bcm", "bdsp", "bptt", "bsp"]),
        (["compare", "--rules", "sigprop,d"], ["sigprop,dfa", "sigprop,drtp"]),
        (["train", "--device", "cu"], ["cuda"]),
        (["cite", "sigp"], ["sigprop"]),
    ],
)
def test_bash_is_offered_commands_options_and_names(words: list[str], among: list[str]) -> None:
    assert offered(*words) == among


def test_bash_is_offered_every_rule_and_signal() -> None:
    assert offered("train", "--rule", "") == RULES.names()
    assert offered("train", "--signal", "") == SIGNALS.names()


def test_completion_is_installed_where_the_shell_reads_it(tmp_path: Path) -> None:
    repository = str(Path(__file__).resolve().parents[2])
    environment = os.environ | {
        "HOME": str(tmp_path), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1", "PYTHONPATH": repository,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "neurorules", "--install-completion", "bash"],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    scripts = [path for path in tmp_path.rglob("*.sh") if "_NEURORULES_COMPLETE=complete_bash" in path.read_text()]
    assert len(scripts) == 1 and scripts[0].name in (tmp_path / ".bashrc").read_text()
    script = f"""source {scripts[0]}
neurorules() {{ {sys.executable} -m neurorules "$@"; }}
export -f neurorules; COMP_WORDS=(neurorules train --rule sigp); COMP_CWORD=3
env() {{ command env "$@"; }}
_neurorules_completion {tmp_path}/neurorules; echo "${{COMPREPLY[@]}}"
"""
    (tmp_path / "neurorules").write_text(f'#!/bin/sh\nexec {sys.executable} -m neurorules "$@"\n', encoding="utf-8")
    (tmp_path / "neurorules").chmod(0o755)
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False, env=environment)
    assert done.stdout.split() == ["sigprop"], done.stderr


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("train --epochs foo", "--epochs is 'foo', and must be a valid integer. See: neurorules train --help"),
        ("train --lr abc", "--lr is 'abc', and must be a valid number. See: neurorules train --help"),
        ("window stdp --pairs 0", "--pairs is '0', and must be greater than or equal to 1. See: neurorules window"),
        ("record run --part foo", "--part: 'foo' is not one of 'test', 'validation', 'train'. See: neurorules record"),
    ],
)
def test_a_value_that_cannot_be_read_is_named(words: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words.split()) == 2
    assert f"neurorules: {line}" in capsys.readouterr().err


@pytest.mark.parametrize("group", [[], ["new"]])
def test_a_group_alone_shows_its_help_as_it_is_read(group: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*group, "--help"]) == 0
    help_text = capsys.readouterr().out
    assert run(group) == 2
    alone = capsys.readouterr()
    assert alone.out == "" and alone.err == help_text and alone.err.startswith("Usage: neurorules")


def test_a_paper_has_one_spelling_in_help_error_and_completion(capsys: pytest.CaptureFixture[str]) -> None:
    names = [name.replace("_", "-") for name in PAPERS.names()]
    assert run(["reproduce", "zzz"]) == 2
    assert capsys.readouterr().err == f"neurorules: unknown paper 'zzz'. Known: {', '.join(names)}.\n"
    assert run(["reproduce", "--help"]) == 0
    assert f"{', '.join(names[:-1])} or {names[-1]}." in " ".join(capsys.readouterr().out.split()).replace("- ", "-")
    assert parts("papers")("diehl-") == ["diehl-cook"]
