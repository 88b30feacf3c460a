"""Recurrent connections with a delay, against autograd through a plain loop, and by windows shorter than the delay."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

import neurorules
from neurorules.cli import run
from neurorules.contracts.series import Series
from neurorules.language.errors import UserError
from neurorules.network.initial import initialise
from neurorules.network.model import Learned, Model, build_model
from neurorules.network.network import build_network
from neurorules.rules import RULES
from neurorules.torch_path.trial.learn import learn_trial

STEPS, ROWS, INPUTS, SIZE, CLASSES = 11, 6, 5, 7, 3
NEURON = "lif:beta=0.75:reset=none:surrogate=atan"
READOUT = "leaky_readout:beta=0.5"


def model_of(net: str, rule: str, neuron: str = NEURON) -> tuple[Model, Learned]:
    """A model in float64 whose weights are multiples of 1/64, so that sums are exact in any order."""
    network = build_network(net, (INPUTS,), CLASSES, neuron=neuron, norm="none", readout_neuron=READOUT)
    model = build_model(network, RULES.make(rule))
    learned = initialise(model, 0, torch.device("cpu"), torch.float64)
    for name, value in learned.parameters.items():
        if name.endswith(".w"):
            learned.parameters[name] = (value * 4 * 64).round() / 64
    return model, learned


def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return (torch.rand(STEPS, ROWS, INPUTS, generator=generator) < 0.5).double(), torch.arange(ROWS) % CLASSES


class Atan(torch.autograd.Function):
    """A step whose derivative is that of the surrogate atan with alpha = 2."""

    @staticmethod
    def forward(ctx, v):  # type: ignore[no-untyped-def]
        ctx.save_for_backward(v)
        return (v > 0).double()

    @staticmethod
    def backward(ctx, out):  # type: ignore[no-untyped-def]
        (v,) = ctx.saved_tensors
        return out / (1 + (torch.pi * v) ** 2)


def by_autograd(
    parameters: dict[str, Tensor], drive: Tensor, labels: Tensor, delay: int
) -> tuple[Tensor, dict[str, Tensor]]:
    """Scores and gradients of a net of one recurrent layer, by a plain loop over time in torch alone."""
    w = {name: value.clone().requires_grad_() for name, value in parameters.items()}
    u, read, total = torch.zeros(ROWS, SIZE).double(), torch.zeros(ROWS, CLASSES).double(), 0.0
    sent = [torch.zeros(ROWS, SIZE).double()] * delay
    for here in drive:
        u = 0.75 * u + here @ w["hidden1.ff.w"].T + sent[-delay] @ w["hidden1.rec.w"].T + w["hidden1.b"]
        sent.append(Atan.apply(u - 1))
        read = 0.5 * read + sent[-1] @ w["readout.ff.w"].T + w["readout.b"]
        total = total + read
    scores = total / STEPS
    torch.nn.functional.cross_entropy(scores, labels).backward()
    return scores.detach(), {name: value.grad for name, value in w.items() if value.grad is not None}


@pytest.mark.parametrize("delay", [1, 2, 5, 10])
def test_bptt_through_delays_is_autograd(delay: int) -> None:
    model, learned = model_of(f"r{SIZE}d{delay}", "bptt:statistics=held")
    drive, labels = batch()
    expected, gradients = by_autograd(learned.parameters, drive, labels, delay)
    result = learn_trial(model, learned, Series(drive, False), STEPS, labels, torch.Generator())
    torch.testing.assert_close(result.scores, expected, rtol=1e-12, atol=1e-12)
    assert float(gradients["hidden1.rec.w"].abs().max()) > 1e-4
    for name, gradient in gradients.items():
        torch.testing.assert_close(result.gradients[name], gradient, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("rule", ["eprop", "triplet_stdp", "sigprop"])
@pytest.mark.parametrize("neuron", ["lif:beta=0.75", "alif:beta=0.75"])
def test_windows_shorter_than_a_delay_learn_what_a_whole_trial_does(rule: str, neuron: str, tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(24) % 3
    rates = torch.rand(3, 5, generator=generator)
    spikes = (torch.rand(24, 12, 5, generator=generator) < rates[labels][:, None]).float()
    states = []
    for schedule in ("by_layer", "by_step", "5"):
        settings = {"data": ((spikes, labels), (spikes, labels)), "batch_first": True, "net": "r6d4-r5d3", "epochs": 2}
        neurorules.train(
            rule, schedule=schedule, precision="float64", batch_size=6, validation=0, out=tmp_path / schedule,
            neuron=neuron, optimizer="sgd", lr=0.1, threads=1, **settings,
        )  # fmt: skip
        states.append(neurorules.load(tmp_path / schedule, data=settings["data"], batch_first=True).learned.parameters)
    for other in states[1:]:
        for name, value in states[0].items():
            torch.testing.assert_close(other[name], value, rtol=1e-8, atol=1e-10)


def test_a_delay_of_one_step_is_the_plain_connection() -> None:
    plain, late = (build_network(net, (4,), 2).hidden[0].inputs[1].connection for net in ("r6", "r6d1"))
    assert plain == late and type(plain).__name__ == "Recurrent"
    delayed = build_network("r6d3", (4,), 2).hidden[0].inputs[1].connection
    assert delayed.recurrent and delayed.delay == 3 and delayed.size == 6


@pytest.mark.parametrize(
    ("net", "words"),
    [
        ("100d5", "'100d5' has a delay, which only recurrent layers have: r100d5"),
        ("r100d0", "a delay of 0 steps. Give 1 to 1000"),
        ("r100d2000", "a delay of 2000 steps. Give 1 to 1000"),
    ],
)
def test_delays_that_cannot_be_are_refused(net: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        build_network(net, (4,), 2)


def test_machines_without_delays_say_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--data", "digits", "--net", "r8d3", "--epochs", "1", "--limit", "100", "--threads", "1", "--steps", "4"]
    assert run(["train", "--rule", "stdp", *small, "--out", str(tmp_path / "run")]) == 0
    capsys.readouterr()
    for words in (
        ["simulate", str(tmp_path / "run"), "--samples", "1"],
        ["simulate", str(tmp_path / "run"), "--samples", "1", "--as", "ordinary"],
        ["nir", str(tmp_path / "run"), "--out", str(tmp_path / "net.nir")],
        ["train", "--rule", "stdp", "--path", "continuous", *small[:-2], "--out", str(tmp_path / "other")],
    ):
        assert run(words) == 2, words
        told = capsys.readouterr().err
        assert "delay" in told or "delivers after 3 steps" in told or "RecurrentDelayed" in told, told
        assert told.count("\n") == 1 and not (tmp_path / "other").exists()
