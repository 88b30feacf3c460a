"""The fit check: which rules Loihi's sum of products can say, which term it cannot, and a nearest text that it can."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from hardware_models.loihi.fit import OWN, misfits
from neurorules.cli import app
from neurorules.language.errors import UserError
from neurorules.language.neuron_trace import Trace
from neurorules.language.rules import Plasticity, Rule
from neurorules.rules import RULES
from neurorules.runner.fit import fits

FORMS = ("sigprop:form=voltage", "sigprop:form=raw_voltage", "pepita:form=graded", "pepita:form=dendritic")
TRACES = (
    Trace("fast", 0.8), Trace("even", 0.85), Trace("slow", 0.95), Trace("seen", 0.9, "psi(v)"),
    Trace("last", 0.9, "S", "nearest"),
)  # fmt: skip


def rule(text: str) -> Rule:
    """A rule with one text for hidden weights, a signal, and some traces."""
    base = RULES.make("dfa")
    return replace(base, plasticity=(Plasticity("w", text),), traces=TRACES)


def terms(text: str) -> list[str]:
    return [misfit.term for misfit in misfits(rule(text))]


@pytest.mark.parametrize(
    "text",
    [
        "S_post * fast_pre - 0.5 * S_pre * fast_post", "m_post * even_post * fast_pre * S_pre", "-fast_post ** 2 * w",
        "S_pre * (fast_pre - 3) * (w + 2) / 4", "m_post * fast_pre", "S_pre * S_pre * fast_post",
    ],
)  # fmt: skip
def test_sums_of_products_of_spikes_traces_weight_and_third_factor_fit(text: str) -> None:
    assert terms(text) == []


@pytest.mark.parametrize(
    ("text", "unfit", "nearest"),
    [
        ("m_post * psi(v_post) * S_pre", ["psi(v_post)"], "m_post * y1_post * S_pre"),
        ("through_norm(m_post) * (S_pre - mean_pre)", ["mean_pre", "through_norm(m_post)"], "m_post * S_pre"),
        (
            "through_norm(m_post * psi(v_post)) * S_pre",
            ["through_norm((m_post * psi(v_post)))", "psi(v_post)"],
            "m_post * y1_post * S_pre",
        ),
        ("m_post * dv_dw", ["dv_dw"], "m_post * x1_pre"),
        ("v_post * S_pre", ["v_post"], "y1_post * S_pre"),
        ("S_pre * S_post", ["S_post * S_pre"], "y1_post * S_pre"),
        ("S_pre * before(fast_post)", ["before(fast_post)"], "fast_post * S_pre"),
        ("S_post * delay(S_pre, 3)", ["delay(S_pre, 3)"], "S_post * x1_pre"),
        ("seen_post * S_pre", ["seen_post"], "y1_post * S_pre"),
        ("S_post * last_pre", ["last_pre"], "S_post * x1_pre"),
        ("exp(w) * S_pre * fast_post", ["exp(w)"], "w * fast_post * S_pre"),
        ("w ** 0.5 * S_pre", ["(w ** 0.5)"], "w * S_pre"),
        ("(fast_post > 2) * S_pre", ["(fast_post > 2)"], "y1_post * S_pre"),
    ],
)
def test_a_term_that_does_not_fit_is_named_with_the_nearest_text(text: str, unfit: list[str], nearest: str) -> None:
    found = misfits(rule(text))
    assert [misfit.term for misfit in found] == unfit and all(misfit.why for misfit in found)
    assert {misfit.nearest for misfit in found} == {nearest}


def test_there_are_two_registers_before_a_synapse_and_three_behind() -> None:
    assert terms("S_post * (fast_pre + even_pre)") == []
    assert terms("S_post * (fast_pre + even_pre + slow_pre)") == ["fast_pre, even_pre, slow_pre"]
    assert terms("S_pre * (fast_post + even_post + slow_post)") == []
    assert terms("m_post * S_pre * (fast_post + even_post + slow_post)") == ["m_post, fast_post, even_post, slow_post"]
    (over,) = misfits(rule("m_post * S_pre * (fast_post + even_post + slow_post)"))
    assert over.nearest is not None and terms(over.nearest) == []


NOTHING_LEFT = {"bcm", "sdsp", "urbanczik_senn"}
"""Rules of whose products none stands without what the engine cannot read: a threshold, comparisons, an eligibility."""


@pytest.mark.parametrize("name", [*RULES.names(), *FORMS])
def test_the_nearest_text_of_every_rule_fits(name: str) -> None:
    made = RULES.make(name)
    for misfit in misfits(made):
        assert (misfit.nearest is None) == (name in NOTHING_LEFT)
        if misfit.nearest is None:
            continue
        traces = (*made.traces, *(trace for trace in OWN if trace.name not in made.declared_traces))
        text = Plasticity("w", misfit.nearest, misfit.role, misfit.phase)  # type: ignore[arg-type]
        assert misfits(replace(made, plasticity=(text,), traces=traces)) == ()


def test_plain_stdp_fits_and_rules_with_a_surrogate_do_not() -> None:
    answers = {row["name"]: row["fits"] for row in fits("loihi")}
    assert answers["stdp"] and answers["oja"]
    assert not any(answers[name] for name in ("sigprop", "dfa", "bptt", "triplet_stdp"))


def test_a_chain_of_devices_is_asked_as_a_chip_is() -> None:
    assert fits("loihi+integer_traces") == fits("loihi")


def test_the_command_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    for flags in ([], ["--json"]):
        with pytest.raises(SystemExit) as ended:
            app(["list", "rules", "--hardware", "loihi", *flags])
        assert ended.value.code in (0, None)
    printed = capsys.readouterr().out
    lines, answer = printed[: printed.index("{")], json.loads(printed[printed.index("{") :])
    assert "stdp: fits" in lines and "psi(v_post) (phase input)" in lines
    assert {row["name"] for row in answer["rules"]} == set(RULES.names())


def test_other_devices_and_other_lists_are_refused_by_name() -> None:
    for chip in ("fixed_point", "fixed_point+fixed_point"):
        with pytest.raises(UserError, match=rf"'{re.escape(chip)}' has no learning engine.*loihi"):
            fits(chip)
    for chip in ("none", "loihi+none"):
        with pytest.raises(UserError, match="none is plain memory"):
            fits(chip)
    from neurorules.commands.inspect import list_entries

    with pytest.raises(UserError, match="'neurons' are not rules"):
        list_entries("neurons", "loihi")
