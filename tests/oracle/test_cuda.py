"""The same numbers on a CUDA device as on the CPU."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

from neurorules.contracts.series import Series
from neurorules.language.errors import UserError
from neurorules.network.initial import initialise, place
from neurorules.network.model import Model, build_model
from neurorules.network.network import settled_network
from neurorules.rules import RULES
from neurorules.torch_path.training.checks import Diverged
from neurorules.torch_path.training.learner import Learner
from neurorules.torch_path.trial.learn import learn_trial

STEPS, ROWS = 6, 8


def model_of(rule: str, net: str, shape: tuple[int, ...] = (1, 8, 8)) -> Model:
    """A rule on a net with the rule's own neurons; the test is skipped where the rule refuses the net."""
    made = RULES.make(rule)
    asked = dict.fromkeys(("neuron", "readout_neuron", "norm", "connection"))
    try:
        return build_model(settled_network(net, shape, 5, made.defaults, "last", asked), made)
    except UserError as refused:
        pytest.skip(str(refused))


@pytest.mark.cuda
@pytest.mark.parametrize("net", ["24-20", "c4k3-p2-16", "20-r12"])
@pytest.mark.parametrize("rule", RULES.names())
def test_a_trial_on_cuda_equals_one_on_the_cpu(rule: str, net: str) -> None:
    model = model_of(rule, net)
    steps = min(STEPS, RULES.make(rule).defaults.steps)
    generator = torch.Generator().manual_seed(0)
    drive = (torch.rand(STEPS, ROWS, 1, 8, 8, generator=generator) < 0.4).double()
    labels = torch.randint(0, 5, (ROWS,), generator=generator)
    found = {}
    for name in ("cpu", "cuda"):
        device = torch.device(name)
        learned = initialise(model, 3, device, torch.float64)
        for _ in range(2):
            draws = torch.Generator(device).manual_seed(0)
            here = Series(drive[:steps].to(device), False)
            trial = learn_trial(model, learned, here, steps, labels.to(device), draws)
            learned = trial.learned
        found[name] = {key: value.cpu() for key, value in trial.gradients.items()}
        assert place(learned, torch.device("cpu"), torch.float64).parameters.keys() == learned.parameters.keys()
    torch.testing.assert_close(found["cuda"], found["cpu"], rtol=1e-8, atol=1e-10)


@pytest.mark.cuda
def test_learning_on_cuda_goes_down_the_loss_and_resumes_from_its_state() -> None:
    def learner() -> Learner:
        return Learner("32", "sigprop", input_shape=(1, 8, 8), classes=4, device="cuda", seed=1)

    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 4, (64,), generator=generator)
    drive = Series(torch.randn(4, 1, 8, 8, generator=generator)[labels] * 2, True)
    first = learner()
    losses = [first.step(drive, labels)["loss"] for _ in range(30)]
    assert losses[-1] < 0.5 * losses[0]
    again = learner()
    again.load(first.state())
    assert again.step(drive, labels) == first.step(drive, labels)


@pytest.mark.cuda
@pytest.mark.parametrize("net", ["24-20", "c4k3-p2-16", "20-r12"])
@pytest.mark.parametrize("rule", RULES.names())
def test_a_step_on_cuda_waits_for_nothing(rule: str, net: str) -> None:
    model_of(rule, net)
    learner = Learner(net, rule, input_shape=(1, 8, 8), classes=5, device="cuda", steps=RULES.make(rule).defaults.steps)
    generator = torch.Generator().manual_seed(0)
    spikes = (torch.rand(learner.steps, ROWS, 1, 8, 8, generator=generator) < 0.4).float().cuda()
    labels = torch.randint(0, 5, (ROWS,), generator=generator).cuda()
    learner.recorder.usable = True
    learner.learn(spikes, labels)  # kernels are compiled and libraries loaded
    assert learner.queues
    with waiting_is_an_error():
        for _ in range(3):
            learner.learn(spikes, labels)
    for _ in range(5):  # until the trial is recorded
        learner.step(spikes, labels)
    assert learner.recorder.recorded
    with waiting_is_an_error():
        for _ in range(3):
            learner.push(spikes, labels)
    assert all(metrics["loss"] > 0 for metrics in learner.flush())


@contextmanager
def waiting_is_an_error() -> Iterator[None]:
    """Whatever waits for the device inside the block raises."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Synchronization debug mode is a prototype")
        torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.cuda
@pytest.mark.parametrize("net", ["24-20", "c4k3-p2-16", "20-r12"])
@pytest.mark.parametrize("rule", RULES.names())
def test_recorded_trials_give_the_bits_of_trials_that_are_launched_one_kernel_at_a_time(rule: str, net: str) -> None:
    model_of(rule, net)
    steps = RULES.make(rule).defaults.steps
    played, launched = (
        Learner(net, rule, input_shape=(1, 8, 8), classes=5, device="cuda", steps=steps) for _ in range(2)
    )
    played.recorder.usable = True
    generator = torch.Generator().manual_seed(0)
    for rows in (8, 8, 8, 8, 6, 8, 8, 6, 6, 6, 8):
        spikes = (torch.rand(steps, rows, 1, 8, 8, generator=generator) < 0.4).float()
        labels = torch.randint(0, 5, (rows,), generator=generator)
        assert played.step(spikes, labels) == launched.step(spikes, labels)
    assert len(played.recorder.recorded) == 2 and not launched.recorder.recorded
    ours, theirs = played.state(), launched.state()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())


@pytest.mark.cuda
def test_on_cuda_a_step_that_diverges_changes_nothing_and_is_raised_with_its_layer() -> None:
    learner = Learner("24-20", "sigprop", input_shape=(1, 8, 8), classes=5, device="cuda", norm="none")
    learner.recorder.usable = True
    generator = torch.Generator().manual_seed(0)
    spikes = (torch.rand(learner.steps, ROWS, 1, 8, 8, generator=generator) < 0.4).float()
    labels = torch.randint(0, 5, (ROWS,), generator=generator)
    learner.step(spikes, labels)
    for _ in range(5):
        learner.step(spikes, labels)
    assert learner.recorder.recorded
    before = learner.state()
    weights = learner.learned.parameters["readout.ff.w"]
    weights.fill_(float("inf"))
    with pytest.raises(Diverged, match="readout"):
        learner.step(spikes, labels)
    weights.copy_(before["parameters/readout.ff.w"])
    after = learner.state()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    with pytest.raises(UserError, match="labels run 0..9"):
        learner.step(spikes.cuda(), torch.arange(8).cuda() * 9 // 7)
    with pytest.raises(UserError, match="NaN"):
        learner.step(spikes.cuda() / 0, labels)
    after = learner.state()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
