"""Weights that change after every step, in Brian2 and in torch: the same trajectories over 500 steps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_brian2_learning import Trial, trial_of
from torch import Tensor

from neurorules.brian2_steps.case import Case, Learning, Online
from neurorules.brian2_steps.lowering import can_lower
from neurorules.brian2_steps.simulate import run_together
from neurorules.contracts.series import Series
from neurorules.language.errors import UserError
from neurorules.network.network import build_network
from neurorules.rules import RULES
from neurorules.torch_path.forward.run_layer import Carry
from neurorules.torch_path.trial.trial import Trial as Batch
from neurorules.torch_path.update.local_view import ChangeSums, LocalView, begin_traces
from neurorules.torch_path.update.plasticity import learn_layer

STEPS, LR = 500, 0.01
CLOSE = {"rtol": 0, "atol": 1e-9}
RULES_IN_TIME = [n for n in RULES.names() if can_lower(RULES.make(n)) and RULES.make(n).defaults.steps > 1]
FORMS = {"sdsp": "sdsp:efficacy=two_state", "espp": "espp:same=none:other=none"}
"""Forms of rules that say more than their default does."""
EXACT = "-m_post * psi(v_post) * dv_dw"


def first(rows: Tensor | None) -> Tensor | None:
    """The first of rows (B, ...)."""
    return None if rows is None else rows[:1]


def first_of(series: Series) -> Series:
    """The first row of a series."""
    return Series(series.values[:1] if series.constant else series.values[:, :1], series.constant)


def by_step(trial: Trial, phase: str, lr: float) -> dict[str, np.ndarray]:
    """The torch oracle: one step of every layer, then the texts of every layer, then plain steps and bounds."""
    model = trial.model
    learned = replace(trial.learned, parameters={k: w.clone() for k, w in trial.learned.parameters.items()})
    batch = Batch(model, learned, Series(trial.drive, False), trial.steps, 1, trial.labels, {})
    here, drive = model.rule.phase(phase), trial.phase_drive(phase)
    # Of several rows, such as class prototypes, the first alone.
    drive = drive._replace(injected=first(drive.injected), context=first(drive.context))
    m = {name: first_of(said[phase]) for name, said in trial.said.items() if phase in said}
    m["readout"] = Series(trial.error / trial.steps, True)
    runs, traces = ([Carry() for _ in model.network.layers] for _ in range(2))
    found: dict[str, list[np.ndarray]] = {}
    for t in range(trial.steps):
        done = []
        for index in range(len(runs)):
            activity, runs[index] = batch.run(here, drive, index, done, runs[index], t, t + 1, True)
            done.append(activity)
        sums = ChangeSums()
        for layer, activity, carry in zip(model.network.layers, done, traces, strict=True):
            factor = m[layer.name].window(t, t + 1) if layer.name in m else None
            if factor is None and model.learning[phase, layer.role].reads_m:
                continue
            view = LocalView(
                layer, phase, activity, factor, learned.parameters, model.rule.constants, model.rule.declared_traces,
                carry, False, None, drive.context,
            )  # fmt: skip
            if t == 0:
                begin_traces(view, learned.traces)
            learn_layer(view, model.texts, {}, sums)
        for name, change in sums.changes.items():
            if name.endswith((".w", ".b")):
                learned.parameters[name] += lr * change
                if model.rule.bounds is not None and name.startswith("hidden"):
                    learned.parameters[name].clamp_(*model.rule.bounds)
                found.setdefault(name, []).append(learned.parameters[name].numpy().copy())
    return {name: np.stack(values) for name, values in found.items()}


def online(case: Case, lr: float = LR, record: bool = True) -> Case:
    """The same case, with weights that change while it runs."""
    case = case.rows(0, 1)
    assert case.learning is not None
    return replace(case, learning=replace(case.learning, online=Online(lr, record)))


def assert_same_trajectories(trial: Trial, lr: float = LR) -> dict[str, np.ndarray]:
    """In every phase that learns, each parameter after each step; none stays where it was."""
    found: dict[str, np.ndarray] = {}
    phases = [p.name for p in trial.model.rule.phases if trial.model.texts_of(p.name)]
    outcomes = run_together([online(trial.case(phase), lr) for phase in phases], trial.steps)
    for phase, outcome in zip(phases, outcomes, strict=True):
        expected = by_step(trial, phase, lr)
        assert expected.keys() == outcome.trajectories.keys()
        for name, values in expected.items():
            assert len(values) == trial.steps and np.abs(values[-1] - values[0]).max() > 1e-6, (phase, name)
            np.testing.assert_allclose(outcome.trajectories[name], values, err_msg=f"{phase} {name}", **CLOSE)
        found |= outcome.trajectories
    return found


@pytest.mark.parametrize("rule", [FORMS.get(name, name) for name in RULES_IN_TIME])
def test_every_lowered_rule_moves_its_weights_alike_while_it_runs(rule: str) -> None:
    # Before its first trial a layer has no echo, by which `espp` could learn.
    assert_same_trajectories(trial_of(rule, steps=STEPS, samples=1, before=rule == FORMS["espp"]))


@pytest.mark.parametrize(
    "neuron",
    [
        "lif:beta=0.8:reset=zero",
        "cuba_lif:reset=zero:reset_delay=true",
        "alif",
        "cuba_lif:refractory=2",
        "if",
    ],
)
def test_the_exact_eligibility_moves_recurrent_weights_alike_while_it_runs(neuron: str) -> None:
    assert_same_trajectories(trial_of("dfa", neuron=neuron, net="r9-r6", dw=EXACT, steps=STEPS, samples=1))


def test_weights_stop_at_the_bounds_of_their_rule() -> None:
    found = assert_same_trajectories(trial_of("stdp", steps=STEPS, samples=1), lr=20.0)
    weights = found["hidden1.ff.w"]
    assert ((weights == 1) | (weights == -1))[-1].mean() > 0.2


def test_weights_that_are_not_recorded_are_the_last_ones() -> None:
    trial = trial_of("stdp", steps=50, samples=1)
    whole, last = (run_together([online(trial.case("input"), record=r)], 50)[0].trajectories for r in (True, False))
    assert whole.keys() == last.keys()
    for name, values in whole.items():
        np.testing.assert_array_equal(last[name], values[-1:])


def test_what_cannot_change_while_it_runs_is_refused() -> None:
    learning = Learning(RULES.make("stdp"), online=Online(0.1))

    def refused(net: str, shape: tuple[int, ...], norm: str, samples: int, words: str) -> None:
        network = build_network(net, shape, 2, norm=norm)
        parameters = network.initial_parameters(torch.Generator().manual_seed(0), torch.float64)
        arrays = {name: value.numpy() for name, value in parameters.items()}
        with pytest.raises(UserError, match=words):
            Case(network, arrays, np.zeros((3, samples, *shape)), learning=learning)

    refused("8", (5,), "none", 2, "Pass one sample at a time")
    refused("8", (5,), "streaming", 1, "Use --norm none")
    refused("c4k3-8", (1, 6, 6), "none", 1, "shares its weights between positions")
