"""The probes of the audit: each leaves the passes unchanged, and changes one thing that learning reads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from neurorules.contracts.neuron import Gates
from neurorules.contracts.normalisation import UpdateStatistics
from neurorules.contracts.parameter_key import key_of
from neurorules.contracts.phase_drive import PhaseDrive
from neurorules.contracts.series import Series
from neurorules.network.layer import Layer
from neurorules.network.network import Parameters
from neurorules.network.texts import Text
from neurorules.torch_path.forward.run_layer import Activity, Carry
from neurorules.torch_path.trial.probe import Again, Probe
from neurorules.torch_path.update.local_view import ChangeSums, LocalView
from neurorules.torch_path.update.plasticity import learn_layer


@dataclass
class Quiet(Probe):
    """A probe that changes nothing, and records the drive of each phase.

    Args:
        earlier_drives: drives of an earlier trial by phase, which replace those of this trial.
    """

    earlier_drives: Mapping[str, PhaseDrive] = field(default_factory=dict)
    drives: dict[str, PhaseDrive] = field(default_factory=dict, init=False)

    def drive(self, phase: str, drive: PhaseDrive) -> PhaseDrive:
        self.drives[phase] = drive
        return self.earlier_drives.get(phase, drive)

    def moved(self, changes: Mapping[str, Tensor]) -> None:
        """Record that a phase has applied these changes to the parameters."""


@dataclass
class HeldWeights(Quiet):
    """A probe that makes the passes use `clean` parameters, so that only learning itself reads the changed ones."""

    clean: Parameters = field(default_factory=dict)

    def forward(self, parameters: Parameters) -> Parameters:
        return {**parameters, **self.clean}

    def moved(self, changes: Mapping[str, Tensor]) -> None:
        self.clean = {name: value + changes[name] if name in changes else value for name, value in self.clean.items()}


@dataclass
class OtherActivity(Quiet):
    """A probe that shows learning another activity of one layer, while the layers above received the true activity.

    Args:
        layers: all layers of the network.
        index: position of the layer, 0 for the first.
        seed: the seed of the current that causes the other activity, N(0, 1) per sample and neuron.
        phases: names of the phases with other activity; None for all phases with spikes.
        one_neuron: whether only the first neuron of the layer has another activity.
    """

    layers: tuple[Layer, ...] = ()
    index: int = 0
    seed: int = 0
    phases: Collection[str] | None = None
    one_neuron: bool = False

    def recorded(self, phase: str, done: list[Activity], again: Again) -> list[Activity]:
        if self.phases is not None and phase not in self.phases:
            return done
        like = done[self.index].v.values[0]
        noise = torch.randn(like.shape, generator=torch.Generator().manual_seed(self.seed), dtype=like.dtype)
        if self.one_neuron:
            noise.flatten(1)[:, 1:] = 0
        changed = [*done]
        changed[self.index] = again(self.index, done, noise)
        for later in range(self.index + 1, len(done)):
            names = [a.name for a in self.layers[later].inputs if a.source == self.index]
            if names:
                other = again(later, changed, None)
                changed[later] = replace(
                    done[later],
                    sources={**done[later].sources, **{name: other.sources[name] for name in names}},
                    pre={**done[later].pre, **{name: other.pre[name] for name in names}},
                )
        return changed


@dataclass
class OtherSignal(Quiet):
    """A probe that multiplies by 3/2 what the learning of layer `index` sends to the layers below."""

    index: int = 0

    def handed(self, index: int, post: Tensor | None) -> Tensor | None:
        return post if post is None or index != self.index else post * 1.5


@dataclass
class Parts(Quiet):
    """A probe that records, by phase, the part of every change that comes from the first steps of a trial.

    A part is the value of the texts summed over these steps, with the third factor of the whole trial.

    Args:
        until: number of these steps.
    """

    until: int = 1
    sums_of: dict[str, ChangeSums] = field(default_factory=lambda: defaultdict(ChangeSums), init=False)

    def learns(self, view: LocalView, texts: tuple[Text, ...], statistics: Mapping[str, UpdateStatistics]) -> None:
        m = None if view.m is None else view.m.window(0, self.until)
        first = replace(view, activity=_first(view.activity, self.until), m=m, carry=Carry(), traced={})
        learn_layer(first, texts, statistics, self.sums_of[view.phase])

    def of(self, layer: str, phase: str | None = None) -> dict[str, Tensor]:
        """The parts of one layer's changes.

        Args:
            layer: name of the layer.
            phase: name of a phase; None for all of them.

        Returns:
            The changes, of the parameters' shapes, by "phase.parameter".
        """
        return {
            f"{name}.{parameter}": value
            for name, sums in self.sums_of.items()
            if phase is None or name == phase
            for parameter, value in sums.changes.items()
            if key_of(parameter).layer == layer
        }


def _first(activity: Activity, steps: int) -> Activity:
    """The activity of a layer in the first steps of a trial."""
    if steps >= activity.steps:
        return activity

    def cut(series: Series) -> Series:
        return series.window(0, steps)

    current, gates, whole = activity.current, activity.gates, activity.inflow
    return replace(
        activity,
        steps=steps,
        sources={name: cut(series) for name, series in activity.sources.items()},
        pre={name: cut(series) for name, series in activity.pre.items()},
        current=None if current is None else replace(current, synaptic=cut(current.synaptic)),
        v=cut(activity.v),
        S=cut(activity.S),
        gates=None if gates is None else first_gates(gates, steps),
        inflow=None if whole is None else lambda: cut(whole()),
    )


def first_gates(gates: Gates, steps: int) -> Gates:
    """Restrict the gates of neurons to the first steps.

    Args:
        gates: gates of all steps, (T, B, *shape) each.
        steps: number of steps to keep.

    Returns:
        Views of the gates at these steps.
    """
    fires, slope = (None if gate is None else gate[:steps] for gate in gates[2:])
    return Gates(gates.keep[:steps], gates.admit[:steps], fires, slope)
