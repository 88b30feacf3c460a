"""No hidden state: what a registry gives is frozen, and what learns is handed in."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from neurorules.connections import CONNECTIONS
from neurorules.contracts.device import DEVICES
from neurorules.encoders import ENCODERS
from neurorules.language.registry import Registry
from neurorules.neurons import NEURONS
from neurorules.normalisations import NORMALISATIONS
from neurorules.rules import RULES
from neurorules.signals import SIGNALS

KINDS = [RULES, SIGNALS, NEURONS, CONNECTIONS, NORMALISATIONS, ENCODERS, DEVICES]
SIZES = {
    "dense": {"size": 3},
    "recurrent": {"size": 3},
    "ring": {"size": 3},
    "dynamic": {"size": 3},
    "conv2d": {"channels": 3},
    "conv2d_pooled": {"channels": 3},
    "conv2d_grouped": {"channels": 3},
    "recurrent_conv2d": {"channels": 3},
    "recurrent_delayed": {"size": 3},
    "recurrent_single": {"size": 3},
}


def entries() -> list[tuple[Registry, str]]:
    return [(registry, name) for registry in KINDS for name in registry.names()]


def built(registry: Registry, name: str) -> Any:
    return registry.factory(name)(**SIZES.get(name, {}))


@pytest.mark.parametrize(("registry", "name"), entries(), ids=[f"{r.kind}-{n}" for r, n in entries()])
def test_every_entry_is_frozen_and_holds_nothing_that_learns(registry: Registry, name: str) -> None:
    made = built(registry, name)
    assert dataclasses.is_dataclass(made) and made.__dataclass_params__.frozen  # type: ignore[union-attr]
    assert not isinstance(made, torch.nn.Module)
    assert not any(isinstance(value, torch.Tensor) for value in vars(made).values())
    assert built(registry, name) == made
