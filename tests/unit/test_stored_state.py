"""What a learner takes over is checked whole before anything is copied: a state of something else changes nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

import pytest
import torch
from torch import Tensor

from neurorules import Learner
from neurorules.language.errors import UserError
from neurorules.rules import RULES
from neurorules.torch_path.training.identity import IDENTITY

STEPS, SAMPLES, CLASSES, INPUTS = 4, 6, 3, 8
State = dict[str, Tensor]


def make(rule: str = "sigprop", net: str = "6-5", **options: object) -> Learner:
    given = {"input_shape": (INPUTS,), "classes": CLASSES, "device": "cpu", "steps": STEPS} | options
    return Learner(net, rule=rule, **given)  # type: ignore[arg-type]


def taught(learner: Learner, steps: int = 2) -> Learner:
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        spikes = (torch.rand(learner.steps, SAMPLES, INPUTS, generator=generator) < 0.5).float()
        learner.step(spikes, torch.randint(0, CLASSES, (SAMPLES,), generator=generator))
    return learner


def refused(learner: Learner, state: Mapping[str, Tensor], weights_only: bool = False) -> str:
    """The line with which a state is refused, of a learner that it leaves as it was."""
    before = learner.state()
    with pytest.raises(UserError) as raised:
        learner.load(state, weights_only)
    after = learner.state()
    assert before.keys() == after.keys() and all(torch.equal(value, after[name]) for name, value in before.items())
    assert "\n" not in str(raised.value)
    return str(raised.value)


OTHERS: dict[str, tuple[dict[str, object], str]] = {
    "another rule": ({"rule": "dfa"}, "rule is dfa"),
    "another option of the rule": ({"rule": "sigprop:form=voltage"}, "signal is .*voltage"),
    "another signal": ({"signal": "drtp"}, "signal is TargetProjection"),
    "another text": ({"dw": "-m_post * S_pre"}, "plasticity"),
    "another width": ({"net": "6-4"}, r"of layer 'hidden2' is .*4"),
    "another depth": ({"net": "6"}, "layers is hidden1 readout"),
    "another neuron": ({"neuron": "lif:beta=0.5"}, r"neuron of layer 'hidden1' is .*beta=0\.5"),
    "another normalisation": ({"norm": "batch"}, "Batch"),
    "none at all": ({"norm": "none"}, "normalisation of layer 'hidden1' is None"),
    "another optimizer": ({"optimizer": "momentum"}, "optimizer is momentum"),
    "a chip": ({"hardware": "fixed_point"}, "hardware is FixedPoint"),
    "another number of inputs": ({"input_shape": (INPUTS + 1,)}, r"input shape is \(9\)"),
    "shuffled targets": ({"targets": "shuffled"}, "targets is shuffled"),
    "another precision": ({"precision": "float64"}, "float64"),
}


@pytest.mark.parametrize("learned", [False, True], ids=["fresh", "taught"])
@pytest.mark.parametrize("name", OTHERS)
def test_a_state_of_another_learner_is_refused_by_what_differs(name: str, learned: bool) -> None:
    options, words = OTHERS[name]
    other = make(**options)  # type: ignore[arg-type]
    if learned and name not in ("another number of inputs", "another signal"):
        taught(other)
    line = refused(taught(make()), other.state())
    assert re.search(words, line), line


EARLIER = {
    "cuba_lif": "alpha=0.8",
    "alif": "adaptation=(0.95, 0.2)",
    "lif:refractory=3": "refractory=3",
    "cuba_lif:refractory=2": "alpha=0.8, refractory=2",
    "alif:refractory=1": "adaptation=(0.95, 0.2), refractory=1",
}
"""What stood behind the numbers of a leaky integrator when one class held every gated neuron."""


def in_earlier_words(state: State, neuron: str) -> State:
    """The state as an earlier version stored it."""
    words = json.loads(bytes(state[IDENTITY].tolist()))
    own = "beta=0.9, v_threshold=1.0, reset='subtract', reset_delay=False, surrogate=FastSigmoid()"
    words |= {f"neuron of layer '{name}'": f"GatedIntegrator({own}, {neuron})" for name in ("hidden1", "hidden2")}
    counts = [name for name in state if name.endswith("/samples")]
    assert counts
    earlier = {name.replace("/samples", "/seen"): value for name, value in state.items()}
    return {**earlier, IDENTITY: torch.frombuffer(bytearray(json.dumps(words).encode()), dtype=torch.uint8)}


@pytest.mark.parametrize("neuron", EARLIER)
def test_a_state_that_names_neurons_and_counts_as_earlier_versions_did_is_loaded(neuron: str) -> None:
    source, learner = taught(make(neuron=neuron)), make(neuron=neuron)
    learner.load(in_earlier_words(source.state(), EARLIER[neuron]))
    weights = learner.state()
    assert all(torch.equal(value, weights[name]) for name, value in source.state().items())
    for other in EARLIER.keys() - {neuron}:
        refused(make(neuron=other), in_earlier_words(source.state(), EARLIER[neuron]))


@pytest.mark.parametrize("pair", [("dfa", "drtp"), ("fa", "bptt"), ("sigprop", "sigprop:form=voltage")])
def test_weights_of_a_rule_with_the_same_names_are_refused_as_well(pair: tuple[str, str]) -> None:
    one, other = (taught(make(rule)) for rule in pair)
    refused(one, other.state(), weights_only=True)


def _changed(state: State, name: str, change: Callable[[Tensor], Tensor]) -> State:
    return {**state, name: change(state[name])}


def _nan(value: Tensor) -> Tensor:
    return value.clone().index_fill_(0, torch.tensor([0]), float("nan")) if value.ndim else value * float("nan")


WEIGHT, MOMENT, MEAN = "parameters/hidden1.ff.w", "optimiser/hidden1.ff.w/exp_avg", "current/input.hidden1/mean/value"
CENTRE, COUNT, STEP = "signal/hidden1.centre/value", "pre/input.hidden1.ff/samples", "optimiser/readout.b/step"
EVERY = (WEIGHT, "parameters/readout.b", MOMENT, MEAN, CENTRE, COUNT, STEP)
DAMAGES: dict[str, Callable[[Tensor], Tensor]] = {
    "not a number": _nan,
    "infinite": lambda value: value + float("inf"),
    "whole numbers": lambda value: value.to(torch.int64),
    "half precision": lambda value: value.half(),
    "double precision": lambda value: value.double(),
    "one row": lambda value: value[:1] if value.ndim else value[None],
    "one number": lambda value: value.sum().reshape(1, 1),
    "a row more": lambda value: torch.cat([value, value]) if value.ndim else value.expand(2),
    "sparse": lambda value: value.to_sparse() if value.ndim else value[None].to_sparse(),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_an_entry_that_is_damaged_is_refused_by_its_name(damage: str) -> None:
    learner = taught(make())
    state = taught(make(seed=1)).state()
    for name in EVERY:
        assert name in refused(learner, _changed(state, name, DAMAGES[damage]))


def test_an_entry_that_is_missing_or_too_much_is_refused_by_its_name() -> None:
    learner, state = taught(make()), taught(make(seed=1)).state()
    for name in (*EVERY, "parameters/hidden1.embedding", "optimiser/hidden2.ff.w/exp_avg_sq", "generator"):
        assert name in refused(learner, {key: value for key, value in state.items() if key != name})
    for name in ("parameters/hidden9.ff.w", "signal/centre", "hardware/gain", "notes", "update/input.hidden1.z/mean"):
        assert name in refused(learner, {**state, name: torch.zeros(3)})


@pytest.mark.parametrize("state", [None, "state", {}, {"parameters/hidden1.ff.w": [1.0]}], ids=str)
def test_what_is_no_state_is_refused(state: object) -> None:
    refused(make(), state)  # type: ignore[arg-type]


@pytest.mark.parametrize("words", [b"", b"[1]", b"\xff\xfe", b"{"], ids=str)
def test_damaged_words_about_whose_it_was_are_refused(words: bytes) -> None:
    state = make().state()
    state["learner"] = torch.tensor(list(words), dtype=torch.uint8)
    assert "'learner'" in refused(make(), state)


def test_a_generator_that_is_none_is_refused() -> None:
    state = make().state()
    for wrong in (torch.zeros(5, dtype=torch.uint8), torch.full_like(state["generator"], 255)):
        assert "generator" in refused(make(), {**state, "generator": wrong})


def test_chips_of_another_kind_or_damage_are_refused() -> None:
    learner = taught(make(hardware="fixed_point"))
    state = taught(make(hardware="fixed_point", seed=1)).state()
    gain = next(name for name in state if name.endswith("gain"))
    for damage in ("not a number", "one row", "whole numbers"):
        assert gain in refused(learner, _changed(state, gain, DAMAGES[damage]))
    refused(learner, taught(make(hardware="fixed_point:bits=4")).state())
    refused(learner, taught(make()).state(), weights_only=True)


def test_states_without_words_about_whose_they_were_are_judged_by_what_they_hold() -> None:
    def plain(learner: Learner) -> State:
        return {name: value for name, value in learner.state().items() if name != "learner"}

    again = make(seed=2)
    again.load(plain(taught(make())))
    for options in ({"rule": "dfa"}, {"net": "6-4"}, {"norm": "none"}, {"optimizer": "momentum"}):
        refused(make(), plain(taught(make(**options))))  # type: ignore[arg-type]


@pytest.mark.parametrize("rule", RULES.names())
def test_every_rule_takes_over_its_own_states_fresh_or_taught(rule: str) -> None:
    own = RULES.make(rule).defaults
    for trials in (0, 1):
        one, other = (make(rule, steps=own.steps, seed=seed) for seed in (0, 1))
        taught(one, trials)
        for weights_only in (True, False):
            other.load(one.state(), weights_only)
        state, expected = other.state(), one.state()
        assert state.keys() == expected.keys()
        assert all(torch.equal(value, expected[name]) for name, value in state.items())


def test_weights_alone_may_come_from_another_precision_and_optimizer() -> None:
    one = taught(make())
    other = make(precision="float64", optimizer="momentum")
    other.load(one.state(), weights_only=True)
    weights = other.learned.parameters["hidden1.ff.w"]
    assert weights.dtype == torch.float64 and torch.equal(weights.float(), one.learned.parameters["hidden1.ff.w"])


def test_what_was_loaded_is_a_copy() -> None:
    learner, state = make(hardware="fixed_point"), taught(make(hardware="fixed_point")).state()
    kept = {name: value.clone() for name, value in state.items()}
    learner.load(state)
    taught(learner)
    assert all(torch.equal(value, kept[name]) for name, value in state.items())
