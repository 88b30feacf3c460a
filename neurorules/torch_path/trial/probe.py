"""The probe between a trial's passes and its learning step: an audit holds or changes what it sees, to find what
depends.
"""

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
    """Looks on at each place where learning takes something in. This one changes nothing; an audit overrides it."""

    def forward(self, parameters: Parameters) -> Parameters:
        """The parameters that the passes compute with, where learning reads `parameters`."""
        return parameters

    def drive(self, phase: str, drive: PhaseDrive) -> PhaseDrive:
        """Look at what drives a phase of the signal's own.

        Args:
            phase: its name.
            drive: what the signal made.

        Returns:
            What drives the phase.
        """
        return drive

    def recorded(self, phase: str, done: list[Activity], again: Again) -> list[Activity]:
        """Look at what the layers did in a phase, once all of them have run.

        Args:
            phase: its name.
            done: activity of every layer, in order.
            again: runs one layer of the phase again.

        Returns:
            The activities that learning reads.
        """
        return done

    def answered(self, response: Tensor) -> Tensor:
        """Look at the response of the network, or of a layer, to noise, and return what the signal gets for it."""
        return response

    def handed(self, index: int, post: Tensor | None) -> Tensor | None:
        """Look at what a layer's learning hands to the layers below.

        Args:
            index: of the layer.
            post: its post factor with respect to its current, (T, B, *shape) or constant (B, *shape); None for none.

        Returns:
            What the layers below get.
        """
        return post

    def learns(self, view: LocalView, texts: tuple[Text, ...], statistics: Mapping[str, UpdateStatistics]) -> None:  # noqa: B027
        """Look at a layer whose texts are about to be evaluated.

        Args:
            view: what the texts see.
            texts: of the rule.
            statistics: running statistics of the layer's updates, by name.
        """
