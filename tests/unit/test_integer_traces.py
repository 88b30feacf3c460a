"""Traces in registers of a few bits: their arithmetic by hand, right on average, and learned by as recorded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from neurorules import Learner, Recorder
from neurorules.contracts.device import DEVICES
from neurorules.contracts.device_hooks import Place
from neurorules.language.errors import UserError
from neurorules.language.neuron_trace import Trace
from neurorules.rules import RULES
from neurorules.traces.store import TraceReader

PLACE, LOW = Place("input", "hidden1", 0), Trace("x", 0.8)


def traced(text: str, spikes: torch.Tensor, trace: Trace = LOW, start: float = 0.0, seed: int = 0) -> torch.Tensor:
    """The trace of spikes (T, N) by a chip of one seed, with one row."""
    device = DEVICES.make(text)
    brought = spikes[:, None].double()
    return device.on_trace(device.init({}, seed), PLACE, trace, "pre", brought, torch.full_like(brought[0], start))[
        :, 0
    ]


def test_a_register_decays_by_rounding_and_saturates() -> None:
    # 7 bits and a decay of 0.8: the impulse is floor(127 * 0.2) = 25. By hand: 25, 20, 16 + 25, 32.8, 26.4, 20.8, ...
    spikes = torch.tensor([1.0, 0.0, 1.0, 0.0, 0.0, 0.0])
    register = traced("integer_traces:rounding=nearest", spikes[:, None])[:, 0] * 25
    assert register.tolist() == pytest.approx([25, 20, 41, 33, 26, 21])
    # With 3 bits the impulse is 1; a neuron that always fires comes to where rounding takes away what a spike brings.
    always = traced("integer_traces:bits=3:rounding=nearest", torch.ones(40, 1))[:, 0]
    assert always.tolist()[:4] == [1, 2, 3, 3] and float(always.max()) <= 7
    # A register that is full stays full: with 2 bits and a decay of 0.99 each spike brings 1, up to 3.
    full = traced("integer_traces:bits=2:rounding=nearest", torch.ones(6, 1), Trace("x", 0.99))[:, 0]
    assert full.tolist() == [1, 2, 3, 3, 3, 3]


def test_stochastic_rounding_is_right_on_average_and_drawn_for_each_neuron() -> None:
    spikes = torch.zeros(12, 4000)
    spikes[0] = 1
    values = traced("integer_traces", spikes) * 25
    assert torch.allclose(values, values.round(), atol=1e-9) and len(values[3].unique()) > 1
    expected = 25 * 0.8 ** torch.arange(12, dtype=torch.float64)
    spread = values.std(1) / 4000**0.5
    assert bool(((values.mean(1) - expected).abs() <= 4 * spread + 1e-9).all())
    assert not torch.equal(values, traced("integer_traces", spikes, seed=1) * 25)
    assert torch.equal(values, traced("integer_traces:chip=0", spikes, seed=1) * 25)


def test_trials_round_apart_and_a_trial_again_rounds_alike() -> None:
    device = DEVICES.make("integer_traces")
    state = device.init({}, 3)
    brought = (torch.arange(60) % 3 == 0).double().reshape(20, 1, 3)

    def once(of: dict[str, Any]) -> torch.Tensor:
        return device.on_trace(of, PLACE, LOW, "pre", brought, torch.zeros(1, 3, dtype=torch.float64))

    later = device.on_time(state, 20)
    assert torch.equal(once(state), once(state)) and not torch.equal(once(state), once(later))
    assert int(state["age"]) == 0 and int(later["age"]) == 20


def test_a_rule_learns_by_the_registers_that_a_recorder_shows(tmp_path: Path) -> None:
    """Pair STDP whose change is computed by a plain loop over the recorded traces."""
    settings: dict[str, Any] = {
        "input_shape": (6,), "classes": 3, "precision": "float64", "optimizer": "sgd", "lr": 1.0,
        "norm": "none", "device": "cpu", "hardware": "integer_traces:bits=4",
    }  # fmt: skip
    learner = Learner("5", "stdp", **settings)
    generator = torch.Generator().manual_seed(2)
    spikes = (torch.rand(15, 4, 6, generator=generator, dtype=torch.float64) < 0.6).double()
    labels = torch.tensor([0, 1, 2, 0])
    before = {name: value.clone() for name, value in learner.read().items()}
    with Recorder(learner, tmp_path / "t.h5", variables=["S", "x"]) as recorder:
        recorder.step(spikes, labels)
    with TraceReader(tmp_path / "t.h5") as reader:
        x_pre, x_post, post = (
            torch.tensor(np.stack([reader.dense(b, layer, name) for b in range(4)]).astype(np.float64))
            for layer, name in (("input", "x"), ("hidden1", "x"), ("hidden1", "S"))
        )
    assert torch.allclose((x_pre * 3).round(), x_pre * 3, atol=1e-5) and float(x_post.max()) > 0  # floor(15 * 0.2) = 3
    c = RULES.make("stdp").constants
    dw = torch.zeros(5, 6, dtype=torch.float64)
    pre = spikes.transpose(0, 1)
    for b in range(4):
        for t in range(15):
            dw += c["a_plus"] * torch.outer(post[b, t], x_pre[b, t]) - c["a_minus"] * torch.outer(
                x_post[b, t], pre[b, t]
            )
    change = learner.read()["hidden1.ff.w"] - before["hidden1.ff.w"]
    # What is recorded has the precision of float32.
    assert torch.allclose(change, dw / 4, rtol=0, atol=1e-8) and float(change.abs().max()) > 0


def test_what_no_register_holds_is_refused() -> None:
    make: dict[str, Any] = {"input_shape": (6,), "classes": 3, "hardware": "loihi+integer_traces", "device": "cpu"}
    for rule, why in (("bcm", "keeps its trace 'theta'"), ("ostl", "traces of spikes, and rule 'ostl' declares"),
                      ("triplet_stdp:pairing=nearest", "sets anew")):  # fmt: skip
        with pytest.raises(UserError, match=why):
            Learner("5", rule, **make)
    for_ever = replace(RULES.make("dfa"), traces=(Trace("x", 1.0),))
    with pytest.raises(UserError, match="trace 'x' of rule 'dfa' never decays"):
        DEVICES.make("integer_traces").check_rule(for_ever)
    constant = Learner("5", "stdp", **make)
    with pytest.raises(UserError, match="gathers other numbers, such as a constant drive's. Use --encode poisson"):
        constant.step(torch.full((5, 4, 6), 0.3), torch.tensor([0, 1, 2, 0]))
