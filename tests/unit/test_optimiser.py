"""Parameters change as torch's optimisers change them, bit for bit, and no process pays for torch's compiler."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from neurorules.language.errors import UserError
from neurorules.torch_path.update.optimiser import Optimiser, update_of

SHAPES = {"hidden1.ff.w": (7, 5), "hidden1.b": (7,), "readout.ff.w": (3, 7)}
RATES = {"hidden1.ff.w": 3e-3, "hidden1.b": 3e-3, "readout.ff.w": 1e-2}
MADE = {
    "sgd": lambda groups: torch.optim.SGD(groups),
    "sgd:momentum=0.7": lambda groups: torch.optim.SGD(groups, momentum=0.7),
    "momentum": lambda groups: torch.optim.SGD(groups, momentum=0.9),
    "momentum:momentum=0.5:nesterov=true": lambda groups: torch.optim.SGD(groups, momentum=0.5, nesterov=True),
    "adam": lambda groups: torch.optim.Adam(groups, fused=True),
    "adam:beta1=0.5:beta2=0.99:eps=1e-3": lambda groups: torch.optim.Adam(
        groups, betas=(0.5, 0.99), eps=1e-3, fused=True
    ),
    "adamw:beta1=0.8": lambda groups: torch.optim.AdamW(groups, betas=(0.8, 0.999), fused=True),
    "rmsprop": lambda groups: torch.optim.RMSprop(groups),
    "rmsprop:alpha=0.9:eps=1e-4": lambda groups: torch.optim.RMSprop(groups, alpha=0.9, eps=1e-4),
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


@pytest.mark.parametrize("kind", MADE)
def test_an_update_that_the_device_forbids_changes_nothing(kind):
    parameters = drawn(0)
    optimiser = Optimiser(parameters, dict.fromkeys(SHAPES, kind), RATES, 0.1)
    optimiser.step(drawn(1))
    weights = {name: value.clone() for name, value in parameters.items()}
    state = {path: value.clone() for path, value in optimiser.state().items()}
    optimiser.step(drawn(2), unless=torch.tensor(True))
    assert all(torch.equal(parameters[name], value) for name, value in weights.items())
    assert all(torch.equal(optimiser.state()[path], value) for path, value in state.items())


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("adma", ["adma", "adam"]),
        ("adam:beta3=0.9", ["'beta3'", "optimizer 'adam'"]),
        ("adam:beta1=1", ["beta1", "below 1"]),
        ("rmsprop:eps=0", ["eps", "above 0"]),
        ("none:momentum=0.9", ["'momentum'", "optimizer 'none'"]),
        ("sgd:momentum=1", ["momentum", "below 1"]),
        ("momentum:nesterov=perhaps", ["nesterov", "perhaps"]),
    ],
)
def test_a_wrong_kind_or_option_is_named(kind, words):
    with pytest.raises(UserError) as error:
        update_of(kind)
    assert all(word in str(error.value) for word in words), error.value


def test_learning_imports_no_compiler():
    code = (
        "import sys, torch, neurorules\n"
        "learner = neurorules.Learner('6', 'sigprop', input_shape=(4,), classes=2)\n"
        "learner.step(torch.ones(3, 2, 4), torch.tensor([0, 1]))\n"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
