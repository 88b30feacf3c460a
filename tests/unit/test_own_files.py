"""Rules, signals and neurons in files of the user's own: named by a path or lying in a folder, and run again later."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import neurorules
from neurorules.cli import run
from neurorules.commands.completion import parts
from neurorules.language import own_file, own_files
from neurorules.language.errors import UserError
from neurorules.neurons import NEURONS
from neurorules.rules import RULES
from neurorules.runs.folder import RunFolder
from neurorules.signals import SIGNALS

RULE = '''"""Feedback of its own: a rule whose file brings its signal."""
from dataclasses import dataclass

from neurorules.language.rules import DELTA_RULE, Plasticity, Rule, Source
from neurorules.language.signal_spec import SignalSpec
from neurorules.signals.dfa import DirectFeedback


@dataclass(frozen=True)
class Feedback(DirectFeedback):
    """Feedback, times a factor."""

    scale: float = 1.0

    def third_factor(self, state, parameters, view):
        answer = super().third_factor(state, parameters, view)
        m = answer.m["input"]
        return answer._replace(m={"input": m._replace(values=self.scale * m.values)})


def mine(scale: float = 1.0) -> Rule:
    return Rule(
        name="mine",
        plasticity=(
            Plasticity("w", "-through_norm(m_post * psi(v_post) * kept_post) * (S_pre - mean_pre)"),
            Plasticity("b", "-m_post * psi(v_post) * kept_post"),
            *DELTA_RULE,
        ),
        signal=SignalSpec("mine", {"scale": scale}),
        source=Source("A. Nobody", 2026, "Mine"),
    )


ENTRY, SIGNAL = mine, Feedback
'''
SMALL = ["--data", "digits", "--net", "16", "--epochs", "1", "--limit", "300", "--threads", "1", "--device", "cpu"]


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Every test begins and ends without files, in a folder and with a cache of its own."""
    monkeypatch.delenv(own_files.VARIABLE, raising=False)
    monkeypatch.setenv("NEURORULES_CACHE", str(tmp_path / "cache"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    own_files.take_all({})
    yield
    own_files.take_all({})


@pytest.fixture
def rule() -> Path:
    """The file of a rule, in the current folder."""
    path = Path("mine.py")
    path.write_text(RULE, encoding="utf-8")
    return path


@pytest.fixture
def trained(rule: Path) -> Path:
    """A run that learned by the file. The process has forgotten what was named."""
    assert run(["train", "--rule", "./mine.py:scale=2", *SMALL, "--out", "run", "--json"]) == 0
    own_files.take_all({})
    return Path("run")


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line of a command that is refused."""
    capsys.readouterr()
    assert run(list(words)) == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1, printed.err
    return printed.err


def test_a_rule_in_a_file_learns_as_the_same_rule_that_is_installed(rule: Path) -> None:
    samples, labels = torch.rand(8, 20, 6) * 2, torch.arange(20) % 3
    how = {"input_shape": (6,), "classes": 3, "steps": 8, "device": "cpu", "seed": 3}
    own, ours = neurorules.Learner("10-8", "mine.py", **how), neurorules.Learner("10-8", "dfa", **how)
    for learner in (own, ours):
        for _ in range(2):
            learner.step(samples, labels)
    assert own.model.rule.name == "mine" and own.learned.parameters.keys() == ours.learned.parameters.keys()
    for name, value in ours.learned.parameters.items():
        torch.testing.assert_close(own.learned.parameters[name], value, rtol=1e-6, atol=1e-7)
    twice = neurorules.Learner("10-8", "mine.py:scale=2", **how)
    assert twice.model.signal.scale == 2


def test_a_file_that_was_edited_is_run_again(rule: Path) -> None:
    how = {"input_shape": (6,), "classes": 3, "device": "cpu"}
    first = neurorules.Learner("4", "mine.py", **how)
    rule.write_text(RULE.replace("kept_post) *", "kept_post) * 2 *"), encoding="utf-8")
    second = neurorules.Learner("4", "mine.py", **how)
    assert "* 2 *" not in first.model.rule.plasticity[0].text and "* 2 *" in second.model.rule.plasticity[0].text


def test_a_run_folder_holds_the_name_and_the_text_of_its_file(trained: Path, rule: Path) -> None:
    config = json.loads((trained / "config.json").read_text())
    assert config["rule"] == "mine:scale=2"
    assert (trained / "own_files" / "mine.py").read_text() == RULE
    [entry] = json.loads((trained / "own_files" / "files.json").read_text()).values()
    assert entry == {"path": str(rule.resolve()), "sha256": own_file.digest_of(rule)}


def test_a_trained_run_is_read_without_naming_its_file_where_it_was_trained(trained: Path, rule: Path) -> None:
    rule.unlink()
    learner = neurorules.load(trained)
    assert learner.model.rule.name == "mine" and learner.model.signal.scale == 2
    state = learner.state()
    shared = [name for name in RunFolder(trained).load_weights() if name in state and not name.startswith("optimiser")]
    assert len(shared) > 4
    for name, value in RunFolder(trained).load_weights().items():
        assert name not in shared or torch.equal(state[name], value) or name == "generator", name
    assert run(["record", str(trained), "--samples", "2", "--out", "traces.h5", "--json"]) == 0
    assert "mine" not in RULES.modules


def test_a_changed_file_is_told_and_the_copy_of_the_run_stands_for_it(
    trained: Path, rule: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rule.write_text(RULE.replace("kept_post) *", "kept_post) * 2 *"), encoding="utf-8")
    os.environ[own_files.VARIABLE] = "."
    learner = neurorules.load(trained)
    assert "* 2 *" not in learner.model.rule.plasticity[0].text
    assert "has changed since the run" in caplog.text and caplog.text.count("\n") == 1
    assert "* 2 *" in RULES.make("mine").plasticity[0].text


def test_nothing_of_a_run_folder_of_somebody_else_is_run(
    trained: Path, rule: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("NEURORULES_CACHE", str(tmp_path / "their cache"))
    for text in (RULE, "raise SystemExit('run')\n" + RULE):
        for path in (rule, trained / "own_files" / "mine.py"):
            path.write_text(text, encoding="utf-8")
        index = json.loads((trained / "own_files" / "files.json").read_text())
        index["mine"]["sha256"] = own_file.digest_of(rule)
        (trained / "own_files" / "files.json").write_text(json.dumps(index))
        line = refused(capsys, "record", "run", "--out", "traces.h5")
        assert "a file is run only where you name it" in line and "own_files/mine.py" in line
    assert not Path("traces.h5").exists()
    for path in (rule, trained / "own_files" / "mine.py"):
        path.write_text(RULE, encoding="utf-8")
    index["mine"]["sha256"] = own_file.digest_of(rule)
    (trained / "own_files" / "files.json").write_text(json.dumps(index))
    assert neurorules.load(trained, rule="mine.py").model.signal.scale == 2
    own_files.take_all({})
    monkeypatch.setenv(own_files.VARIABLE, "run/own_files/mine.py")
    assert run(["record", "run", "--samples", "2", "--out", "traces.h5", "--json"]) == 0


@pytest.mark.parametrize("name", ["rule", "signal", "neuron"])
def test_a_path_in_a_configuration_is_not_followed(
    name: str, trained: Path, rule: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in ("config.json", "result.json"):
        settings = json.loads((trained / file).read_text())
        (trained / file).write_text(json.dumps({**settings, name: str(rule.resolve())}))
    (trained / "seal.json").unlink()
    for words in (["record", "run", "--out", "traces.h5"], ["compare", "--runs", "run", "--out", "side"]):
        assert "names the file" in refused(capsys, *words)


def test_a_run_does_not_go_on_by_a_changed_file(trained: Path, rule: Path, capsys: pytest.CaptureFixture[str]) -> None:
    go_on = ["train", "--rule", "mine.py:scale=2", *SMALL, "--out", "run", "--resume"]
    before = {path.name: path.read_bytes() for path in trained.iterdir() if path.is_file()}
    rule.write_text(RULE + "\n# another text\n", encoding="utf-8")
    assert "has changed since" in refused(capsys, *go_on)
    assert {path.name: path.read_bytes() for path in trained.iterdir() if path.is_file()} == before
    rule.write_text(RULE, encoding="utf-8")
    assert run([*go_on, "--json"]) == 0


def test_a_forced_run_leaves_no_file_of_the_one_before(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = ["train", "--rule", "dfa", "--data", "digits", "--net", "16-16", "--readout", "nowhere"]
    assert run([*wrong, "--out", "run", "--force"]) == 2
    assert (trained / "own_files" / "mine.py").read_text() == RULE
    assert run(["train", "--rule", "dfa", *SMALL, "--out", "run", "--force", "--json"]) == 0
    assert not (trained / "own_files").exists()


def test_a_folder_of_ones_own_is_listed_completed_and_known_by_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("here", "there"):
        Path(folder).mkdir()
    Path("here/mine.py").write_text(RULE, encoding="utf-8")
    Path("here/_shared.py").write_text("ENTRY = 1 / 0\n", encoding="utf-8")
    Path("there/notes.py").write_text("x = 1\n", encoding="utf-8")
    Path("there/faint.py").write_text(
        "from neurorules.signals.drtp import ENTRY as Base\nENTRY = Base\n", encoding="utf-8"
    )
    Path("there/mylif.py").write_text("from neurorules.neurons.lif import ENTRY as Base\nENTRY = Base\n")
    Path("there/broken.py").write_text("def broken(:\n", encoding="utf-8")
    monkeypatch.setenv(own_files.VARIABLE, f"here{os.pathsep}there")
    assert {"mine", "broken"} < set(RULES.names()) and not {"notes", "_shared", "faint"} & set(RULES.names())
    assert {"mine", "faint"} < set(SIGNALS.names()) and "mylif" in NEURONS.names()
    assert parts("rules")("sigprop,mi") == ["sigprop,mine"] and parts("neurons")("my") == ["mylif"]
    assert run(["list", "rules", "--json"]) == 0
    listed = {row["name"]: row["what it is"] for row in json.loads(capsys.readouterr().out)["rules"]}
    assert listed["mine"].startswith("Feedback of its own") and "broken.py, line 1: " in listed["broken"]
    assert run(["train", "--rule", "mine", "--signal", "faint", "--neuron", "mylif", *SMALL, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rule"] == "mine"
    assert sorted(path.name for path in Path("runs/mine/own_files").glob("*.py")) == ["faint.py", "mine.py", "mylif.py"]
    monkeypatch.delenv(own_files.VARIABLE)
    assert "mine" not in RULES.names() and "faint" not in SIGNALS.names()


def test_other_processes_of_a_comparison_find_the_file(rule: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["compare", "--rules", "./mine.py:scale=2@lr=0.001", "--controls", "none", "--seeds", "2", *SMALL]
    assert run([*words, "--jobs", "2", "--out", "side", "--json"]) == 0
    comparison = json.loads(capsys.readouterr().out)
    assert [row["rule"] for row in comparison["runs"]] == ["mine:scale=2@lr=0.001"] * 2
    [fact] = comparison["audit"]["facts"]
    assert fact["needs"] == fact["declared_needs"] == ["fixed_feedback", "output_error", "target"]
    assert (Path("side") / "mine_scale=2@lr=0.001" / "seed0" / "own_files" / "mine.py").read_text() == RULE
    own_files.take_all({})
    assert run(["compare", "--runs", "side/mine_scale=2@lr=0.001/seed0", "--out", "again"]) == 0
    rule.write_text(RULE + "\n# another text\n", encoding="utf-8")
    line = refused(capsys, *words, "--jobs", "2", "--out", "side", "--resume")
    assert "has changed since" in line


def test_a_search_says_how_its_rows_are_compared(rule: Path, capsys: pytest.CaptureFixture[str]) -> None:
    space = ["--space", "lr=0.001|0.002", "--trials", "1", "--out", "search", "--json"]
    assert run(["tune", "--rules", "./mine.py", *SMALL, *space]) == 0
    command = json.loads(capsys.readouterr().out)["command"]
    assert command.startswith(f"NEURORULES_RULES={rule.resolve()} neurorules compare ")


def test_the_audit_and_the_citation_take_a_file(rule: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cite", "./mine.py", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rule"] == "mine"
    assert "there is no Python file ./gone.py" in refused(capsys, "audit", "--rules", "./mine.py,./gone.py")
    assert "there is no Python file gone.py" in refused(capsys, "audit", "--rules", "dfa", "--signal", "gone.py")


SIGNAL_ONLY = (
    "from neurorules.signals.dfa import DirectFeedback\n\nclass Own(DirectFeedback):\n    pass\n\nENTRY = Own\n"
)
FACTORY = "from neurorules.language.rules import Rule\n\ndef one() -> Rule:\n    ...\n"


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("gone", None, "there is no Python file ./gone.py"),
        ("empty", "", "has no ENTRY: it offers no rule"),
        ("nearly", FACTORY, "Add the line ENTRY = one"),
        ("several", FACTORY + FACTORY.replace("one", "two"), "could be one or two. Say which: ENTRY = one"),
        ("twice", FACTORY + "\nENTRY = one\nENTRY = one\n", "assigns ENTRY in line 6 and in line 7"),
        ("pair", FACTORY + "\nENTRY = (one, one)\n", "ENTRY is a tuple"),
        ("syntax", "x = 1\nif x\n    pass\n", "syntax.py, line 2: expected ':'"),
        ("bytes_", b"x = '\xff'\n", "bytes_.py"),
        ("imports", "x = 1\nimport nothing_of_this_name\n", "line 2 raises ModuleNotFoundError: No module named"),
        ("exits", "raise SystemExit(3)\n", "line 1 raises SystemExit: 3"),
        ("prints", "print('hello')\n" + RULE.replace('"mine"', '"prints"'), "prints 'hello' when it is run"),
        ("dfa", RULE.replace('"mine"', '"dfa"'), "'dfa' is the rule of neurorules.rules.dfa. Give the file"),
        ("drtp", SIGNAL_ONLY, "offers a signal, and a rule is asked for here"),
        (
            "other",
            RULE.replace('SignalSpec("mine", {"scale": scale})', '"dfa"'),
            "makes a rule that is called 'mine'. A rule has the name of its file: 'other'",
        ),
        ("nothing", FACTORY + "\nENTRY = one\n", "makes a NoneType, and a rule is a Rule"),
        ("my-rule", RULE, "Rename it to letters, digits, underscores"),
    ],
)
def test_a_file_that_cannot_be_used_ends_in_one_line_and_leaves_nothing(
    name: str, text: str | bytes | None, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if text is not None:
        Path(f"{name}.py").write_bytes(text if isinstance(text, bytes) else text.encode())
    for command in (["train", "--rule", f"./{name}.py"], ["compare", "--rules", f"./{name}.py"]):
        line = refused(capsys, *command, *SMALL, "--out", "out")
        assert words in line
    assert [path.name for path in Path().iterdir()] == ([] if text is None else [f"{name}.py"])
    with pytest.raises(UserError):
        neurorules.Learner("4", f"./{name}.py", input_shape=(6,), classes=2)


def test_two_files_of_one_name_and_folders_that_are_wrong_are_told(
    rule: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("more").mkdir()
    shutil.copy(rule, "more/mine.py")
    rows = ["compare", "--rules", "mine.py,more/mine.py", *SMALL, "--out", "out"]
    assert "has the same name. Rename one of them" in refused(capsys, *rows)
    own_files.take_all({})
    for value, words in (
        (f".{os.pathsep}more", "have one name"), ("nowhere", "the folder nowhere, which does not exist"),
        ("mine", "the folder mine, which does not exist"), ("more/other.py", "there is no Python file more/other.py"),
    ):  # fmt: skip
        monkeypatch.setenv(own_files.VARIABLE, value)
        assert words in refused(capsys, "train", "--rule", "mine", *SMALL, "--out", "out")
        assert parts("rules")("sig") == []
    shutil.copy(rule, "more/sigprop.py")
    monkeypatch.setenv(own_files.VARIABLE, "more")
    assert "'sigprop' is the rule of neurorules.rules.sigprop" in refused(capsys, "train", *SMALL, "--out", "out")
    assert not Path("out").exists()
