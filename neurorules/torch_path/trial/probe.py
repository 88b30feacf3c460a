"""The probe between a trial's passes and its learning step, by which an audit replaces values to find what depends on
them.
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
"""A function that runs one layer of a phase again, from its index, the activity of the layers before it, and an
additional current (B, *shape)."""


class Probe(ABC):  # noqa: B024 - each probe changes one thing and leaves the others
    """Observes each place at which learning reads something. This class changes nothing; audits override it."""

    def forward(self, parameters: Parameters) -> Parameters:
        """The parameters that the passes compute with, while learning reads `parameters`."""
        return parameters

    def drive(self, phase: str, drive: PhaseDrive) -> PhaseDrive:
        """Observe the drive of a phase of the signal, and return the drive to use.

        Args:
            phase: the name of the phase.
            drive: the drive that the signal returned.

        Returns:
            The drive to use.
        """
        return drive

    def recorded(self, phase: str, done: list[Activity], again: Again) -> list[Activity]:
        """Observe the activity of the layers in a phase, after all of them have run.

        Args:
            phase: the name of the phase.
            done: activity of every layer, in order.
            again: runs one layer of the phase again.

        Returns:
            The activities that learning reads.
        """
        return done

    def answered(self, response: Tensor) -> Tensor:
        """Observe the response of the network, or of a layer, to noise, and return the response that the signal
        gets.
        """
        return response

    def handed(self, index: int, post: Tensor | None) -> Tensor | None:
        """Observe the factor that a layer passes to the layers below, and return the factor that they get.

        Args:
            index: the index of the layer.
            post: its post factor with respect to its current, (T, B, *shape) or constant (B, *shape); None for none.

        Returns:
            The factor that the layers below get.
        """
        return post

    def learns(self, view: LocalView, texts: tuple[Text, ...], statistics: Mapping[str, UpdateStatistics]) -> None:  # noqa: B027
        """Observe a layer before its texts are evaluated.

        Args:
            view: the local view on which the texts are evaluated.
            texts: the texts of the rule.
            statistics: running statistics of the layer's updates, by name.
        """
