"""What stands between a trial's passes and its learning step: an audit holds or changes it, to see what depends."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Mapping

from torch import Tensor

from neurorules.contracts.normalisation import UpdateStatistics
from neurorules.contracts.phase_drive import PhaseDrive
from neurorules.network.network import Parameters
from neurorules.network.texts import Text
from neurorules.torch_path.forward.run_layer import Activity
from neurorules.torch_path.update.local_view import LocalView

Again = Callable[[int, list[Activity], Tensor | None], Activity]
"""Runs one layer of a phase again: (index, activity of the layers before it, a current (B, *shape) beside its own)."""


class Probe(ABC):  # noqa: B024 - each probe changes one thing and leaves the others
    """Looks on at each place where the learning step takes something in. This one changes nothing."""

    def forward(self, parameters: Parameters) -> Parameters:
        """What the passes compute with, where learning reads `parameters`."""
        return parameters

    def drive(self, phase: str, drive: PhaseDrive) -> PhaseDrive:
        """What drives a phase of the signal's own."""
        return drive

    def recorded(self, phase: str, done: list[Activity], again: Again) -> list[Activity]:
        """What learning is told that the layers did in a phase, which they have run through already."""
        return done

    def answered(self, response: Tensor) -> Tensor:
        """What the network, or a layer, answered to noise."""
        return response

    def handed(self, index: int, post: Tensor | None) -> Tensor | None:
        """What a layer's learning hands to those below: its post factor with respect to its current."""
        return post

    def learns(self, view: LocalView, texts: tuple[Text, ...], statistics: Mapping[str, UpdateStatistics]) -> None:  # noqa: B027
        """One layer's texts are about to be evaluated on `view`."""
