"""Every public name is the same however often it is asked for; new rules and undeclared names are told plainly."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from neurorules import rules
from neurorules.cli import run
from neurorules.language.equations import Equation
from neurorules.language.errors import UserError
from neurorules.language.neuron_trace import Trace
from neurorules.language.registry import Registry
from neurorules.language.rules import HIDDEN_VARIABLES, NEURON_VARIABLES, READOUT_VARIABLES
from neurorules.language.vocabulary import Vocabulary
from neurorules.rules import RULES

ORDERS = """
import importlib, inspect, itertools, sys
first = sys.argv[1]
if first:
    importlib.import_module(first)
import neurorules
names = [*neurorules.__all__]
seen = {name: getattr(neurorules, name) for name in names}
for order in (names, names[::-1], names[1::2] + names[::2]):
    for name in order:
        assert getattr(neurorules, name) is seen[name] and callable(seen[name]), name
assert "rules" in inspect.signature(neurorules.compare).parameters
from neurorules import compare, train
assert compare is neurorules.compare and train is neurorules.train
import neurorules.compare.comparison as inner
import neurorules.language.errors as errors
assert errors.UserError is neurorules.UserError
assert inner.plan and neurorules.compare.comparison is inner
for _ in range(2):
    for call in (lambda: compare("nothing", "out"), lambda: train(rule="nothing")):
        try:
            call()
        except neurorules.UserError as error:
            assert "nothing" in str(error), error
        else:
            raise AssertionError
"""


@pytest.mark.parametrize("first", ["", "neurorules.runner.dispatch"])
def test_every_public_name_is_the_same_in_any_order(first: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ORDERS, first], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not any(tmp_path.iterdir())


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A folder on the path of Python."""
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] in ("mine", "deep")]:
        del sys.modules[name]


@pytest.mark.parametrize("folder", ["mine", "deep/of/rules"])
def test_what_new_rule_advises_for_a_folder_of_ones_own_works(
    fresh: Path, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for part in reversed(Path(folder).parents[:-1]):
        (fresh / part).mkdir()
        (fresh / part / "__init__.py").touch()
    assert run(["new", "rule", "my_own", "--folder", str(fresh / folder)]) == 0
    told = capsys.readouterr().out
    assert "neurorules train" not in told, "nothing is advised that would fail"
    lines = told[told.index("[project.entry-points") :]
    installed = fresh / "mine-1.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1\n")
    section = re.sub(r'\[project\.entry-points\."(.*)"\]', r"[\1]", lines).replace('"', "")
    (installed / "entry_points.txt").write_text(section)
    assert Registry("rule", "neurorules.rules").make("my_own").name == "my_own"
    assert run(["new", "rule", "my_own", "--folder", str(fresh / folder), "--json"]) == 2
    assert run(["new", "rule", "other", "--folder", str(fresh / folder), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["listed"] is False and Path(found["file"]).is_file()


def test_a_rule_in_a_folder_that_is_listed_is_advised_to_be_trained_at_once(
    monkeypatch: pytest.MonkeyPatch, fresh: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert RULES.lists(Path(rules.__file__).parent / "my_own.py") and not RULES.lists(fresh / "my_own.py")
    monkeypatch.setattr(Registry, "lists", lambda self, path: True)
    assert run(["new", "rule", "my_own", "--folder", str(fresh)]) == 0
    assert "neurorules train --data digits --rule my_own\n" in capsys.readouterr().out


def test_a_folder_that_cannot_be_made_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert run(["new", "rule", "my_own", "--folder", str(tmp_path / "file")]) == 2
    assert run(["new", "rule", "my_own", "--folder", str(tmp_path / "file" / "below")]) == 2
    assert capsys.readouterr().err.count("\n") == 2 and not (tmp_path / "file").read_text()


HIDDEN = Vocabulary(NEURON_VARIABLES, HIDDEN_VARIABLES, constants={"gain": 2.0})
READOUT = Vocabulary(NEURON_VARIABLES | {"x"}, READOUT_VARIABLES, traces={"x": Trace("x", 0.7)})
UNSEEN = {
    "m_post * x_pre": (HIDDEN, "trace_decay=0.9"),
    "x_post * S_pre": (HIDDEN, "trace_decay=0.9"),
    "m_post * before(x_pre)": (HIDDEN, "trace_decay=0.9"),
    "p_post * S_pre": (HIDDEN, "role='readout'"),
    "y_post * S_pre": (HIDDEN, "role='readout'"),
    "lr * m_post * S_pre": (HIDDEN, "--lr"),
    "eta * m_post * S_pre": (HIDDEN, "--lr"),
    "m * S_pre": (HIDDEN, "`m_post`"),
    "m_post * S": (HIDDEN, "`S_pre` or `S_post`"),
    "v * S_pre": (HIDDEN, "`v_post`"),
    "m_post * v_pre": (HIDDEN, "Connections carry spikes and no membranes"),
    "mean * S_pre": (HIDDEN, "`mean_pre`"),
    "b * S_pre": (HIDDEN, "its own parameter alone, here `w`"),
    "gain_post * S_pre": (HIDDEN, "Read `gain`"),
    "w_post * S_pre": (HIDDEN, "Read `w`"),
    "m_pst * S_pre": (HIDDEN, "Did you mean `m_post`"),
    "zzzzzzzz * S_pre": (HIDDEN, "constants="),
}


@pytest.mark.parametrize("text", UNSEEN)
def test_a_name_that_no_synapse_sees_is_told_what_would_let_it(text: str) -> None:
    vocabulary, words = UNSEEN[text]
    with pytest.raises(UserError) as raised:
        _ = Equation(text, vocabulary).expression
    assert words in str(raised.value) and "\n" not in str(raised.value)
    if "x_" in text:
        assert "v_p" not in str(raised.value)


def test_what_is_declared_is_seen() -> None:
    for text in ("m_post * x_pre", "p_post * S_pre", "y_post * S_pre"):
        assert Equation(text, READOUT).products
