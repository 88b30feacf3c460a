"""The checks of devices: the same seed gives the same chip, the whole state is visible, weights change as requested."""

from __future__ import annotations

import torch
from torch import Tensor

from neurorules.conformance.chips import (
    LARGE,
    LEAST_LIKENESS,
    SHAPES,
    Chip,
    draw,
    nothing,
    program,
    read,
    update,
)
from neurorules.conformance.comparison import copied, demand_close, demand_session_left_alone, equal, seeded
from neurorules.conformance.device_hooks import HOOK_CHECKS
from neurorules.conformance.suite import Entry, NotApplicable, Suite, demand, demand_instance
from neurorules.contracts.device import DEVICES, Device
from neurorules.contracts.device_chain import chain, check_device
from neurorules.contracts.device_hooks import ALONE, HOOKS
from neurorules.language.errors import UserError
from neurorules.torch_path.training.learner import Learner

MANY_PUSHES = 300
"""Changes after which a chip is at the ends of its range, also one that moves by one step at a time."""
FEW_PUSHES = 3
"""Changes in a row that take no weight farther, after which a chip is at the ends of its range."""
NOISE = 0.05
"""The share by which noise may move a weight farther than the earlier pushes."""


def halves(state: dict[str, Tensor]) -> list[dict[str, Tensor]]:
    """Split the state of a chain into the states of its two devices."""
    return [{key[2:]: value for key, value in state.items() if key[0] == place} for place in "01"]


def it_is_a_device_and_says_what_it_is(entry: Entry) -> None:
    """Its ENTRY makes a `Device`, and its module begins with a line that says what it is."""
    device: Device = demand_instance(entry, Device)
    check_device(device)
    line = entry.registry.summary(entry.name)
    demand(bool(line), "a device's module says what it is", "it has no docstring", "Write one line at its top")


def its_state_is_a_flat_dictionary_of_tensors(entry: Entry) -> None:
    """Names lead to tensors, after `init`, programming and updates, so that a checkpoint holds all of it."""
    device: Device = entry.make()
    chip = program(device, 0)
    for state in (device.init(SHAPES, 0), chip[0], update(device, chip, draw(1, 0.01))[0]):
        wrong = [key for key, value in state.items() if not (isinstance(key, str) and isinstance(value, Tensor))]
        demand(not wrong, "state is a flat dictionary of tensors", f"{wrong[:3]} are none", "Keep tensors by name")


def one_seed_is_one_chip(entry: Entry) -> None:
    """Equal seeds give equal bits in the state, the stored weights and the read weights; no global state is changed."""
    device: Device = entry.make()
    one, same = (update(device, program(device, 3), draw(1, 0.01)) for _ in range(2))
    right = equal(one, same) and equal(read(device, one), read(device, same))
    demand(right, "one seed is one chip", "two chips of one seed differ", "Draw from a generator made of the seed")
    demand_session_left_alone(lambda: update(device, program(device, 3), draw(1, 0.01)), "a device")


def another_seed_is_another_chip(entry: Entry) -> None:
    """If a device draws random numbers, another seed gives other numbers."""
    device: Device = entry.make()
    first, second = device.init(SHAPES, 3), device.init(SHAPES, 4)
    if not first and not second:
        raise NotApplicable("it draws nothing, and keeps nothing")
    demand(not equal(first, second), "another seed is another chip", "both are equal", "Make the generator of the seed")


def hooks_leave_what_they_are_handed_as_it_was(entry: Entry) -> None:
    """No hook changes a state, a weight or a change in place."""
    device: Device = entry.make()
    chip, changes = program(device, 0), draw(1, 0.01)
    fresh, weights = device.init(SHAPES, 0), draw(99)
    before = copied([chip, changes, fresh, weights])
    for key, w in weights.items():
        device.on_parameters(fresh, key, w)
    read(device, chip)
    update(device, chip, changes)
    right = equal(before, copied([chip, changes, fresh, weights]))
    demand(right, "hooks leave what they are handed as it was", "some of it changed", "Return new tensors")


def all_that_a_chip_is_stands_in_its_state(entry: Entry) -> None:
    """Another object of the same device continues with a chip's state in the same way, whatever other chips did
    meanwhile."""
    device: Device = entry.make()
    chip, changes = update(device, program(device, 0), draw(1, 0.01)), draw(2, 0.01)
    expected = update(device, chip, changes)
    update(device, program(device, 8), draw(3, 0.05))
    read(device, program(device, 9))
    demands, advice = (
        "all that a chip is and does later stands in its state",
        "Keep nothing in the object or the module",
    )
    again, anew = update(device, chip, changes), update(entry.make(), chip, changes)
    demand(equal(again, expected), demands, "another chip changed what this one does", advice)
    demand(equal(anew, expected), demands, "a device made anew goes on otherwise", advice)
    demand(
        equal(read(entry.make(), anew), read(device, expected)), demands, "a device made anew reads otherwise", advice
    )


def reading_changes_nothing_and_is_finite(entry: Entry) -> None:
    """Reading twice gives the same bits, in the shape and type of the stored weights, and in both precisions."""
    device: Device = entry.make()
    chip = update(device, program(device, 0), draw(1, 0.01))
    first, second = read(device, chip), read(device, chip)
    demand(equal(first, second), "equal state and weights are read as equal bits", "two readings differ", "Draw once")
    wide: Chip = (chip[0], {key: w.double() for key, w in chip[1].items()})
    advice = "Make what the state holds fit the weights"
    for here in (chip, wide):
        for key, reading in read(device, here).items():
            stored = here[1][key]
            right = reading.shape == stored.shape and reading.dtype == stored.dtype and bool(reading.isfinite().all())
            demand(right, "what is read has the shape and type that is stored", f"{key} has not", advice)
            demand_close(reading.float(), first[key], "either precision reads the same chip", advice, 1e-6)


def no_change_asked_for_is_no_change_made(entry: Entry) -> None:
    """A change of 0 leaves the stored weights as they are, in either precision."""
    device: Device = entry.make()
    chip = update(device, program(device, 0), draw(1, 0.01))
    wide: Chip = (chip[0], {key: w.double() for key, w in chip[1].items()})
    for start, zero in ((chip, nothing()), (wide, nothing(torch.float64))):
        after = start
        for _ in range(3):
            after = update(device, after, zero)
        right = equal(after[1], start[1])
        demand(right, "no change asked for is no change made", "stored weights moved", "Round the change, not the sum")


def a_chip_does_what_it_is_asked_for_within_its_means(entry: Entry) -> None:
    """The weights that a chip stores, reads and changes have a cosine above `LEAST_LIKENESS` with the requested
    ones."""
    device: Device = entry.make()
    chip, target = program(device, 0), draw(1, 0.1)
    after = update(device, chip, target)
    pairs = {
        "programming": (draw(99), chip[1]),
        "reading": (chip[1], read(device, chip)),
        "updating": (target, {key: after[1][key] - chip[1][key] for key in target}),
    }
    for name, (wanted, brought) in pairs.items():
        for key in wanted:
            likeness = torch.nn.functional.cosine_similarity(wanted[key].flatten(), brought[key].flatten(), dim=0)
            observed = f"the cosine at {key} is {float(likeness):.2f}"
            right = float(likeness) > LEAST_LIKENESS
            demand(right, f"{name} does what is asked for, within the chip's means", observed, "Check its sign")


def a_range_never_widens(entry: Entry) -> None:
    """Weights at the ends of a chip's range do not grow if the same change is requested again."""
    device: Device = entry.make()
    chip = program(device, 0)
    for sign in (1.0, -1.0):
        push = {key: torch.full(shape, sign * LARGE) for key, shape in SHAPES.items()}
        pushed = update(device, update(device, chip, push), push)
        if max(float(w.abs().max()) for w in pushed[1].values()) >= LARGE:
            raise NotApplicable("its weights have no bounds")
        pushed, ends, room = _at_the_ends(device, pushed, push, sign)
        for _ in range(3):
            pushed = update(device, pushed, push)
        later = _farthest(pushed, sign)
        observed = f"the largest weight grew from {max(ends.values()):.3g} to {max(later.values()):.3g}"
        right = all(later[key] <= ends[key] + room * abs(ends[key]) for key in ends)
        right = right and all(w.isfinite().all() for w in pushed[1].values())
        demand(
            right, "a range never widens while a net learns", observed, "Choose the range when weights are programmed"
        )


def _at_the_ends(
    device: Device, chip: Chip, push: dict[str, Tensor], sign: float
) -> tuple[Chip, dict[str, float], float]:
    """Push weights until nothing changes, or until none has gone farther for a few pushes, as under noise.

    Returns:
        The chip; how far its weights have gone, by parameter; and the share by which noise may still move them farther.
    """
    ends, without = _farthest(chip, sign), 0
    for _ in range(MANY_PUSHES):
        before, chip = chip, update(device, chip, push)
        if equal(before[1], chip[1]):
            break
        now = _farthest(chip, sign)
        without = 0 if any(now[key] > ends[key] for key in ends) else without + 1
        ends = {key: max(ends[key], now[key]) for key in ends}
        if without == FEW_PUSHES:
            return chip, ends, NOISE
    return chip, ends, 0.0


def _farthest(chip: Chip, sign: float) -> dict[str, float]:
    """The distances that the weights of each parameter have gone in the direction of a sign."""
    return {key: float((sign * w).max()) for key, w in chip[1].items()}


def devices_of_a_chain_act_in_order_and_are_drawn_apart(entry: Entry) -> None:
    """`name+name` is the device twice, in order and with separate draws, or is refused because a hook can occur only
    once."""
    one, changes = entry.make(), draw(1, 0.01)
    if not chains(entry):
        raise NotApplicable("it brings what there can be one of, and is refused beside itself")
    both = chain(f"{entry.text}+{entry.text}")
    state, stored = update(both, program(both, 0), changes)
    first, second = halves(both.init(SHAPES, 0))
    demands, advice = "a chain is its devices in order", "Let hooks read their own state and arguments alone"
    right = first.keys() == second.keys() and (not first or not equal(first, second))
    demand(right, "devices of a chain are drawn apart", "both have the same draws", "Draw from the seed alone")
    programmed = {}
    for key, w in draw(99).items():
        w, first = one.on_parameters(first, key, w)
        programmed[key], second = one.on_parameters(second, key, w)
    for key, w in programmed.items():
        middle, first = one.on_update(first, key, w, changes[key])
        by_hand, second = one.on_update(second, key, w, middle - w)
        demand(torch.equal(stored[key], by_hand), demands, f"an update of {key} differs", advice)
        reading = one.on_read(second, key, one.on_read(first, key, by_hand))
        demand(torch.equal(both.on_read(state, key, by_hand), reading), demands, f"a reading of {key} differs", advice)


def learning_under_it_resumes_to_the_same_bits(entry: Entry) -> None:
    """A learner that is saved and loaded ends with the same bits as an uninterrupted one, alone and in a chain."""
    for hardware in (entry.text, *([f"{entry.text}+{entry.text}"] if chains(entry) else [])):
        through, stopped, resumed = (_learner(hardware) for _ in range(3))
        batches = [_batch(seed) for seed in range(6)]
        for drive, labels in batches[:3]:
            through.step(drive, labels)
            stopped.step(drive, labels)
        resumed.load(stopped.state())
        for drive, labels in batches[3:]:
            through.step(drive, labels)
            resumed.step(drive, labels)
        right = equal(through.state(), resumed.state())
        right = right and torch.equal(through.scores(batches[0][0]), resumed.scores(batches[0][0]))
        demand(right, "a run that was stopped ends with the same bits", "they differ", "Keep all of the chip in state")


def chains(entry: Entry) -> bool:
    """Whether a device can occur twice in a chain. If it has a hook that can occur only once, a chain has to refuse
    it.
    """
    single = [hook for hook in ALONE if isinstance(entry.make(), HOOKS[hook])]
    if not single:
        return True
    try:
        chain(f"{entry.text}+{entry.text}")
    except UserError:
        return False
    demand(False, f"two devices with {single[0]} cannot be joined", "they were", "Tell the maintainers")
    return False


def _learner(hardware: str) -> Learner:
    return Learner("16-16", "sigprop", input_shape=(1, 4, 4), classes=4, device="cpu", hardware=hardware)


def _batch(seed: int) -> tuple[Tensor, Tensor]:
    generator = seeded(50 + seed)
    return torch.randn(6, 8, 1, 4, 4, generator=generator), torch.randint(4, (8,), generator=generator)


SUITE = Suite(
    DEVICES,
    Device,
    (
        it_is_a_device_and_says_what_it_is,
        its_state_is_a_flat_dictionary_of_tensors,
        one_seed_is_one_chip,
        another_seed_is_another_chip,
        hooks_leave_what_they_are_handed_as_it_was,
        all_that_a_chip_is_stands_in_its_state,
        reading_changes_nothing_and_is_finite,
        no_change_asked_for_is_no_change_made,
        a_chip_does_what_it_is_asked_for_within_its_means,
        a_range_never_widens,
        devices_of_a_chain_act_in_order_and_are_drawn_apart,
        learning_under_it_resumes_to_the_same_bits,
        *HOOK_CHECKS,
    ),
)
