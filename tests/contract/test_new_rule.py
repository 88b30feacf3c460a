"""The file that `neurorules new rule NAME` writes is a rule: it passes the contract suite as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest
import test_rules as contract

from neurorules.audit import audit_rules
from neurorules.cli import run
from neurorules.rules import RULES


def test_a_new_rule_is_listed_and_passes_the_contract(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["new", "rule", "my_rule", "--folder", str(tmp_path)]) == 0
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setitem(RULES.modules, "my_rule", "my_rule")
    capsys.readouterr()
    assert run(["list", "rules"]) == 0
    assert "my_rule" in capsys.readouterr().out
    for net in contract.NETS:
        contract.test_a_silent_presynaptic_population_changes_none_of_its_weights("my_rule", net)
        contract.test_the_order_of_a_batch_does_not_matter("my_rule", net)
        contract.test_no_row_of_a_batch_sees_another("my_rule", net)
    contract.test_changes_are_linear_in_the_third_factor("my_rule")
    contract.test_changes_add_up_over_the_rows_of_a_batch("my_rule")
    found = audit_rules(["my_rule"])
    contract.check_declared("my_rule", found)
    contract.check_reach("my_rule", found)
    contract.test_no_default_rule_uses_a_statistic_of_the_batch("my_rule")
    contract.test_a_learning_rule_beats_its_frozen_control_by_three_standard_errors("my_rule")
