"""The checks of optional device hooks: observation, traces, time, neurons, number format and the ideal case."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from neurorules.conformance.chips import LEAST_LIKENESS, SHAPES, draw, program, read, update
from neurorules.conformance.comparison import copied, demand_session_left_alone, equal, seeded
from neurorules.conformance.suite import Entry, NotApplicable, demand
from neurorules.conformance.training import digits_accuracies
from neurorules.contracts.device import Device
from neurorules.contracts.device_hooks import (
    Idealised,
    InTime,
    Observing,
    OwnFormat,
    OwnNeurons,
    Place,
    Tracing,
)
from neurorules.contracts.neuron import Neuron
from neurorules.language.errors import UserError
from neurorules.language.neuron_trace import Trace
from neurorules.language.options import parse_named
from neurorules.neurons import NEURONS

STEPS, ROWS, SIZE = 6, 5, 12
"""T, B and the number of neurons of observed membranes."""
PLACE = Place("input", "hidden1", 0)
TRACE = Trace("low", 0.8)
ALIKE = ("lif:reset=zero", "cuba_lif:reset=subtract:alpha=0.5:beta=0.875")
LEAKIER = ("lif:reset=zero:beta=0.5", "cuba_lif:reset=subtract:alpha=0.75:beta=0.75")
"""Kinds of neurons, of two layers, of which a chip has to run one in the network's unit."""
IDEAL_ERROR = 1e-3
"""The largest error of an ideal device, in units of the largest value."""
GAIN = 0.05
"""The least difference in accuracy, in 0..1, by which a net that learns under a device has to exceed frozen hidden
layers."""
TRAINING: dict[str, Any] = {"net": "64-64", "epochs": 5}
"""A net and a training with which the device models of this project learn."""


def needed(entry: Entry, protocol: type, what: str) -> Any:
    """A device, after the check that it has an optional part.

    Args:
        entry: the device.
        protocol: the protocol of the part.
        what: the part in words.

    Returns:
        The device.

    Raises:
        NotApplicable: it does not have the part.
    """
    device = entry.make()
    if not isinstance(device, protocol):
        raise NotApplicable(f"it {what}")
    return device


def membranes(seed: int) -> Tensor:
    """Membranes about the threshold, (T, B, N) in float32.

    Args:
        seed: the seed of the draws.
    """
    return torch.randn(STEPS, ROWS, SIZE, generator=seeded(seed))


def spikes(seed: int) -> Tensor:
    """Spikes, (T, B, N) in float32.

    Args:
        seed: the seed of the draws.
    """
    return (torch.rand(STEPS, ROWS, SIZE, generator=seeded(seed)) < 0.4).float()


def its_effects_vanish_in_its_ideal_form(entry: Entry) -> None:
    """With the options in `ideal`, weights and membranes are stored, changed and read without any error."""
    named = needed(entry, Idealised, "names no options with which its effects vanish")
    options = parse_named(entry.text)[1] | parse_named(f"{entry.name}:{named.ideal}")[1]
    device: Device = Entry(entry.registry, ":".join([entry.name, *(f"{k}={v}" for k, v in options.items())])).make()
    chip, target = program(device, 0), draw(1, 0.01)
    after = update(device, chip, target)
    demands, advice = f"with {named.ideal} a device changes nothing", "Let each effect vanish where its strength is 0"
    for key, w in draw(99).items():
        largest = float(w.abs().max())
        pairs = {
            "programmed": (chip[1][key], w), "read": (read(device, after)[key], after[1][key]),
            "changed": (after[1][key], w + target[key]),
        }  # fmt: skip
        for name, (there, wanted) in pairs.items():
            error = float((there - wanted).abs().max()) / largest
            demand(error <= IDEAL_ERROR, demands, f"{key} is {name} with an error of {error:.2g}", advice)
    if isinstance(device, Observing):
        v = membranes(0)
        error = float((device.on_observe(chip[0], PLACE, v) - v).abs().max()) / float(v.abs().max())
        demand(error <= IDEAL_ERROR, demands, f"membranes are observed with an error of {error:.2g}", advice)


def what_it_shows_of_membranes_hangs_on_state_and_place_alone(entry: Entry) -> None:
    """Equal states and places give equal observed bits in every window, and the true membranes are not changed."""
    device = needed(entry, Observing, "shows membranes as they are")
    state, v = program(device, 0)[0], membranes(1)
    before = copied([state, v])
    whole = device.on_observe(state, PLACE, v)
    demands, advice = "what is observed hangs on state and place alone", "Draw from the state and each step's place"
    right = whole.shape == v.shape and whole.dtype == v.dtype and bool(whole.isfinite().all())
    demand(right, "what is observed has the membranes' shape and type", "it has not", "Return one number for each")
    demand(equal(before, copied([state, v])), "observing leaves state and membranes", "one changed", "Make new tensors")
    demand(torch.equal(whole, device.on_observe(state, PLACE, v)), demands, "two observations differ", advice)
    parts = [device.on_observe(state, PLACE._replace(first=at), v[at : at + 3]) for at in (0, 3)]
    demand(torch.equal(whole, torch.cat(parts)), demands, "a shorter window shows other numbers", advice)
    likeness = torch.nn.functional.cosine_similarity(whole.flatten(), v.flatten(), dim=0)
    demand(float(likeness) > LEAST_LIKENESS, "what is observed is like what there is", "it is not", "Check its sign")
    demand_session_left_alone(lambda: device.on_observe(state, PLACE, v), "a device that observes")


def its_traces_go_on_from_window_to_window(entry: Entry) -> None:
    """Traces have the same bits in all windows, follow their spikes, stay bounded, and are new tensors."""
    device = needed(entry, Tracing, "has no trace step of its own")
    state, brought = program(device, 0)[0], spikes(2)
    before = copied([state, brought])

    def traced(first: int, now: Tensor, start: Tensor) -> Tensor:
        return device.on_trace(state, PLACE._replace(first=first), TRACE, "post.low", now, start)

    whole = traced(0, brought, torch.zeros(ROWS, SIZE))
    right = whole.shape == brought.shape and whole.dtype == brought.dtype and bool(whole.isfinite().all())
    demand(right, "a trace has the shape and type of what is brought", "it has not", "Return it after each step")
    demand(
        equal(before, copied([state, brought])), "a trace leaves what it is made of", "it changed", "Make new tensors"
    )
    first = traced(0, brought[:3], torch.zeros(ROWS, SIZE))
    second = traced(3, brought[3:], first[-1])
    demands, advice = (
        "a trace goes on from window to window with the same bits",
        "Draw from the state and each step's place",
    )
    demand(torch.equal(torch.cat([first, second]), whole), demands, "a shorter window gives other numbers", advice)
    plain, by_hand = torch.zeros(ROWS, SIZE), []
    for now in brought:
        plain = TRACE.decay * plain + now
        by_hand.append(plain)
    likeness = torch.nn.functional.cosine_similarity(whole.flatten(), torch.stack(by_hand).flatten(), dim=0)
    demand(float(likeness) > 0.9, "a trace is a low-pass of what is brought", f"the cosine is {likeness:.2f}", advice)


def time_passes_in_its_state_alone(entry: Entry) -> None:
    """Time gives a new state of tensors, the same for equal states, and does not change the old one."""
    device = needed(entry, InTime, "does not change by itself")
    state = program(device, 0)[0]
    before = copied([state])
    later = device.on_time(state, 100)
    demand(equal(before, copied([state])), "time leaves the state that it is handed", "it changed", "Return a new one")
    demand(equal(later, device.on_time(state, 100)), "equal states age alike", "two differ", "Draw from the state")
    flat = all(isinstance(key, str) and isinstance(value, Tensor) for key, value in later.items())
    right = flat and later.keys() == state.keys()
    demand(right, "the state stays a flat dictionary of the same tensors", "it does not", "Keep its names")
    right = not equal(later, state)
    demand(right, "a device that has on_time changes with time", "it does not", "Leave the hook out, or use it")


def its_neurons_keep_the_contract_of_neurons(entry: Entry) -> None:
    """The chip's neurons are pure, stay silent without a current, and have the network's unit beside one of its kinds.

    A chip may lack a neuron without a synaptic current, or one that resets to zero, and run the nearest that it has.
    """
    device = needed(entry, OwnNeurons, "has no neurons of its own")
    state = program(device, 0)[0]
    for name, texts in (("hidden1", ALIKE), ("hidden2", LEAKIER)):
        current, observed, right = 0.5 * membranes(4).abs(), [], False
        before = copied([current])
        for text in texts:
            plain: Neuron[Any] = NEURONS.make(text)
            try:
                neuron = device.on_neuron(state, name, plain)
            except UserError as refusal:
                observed.append(f"'{text}' is refused: {refusal}")
                continue
            is_one = isinstance(neuron, Neuron)
            demand(is_one, "a chip's neuron is a Neuron", f"{name} has {type(neuron).__name__}", "Make one")
            quiet, _ = _run(neuron, torch.zeros(STEPS, ROWS, SIZE))
            demand(not bool(quiet.any()), "without a current no spike comes", "some came", "Check bias and threshold")
            (fired, v), (again, w) = (_run(neuron, current) for _ in range(2))
            pure = torch.equal(fired, again) and torch.equal(v, w) and equal(before, copied([current]))
            demand(pure, "a step is pure", "two runs differ, or the current changed", "Keep nothing in the object")
            _, wanted = _run(plain, current)
            likeness = torch.nn.functional.cosine_similarity(v.flatten(), wanted.flatten(), dim=0)
            size = float(v.norm() / wanted.norm())
            right = right or (float(likeness) > 0.9 and 0.8 < size < 1.25)
            observed.append(f"beside '{text}' they have a cosine of {likeness:.2f} and {size:.2f} times its size")
        demands = "membranes of a chip's neuron have the network's unit"
        demand(right, demands, "; ".join(observed), "Give them in thresholds")


def _run(neuron: Neuron[Any], current: Tensor) -> tuple[Tensor, Tensor]:
    """Spikes and membranes, (T, B, N)."""
    state = neuron.initial(current[0])
    fired, v_over_time = [], []
    for now in current:
        out, observed, state = neuron.step(state, now)
        fired.append(out)
        v_over_time.append(observed.v)
    return torch.stack(fired), torch.stack(v_over_time)


def its_codes_are_what_it_stores(entry: Entry) -> None:
    """Codes are whole numbers within the format's ends, and times the step they are the stored weights."""
    device = needed(entry, OwnFormat, "has no format of its own")
    state, stored = update(device, program(device, 0), draw(1, 0.01))
    for name, w in stored.items():
        codes, step, lowest, highest = device.codes(state, name, w)
        demands, advice = "codes times the step are the stored weights", "Take both from one place"
        right = codes.dtype == torch.int64 and codes.shape == w.shape == SHAPES[name]
        demand(right, "codes are int64 of the weights' shape", f"those of {name} are not", "Round and convert them")
        right = bool(((codes >= lowest) & (codes <= highest)).all())
        demand(right, "codes lie within the format's ends", f"those of {name} do not", "Saturate what is stored")
        error = float((codes.double() * step - w.double()).abs().max())
        demand(error <= 1e-5 * step, demands, f"{name} differs by {error / step:.2g} steps", advice)


def hidden_layers_learn_digits_under_it(entry: Entry) -> None:
    """A net that learns digits on the device is better than one with frozen hidden layers."""
    (accuracy,) = digits_accuracies("sigprop", 1, hardware=entry.text, **TRAINING)
    (control,) = digits_accuracies("sigprop", 1, control=True, hardware=entry.text, **TRAINING)
    observed = f"it reaches {accuracy:.3f}, and {control:.3f} with frozen hidden layers"
    advice = "Look at the size of changes beside the smallest that is stored"
    demand(accuracy > control + GAIN, "hidden layers learn under a device", observed, advice)


HOOK_CHECKS: tuple[Callable[[Entry], None], ...] = (
    its_effects_vanish_in_its_ideal_form,
    what_it_shows_of_membranes_hangs_on_state_and_place_alone,
    its_traces_go_on_from_window_to_window,
    time_passes_in_its_state_alone,
    its_neurons_keep_the_contract_of_neurons,
    its_codes_are_what_it_stores,
    hidden_layers_learn_digits_under_it,
)
"""The checks of this file, in the order in which they run."""
