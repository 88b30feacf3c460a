"""A trained network as an ordinary Brian2 network: its objects, and its activity after a run."""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from neurorules.brian2_objects.build import build
from neurorules.brian2_objects.script import Script
from neurorules.brian2_objects.script_texts import symbol_of
from neurorules.brian2_steps.backend import device_of, load_brian2, run_network, session
from neurorules.brian2_steps.case import Case
from neurorules.brian2_steps.ordinary_numbers import OrdinaryLayer, ordinary_layers
from neurorules.brian2_steps.ordinary_objects import NOTES, RECORD, SPIKES, Shown, ordinary_objects
from neurorules.brian2_steps.simulate import Recorded
from neurorules.language.errors import UserError
from neurorules.network.layer import INPUT
from neurorules.runs.kept_interrupt import no_interrupt_lost

A_FILE = 1 << 16
"""Bytes that a small file of a program takes at most: with less room, a failure is one of the disk."""
KEEPS = (
    "An ordinary network keeps every spike, one step later for each layer that a spike passes. It does not keep the "
    "last digits of a membrane, as weights are divided by beta, nor learning and the running averages that it moves."
)
"""The properties of a trained network that an ordinary network keeps, and those that it cannot keep."""


@dataclass(frozen=True)
class Brian2Network:
    """A trained network as Brian2 objects, which can be watched, driven and extended like any others.

    Args:
        network: the `brian2.Network` of all groups, synapses and monitors; `network.add` takes further objects.
        groups: objects of type `NeuronGroup` by name: "input", "hidden1", ..., "readout".
        synapses: `Synapses` by name: "hidden1_ff", ..., "readout_ff".
        monitors: a `SpikeMonitor` of each population that spikes, "hidden1_spikes", and a `StateMonitor` of each other
            one, "readout_record".
        clock: the clock of the integration, which further objects may share.
        duration: the duration of all samples, with units; `network.run(net.duration)` shows all of them.
        period: steps from the first one of a sample to the first one of the next.
        steps: time steps T of a sample.
        samples: number of samples B.
        lags: the step of the network in which each layer takes its first step, by name.
        layers: the numbers that the objects were built from.
    """

    network: Any
    groups: dict[str, Any]
    synapses: dict[str, Any]
    monitors: dict[str, Any]
    clock: Any
    duration: Any
    period: int
    steps: int
    samples: int
    lags: dict[str, int]
    layers: Any = field(repr=False)

    def spikes(self, layer: str) -> np.ndarray:
        """Read which neurons of a layer have spiked in the steps of each sample, counted as torch counts them.

        Args:
            layer: name of a layer that spikes.

        Returns:
            0 or 1, (T, B, N).
        """
        monitor = self.monitors[f"{layer}_{SPIKES}"]
        steps = np.round(np.asarray(monitor.t / self.clock.dt)).astype(int) - self.lags[layer]
        sample, step = np.divmod(steps, self.period)
        of_sample = (sample >= 0) & (sample < self.samples) & (step < self.steps)
        trains = np.zeros((self.steps, self.samples, len(self.groups[layer])))
        trains[step[of_sample], sample[of_sample], np.asarray(monitor.i)[of_sample]] = 1
        return trains

    def membranes(self, layer: str) -> np.ndarray:
        """Read the membranes of a layer that does not spike, such as the read-out, in the form that torch has.

        Args:
            layer: the name of the layer; the network must have run for its whole duration.

        Returns:
            In thresholds, (T, B, N). Their mean over the steps is the score of each class.
        """
        recorded = np.asarray(self.monitors[f"{layer}_{RECORD}"].v)[:, self.lags[layer] :]
        rows = recorded[:, : self.samples * self.period].reshape(len(recorded), self.samples, self.period)
        values = rows.transpose(2, 1, 0)[: self.steps]
        counts = next(one.counts for one in self.layers if one.name == layer)
        return np.diff(values, axis=0, prepend=0.0) if counts else values


def ordinary_network(case: Case, steps: int) -> Brian2Network:
    """Build a network that does not learn as ordinary Brian2 objects, on the device that is active.

    Args:
        case: the network with its parameters and its input.
        steps: number of time steps T of a sample, >= 1.

    Returns:
        The objects, which show one sample after another.

    Raises:
        UserError: a layer has no such map.
        MissingExtra: brian2 is not installed.
    """
    brian2 = load_brian2()
    layers, shown = _read(case, steps)
    built = build(brian2, ordinary_objects(layers, shown, case.step_ms, case.scale))
    names = [INPUT, *(layer.name for layer in layers)]
    return Brian2Network(
        built.network,
        {name: built.parts[name] for name in names},
        {name: part for name, part in built.parts.items() if name not in names},
        built.monitors,
        built.parts[INPUT].clock,
        shown.total(layers) * case.step_ms * brian2.ms,
        shown.period,
        steps,
        shown.samples,
        {layer.name: layer.lag for layer in layers},
        layers,
    )


def simulate_ordinary(case: Case, steps: int, device: str = "runtime") -> dict[str, Recorded]:
    """Run a network as an ordinary Brian2 network in a session of its own.

    Args:
        case: the network with its parameters and its input.
        steps: number of time steps T of a sample, >= 1.
        device: name of Brian2's device (see `backend.DEVICES`); "runtime" runs numpy code in this process.

    Returns:
        By layer, its spikes, (T, B, N); of a layer that does not spike, its membranes.

    Raises:
        UserError: a layer has no such map, or the device is not known or not installed.
        MissingExtra: brian2 is not installed.
    """
    brian2 = load_brian2()
    preferences = {"codegen.target": "numpy", "core.stop_on_keyboard_interrupt": False}
    chosen = device_of(device)

    def run() -> dict[str, np.ndarray]:
        with TemporaryDirectory() as folder, session(brian2, chosen, preferences) as keeper:
            net = ordinary_network(case, steps)
            if device == "runtime":
                run_network(net.network, net.duration)
            else:
                net.network.run(net.duration, namespace={})
                with keeper.raising():
                    _build(chosen, device, folder)
            return {
                layer.name: net.spikes(layer.name) if layer.reset else net.membranes(layer.name) for layer in net.layers
            }

    with no_interrupt_lost():  # Brian2's objects, whose callbacks would lose it, end after their session.
        return {name: Recorded(values, values) for name, values in run().items()}


def _build(chosen: Any, device: str, folder: str) -> None:
    """Compile and run what a device of Brian2 has written.

    Args:
        chosen: the device.
        device: its name, for the error.
        folder: a folder for the program and its results.

    Raises:
        OSError: the disk has no room for them. The compilers do not say so in a way that Brian2 passes on.
        UserError: the model could not be compiled or run.
    """
    try:
        chosen.build(directory=folder, compile=True, run=True, with_output=False)
    except (RuntimeError, OSError) as error:
        if shutil.disk_usage(folder).free < A_FILE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), folder) from None
        raise UserError(
            f"--brian2-device {device} could not compile or run the model ({' '.join(str(error).split())}). Repair its "
            f"compiler, or use --brian2-device runtime"
        ) from error


def script_of_ordinary(case: Case, steps: int, about: tuple[str, ...]) -> Script:
    """Write a network that does not learn as an ordinary Brian2 network that stands alone.

    Args:
        case: the network with its parameters and its input.
        steps: number of time steps T of a sample, >= 1.
        about: paragraphs on the network, for a reader.

    Returns:
        A script that saves the times (in steps) and the neurons of all spikes, and membranes of layers without.

    Raises:
        UserError: a layer has no such map.
    """
    layers, shown = _read(case, steps)
    model = ordinary_objects(layers, shown, case.step_ms, case.scale)
    results: dict[str, str] = {}
    for layer in layers:
        if layer.reset is None:
            results[f"{layer.name}.v"] = f"np.array({symbol_of(f'{layer.name}_{RECORD}')}.v)"
            continue
        monitor = symbol_of(f"{layer.name}_{SPIKES}")
        results[f"{layer.name}.step"] = f"np.round(np.array({monitor}.t/step.dt)).astype(int)"
        results[f"{layer.name}.neuron"] = f"np.array({monitor}.i)"
    first = ", ".join(f"{layer.name} in step {layer.lag}" for layer in layers)
    timing = (
        f"{shown.samples} samples of {steps} steps follow each other, one every {shown.period} steps. Membranes go "
        f"to rest between them. The first step of the first sample is taken by {first}."
    )
    return Script(
        about=(*about, KEEPS, timing),
        model=model,
        duration_ms=shown.total(layers) * case.step_ms,
        results=results,
        notes=NOTES,
        ending=(
            "for name, values in learned.items():",
            '    if name.endswith(".neuron"):',
            "        print(f\"{name.removesuffix('.neuron')}: {len(values)} spikes\")",
        ),
    )


def _read(case: Case, steps: int) -> tuple[tuple[OrdinaryLayer, ...], Shown]:
    """The populations of a case, and its samples."""
    if case.spikes is None:
        raise UserError("an ordinary network needs input spikes, and only an injected current was given. Give spikes")
    axes = len(case.network.input_shape)
    constant = case.spikes.ndim == axes + 1
    values = np.broadcast_to(case.spikes, (steps, *case.spikes.shape)) if constant else case.spikes[:steps]
    graded = constant or not bool(np.isin(values, (0, 1)).all())
    layers = ordinary_layers(case.network, case.parameters, case.normalisation, graded)
    early = {layer.tau_syn is not None for layer in layers if any(one.graded for one in layer.synapses)}
    if len(early) > 1:
        raise UserError(
            "graded input drives membranes of some layers and synaptic currents of others, and an ordinary Brian2 "
            "network shows it at one time. Use --as stepped"
        )
    return layers, Shown(np.asarray(values, dtype=np.float64), graded, early == {True})
