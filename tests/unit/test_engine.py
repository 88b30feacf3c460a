"""Rules that a chip's own learning engine can say: what fits ReckOn, and who is refused where only those may learn."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

import neurorules
from hardware_models.reckon_fit import misfits
from neurorules import Learner
from neurorules.language.eligibility import Eligibility
from neurorules.language.errors import UserError
from neurorules.language.neuron_trace import Trace
from neurorules.language.rules import Plasticity, Rule
from neurorules.rules import RULES
from neurorules.runner.fit import fits

NET: dict[str, Any] = {"input_shape": (6,), "classes": 3, "device": "cpu", "norm": "none"}
TRACES = (Trace("x", 0.8), Trace("seen", 0.9, "psi(v)"), Trace("last", 0.9, "S", "nearest"))
KEPT = (Eligibility("e", 0.9, "S_pre"), Eligibility("pair", 0.9, "psi(v_post) * S_pre"))


def rule(text: str) -> Rule:
    """A rule with a signal and one text for hidden weights, which may read traces and eligibilities."""
    return replace(RULES.make("dfa"), plasticity=(Plasticity("w", text),), traces=TRACES, eligibilities=KEPT)


@pytest.mark.parametrize(
    ("text", "unfit"),
    [
        ("-m_post * psi(v_post) * x_pre", []),
        ("-m_post * psi(v_post) * S_pre + 0.5 * m_post * (v_post > 0.3) * x_pre", []),
        ("-m_post * psi(v_post) * e", []),
        ("-m_post * psi(v_post) * pair", ["pair"]),
        ("-m_post * dv_dw", ["dv_dw"]),
        ("-through_norm(m_post * psi(v_post)) * x_pre", ["through_norm((m_post * psi(v_post)))"]),
        ("-m_post * psi(v_post) * (S_pre - mean_pre)", ["mean_pre"]),
        ("-m_post * (x_post > 0.3) * S_pre", ["(x_post > 0.3)"]),
        ("-m_post * last_pre", ["last_pre"]),
        ("-m_post * seen_post * S_pre", ["seen_post"]),
        ("-m_post * S_post * S_pre", ["S_post"]),
        ("-m_post * v_post * S_pre", ["v_post"]),
        ("-m_post * w * S_pre", ["w"]),
        ("-m_post * psi(v_post) * before(x_pre)", ["before(x_pre)"]),
        ("-m_post * psi(v_post)", ["-m_post * psi(v_post)"]),
        ("-m_post * S_pre * x_pre", ["-m_post * S_pre * x_pre"]),
    ],
)
def test_reckon_multiplies_a_third_factor_a_table_of_the_membrane_and_a_presynaptic_trace(
    text: str, unfit: list[str]
) -> None:
    answers = misfits(rule(text))
    assert [misfit.term for misfit in answers] == unfit and all(misfit.why for misfit in answers)
    for misfit in answers:
        assert misfit.nearest is not None and misfits(replace(rule(misfit.nearest), traces=(Trace("x1", 0.9),))) == ()


def test_normalised_rules_do_not_fit_reckon() -> None:
    rows = {row["name"]: row for row in fits("reckon")}
    assert not any(rows[name]["fits"] for name in ("eprop", "sigprop", "stdp", "dfa", "bptt"))


@pytest.mark.parametrize(
    ("device", "refused", "learns"),
    [("loihi", "dfa", "stdp"), ("odin", "dfa", "sdsp"), ("reckon", "stdp", "shallow")],
)
def test_only_rules_that_fit_learn_where_the_engine_has_to_do_it(device: str, refused: str, learns: str) -> None:
    with pytest.raises(UserError, match=f"device '{device}:rules=engine': '.*' of rule '{refused}' does not fit"):
        Learner("5", refused, hardware=f"{device}:rules=engine", **NET)
    Learner("5", refused, hardware=device, **NET)
    Learner("5", learns, hardware=f"{device}:rules=engine", **NET)


@pytest.mark.parametrize(
    ("hardware", "rule", "told"),
    [("loihi", "dfa", True), ("dynapse+odin", "dfa", True), ("loihi", "stdp", False), ("fixed_point", "dfa", False)],
)
def test_training_says_once_that_a_rule_is_computed_beside_the_chip(
    hardware: str, rule: str, told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    data = (torch.rand(12, 6), torch.arange(12) % 3)
    neurorules.train(rule, net="5", data=(data, data), epochs=2, steps=3, hardware=hardware, device="cpu", validation=0)
    lines = [line for line in caplog.messages if "is computed beside the chip" in line]
    assert len(lines) == told
    assert all(f"engine of {hardware} cannot say '" in line and f"rule '{rule}', because " in line for line in lines)
