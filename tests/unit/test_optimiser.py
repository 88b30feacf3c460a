"""Parameters change as torch's optimisers change them, bit for bit, and no process pays for torch's compiler."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from neurorules.torch_path.update.optimiser import Optimiser

SHAPES = {"hidden1.ff.w": (7, 5), "hidden1.b": (7,), "readout.ff.w": (3, 7)}
RATES = {"hidden1.ff.w": 3e-3, "hidden1.b": 3e-3, "readout.ff.w": 1e-2}
MADE = {
    "sgd": lambda groups: torch.optim.SGD(groups),
    "momentum": lambda groups: torch.optim.SGD(groups, momentum=0.9),
    "adam": lambda groups: torch.optim.Adam(groups, fused=True),
}


def drawn(seed: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=generator) for name, shape in SHAPES.items()}


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("kind", MADE)
def test_parameters_follow_torchs_own_optimiser(kind, decay):
    ours, theirs = drawn(0), drawn(0)
    optimiser = Optimiser(ours, dict.fromkeys(SHAPES, kind), RATES, decay)
    groups = [
        {"params": [theirs[name]], "lr": rate, "weight_decay": decay if name.endswith(".w") else 0.0}
        for name, rate in RATES.items()
    ]
    reference = MADE[kind](groups)
    for step in range(1, 6):
        gradients = drawn(step)
        if step == 3:  # a parameter that nothing asks to change keeps its momenta as they are
            del gradients["hidden1.b"]
        fraction = 1 / step
        optimiser.step(gradients, fraction)
        for group, (name, rate) in zip(reference.param_groups, RATES.items(), strict=True):
            theirs[name].grad, group["lr"] = gradients.get(name), rate * fraction
        reference.step()
    for name in SHAPES:
        assert torch.equal(ours[name], theirs[name]), name


@pytest.mark.parametrize("kind", [*MADE, "pid:kp=1:ki=0.2:kd=0.5"])
def test_an_optimiser_goes_on_from_the_state_of_another(kind):
    parameters = drawn(0)
    optimiser = Optimiser(parameters, dict.fromkeys(SHAPES, kind), RATES)
    for step in range(1, 4):
        optimiser.step(drawn(step))
    later = {name: value.clone() for name, value in parameters.items()}
    other = Optimiser(later, dict.fromkeys(SHAPES, kind), RATES)
    other.load({path: value.clone() for path, value in optimiser.state().items()})
    for both in (optimiser, other):
        both.step(drawn(9))
    for name in SHAPES:
        assert torch.equal(parameters[name], later[name]), name


def test_learning_imports_no_compiler():
    code = (
        "import sys, torch, neurorules\n"
        "learner = neurorules.Learner('6', 'sigprop', input_shape=(4,), classes=2)\n"
        "learner.step(torch.ones(3, 2, 4), torch.tensor([0, 1]))\n"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
