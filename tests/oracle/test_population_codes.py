"""A read-out with several neurons for each class: scores, losses and gradients are those of snntorch.functional."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import snntorch
import torch
from snntorch import functional as SF
from snntorch import utils
from torch import Tensor, nn

import neurorules
from neurorules import Learner
from neurorules.audit.rig import rig_of
from neurorules.audit.settings import settings_of
from neurorules.cli import run as command
from neurorules.language.errors import UserError
from neurorules.surrogates import FastSigmoid
from neurorules.torch_path.snntorch.populations import Spike
from neurorules.traces.plots import PLOTS

STEPS, SAMPLES, CLASSES, EACH = 8, 12, 4, 3
SLOPE = Spike(FastSigmoid(5.0))  # snnTorch's own surrogates spike in float32 only


def net(classes: int = CLASSES, inputs: int = 16) -> nn.Module:
    torch.manual_seed(3)
    options: dict[str, Any] = {"spike_grad": SLOPE, "init_hidden": True, "threshold": 0.5}
    module = nn.Sequential(
        nn.Linear(inputs, 24), snntorch.Leaky(0.75, **options),
        nn.Linear(24, classes * EACH), snntorch.Leaky(0.75, output=True, **options),
    ).double()  # fmt: skip
    with torch.no_grad():
        for value in module.parameters():
            value.copy_((value * 3 * 256).round() / 256)
    return module


def batch(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    labels = torch.arange(SAMPLES) % CLASSES
    rates = torch.rand(CLASSES, 16, generator=generator)[labels]
    return (torch.rand(STEPS, SAMPLES, 16, generator=generator) < rates).double(), labels


def learner(module: nn.Module, rule: str = "bptt", **settings: Any) -> Learner:
    settings = {"classes": CLASSES, "steps": STEPS, "precision": "float64", "device": "cpu", **settings}
    return Learner(module, rule, scores="population", **settings)


def spikes_of(module: nn.Module, drive: Tensor) -> Tensor:
    utils.reset(module)
    return torch.stack([module(here)[0] for here in drive])


def test_scores_loss_and_accuracy_are_those_of_snntorch(generator: torch.Generator) -> None:
    module, (drive, labels) = net(), batch(generator)
    one = learner(module)
    spikes = spikes_of(module, drive).detach()
    counts = spikes.sum(0).unflatten(1, (CLASSES, EACH)).sum(2)
    assert counts.unique().numel() > 4 and torch.equal(one.scores(drive), counts)
    result = one.evaluate([(drive, labels)])
    assert result["accuracy"] == SF.accuracy_rate(spikes, labels, population_code=True, num_classes=CLASSES)
    loss = SF.ce_count_loss(population_code=True, num_classes=CLASSES)(spikes, labels)
    assert result["loss"] == pytest.approx(float(loss), rel=1e-5)
    assert one.step(drive, labels)["loss"] == pytest.approx(float(loss), rel=1e-5)


@pytest.mark.parametrize("schedule", ["by_layer", "by_step"])
def test_the_gradient_is_that_of_snntorchs_loss(schedule: str, generator: torch.Generator) -> None:
    module, (drive, labels) = net(), batch(generator)
    rule = "bptt" if schedule == "by_layer" else "dfa"
    one = learner(module, rule, optimizer="none", schedule=schedule)
    before = {name: value.clone() for name, value in one.read().items()}
    one.step(drive, labels)
    change = {name: before[name] - value for name, value in one.read().items()}
    SF.ce_count_loss(population_code=True, num_classes=CLASSES)(spikes_of(module, drive), labels).backward()
    layers = {"hidden1.ff.w": "0.weight", "readout.ff.w": "2.weight", "readout.b": "2.bias"}
    for name, theirs in layers.items():
        if rule == "dfa" and name.startswith("hidden"):
            continue  # its feedback is random
        gradient = module.get_parameter(theirs).grad
        assert gradient is not None and float(gradient.norm()) > 1e-3
        torch.testing.assert_close(change[name].reshape(gradient.shape), gradient, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("rule", ["sigprop", "dfa", "drtp", "fa", "local_readout", "lls"])
def test_local_rules_learn_with_a_population_for_each_class(rule: str, generator: torch.Generator) -> None:
    module, (drive, labels) = net(), batch(generator)
    one = learner(module, rule, lr=0.01, readout_lr=0.01)
    before, start = one.state(), one.evaluate([(drive, labels)])["loss"]
    for _ in range(40):
        one.step(drive, labels)
    assert one.evaluate([(drive, labels)])["loss"] < start - 0.2
    one.write_back(module)
    counts = spikes_of(module, drive).detach().sum(0).unflatten(1, (CLASSES, EACH)).sum(2)
    torch.testing.assert_close(one.scores(drive), counts, rtol=0, atol=1)
    other = learner(net(), rule)
    other.load(one.state())
    assert torch.equal(other.scores(drive), one.scores(drive))
    assert any(not torch.equal(value, one.state()[name]) for name, value in before.items())


def test_a_run_is_trained_loaded_compared_and_recorded(tmp_path: Path) -> None:
    how: dict[str, Any] = {
        "data": "digits",
        "epochs": 1,
        "limit": 60,
        "validation": 10,
        "steps": 4,
        "device": "cpu",
        "threads": 1,
    }
    module = net(10, 64).float()
    result = neurorules.train("dfa", net=module, scores="population", out=tmp_path / "run", **how)
    assert result["classes"] == 10 and result["scores"] == "population"
    one = neurorules.load(tmp_path / "run")
    assert one.model.network.readout.shape == (30,) and one.model.network.classes == 10
    with pytest.raises(
        UserError, match="has 30 neurons for 10 classes, and scores=membrane reads one.*scores=population"
    ):
        neurorules.load(tmp_path / "run", scores="membrane")
    assert one.predict(torch.rand(40, 1, 8, 8)).max() < 10
    with neurorules.Recorder(one, tmp_path / "trace.h5", ["S", "v"]) as recorder:
        recorder.record(torch.rand(4, 2, 1, 8, 8), [0, 9])
    assert command(["record", str(tmp_path / "run"), "--samples", "2", "--out", str(tmp_path / "own.h5")]) == 0
    for name in ("trace.h5", "own.h5"):
        figure = PLOTS.make("voltage").figure([tmp_path / name], [0])
        said = [text for one in figure.axes for text in one.get_legend_handles_labels()[1]]
        assert not [text for text in said if text.startswith(("class", "read as"))]  # no neuron stands for a class
    assert rig_of(settings_of(result)).model.scores == "count"  # a comparison audits a small net of its own


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"classes": 5}, "12 read-out neurons cannot be shared out among 5 classes"),
        ({"classes": None}, "scores=population needs the number of classes"),
        ({"classes": 12}, "has one for each class. Use scores=count"),
        ({"task": "regression", "classes": None, "outputs": 2}, "scores=population counts spikes of classes"),
        ({"last_steps": 2}, "Use scores=membrane"),
        ({"rule": "sigprop:predict=prototypes"}, "reads out in a way of its own"),
    ],
)
def test_what_has_no_population_for_each_class_is_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words) as told:
        learner(net(), **settings)
    assert "\n" not in str(told.value)


def test_a_net_as_text_has_no_populations_and_more_outputs_than_classes_are_told_of_them() -> None:
    with pytest.raises(UserError, match="has one for each class. Use scores=count"):
        Learner("8", "dfa", input_shape=(16,), classes=4, scores="population", readout_neuron="lif", device="cpu")
    with pytest.raises(UserError, match="the net has 12 outputs, and classes is 4.*scores='population'"):
        Learner(net(), "dfa", classes=4, scores="count", device="cpu")
    with pytest.raises(UserError, match="the net has 30 outputs, and the data have 10 classes.*scores='population'"):
        neurorules.train("dfa", net=net(10, 64), data="digits", scores="count")
    with pytest.raises(UserError, match="12 outputs, and classes is 5. Make them the same$"):
        Learner(net(), "dfa", classes=5, scores="count", device="cpu")
