"""Time is walked step by step only where it is simulated; everything else works on whole (T, B, ...) tensors."""

from __future__ import annotations

import ast
import re

import pytest
from sources import sources

# The inner loops of the simulation. The models of hardware repeat a chip's own steps.
MAY_WALK = re.compile(
    r"neurorules/(torch_path/(forward/|update/(eligibility|neuron_numbers)|trial/from_above)|neurons/|native/)|hardware_models/"
)
VARIABLES = {"t", "step", "time_step", "timestep"}
COUNTS = re.compile(r"(.*\.)?(T|(n_|num_)?steps)")


def walks_time(loop: ast.For | ast.comprehension) -> bool:
    """Whether a loop goes through time one step after the other: by its variable's name, or by what it counts to."""
    named = {node.id for node in ast.walk(loop.target) if isinstance(node, ast.Name)} & VARIABLES
    for call in ast.walk(loop.iter):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in ("range", "enumerate"):
            by_window = len(call.args) == 3 and ast.unparse(call.args[2]) not in ("1", "-1")
            counts = any(COUNTS.fullmatch(ast.unparse(argument)) for argument in call.args)
            if named or (counts and not by_window):
                return True
    return False


@pytest.mark.parametrize(
    ("text", "walks"),
    [
        ("for t, row in enumerate(rows): pass", True),
        ("for t in texts: pass", False),
        ("for i in range(self.steps): pass", True),
        ("for i in reversed(range(0, T)): pass", True),
        ("for start in range(0, steps, window): pass", False),
        ("for layer in range(depth): pass", False),
    ],
)
def test_a_loop_over_time_is_known_by_its_words(text: str, walks: bool) -> None:
    loop = ast.parse(text).body[0]
    assert isinstance(loop, ast.For) and walks_time(loop) is walks


def test_time_is_walked_only_where_it_is_simulated() -> None:
    wrong = [
        f"{source.name}:{node.iter.lineno}: for {ast.unparse(node.target)} in {ast.unparse(node.iter)}"
        for source in sources()
        if not MAY_WALK.match(source.name)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.For | ast.comprehension) and walks_time(node)
    ]
    assert not wrong, wrong
