"""The locality audit: it finds what is there, and nothing else; cheats are caught."""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from neurorules.audit import audit_rules, problems_of
from neurorules.audit.dependence import entries_of, parts
from neurorules.audit.facts import learns_before_above, memory_growth
from neurorules.audit.matrix import matrices
from neurorules.audit.memory import peak_bytes
from neurorules.audit.needs import needs_of
from neurorules.audit.rig import build, differ, run, with_parameters
from neurorules.cli import run as command
from neurorules.compare.gather import audited as audited_of
from neurorules.contracts.series import Series
from neurorules.contracts.signal import SignalState, ThirdFactor
from neurorules.contracts.view import View
from neurorules.language.errors import UserError
from neurorules.signals.drtp import TargetProjection

rig_of = cache(build)


@cache
def audit(rules: tuple[str, ...], net: str = "12-10-8") -> dict[str, Any]:
    """Audits that this process has asked for before, here or in the contracts of rules, are not measured again."""
    return audit_rules(rules, net)


def audited(rule: str) -> list[dict[str, Any]]:
    """The entries of one of the rules below."""
    return [entry for entry in audit(RULES_HERE)["entries"] if entry["rule"] == rule]


ROWS = ("hidden1", "hidden2", "hidden3", "readout")


def table(entries: list[dict[str, Any]], kind: str) -> dict[str, str]:
    """By layer, one sign a column: # where its update depends."""
    return {
        row: "".join("#" if e["depends"] else "." for e in entries if e["kind"] == kind and e["update_of"] == row)
        for row in dict.fromkeys(e["update_of"] for e in entries)
    }


def alone(entries: list[dict[str, Any]], kind: str) -> str:
    """One sign a layer, for a kind of one column."""
    return "".join(table(entries, kind).values())


NOBODY = dict.fromkeys(ROWS, "....")
THEIR_OWN = {"hidden1": "#...", "hidden2": ".#..", "hidden3": "..#.", "readout": "...."}
OWN_AND_BELOW = {"hidden1": "#...", "hidden2": "##..", "hidden3": ".##.", "readout": "..##"}
AND_OUTPUT = {"hidden1": "#..#", "hidden2": "##.#", "hidden3": ".###", "readout": "..##"}
AND_ALL_ABOVE = {"hidden1": "####", "hidden2": "####", "hidden3": ".###", "readout": "..##"}
ABOVE = {"hidden1": ".###", "hidden2": "..##", "hidden3": "...#", "readout": "...."}
THEORY = {
    # weights read, activity read, label, later steps: by the rules' equations
    "bptt": (ABOVE, AND_ALL_ABOVE, "####", "####"),
    # of a dozen milliseconds, in which currents that last for five have only begun to move what lies behind them
    "eventprop": (ABOVE, AND_ALL_ABOVE, "####", "##.#"),
    "fa": (NOBODY, AND_ALL_ABOVE, "####", "####"),
    "sign_symmetry": (ABOVE, AND_ALL_ABOVE, "####", "####"),
    "weight_mirroring": (NOBODY, AND_ALL_ABOVE, "####", "####"),
    "dfa": (NOBODY, AND_OUTPUT, "####", "####"),
    "pepita": (NOBODY, AND_OUTPUT, "####", "####"),
    "drtp": (NOBODY, OWN_AND_BELOW, "####", "...#"),
    "sigprop": (NOBODY, OWN_AND_BELOW, "####", "####"),
    "spela": (NOBODY, OWN_AND_BELOW, "####", "####"),
    "eprop": (NOBODY, AND_OUTPUT, "####", "...."),
    "ottt": (ABOVE, AND_ALL_ABOVE, "####", "...."),
    "ottt:feedback=fixed": (NOBODY, AND_ALL_ABOVE, "####", "...."),
    "bdsp": (NOBODY, AND_ALL_ABOVE, "####", "...."),
    "ostl": (ABOVE, AND_ALL_ABOVE, "####", "...."),
    "otpe": (ABOVE, AND_ALL_ABOVE, "####", "...."),
    "s_tller": (ABOVE, AND_ALL_ABOVE, "####", "...."),
    "etlp": (NOBODY, OWN_AND_BELOW, "####", "...."),
    "osttp": (NOBODY, OWN_AND_BELOW, "####", "...."),
    "erbp": (NOBODY, AND_OUTPUT, "####", "...."),
    "superspike": (NOBODY, AND_OUTPUT, "####", "...."),
    # with its limits, a layer reads later steps only where they open or close them
    "espp:same=none:other=none": (NOBODY, OWN_AND_BELOW, "####", "...#"),
    # of teachers near the threshold: strong ones leave neurons that fire at every step, or at none, whatever comes
    "urbanczik_senn:e_exc=1.1:e_inh=0.9": (NOBODY, OWN_AND_BELOW, "####", "...#"),
    "stsf": (THEIR_OWN, OWN_AND_BELOW, "####", "...#"),
    "forward_forward": (NOBODY, OWN_AND_BELOW, "####", "####"),
    "tess": (NOBODY, OWN_AND_BELOW, "####", "...."),
    "stdp": (NOBODY, OWN_AND_BELOW, "...#", "...#"),
    "triplet_stdp": (NOBODY, OWN_AND_BELOW, "...#", "...#"),
    "weight_dependent_stdp": (THEIR_OWN, OWN_AND_BELOW, "...#", "...#"),
    "reward_stdp": (NOBODY, AND_OUTPUT, "####", "...."),
    "clopath": (NOBODY, OWN_AND_BELOW, "...#", "...#"),
    "bcm": (NOBODY, OWN_AND_BELOW, "...#", "...#"),
    "oja": (THEIR_OWN, OWN_AND_BELOW, "...#", "...#"),
    "shallow": (NOBODY, {**NOBODY, "readout": "..##"}, "...#", "...#"),
}


HAS = {
    # weight symmetry, non-local signals, frozen activity, update locking
    "bptt": (True, True, True, True),
    "fa": (False, True, True, True),
    "dfa": (False, True, True, True),
    "pepita": (False, False, False, True),
    "pepita:form=dendritic": (False, False, True, True),
    "drtp": (False, False, False, False),
    "eprop": (False, True, True, True),
    "ottt": (True, True, True, True),
    "etlp": (False, False, False, False),
    "sigprop": (False, False, False, False),
    "sigprop:generator=target_loop": (False, False, True, True),
    "shallow": (False, False, False, False),
}
RULES_HERE = tuple(dict.fromkeys([*THEORY, *HAS]))


@pytest.mark.parametrize("rule", THEORY)
def test_an_audit_finds_what_a_rules_equations_read(rule: str) -> None:
    entries = audited(rule)
    weights, activity, label, later = THEORY[rule]
    assert table(entries, "weights") == weights
    assert table(entries, "activity") == activity
    assert (alone(entries, "label"), alone(entries, "later_steps")) == (label, later)
    assert alone(entries, "other_samples") == "...."


@dataclass(frozen=True)
class ReadsBatch(TargetProjection):
    """Compares each sample with the mean of the batch, and does not say so."""

    def third_factor(self, state: SignalState, parameters: Any, view: View) -> ThirdFactor:
        m = super().third_factor(state, parameters, view).m["input"].values * view.summary["input"].sum(0)
        return ThirdFactor({"input": Series(m, True)}, {}, {})

    summary = "spikes"


@dataclass(frozen=True)
class ReadsNeighbours(TargetProjection):
    """Subtracts the layer's mean activity, and does not say so; nor that it waits for the trial's end."""

    summary = "spikes"

    def third_factor(self, state: SignalState, parameters: Any, view: View) -> ThirdFactor:
        told = super().third_factor(state, parameters, view).m["input"].values
        return ThirdFactor({"input": Series(told - view.summary["input"].mean(1, keepdim=True), True)}, {}, {})


@pytest.mark.parametrize(
    ("rule", "cheat", "hides"),
    [
        ("drtp", ReadsBatch(), {"batch_pool"}),
        ("drtp", ReadsNeighbours(), {"layer_pool"}),
    ],
)
def test_a_signal_that_reads_what_it_did_not_declare_is_caught(rule: str, cheat: Any, hides: set[str]) -> None:
    honest = rig_of(rule)
    rig = replace(honest, model=replace(honest.model, signal=cheat))
    entries = entries_of(rig)
    facts = {"schedule_used": "by_step"}
    assert needs_of(rig, entries, facts) - cheat.needs == hides
    assert needs_of(honest, entries_of(honest), facts) == honest.model.signal.needs  # type: ignore[union-attr]
    if rule == "drtp":
        assert cheat.timing == "step" and alone(entries, "later_steps") == "####"


@pytest.mark.parametrize("net", ["c3k3-p2-10", "12-r10"])
def test_maps_and_recurrent_layers_are_audited_as_well(net: str) -> None:
    entries = audit(("sigprop", "bptt"), net)["entries"]
    local, exact = ([entry for entry in entries if entry["rule"] == rule] for rule in ("sigprop", "bptt"))
    assert table(local, "weights") == dict.fromkeys(("hidden1", "hidden2", "readout"), "...")
    assert table(local, "activity") == {"hidden1": "#..", "hidden2": "##.", "readout": ".##"}
    # Through time, a recurrent layer's own weights are read backwards too.
    assert table(exact, "weights") == {"hidden1": ".##", "hidden2": ".##" if "r" in net else "..#", "readout": "..."}
    assert table(exact, "activity") == {"hidden1": "###", "hidden2": "###", "readout": ".##"}


def test_weights_below_reach_an_update_through_the_passes_alone() -> None:
    rig = rig_of("drtp")
    w = rig.learned.parameters["hidden1.ff.w"]
    moved = with_parameters(rig, {"hidden1.ff.w": w + 0.3 * torch.randn(w.shape, dtype=w.dtype)})
    assert differ(run(rig).of("hidden2"), run(moved).of("hidden2"))
    assert table(audited("drtp"), "weights")["hidden2"] == "...."


def test_batch_normalisation_makes_every_update_depend_on_other_samples() -> None:
    assert alone(entries_of(build("bptt", norm="batch")), "other_samples") == "####"
    assert alone(audited("bptt"), "other_samples") == "...."


@pytest.mark.parametrize("rule", ["sigprop", "bptt", "pepita", "stdp", "traces_propagation"])
def test_the_part_of_all_steps_is_the_whole_update(rule: str) -> None:
    rig = rig_of(rule)
    found = parts(rig, rig.steps)
    total: dict[str, Tensor] = {}
    for layer in rig.rows:
        for name, value in found.of(layer).items():
            parameter = name.partition(".")[2]
            total[parameter] = total.get(parameter, torch.zeros_like(value)) - value / len(rig.labels)
    expected = run(rig).gradients
    assert total.keys() == expected.keys()
    for name, value in total.items():
        torch.testing.assert_close(value, expected[name], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("until", [1, 5])
def test_the_part_of_the_first_steps_is_what_a_trial_of_these_steps_learns(until: int) -> None:
    rig = rig_of("stdp")
    shorter = replace(rig, drive=rig.drive.window(0, until), steps=until)
    for layer in rig.hidden:
        name = f"{layer}.ff.w"
        part = parts(rig, until).of(layer)[f"input.{name}"]
        torch.testing.assert_close(-part / len(rig.labels), run(shorter).gradients[name], rtol=1e-12, atol=1e-15)


def test_live_bytes_are_counted_to_the_byte() -> None:
    outside = torch.zeros(1000, dtype=torch.float64)

    def work() -> Tensor:
        kept = outside[:500] * 2  # 4,000 bytes that stay; the window is none of its own
        for _ in range(5):
            passing = kept + 1  # 4,000 each; two are alive while the next replaces the one before
            passing = passing.reshape(50, 10)
        return passing

    assert peak_bytes(work) == 12_000


def test_memory_grows_with_time_where_a_signal_needs_all_of_it() -> None:
    facts = {fact["rule"]: fact for fact in audit(RULES_HERE)["facts"]}
    for rule in ("sigprop", "drtp", "dfa", "pepita", "stdp"):
        assert facts[rule]["memory_growth"] == pytest.approx(1, abs=0.05) and facts[rule]["schedule_used"] == "by_step"
    for rule in ("bptt", "fa"):
        assert 2.5 < facts[rule]["memory_growth"] < 4 and facts[rule]["schedule_used"] == "by_layer"
    whole = memory_growth(replace(rig_of("drtp"), steps=1))
    assert whole == (None, "one step")


def test_layers_are_found_to_wait_where_they_do() -> None:
    assert learns_before_above(rig_of("drtp")) and not learns_before_above(rig_of("dfa"))


def test_the_four_problems_of_backpropagation_are_measured() -> None:
    answer = audit(RULES_HERE)
    found = {rule: tuple(problem["has"] for problem in problems_of(rule, answer).values()) for rule in HAS}
    assert found == HAS
    assert problems_of("local_readout", answer) == {}
    told = " ".join(problem["how"] for rule in HAS for problem in problems_of(rule, answer).values())
    assert "the layers above it saw the batch" in told and "before the read-out saw" in told
    assert not re.search(r"hidden\d|readout", told)  # names of the audited net, which no reader of a report has
    through = {fact["rule"]: fact["backward_through"] for fact in answer["facts"]}
    assert through["bptt"] == through["fa"] == ["hidden2", "hidden3", "readout"]
    assert through["dfa"] == through["pepita"] == through["sigprop"] == []


def test_an_audit_finds_the_same_each_time() -> None:
    assert entries_of(build("drtp")) == audited("drtp")


def test_a_silent_net_is_refused() -> None:
    with pytest.raises(UserError, match="of the audited net 2-2-2-2 is silent"):
        build("bptt", "2-2-2-2", norm="none")


def test_a_rule_that_does_not_take_a_net_is_left_out_and_named() -> None:
    answer = audit(("drtp", "bsp"), "c3k3-10")
    assert [fact["rule"] for fact in answer["facts"]] == ["drtp"]
    assert answer["left_out"]["bsp"].startswith("BSP lacks")
    with pytest.raises(UserError, match="BSP lacks"):
        audit_rules(["bsp"], net="c3k3-10")
    with pytest.raises(UserError, match="no rule to audit"):
        audit_rules([])


def test_the_command_prints_draws_and_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "locality.png"
    assert command(["audit", "--rules", "bsp", "--out", str(out)]) == 0
    text = capsys.readouterr().out
    assert "bsp: backward pass through h2, h3, out; one time step" in text
    assert "  hidden2   .   .   #   #     o   o   #   #     L      .\n" in text
    assert "  needs              above, output_error, reverse_circuit, target, weight_transport\n" in text
    assert out.read_bytes().startswith(b"\x89PNG")
    assert command(["audit", "--rules", "bsp", "--out", str(tmp_path / "a.gif")]) == 2
    assert "unknown picture format" in capsys.readouterr().err
    assert command(["audit", "--rules", "sigprob"]) == 2
    assert "sigprop" in capsys.readouterr().err
    assert command(["audit", "--rules", "bsp", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert set(answer) == {"nets", "left_out", "entries", "later", "facts", "problems", "out"}


def test_its_answer_holds_what_a_matrix_needs() -> None:
    answer = audit(RULES_HERE)
    assert set(answer) == {"nets", "left_out", "entries", "later", "facts"}
    assert {entry["kind"] for entry in answer["later"]} == {
        "weights", "optimiser", "averages", "activity", "label", "noise", "other_samples"
    }  # fmt: skip
    assert all(set(entry) == {"rule", "update_of", "perturbed", "kind", "depends"} for entry in answer["entries"])
    drawn = {matrix.rule: matrix for matrix in matrices(answer)}
    assert list(drawn) == list(RULES_HERE)
    assert drawn["dfa"].marks["hidden1", "activity", "readout"] == "far"
    assert drawn["drtp"].needs == "fixed_feedback, target"


def test_every_parameter_of_a_warm_net_learns() -> None:
    assert all(value.any() for value in run(rig_of("bptt")).gradients.values())


def run_of(rule: str = "drtp", **settings: Any) -> dict[str, Any]:
    """A finished run, as a comparison gathers it."""
    return {"rule": rule, "plain_rule": "drtp", **settings}


def test_a_row_is_audited_with_the_settings_of_its_runs() -> None:
    shuffled, batch = "drtp, shuffled targets", "drtp with batch normalisation"
    found = audited_of(
        [
            run_of(norm="streaming", targets="own"),
            run_of(shuffled, targets="shuffled"),
            run_of(batch, norm="batch", readout="all", signal="dfa"),
            run_of("drtp by step", schedule="by_step", neuron="lif"),
        ]
    )
    entries = {name: [e for e in found["entries"] if e["rule"] == name] for name in ("drtp", shuffled, batch)}
    assert alone(entries["drtp"], "other_samples") == "...."
    assert alone(entries[shuffled], "other_samples") == "###."  # the read-out is taught truly
    assert alone(entries[batch], "other_samples") == "####"
    facts = {fact["rule"]: fact for fact in found["facts"]}
    assert facts[batch]["settings"]["norm"] == "batch" and facts[batch]["settings"]["signal"] == "dfa"
    assert "output_error" in facts[batch]["needs"] and "batch_pool" in facts[batch]["declared_needs"]
    assert facts["drtp by step"]["settings"]["schedule"] == "by_step" and found["left_out"] == {}


def test_a_row_that_cannot_be_audited_has_a_reason_and_no_measurement(caplog: pytest.LogCaptureFixture) -> None:
    runs = [
        run_of("in time", path="brian2"),
        run_of("on a chip", hardware="loihi"),
        run_of("of two kinds", norm="batch"),
        run_of("of two kinds", norm="none"),
        run_of("nonsense", dw="nonsense +"),
    ]
    with caplog.at_level(logging.WARNING):
        found = audited_of(runs)
    reasons = {
        "in time": "continuous time",
        "on a chip": "device models",
        "of two kinds": "differ",
        "nonsense": "nonsense",
    }
    assert found["facts"] == [] and found["entries"] == [] and found["left_out"].keys() == reasons.keys()
    for name, word in reasons.items():
        assert word in found["left_out"][name] and f"'{name}'" in caplog.text
        problems = problems_of(name, found)
        assert len(problems) == 4
        assert all(p["has"] is None and p["measured"] is False and word in p["how"] for p in problems.values())
