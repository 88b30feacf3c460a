"""A circuit as ordinary Brian2 objects, in the session of the caller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neurorules.brian2_continuous.checks import check_config, check_times
from neurorules.brian2_continuous.parts.currents import currents_of
from neurorules.brian2_continuous.parts.foresight import check_net
from neurorules.brian2_continuous.parts.layers import INPUT_PHASE
from neurorules.brian2_continuous.parts.objects import RECORDED, objects_of
from neurorules.brian2_continuous.parts.stream import parameters_of, values_of
from neurorules.brian2_continuous.trainer import check_classes, circuit_of, net_of
from neurorules.brian2_continuous.training_run import presented
from neurorules.brian2_objects.build import build
from neurorules.brian2_steps.backend import load_brian2
from neurorules.language.config import SettledConfig
from neurorules.torch_path.training.batches import TrainingData


@dataclass(frozen=True)
class Brian2Circuit:
    """The Brian2 objects of a circuit that learns, which can be watched, driven and extended like any others.

    Args:
        network: the `brian2.Network` of all groups, synapses and monitors; `network.add` takes further objects.
        groups: objects of type `NeuronGroup` by name: "input", "hidden1", ..., "readout", and those of the rule.
        synapses: `Synapses` by name: "hidden1_ff", ..., "readout_ff", and those of the rule.
        monitors: objects of type `StateMonitor` by name; "readout_record" has the scores of presentations as `seen`.
        clock: the clock of the integration, which further objects may share.
        duration: the duration of all presentations, with units; `network.run(circuit.duration)` runs all of them.
        samples: number of the sample that each presentation shows, counted in the order in which they are learned, and
            -1 if none is shown, (K,).
        labels: class of the sample, or the class that is shown, (K,).
        phases: 1 if a sample is shown, and 2 if the rule shows something in addition, (K,).
        circuit: the equations that the objects were built from.
    """

    network: Any
    groups: dict[str, Any]
    synapses: dict[str, Any]
    monitors: dict[str, Any]
    clock: Any
    duration: Any
    samples: np.ndarray = field(repr=False)
    labels: np.ndarray = field(repr=False)
    phases: np.ndarray = field(repr=False)
    circuit: Any = field(repr=False)

    def weights(self) -> dict[str, np.ndarray]:
        """Read the learned weights and biases.

        Returns:
            Copies of weights and biases by the names of a run's, such as "hidden1.ff.w" (O, I) and "hidden1.b" (O,).
        """
        return parameters_of(self.circuit, self._values())

    def _values(self) -> dict[str, np.ndarray]:
        parts = self.groups | self.synapses
        names = [(part.name, variable) for part, variable in self.circuit.state()]
        return {f"{part}.{name}": np.array(getattr(parts[part], name)) for part, name in names}

    def set_weights(self, weights: Mapping[str, np.ndarray]) -> None:
        """Replace weights and biases of the circuit in the user's session.

        Args:
            weights: all of them, with the names and shapes of `weights()`.

        Raises:
            UserError: one is missing, has another shape, or is not finite.
        """
        parts = self.groups | self.synapses
        for name, values in values_of(self.circuit, self._values(), weights).items():
            part, variable = name.split(".")
            setattr(parts[part], variable, values)

    def scores(self) -> tuple[np.ndarray, np.ndarray]:
        """Read the scores of the samples that have been presented so far.

        Returns:
            Scores (n, C), and the classes of these samples, (n,).
        """
        record = self.monitors[f"{self.circuit.scored}_{RECORDED}"]
        values = np.array(record.seen)[:, 1:].T
        of_sample = np.flatnonzero((self.samples >= 0) & (self.phases == INPUT_PHASE))
        of_sample = of_sample[of_sample < len(values)]
        return values[of_sample], self.labels[of_sample]


def ordinary(config: SettledConfig, data: TrainingData) -> Brian2Circuit:
    """Build the circuit of a training as ordinary Brian2 objects, on the device that is active.

    Args:
        config: configuration of the training, of which the first epoch is presented.
        data: its samples.

    Returns:
        The objects, with initial weights and all presentations.

    Raises:
        UserError: the rule or a setting has no meaning in continuous time.
        MissingExtra: brian2 is not installed.
    """
    brian2 = load_brian2()
    check_classes(data)
    shown = presented(config, check_config(config), data, 0)
    net = net_of(config, data, len(shown.eta))
    check_net(net)
    check_times(net.neuron)
    circuit = circuit_of(config, net)
    currents = currents_of(data.train)(shown.chosen)
    order = shown.order
    tables = {
        "x": np.where(order.samples[:, None] >= 0, currents[order.samples], 0.0),
        "label": order.labels.astype(np.float64),
        "phase": order.phases.astype(np.float64),
        "eta": shown.eta,
    }
    built = build(brian2, objects_of(circuit, {**circuit.starts(), **circuit.settings}, tables))
    return Brian2Circuit(
        built.network,
        {units.name: built.parts[units.name] for units in circuit.units},
        {wires.name: built.parts[wires.name] for wires in circuit.wires},
        built.monitors,
        built.parts["input"].clock,
        (circuit.presentations * circuit.period_ms + circuit.dt_ms) * brian2.ms,
        order.samples,
        order.labels,
        order.phases,
        circuit,
    )
