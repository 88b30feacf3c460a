"""The same numbers on a CUDA device as on the CPU."""

from __future__ import annotations

import pytest
import torch

from neurorules.contracts.series import Series
from neurorules.network.model import build_model, initialise, place
from neurorules.network.network import build_network
from neurorules.rules import RULES
from neurorules.torch_path.training.learner import Learner
from neurorules.torch_path.trial.learn import learn_trial

STEPS, ROWS = 6, 8


@pytest.mark.cuda
@pytest.mark.parametrize("net", ["24-20", "c4k3-p2-16", "20-r12"])
@pytest.mark.parametrize("rule", RULES.names())
def test_a_trial_on_cuda_equals_one_on_the_cpu(rule: str, net: str) -> None:
    model = build_model(build_network(net, (1, 8, 8), 5), RULES.make(rule))
    generator = torch.Generator().manual_seed(0)
    drive = (torch.rand(STEPS, ROWS, 1, 8, 8, generator=generator) < 0.4).double()
    labels = torch.randint(0, 5, (ROWS,), generator=generator)
    found = {}
    for name in ("cpu", "cuda"):
        device = torch.device(name)
        learned = initialise(model, 3, device, torch.float64)
        for _ in range(2):
            draws = torch.Generator(device).manual_seed(0)
            here = Series(drive.to(device), False)
            trial = learn_trial(model, learned, here, STEPS, labels.to(device), draws)
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
