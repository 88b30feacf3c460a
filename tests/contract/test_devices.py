"""What only a training tells of a device; its contract suite runs in test_every_entry."""

from __future__ import annotations

from typing import Any

import pytest

from neurorules.contracts.device import DEVICES
from neurorules.language.config import TrainConfig
from neurorules.rules.sigprop import READOUT_LR
from neurorules.torch_path.training.trainer import train

EPOCHS = 5


def test_there_is_a_device() -> None:
    assert "fixed_point" in DEVICES.names()


def accuracy(**settings: Any) -> float:
    """Validation accuracy on the bundled digits."""
    config = TrainConfig(epochs=EPOCHS, device="cpu", threads=1, **settings)
    return float(train(config, quiet=True)["validation_accuracy"])


@pytest.mark.parametrize("name", DEVICES.names())
def test_hidden_layers_learn_under_it(name: str) -> None:
    assert accuracy(rule="sigprop", hardware=name) > accuracy(rule="shallow", readout_lr=READOUT_LR) + 0.05
