"""What a torch.nn.Sequential may hold that networks here do not: each is refused by its place, with what to do."""

from __future__ import annotations

import pytest
import snntorch
import torch
from snntorch import surrogate
from torch import nn

from neurorules import Learner
from neurorules.language.errors import UserError
from neurorules.torch_path.snntorch.from_module import from_module


def leaky(beta: object = 0.75, **options: object) -> snntorch.Leaky:
    return snntorch.Leaky(beta=beta, init_hidden=True, **options)


def hidden(*modules: nn.Module) -> nn.Sequential:
    """A Sequential that is fine but for the modules given, which come first."""
    return nn.Sequential(*modules, nn.Flatten(), nn.Linear(3, 3), leaky(), nn.Linear(3, 2))


def with_leaky(**options: object) -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(128, 3), leaky(**options), nn.Linear(3, 2))


shared = nn.Linear(3, 3)
REFUSED = {
    "layer 0 (Conv2d) has padding_mode='circular'": hidden(
        nn.Conv2d(2, 4, 3, padding=1, padding_mode="circular"), leaky()
    ),
    "layer 0 (Conv2d) has padding='same' with an even": hidden(nn.Conv2d(2, 4, 4, padding="same"), leaky()),
    "layer 0 (Conv2d) reads maps (3, height, width)": hidden(nn.Conv2d(3, 4, 3), leaky()),
    "layer 0 (Conv2d): a 9x9 kernel": hidden(nn.Conv2d(2, 4, 9), leaky()),
    "layer 2 (MaxPool2d) must have square windows": hidden(nn.Conv2d(2, 4, 3), leaky(), nn.MaxPool2d(3, stride=2)),
    "layer 2 (AvgPool2d) must have square windows": hidden(nn.Conv2d(2, 4, 3), leaky(), nn.AvgPool2d(2, padding=1)),
    "layer 1 (Flatten) keeps some dimensions": nn.Sequential(nn.Identity(), nn.Flatten(2), nn.Linear(64, 2)),
    "layer 1 (Linear) reads 2 inputs": nn.Sequential(leaky(), nn.Linear(2, 2)),
    "layer 0 (Linear) reads 128 inputs": nn.Sequential(nn.Linear(128, 3), leaky(), nn.Linear(3, 2)),
    "layer 2 (Linear) follows layer 1": nn.Sequential(nn.Flatten(), nn.Linear(128, 3), nn.Linear(3, 2)),
    "layer 1 (Linear) stands there twice": nn.Sequential(nn.Flatten(), shared, leaky(), shared),
    "layer 2 (Alpha) has learn_beta=True": nn.Sequential(
        nn.Flatten(), nn.Linear(128, 3), snntorch.Alpha(0.6, 0.5, learn_beta=True), nn.Linear(3, 2)
    ),
    "layer 2 (Synaptic) has learn_alpha=True": nn.Sequential(
        nn.Flatten(), nn.Linear(128, 3), snntorch.Synaptic(0.5, 0.5, learn_alpha=True), nn.Linear(3, 2)
    ),
    "layer 2 (Leaky) learns beta, and its reset has no delay": with_leaky(learn_beta=True, reset_delay=False),
    "layer 2 (Leaky) has learn_graded_spikes_factor=True": with_leaky(learn_graded_spikes_factor=True),
    "layer 2 (Leaky) has graded spikes": with_leaky(graded_spikes_factor=2.0),
    "layer 2 (Leaky) has surrogate_disable": with_leaky(surrogate_disable=True),
    "layer 2 (Leaky) has the surrogate 'sigmoid'": with_leaky(spike_grad=surrogate.sigmoid()),
    "layer 2 (Leaky) has beta of shape (2,)": with_leaky(beta=torch.tensor([0.5, 0.6])),
    "layer 2 (Leaky) has a threshold that is not positive": with_leaky(threshold=0.0),
    "layer 4 (Leaky) resets before": nn.Sequential(*with_leaky(), leaky(reset_delay=False)),
    "layer 4 (ReLU) stands behind the last Linear": nn.Sequential(*with_leaky(), nn.ReLU()),
    "layer 4 (Dropout) acts on the current of layer 3": nn.Sequential(*with_leaky(), nn.Dropout(0.1)),
    "layer 5 (Flatten) stands behind the read-out": nn.Sequential(*with_leaky(), leaky(), nn.Flatten()),
    "layer 2 (Conv2d) is the read-out": nn.Sequential(nn.Conv2d(2, 4, 3), leaky(), nn.Conv2d(4, 2, 3)),
    "no hidden layer": nn.Sequential(nn.Flatten(), nn.Linear(128, 2)),
    "layer 1.1 (GRU)": nn.Sequential(nn.Flatten(), nn.Sequential(nn.Identity(), nn.GRU(2, 2)), nn.Linear(128, 2)),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_cannot_be_represented_is_refused_by_name_and_place(message: str) -> None:
    with pytest.raises(UserError) as raised:
        from_module(REFUSED[message], (2, 8, 8), 4)
    assert message in str(raised.value) and "\n" not in str(raised.value)


def test_a_sequential_of_maps_needs_to_be_told_their_shape() -> None:
    with pytest.raises(UserError, match="input_shape"):
        Learner(hidden(nn.Conv2d(2, 4, 3), leaky()), rule="sigprop")
