"""Trained numbers go back into the user's module: under its own names, and into no module that computes otherwise."""

from __future__ import annotations

from typing import Any

import pytest
import snntorch
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from neurorules import Learner
from neurorules.language.errors import UserError

SHAPE, CLASSES, STEPS = (1, 6, 6), 3, 5


def loader(count: int = 96) -> DataLoader[Any]:
    """Pictures of three kinds that a net can tell apart, in batches of 16."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, CLASSES, (count,), generator=generator)
    images = 2 * torch.rand(CLASSES, *SHAPE, generator=generator)[labels]
    return DataLoader(TensorDataset(images + 0.2 * torch.randn(images.shape, generator=generator), labels), 16)


def sequential() -> nn.Sequential:
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(36, 20),
        snntorch.Leaky(beta=0.9, init_hidden=True),
        nn.Linear(20, CLASSES),
    )


def test_trained_weights_go_back_into_the_module_they_came_from() -> None:
    torch.manual_seed(0)
    module = sequential()
    names, before = list(module.state_dict()), {k: v.clone() for k, v in module.state_dict().items()}
    one = Learner(module, "sigprop", input_shape=SHAPE, steps=STEPS, device="cpu")
    one.fit(loader(), epochs=4)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    one.write_back(module)
    assert list(module.state_dict()) == names
    assert not torch.equal(module[1].weight, before["1.weight"])
    fresh = Learner(module, "sigprop", input_shape=SHAPE, steps=STEPS, device="cpu")
    assert fresh.evaluate(loader()) == one.evaluate(loader())
    assert module[1].weight.requires_grad and module[1].weight.grad is None


def test_a_module_of_other_layers_is_refused_and_stays_as_it_was() -> None:
    module = sequential()
    one = Learner(module, "sigprop", input_shape=SHAPE, steps=STEPS, device="cpu")
    one.fit(loader(32))
    other = nn.Sequential(nn.Flatten(), nn.Linear(36, 20), snntorch.Leaky(beta=0.9), nn.Linear(20, 4))
    before = {k: v.clone() for k, v in other.state_dict().items()}
    with pytest.raises(UserError, match="the module that the learner was made from"):
        one.write_back(other)
    with pytest.raises(UserError, match="has 3 layers"):
        deeper = nn.Sequential(nn.Flatten(), nn.Linear(36, 20), snntorch.Leaky(beta=0.9), nn.Linear(20, 20),
                               snntorch.Leaky(beta=0.9), nn.Linear(20, CLASSES))  # fmt: skip
        one.write_back(deeper)
    with pytest.raises(UserError, match=r"torch\.nn\.Module of torch and snnTorch layers, and this is a Linear"):
        one.write_back(nn.Linear(36, 20))
    assert all(torch.equal(value, before[name]) for name, value in other.state_dict().items())


def with_neurons(*layers: nn.Module, beta: float = 0.9, reset_delay: bool = True) -> nn.Sequential:
    leaky = snntorch.Leaky(beta=beta, init_hidden=True, reset_delay=reset_delay)
    return nn.Sequential(nn.Flatten(), nn.Linear(36, 20), *(layers or (leaky,)), nn.Linear(20, CLASSES))


OTHERWISE = {
    "another decay": (lambda: with_neurons(beta=0.1), "has beta 0.1, and layer 'hidden1' learned with 0.9"),
    "another threshold": (lambda: with_neurons(snntorch.Leaky(0.9, 9.0)), "has v_threshold 9, .* learned with 1"),
    "another reset": (
        lambda: with_neurons(snntorch.Leaky(0.9, reset_mechanism="zero")),
        "has reset zero, .* learned with subtract",
    ),
    "rates": (lambda: with_neurons(nn.ReLU()), "is neurons of another kind than layer 'hidden1' learned with"),
    "batch normalisation": (
        lambda: with_neurons(nn.BatchNorm1d(20), snntorch.Leaky(0.9)),
        "normalises a current, and that of layer 'hidden1' was not normalised so",
    ),
    "a read-out that leaks": (
        lambda: nn.Sequential(*with_neurons(), snntorch.Leaky(0.9, reset_mechanism="none")),
        "has beta 0.9, and layer 'readout' learned with 0",
    ),
}


@pytest.mark.parametrize("name", OTHERWISE)
def test_a_module_that_computes_something_else_is_refused_and_stays_as_it_was(name: str) -> None:
    make, message = OTHERWISE[name]
    one = Learner(sequential(), "sigprop", input_shape=SHAPE, steps=STEPS, device="cpu")
    module = make()
    before = {k: v.clone() for k, v in module.state_dict().items()}
    with pytest.raises(UserError, match=f"{message}.* Give the module that the learner was made from") as raised:
        one.write_back(module)
    assert "\n" not in str(raised.value)
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())


def test_a_net_of_text_goes_into_a_module_that_computes_the_same_and_into_no_other() -> None:
    one = Learner("20", "sigprop", neuron="lif:beta=0.9", input_shape=SHAPE, classes=CLASSES, steps=STEPS, device="cpu")
    one.fit(loader(), epochs=2)
    module = with_neurons(reset_delay=False)
    one.write_back(module)
    fresh = Learner(module, "sigprop", input_shape=SHAPE, steps=STEPS, device="cpu")
    x = next(iter(loader()))[0]
    torch.testing.assert_close(fresh.scores(x), one.scores(x), rtol=1e-4, atol=1e-4)
    with pytest.raises(UserError, match="has reset_delay True, and layer 'hidden1' learned with False"):
        one.write_back(with_neurons())


class TwoBiases(nn.Module):
    """A layer whose current is the sum of two maps, each with a bias."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.lif1 = nn.Linear(36, 20), snntorch.Leaky(0.9, init_hidden=True)
        self.a, self.b = nn.Linear(20, 16), nn.Linear(36, 16)
        self.lif2, self.out = snntorch.Leaky(0.9, init_hidden=True), nn.Linear(16, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.lif2(self.a(self.lif1(self.fc(x))) + self.b(x)))


@pytest.mark.parametrize("frozen", [(), ("a",), ("b",), ("a", "b")])
def test_of_two_biases_in_a_sum_the_first_that_may_learn_does_and_a_frozen_one_stays(frozen: tuple[str, ...]) -> None:
    torch.manual_seed(0)
    module = TwoBiases()
    for name in frozen:
        getattr(module, name).bias.requires_grad_(False)
    one = Learner(module, "bptt:statistics=held", input_shape=(36,), steps=STEPS, device="cpu")
    before = {k: v.clone() for k, v in module.state_dict().items()}
    one.fit([(images.flatten(1), labels) for images, labels in loader()], epochs=2)
    one.write_back(module)
    changed = {name for name in "ab" if not torch.equal(getattr(module, name).bias, before[f"{name}.bias"])}
    assert changed == set([name for name in "ab" if name not in frozen][:1])
    fresh = Learner(module, "sigprop", input_shape=(36,), steps=STEPS, device="cpu")
    images = next(iter(loader()))[0].flatten(1)
    torch.testing.assert_close(fresh.scores(images), one.scores(images), rtol=1e-4, atol=1e-4)
