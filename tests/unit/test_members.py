"""Names in the class of a user's part: older and misspelt names of the contract are refused where the class is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hardware_models.devices.fixed_point import FixedPoint
from neurorules.contracts.device_chain import MEMBERS, check_device
from neurorules.contracts.members import SHORTEST, resembles
from neurorules.contracts.neuron import Neuron
from neurorules.contracts.signal import Signal
from neurorules.language.errors import UserError
from neurorules.language.own_files import standing_for
from neurorules.language.registry import Registry, own_part


def defined(base: type, **names: Any) -> type:
    """A class of a user's with these names."""
    return type("Mine", (base,), names)


@pytest.mark.parametrize(
    ("base", "name", "meant"),
    [
        (Signal, "known", "timing"),
        (Signal, "need", "needs"),
        (Signal, "thirdFactor", "third_factor"),
        (Signal, "teaches_neruons", "teaches_neurons"),
        (Signal, "summmary", "summary"),
        (Neuron, "keep_held", "keep_hold"),
        (Neuron, "primative", "primitive"),
        (Neuron, "dynamic", "dynamics"),
    ],
)
def test_an_older_or_a_misspelt_name_is_refused_with_the_name_to_write(base: type, name: str, meant: str) -> None:
    with pytest.raises(UserError, match=f"'Mine' (sets|has) '{name}'.*Write {meant}"):
        defined(base, **{name: None})


def test_an_annotated_field_counts_like_an_attribute() -> None:
    with pytest.raises(UserError, match="Write timing"):
        defined(Signal, __annotations__={"known": "str"})


@pytest.mark.parametrize("name", ["timing", "rate", "v_reset", "state", "_need", "helper", "teacher"])
def test_names_of_the_contract_and_names_of_ones_own_are_left_alone(name: str) -> None:
    assert getattr(defined(Signal, **{name: "step"}), name) == "step"


def test_a_class_below_a_users_class_may_override_what_that_one_has() -> None:
    above = defined(Signal, limits=3)
    assert defined(above, limits=4).limits == 4  # type: ignore[attr-defined]


@pytest.mark.parametrize("word", sorted(word for word in MEMBERS if len(word) >= SHORTEST))
def test_a_hook_with_a_letter_missing_is_refused_and_the_hook_itself_is_not(word: str) -> None:
    check_device(FixedPoint())
    misspelt = type("Mine", (FixedPoint,), {word[:-2] + word[-1:]: None})
    with pytest.raises(UserError, match=f"device 'Mine' has .* a device has '{word}'"):
        check_device(misspelt())


@pytest.mark.parametrize(
    ("name", "word", "slip"),
    [
        ("moves", "moves", True), ("mvoes", "moves", True), ("moves_", "moves", True), ("move", "moves", True),
        ("mvose", "moves", False), ("mo", "moves", False), ("stop", "step", False), ("drives_more", "drive", False),
    ],
)  # fmt: skip
def test_one_slip_resembles_a_word_and_two_do_not(name: str, word: str, slip: bool) -> None:
    assert resembles(name, word) is slip


def test_an_error_in_a_file_while_its_part_is_built_is_one_line_with_the_place(tmp_path: Path) -> None:
    path = tmp_path / "unheard_rule.py"
    path.write_text(
        '"""A rule with a keyword that rules do not have."""\n'
        "from neurorules.language.rules import Rule, Source\n\n\n"
        "def unheard_rule() -> Rule:\n"
        '    return Rule("unheard_rule", (), None, Source("A. Author", 2000, "A title"), known="step")\n\n\n'
        "ENTRY = unheard_rule\n"
    )
    told = r"unheard_rule.py, line 6 raises TypeError: .*'known' when the rule is built"
    with standing_for({"unheard_rule": path}), pytest.raises(UserError, match=told):
        Registry("rule", "neurorules.rules").make(own_part(str(path), "rule"))
