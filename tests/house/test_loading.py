"""Loading never unpickles: what SECURITY.md says of the code holds for the code."""

from __future__ import annotations

import ast

import pytest
from sources import sources

FORBIDDEN = ("pickle", "cPickle", "cloudpickle", "dill", "shelve", "marshal")
RUNS_TEXT = ("eval", "exec", "compile")
# A rule in a file of the user's own is Python, and runs because the user names that file; SECURITY.md says so.
NAMED_BY_THE_USER = {"neurorules/language/own_file.py": ["compile", "exec"]}
LOADERS = {"torch.load", "joblib.load", "np.load", "numpy.load", "yaml.load", "pd.read_pickle", "pandas.read_pickle"}


def unpickling_in(tree: ast.AST) -> list[str]:
    """Calls that unpickle or may, run a text as code, and imports of what unpickles."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            found += [name for name in names if name.split(".")[0] in FORBIDDEN]
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        refuses = any(k.arg == "allow_pickle" and ast.unparse(k.value) == "True" for k in node.keywords)
        if called in ("np.load", "numpy.load") and not refuses:
            continue
        if called in LOADERS or called in RUNS_TEXT or called.endswith(".Unpickler"):
            found.append(f"line {node.lineno}: {called}")
    return found


@pytest.mark.parametrize(
    "text",
    ["import pickle", "from dill import loads", "torch.load(p)", "np.load(p, allow_pickle=True)", "eval('1')"],
)
def test_what_unpickles_is_seen(text: str) -> None:
    assert unpickling_in(ast.parse(text))


@pytest.mark.parametrize("text", ["np.load(p, allow_pickle=False)", "np.load(p)", "net.eval()", "re.compile('a')"])
def test_what_does_not_is_left_alone(text: str) -> None:
    assert not unpickling_in(ast.parse(text))


def test_no_file_unpickles_or_runs_a_text() -> None:
    calls = {source.name: [place.partition(": ")[2] for place in unpickling_in(source.tree)] for source in sources()}
    assert {name: those for name, those in calls.items() if those} == NAMED_BY_THE_USER
