"""What Brian2 refuses in a model is told in one line: units, names and equations that cannot be, and no compiler."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("brian2")
import brian2

from neurorules.brian2_continuous.parts.circuit import Act, Circuit, Units, Wires
from neurorules.brian2_continuous.parts.interpreted import Interpreted
from neurorules.brian2_steps.backend import generating, told_in_a_line
from neurorules.language.errors import UserError


def circuit(*equations: str, name: str = "hidden1", acts: tuple[Act, ...] = (), more: tuple[Any, ...] = ()) -> Circuit:
    return Circuit((Units(name, 2, equations, acts=acts), *more), (), {}, 2, 2.0, 1.0, "euler")


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (circuit("dv/dt = (3*mV - v)/(10*ms) : 1"), r"'hidden1' of the model: .*variable 'v': .*'3 \* mV' has unit V"),
        (circuit("dv/dt = (1 - v)/(10*mV) : 1"), r"'\(1 - v\)/\(10\*mV\)' does not have the expected unit hertz"),
        (circuit("v : 1", acts=(Act(("v = 3*mV",), "groups", 0, "step"),)), r'statement "v = 3\*mV" does not have'),
        (circuit("v = w*nothing : 1", "w : 1"), r'"nothing" could not be resolved'),
        *((circuit(f"{name} : 1"), f"'{name}' has a special meaning") for name in ("i", "t", "dt", "N")),
        (circuit("v : 1", name="my group"), "my group not valid"),
    ],
)
def test_what_brian2_refuses_in_a_circuit_is_told_in_one_line(model: Circuit, said: str) -> None:
    with pytest.raises(UserError, match=f"Brian2 refuses .*{said}") as caught:
        Interpreted(model).run({}, {})
    assert "\n" not in str(caught.value)


def test_two_parts_of_one_name_are_refused_before_anything_is_built() -> None:
    with pytest.raises(UserError, match="a circuit has 'hidden1' twice"):
        circuit("v : 1", more=(Units("hidden1", 3, ("v : 1",)),))
    with pytest.raises(UserError, match="a circuit has 'hidden1' twice"):
        Circuit((Units("hidden1", 1, ()),), (Wires("hidden1", "hidden1", "hidden1", ()),), {}, 1, 1.0, 1.0)


def test_an_error_that_is_no_refusal_of_brian2_passes_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError), told_in_a_line(brian2):
        raise ZeroDivisionError


def test_a_group_of_the_users_with_wrong_units_is_led_to_the_users_own_line() -> None:
    """In the user's own session Brian2 speaks itself, and names the line in which the user made the object."""
    with generating(brian2, "numpy"):
        cells = brian2.NeuronGroup(2, "v : volt", threshold="v > 1*mV", name="mine")
        wrong = brian2.Synapses(cells, cells, on_pre="v_post += 3", name="wrong")
        cells.v = 0 * brian2.mV
        wrong.connect()
        with pytest.raises(brian2.core.base.BrianObjectException) as caught:
            brian2.Network(cells, wrong).run(1 * brian2.ms)
    assert re.search(rf"{re.escape(Path(__file__).name)}.*line \d+", str(caught.value)) or "mine" in str(caught.value)


def test_without_a_compiler_training_runs_after_one_line_that_says_so(tmp_path: Path) -> None:
    """The folder of programs is empty, so that no compiler is found by any name."""
    given = "train --path continuous --rule drtp --net 2 --data digits --limit 4 --validation 0 --epochs 1 --out r"
    (tmp_path / "programs").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "neurorules", *given.split()],
        env={**os.environ, "PATH": str(tmp_path / "programs")},
        cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    [line] = [line for line in done.stderr.splitlines() if "compiler" in line]
    assert line.startswith("neurorules: no C++ compiler was found") and "numpy target" in line
    assert "Traceback" not in done.stderr and (tmp_path / "r" / "weights.safetensors").exists()
