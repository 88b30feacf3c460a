"""Rules in Brian2 against the torch path: the same changes of the same weights, over 200 steps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from neurorules.brian2_steps.case import Case, Learning
from neurorules.brian2_steps.simulate import Outcome, run_together
from neurorules.brian2_steps.trained import numbers_of, traces_of
from neurorules.contracts.phase_drive import PhaseDrive
from neurorules.contracts.series import Series
from neurorules.contracts.signal import one_hot
from neurorules.language.rules import Rule
from neurorules.network.initial import initialise
from neurorules.network.model import Learned, Model, build_model
from neurorules.network.network import build_network
from neurorules.rules import RULES
from neurorules.torch_path.trial.learn import learn_trial

STEPS, SAMPLES, INPUTS = 200, 4, 9
CLOSE = {"rtol": 0, "atol": 1e-9}


def fresh(model: Model) -> Learned:
    """Fresh state, weights and biases multiples of 1/256: their sums are exact, in any order."""
    learned = initialise(model, 0, torch.device("cpu"), torch.float64)
    generator = torch.Generator().manual_seed(0)
    in_256ths = {
        name: torch.randint(-128, 256, value.shape, generator=generator).double() / 256
        for name, value in learned.parameters.items()
    }
    return Learned(in_256ths, signal=learned.signal)


@contextmanager
def overheard(model: Model, said: dict[str, dict[str, Series]]) -> Iterator[None]:
    """Write down what the signal answers, by layer and phase."""
    if model.signal is None:
        yield
        return
    kind = type(model.signal)
    answer = kind.third_factor

    def third_factor(signal, state, parameters, view):
        factor = answer(signal, state, parameters, view)
        said[view.layer.name] = factor.m
        return factor

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, "third_factor", third_factor)
        yield


class Trial:
    """One trial of learning in torch, what its signal said, and the same trial for Brian2."""

    def __init__(
        self, model: Model, learned: Learned, seed: int = 1, steps: int = STEPS, samples: int = SAMPLES
    ) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.model, self.learned, self.steps, self.samples = model, learned, steps, samples
        self.drive = (torch.rand(steps, samples, *model.network.input_shape, generator=generator) < 0.3).double()
        self.labels = torch.arange(samples) % model.network.classes
        self.said: dict[str, dict[str, Series]] = {}
        with overheard(model, self.said):
            self.result = learn_trial(model, learned, Series(self.drive, False), steps, self.labels, generator)
        output = self.result.activity[-1].v.values.mean(0)
        self.error: Tensor = torch.softmax(output, 1) - one_hot(self.labels, model.network.classes, output)

    def phase_drive(self, phase: str) -> PhaseDrive:
        """What drives a phase."""
        drive = PhaseDrive(Series(self.drive, False))
        if phase == "input":
            return drive
        signal = self.model.signal
        assert signal is not None
        state = {**self.learned.signal, **signal.observe(self.learned.signal, drive.input, self.labels)}
        return signal.drive(
            phase, state, self.learned.parameters, self.model.shape, drive.input, self.error, self.labels
        )

    def case(self, phase: str) -> Case:
        """One phase for Brian2, replayed with the third factors that were known at the end of the trial."""
        parameters, norms = numbers_of(self.model, self.learned, phase)
        m = {name: said[phase].values.numpy() for name, said in self.said.items() if phase in said}
        m["readout"] = (self.error / self.steps).numpy()
        drive = self.phase_drive(phase)
        spikes, offset, injected = (
            None if value is None else value.numpy()
            for value in (drive.input and drive.input.values, drive.offset and drive.offset.rows(), drive.injected)
        )
        return Case(
            self.model.network, parameters, spikes, offset, injected, norms,
            Learning(self.model.rule, phase, m, traces=traces_of(self.learned, phase)),
        )  # fmt: skip

    def replay(self) -> list[Outcome]:
        """Every phase of the rule in one run of Brian2."""
        return run_together([self.case(phase.name) for phase in self.model.rule.phases], self.steps)

    def assert_same_changes(self, outcomes: list[Outcome]) -> None:
        """Every change that torch found, summed over the phases; none of them is zero throughout."""
        assert {name for outcome in outcomes for name in outcome.changes} == set(self.result.gradients)
        for name, gradient in self.result.gradients.items():
            expected = (-gradient * self.samples).numpy()
            change = sum(outcome.changes[name] for outcome in outcomes if name in outcome.changes)
            assert np.abs(expected).max() > 0, name
            np.testing.assert_allclose(change, expected, err_msg=name, **CLOSE)


def trial_of(
    rule: str | Rule, *, net: str = "12-8", neuron: str = "lif:beta=0.8", norm: str = "none", steps: int = STEPS,
    samples: int = SAMPLES, connection: str = "dense", before: bool = False, **change: str,
) -> Trial:  # fmt: skip
    shape = (1, 6, 7) if "k" in net else (INPUTS,)
    network = build_network(net, shape, 3, neuron=neuron, norm=norm, connection=connection)
    model = build_model(network, rule if isinstance(rule, Rule) else RULES.make(rule), **change)
    learned = fresh(model)
    if before or norm != "none":  # a trial before, so that its averages are of something
        learned = Trial(model, learned, 2, steps, samples).result.learned
    return Trial(model, learned, steps=steps, samples=samples)


@pytest.mark.parametrize("net", ["12-8", "12-r8"])
@pytest.mark.parametrize("reset", ["subtract", "zero:reset_delay=true"])
def test_stdp_changes_the_same_weights_by_the_same_amount(net: str, reset: str) -> None:
    trial = trial_of("stdp", net=net, neuron=f"lif:beta=0.8:reset={reset}")
    trial.assert_same_changes(trial.replay())


@pytest.mark.parametrize("reset", ["subtract", "zero", "none:reset_delay=true"])
def test_sigprop_on_voltages_changes_the_same_weights_in_both_streams(reset: str) -> None:
    trial = trial_of("sigprop:form=voltage", neuron=f"lif:beta=0.8:reset={reset}")
    outcomes = trial.replay()
    trial.assert_same_changes(outcomes)
    assert {"hidden2.ff.w", "hidden2.b", "hidden1.embedding"} <= set(outcomes[1].changes)
    # Prototypes enter behind the first layer's weights and bias, which take no part.
    assert not {"hidden1.ff.w", "hidden1.b"} & set(outcomes[1].changes)


@pytest.mark.parametrize(
    "rule",
    [
        "sigprop",
        "sigprop:embedding=class_means",
        "sigprop:targets=codes",
        "dfa",
        "pepita:presynaptic=modulated",
    ],
)
@pytest.mark.parametrize("norm", ["none", "streaming"])
def test_other_rules_change_the_same_weights_with_and_without_normalisation(rule: str, norm: str) -> None:
    trial = trial_of(rule, norm=norm)
    trial.assert_same_changes(trial.replay())


@pytest.mark.parametrize("norm", ["none", "streaming"])
@pytest.mark.parametrize("reset", ["subtract", "zero"])
def test_the_exact_eligibility_of_torch_runs_backwards_and_that_of_brian2_forwards(norm: str, reset: str) -> None:
    trial = trial_of("dfa", neuron=f"lif:reset={reset}", norm=norm, net="12-r8", dw="-m_post * psi(v_post) * dv_dw")
    trial.assert_same_changes(trial.replay())


@pytest.mark.parametrize("presynaptic", ["spike", "eligibility"])
def test_a_text_that_holds_the_statistics_changes_the_same_weights(presynaptic: str) -> None:
    own = RULES.make(f"dfa:presynaptic={presynaptic}")
    held = replace(own, plasticity=tuple(replace(text, statistics="held") for text in own.plasticity))
    trial = trial_of(held, norm="streaming")
    moving = trial_of(own, norm="streaming").result.gradients["hidden1.ff.w"]
    assert not np.allclose(trial.result.gradients["hidden1.ff.w"], moving)
    trial.assert_same_changes(trial.replay())


GATED = (
    "cuba_lif:alpha=0.6:beta=0.8", "cuba_lif:refractory=1", "alif:kappa=0.4", "alif:refractory=2", "lif:refractory=1",
)  # fmt: skip


@pytest.mark.parametrize("norm", ["none", "streaming"])
@pytest.mark.parametrize("reset", ["subtract", "zero:reset_delay=true"])
@pytest.mark.parametrize("neuron", GATED)
def test_the_exact_eligibility_runs_through_currents_adaptation_and_refractory_periods(
    neuron: str, reset: str, norm: str
) -> None:
    dw = "-m_post * psi(v_post) * dv_dw"
    trial = trial_of("dfa", neuron=f"{neuron}:reset={reset}", norm=norm, net="12-r8", dw=dw, steps=60)
    trial.assert_same_changes(trial.replay())


@pytest.mark.parametrize("rule", ["sigprop", "stdp", "pepita:presynaptic=modulated:kappa=2", "dfa"])
@pytest.mark.parametrize(
    ("net", "norm"), [("c3k3-p2-c2k3v-8", "none"), ("c3k3s2-8", "streaming"), ("c2k3-a2-8", "none")]
)
def test_maps_change_the_same_kernels(rule: str, net: str, norm: str) -> None:
    trial = trial_of(rule, net=net, neuron="lif:beta=0.8:v_threshold=2", norm=norm, steps=40)
    trial.assert_same_changes(trial.replay())


@pytest.mark.parametrize("norm", ["none", "streaming"])
@pytest.mark.parametrize("neuron", ["rate", "rate:activation=tanh", "rate:leak=0.1"])
@pytest.mark.parametrize("rule", ["dfa", "drtp", "sigprop", "pepita:neurons=rate"])
def test_rate_neurons_change_the_same_weights_in_their_one_step(rule: str, neuron: str, norm: str) -> None:
    trial = trial_of(rule, neuron=neuron, norm=norm, steps=1)
    trial.assert_same_changes(trial.replay())


def traced(spikes: np.ndarray, decay: float) -> np.ndarray:
    """x[t] = decay x[t-1] + S[t], written as a sum over all earlier spikes; (T, B, N)."""
    lag = np.subtract.outer(np.arange(STEPS), np.arange(STEPS))
    return np.tensordot(np.where(lag >= 0, decay ** np.maximum(lag, 0), 0.0), spikes, 1)


def test_stdp_is_the_sum_over_all_pairs_of_spikes() -> None:
    trial = trial_of("stdp")
    outcome = trial.replay()[0]
    pre, post = trial.drive.numpy(), outcome.layers["hidden1"].S
    potentiation = np.einsum("tbo,tbi->oi", post, traced(pre, 0.8))
    depression = np.einsum("tbo,tbi->oi", traced(post, 0.8), pre)
    expected = 0.01 * potentiation - 0.012 * depression
    np.testing.assert_allclose(outcome.changes["hidden1.ff.w"], expected, **CLOSE)
