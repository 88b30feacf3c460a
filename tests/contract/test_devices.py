"""What every device keeps to; a new file in the folder enters these tests by existing."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from neurorules.contracts.device import DEVICES, Device
from neurorules.language.config import TrainConfig
from neurorules.rules.sigprop import READOUT_LR
from neurorules.torch_path.training.learner import Learner, chain
from neurorules.torch_path.training.trainer import train

SHAPES: dict[str, tuple[int, ...]] = {"hidden1.ff.w": (12, 20), "hidden2.ff.w": (6, 4, 3, 3)}
EPOCHS = 5
Chip = tuple[dict[str, Tensor], dict[str, Tensor]]

every_device = pytest.mark.parametrize("name", DEVICES.names())


def draw(seed: int, scale: float = 0.2) -> dict[str, Tensor]:
    """Weights, or changes, of two connections."""
    generator = torch.Generator().manual_seed(seed)
    return {key: scale * torch.randn(shape, generator=generator) for key, shape in SHAPES.items()}


def program(device: Device, seed: int) -> Chip:
    """(state, stored weights) of one chip."""
    state, stored = device.init(SHAPES, seed), draw(99)
    for key, w in stored.items():
        stored[key], state = device.on_parameters(state, key, w)
    return state, stored


def update(device: Device, chip: Chip, changes: dict[str, Tensor]) -> Chip:
    """(state, stored weights) after one change of each connection."""
    state, stored = chip[0], dict(chip[1])
    for key, dw in changes.items():
        stored[key], state = device.on_update(state, key, stored[key], dw)
    return state, stored


def read(device: Device, chip: Chip) -> dict[str, Tensor]:
    """What the network sees."""
    return {key: device.on_read(chip[0], key, w) for key, w in chip[1].items()}


def equal(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    """Whether two dictionaries hold the same bits under the same names."""
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def apart(state: dict[str, Tensor]) -> list[dict[str, Tensor]]:
    """The states of the two devices of a chain."""
    return [{key[2:]: value for key, value in state.items() if key[0] == place} for place in "01"]


def test_there_is_a_device() -> None:
    assert "fixed_point" in DEVICES.names()


@every_device
def test_a_device_says_what_it_is_and_fits_the_protocol(name: str) -> None:
    assert DEVICES.summary(name)
    assert isinstance(DEVICES.make(name), Device)


@every_device
def test_state_is_a_flat_dictionary_of_tensors(name: str) -> None:
    device = DEVICES.make(name)
    chip = program(device, 0)
    for state in (device.init(SHAPES, 0), chip[0], update(device, chip, draw(1, 0.01))[0]):
        assert all(isinstance(key, str) and isinstance(value, Tensor) for key, value in state.items())


@every_device
def test_the_same_seed_is_the_same_chip(name: str) -> None:
    device = DEVICES.make(name)
    one, same = (update(device, program(device, 3), draw(1, 0.01)) for _ in range(2))
    assert equal(one[0], same[0]) and equal(one[1], same[1])
    assert equal(read(device, one), read(device, same))


@every_device
def test_another_seed_is_another_chip(name: str) -> None:
    device = DEVICES.make(name)
    assert not equal(device.init(SHAPES, 3), device.init(SHAPES, 4))


@every_device
def test_hooks_leave_what_they_were_given_as_it_was(name: str) -> None:
    device = DEVICES.make(name)
    chip = program(device, 0)
    kept: Chip = ({k: v.clone() for k, v in chip[0].items()}, {k: v.clone() for k, v in chip[1].items()})
    read(device, chip)
    update(device, chip, draw(1, 0.01))
    assert equal(chip[0], kept[0]) and equal(chip[1], kept[1])


@every_device
def test_reading_twice_gives_the_same_bits(name: str) -> None:
    device = DEVICES.make(name)
    chip = update(device, program(device, 0), draw(1, 0.01))
    assert equal(read(device, chip), read(device, chip))
    assert all(seen.shape == chip[1][key].shape and seen.isfinite().all() for key, seen in read(device, chip).items())


@every_device
def test_no_change_asked_for_is_no_change_made(name: str) -> None:
    device = DEVICES.make(name)
    chip = update(device, program(device, 0), draw(1, 0.01))
    nothing = {key: torch.zeros(shape) for key, shape in SHAPES.items()}
    for _ in range(3):
        after = update(device, chip, nothing)
        assert equal(after[1], chip[1])
        chip = after


@every_device
def test_updates_do_not_depend_on_the_precision_of_the_chip_read_back(name: str) -> None:
    device = DEVICES.make(name)
    chip = program(device, 0)
    wide: Chip = (chip[0], {key: w.double() for key, w in chip[1].items()})
    nothing = {key: torch.zeros(shape, dtype=torch.float64) for key, shape in SHAPES.items()}
    assert equal(update(device, wide, nothing)[1], wide[1])
    for key, seen in read(device, wide).items():
        torch.testing.assert_close(seen.float(), read(device, chip)[key])


@every_device
def test_a_chain_is_its_devices_in_order(name: str) -> None:
    both, one, changes = chain(f"{name}+{name}"), DEVICES.make(name), draw(1, 0.01)
    state, stored = update(both, program(both, 0), changes)
    first, second = apart(both.init(SHAPES, 0))
    programmed = {}
    for key, w in draw(99).items():
        w, first = one.on_parameters(first, key, w)
        programmed[key], second = one.on_parameters(second, key, w)
    for key, w in programmed.items():
        asked, first = one.on_update(first, key, w, changes[key])
        by_hand, second = one.on_update(second, key, w, asked - w)
        assert torch.equal(stored[key], by_hand)
        seen = one.on_read(second, key, one.on_read(first, key, by_hand))
        assert torch.equal(both.on_read(state, key, by_hand), seen)
    assert equal(apart(state)[0], first) and equal(apart(state)[1], second)


@every_device
def test_devices_of_a_chain_are_drawn_apart(name: str) -> None:
    first, second = apart(chain(f"{name}+{name}").init(SHAPES, 0))
    assert first.keys() == second.keys() and not equal(first, second)


def batches(count: int) -> list[tuple[Tensor, Tensor]]:
    """Random currents (8, 16, 1, 8, 8) and labels."""
    generator = torch.Generator().manual_seed(5)
    return [
        (torch.randn(8, 16, 1, 8, 8, generator=generator), torch.randint(10, (16,), generator=generator))
        for _ in range(count)
    ]


def learner(hardware: str) -> Learner:
    """A small net under a device."""
    return Learner("32-32", "sigprop", input_shape=(1, 8, 8), classes=10, device="cpu", hardware=hardware)


@every_device
@pytest.mark.parametrize("joined", [False, True])
def test_learning_resumes_to_the_same_bits(name: str, joined: bool) -> None:
    hardware = f"{name}+{name}" if joined else name
    through, stopped, resumed = learner(hardware), learner(hardware), learner(hardware)
    drives = batches(6)
    before, after = drives[:3], drives[3:]
    for drive, labels in before:
        through.step(drive, labels)
        stopped.step(drive, labels)
    resumed.load(stopped.state())
    for drive, labels in after:
        through.step(drive, labels)
        resumed.step(drive, labels)
    assert equal(through.state(), resumed.state())
    assert torch.equal(through.scores(before[0][0]), resumed.scores(before[0][0]))


def accuracy(**settings: Any) -> float:
    """Validation accuracy on the bundled digits."""
    config = TrainConfig(epochs=EPOCHS, device="cpu", threads=1, **settings)
    return float(train(config, quiet=True)["validation_accuracy"])


@every_device
def test_hidden_layers_learn_under_it(name: str) -> None:
    assert accuracy(rule="sigprop", hardware=name) > accuracy(rule="shallow", readout_lr=READOUT_LR) + 0.05
