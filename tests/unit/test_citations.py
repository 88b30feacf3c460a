"""What `neurorules cite` says of a rule: the paper, and every choice that is not the paper's."""

from __future__ import annotations

import io
import re
from contextlib import redirect_stdout
from functools import cache

import pytest

from neurorules.cli import run
from neurorules.language.errors import UserError
from neurorules.language.rules import Source
from neurorules.rules import RULES

LONGEST = 100
SAID = {
    "sigprop": (
        "one loss a trial", "a row a class", "cross-entropy", "cosine", "temperature", "4 x 4", "surrogate",
        "rectifies", "presynaptic spike", "constant current", "streaming normalisation", "biases", "dropout", "Adam",
        "target_loop",
    ),
    "pepita": ("mean spike counts", "40 times", "20 times", "streaming normalisation", "sum over positions", "mask"),
    "dfa": ("psi stands for", "spike of the step", "feedback is normal", "streaming normalisation"),
    "drtp": ("psi stands for", "spike of the step", "-B y*", "feedback is normal", "softmax", "streaming"),
    "fa": ("psi stands for", "back through time", "feedback is normal", "streaming normalisation"),
    "bptt": ("resets are held", "statistics=held", "decorrelated"),
    "eventprop": ("end of the step", "least_rise", "adds up its input", "biases", "held fixed", "Adam"),
    "bsp": ("RECONSTRUCTION", "predator-prey", "saturated", "T = 1.8", "squared error", "mode=final", "Adam"),
    "spiking_bsp": ("RECONSTRUCTION", "signed integrate-and-fire", "psi of the", "threshold", "weight transport"),
    "local_readout": ("cross-entropy", "readouts=fixed", "low-pass", "burn-in", "streaming normalisation"),
    "traces_propagation": ("prototypes", "cosine", "temperature", "averaged", "arctangent", "decay=0.5", "streaming"),
    "stdp": ("either sign", "one step", "1.05", "4.48 ms", "20 ms"),
    "triplet_stdp": ("either sign", "one step", "begin at 0"),
    "weight_dependent_stdp": ("either sign", "one step", "begin at 0", "NEST"),
    "oja": ("linear", "spikes"),
    "reward_stdp": ("earns a reward", "baseline", "either sign", "one step", "seconds later"),
    "sdsp": ("efficacies", "jump", "calcium begins", "floor", "ports"),
    "clopath": ("either sign", "mV", "delay", "Euler"),
    "bcm": ("either sign", "target", "samples of the trial before"),
    "sign_symmetry": ("psi", "fan-in", "Adam", "back through time"),
    "weight_mirroring": ("psi", "back through time", "current of the", "no phase of noise", "decays", "streaming"),
    "eprop": ("resets", "regulari", "biases", "variance", "triangle", "once a trial", "streaming"),
    "spela": ("mean spikes", "centred=false", "simplex", "length", "4 x 4", "predict=vectors", "streaming"),
    "ottt": ("OTTT_A", "first layer", "squared error", "sigmoid", "streaming"),
    "ostl": ("once a trial", "without H", "biases", "streaming"),
    "etlp": ("teaching events", "refractory", "triangle", "softmax", "streaming"),
    "osttp": ("once a trial", "-B y*", "biases", "streaming"),
    "otpe": ("once a trial", "never spikes", "mean psi", "streaming"),
    "s_tller": ("once a trial", "last_steps", "psi", "learns them", "streaming"),
    "erbp": ("current", "graded", "dendrite", "last_steps", "drop a third", "once a trial", "streaming"),
    "superspike": ("softmax", "delta rule", "largest square", "uniform", "once a trial", "slope of 10", "streaming"),
    "espp": ("running mean", "all others", "sum over the layer", "same, other", "once a trial", "biases", "streaming"),
    "bdsp": (
        "ensemble", "short-term depression", "fixed and random", "running size", "no bursts", "stand still",
        "begins at 0", "not regulated", "once a trial", "biases", "streaming",
    ),
    "stsf": ("linear", "once a trial", "count the spikes", "4 x 4", "biases", "streaming"),
    "urbanczik_senn": (
        "for the change of weights alone", "at once", "random spikes", "no hidden layers", "nudge=0.2", "not scaled",
        "low-pass of 100 ms", "not bounded", "biases", "delta rule", "streaming", "NEST",
    ),
    "forward_forward": (
        "mean square", "threshold", "gain=30", "beside the input", "one wrong label for each class", "length",
        "the first", "current step", "streaming",
    ),
    "lls": ("mean spikes", "spike of the step", "compared whole", "4 x 4", "n = 1", "delta rule", "AdamW"),
    "tess": ("once a trial", "psi", "compared whole", "4 x 4", "learns them", "n = 1", "standardises"),
}  # fmt: skip
"""By rule, a word of each choice that its specification does not give."""


@cache
def told(rule: str, *options: str) -> str:
    with redirect_stdout(io.StringIO()) as output:
        assert run(["cite", rule, *options]) == 0
    return output.getvalue()


@pytest.mark.parametrize("rule", SAID)
def test_every_choice_that_is_not_the_papers_is_declared(rule: str) -> None:
    text = " ".join(told(rule).split())
    assert [word for word in SAID[rule] if word not in text] == []


@pytest.mark.parametrize("rule", RULES.names())
def test_a_citation_is_read_without_a_wide_terminal(rule: str) -> None:
    lines = told(rule).splitlines()
    source = RULES.make(rule).source
    assert lines[0].startswith(source.authors) and max(map(len, lines)) <= LONGEST
    assert sum(line.startswith("- ") for line in lines) == len(source.deviations)
    assert not any(choice.endswith(".") or len(choice) > 2 * LONGEST for choice in source.deviations)


@pytest.mark.parametrize(
    ("rule", "says", "unsaid"),
    [
        ("pepita:dropped=learn", "a unit that dropout silences learns", ""),
        ("pepita", "mean spike counts", "a unit that dropout silences learns"),
        ("dfa:presynaptic=eligibility", "psi stands for", "spike of the step"),
        ("fa:presynaptic=spike", "spike of the step", "back through time"),
        ("bptt:statistics=held", "resets are held", "decorrelated"),
        ("local_readout:readouts=fixed", "low-pass", "read-outs learn"),
    ],
)
def test_a_citation_is_of_the_options_that_were_chosen(rule: str, says: str, unsaid: str) -> None:
    text = " ".join(told(rule).split())
    assert says in text and not (unsaid and unsaid in text)


@pytest.mark.parametrize("rule", RULES.names())
def test_every_rule_names_where_its_paper_is_read(rule: str) -> None:
    link = RULES.make(rule).source.link
    assert re.fullmatch(r"https://(doi\.org/10\.\d{4,9}/\S+|arxiv\.org/abs/\d{4}\.\d{4,5})", link), link
    assert link in told(rule).splitlines()


@pytest.mark.parametrize(
    ("rule", "key", "lines"),
    [
        (
            "sigprop", "kohan2023sigprop",
            ["author = {A. Kohan and E. A. Rietman and H. T. Siegelmann}", "doi = {10.1109/TNNLS.2022.3230914}"],
        ),
        ("traces_propagation", "pes2025traces_propagation", ["author = {L. Pes and others}", "eprint = {2509.13053}"]),
    ],
)  # fmt: skip
def test_bibtex_is_an_entry_and_nothing_else(rule: str, key: str, lines: list[str]) -> None:
    text = told(rule, "--bibtex")
    assert text.startswith((f"@article{{{key},", f"@misc{{{key},")) and text.rstrip().endswith("\n}")
    assert all(f"  {line}" in text for line in lines)
    assert text.count("{") == text.count("}")


def test_a_link_that_leads_nowhere_is_refused() -> None:
    with pytest.raises(UserError, match=r"https://doi\.org"):
        Source("A. Name", 2026, "A title", link="www.example.org")


@pytest.mark.parametrize("name", RULES.names())
def test_every_constant_and_trace_stands_beside_its_sources(name: str) -> None:
    """The table in docs/choosing-a-rule.md is made of these; `python docs/figures --check` holds the page to it."""
    rule = RULES.make(name)
    assert set(rule.source.constants) == {*rule.constants, *(trace.name for trace in rule.traces)}
