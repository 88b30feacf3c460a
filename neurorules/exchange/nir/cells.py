"""Neurons as nodes of NIR, with what NIR cannot say in their metadata, or refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from torch import Tensor

from neurorules.contracts.connection import Shape
from neurorules.exchange.nir.neurons import ALPHA, BETA, DELAY, RESET, SURROGATE
from neurorules.language.errors import UserError
from neurorules.language.options import write_named
from neurorules.network.layer import Layer
from neurorules.neurons._leaky import LeakyIntegrator
from neurorules.neurons._resting import RestingIntegrator
from neurorules.neurons._synaptic import SynapticIntegrator
from neurorules.neurons._words import word_of
from neurorules.neurons.leaky_readout import LeakyReadout
from neurorules.surrogates import SURROGATES

Unsayable = Literal["refuse", "metadata"]
"""The two ways to treat a reset that NIR's equations do not have: refuse it, or store it in the metadata."""
IN_METADATA = "--reset metadata (reset='metadata' in Python)"


@dataclass(frozen=True)
class Cells:
    """Writes the neurons of layers as nodes of NIR.

    Args:
        nir: the package.
        dt: seconds of a step.
        reset: whether resets that NIR does not have are refused or stored in the metadata.
        lines: whether maps of one row (C, 1, L) are lines (C, L) of NIR.
    """

    nir: Any
    dt: float
    reset: Unsayable
    lines: bool = False

    def shape_of(self, shape: Shape) -> Shape:
        """The shape that a population has in NIR.

        Args:
            shape: that it has here.

        Returns:
            The same shape; of maps of one row, in a net of lines, without the axis of the row.
        """
        return (shape[0], shape[2]) if self.lines and len(shape) == 3 and shape[1] == 1 else shape

    def of_layer(self, layer: Layer) -> list[Any]:
        """The nodes of NIR for the neurons of a layer, in the order in which they are joined.

        Args:
            layer: a layer of the network.

        Returns:
            An integrator, followed by a Threshold where spikes do not reset the membrane; an empty list for a read-out
            without memory.

        Raises:
            UserError: NIR has no such neuron; it says why, and what to do.
        """
        neuron = layer.neuron
        if isinstance(neuron, LeakyReadout):
            if layer.role == "readout" and neuron.beta == 0:
                return []
            return [self._integrator(layer, neuron.beta, None)]
        if not isinstance(neuron, LeakyIntegrator | SynapticIntegrator):
            raise UserError(
                f"the neuron of layer '{layer.name}' is {word_of(neuron)}, which NIR cannot say. It has IF, "
                f"LIF, CubaLIF and LI: use if, lif, cuba_lif or leaky_readout neurons without a refractory period"
            )
        alpha = neuron.alpha if isinstance(neuron, SynapticIntegrator) else None
        if isinstance(neuron, RestingIntegrator) and not isinstance(alpha, Tensor) and alpha == 0:
            alpha = None
        if neuron.reset == "none":
            cell = self._integrator(layer, neuron.beta, alpha)
            return [cell, self.nir.Threshold(self._array(neuron.v_threshold, layer), metadata=_surrogate(neuron))]
        return [self._spiking(layer, neuron, alpha)]

    def _spiking(self, layer: Layer, neuron: LeakyIntegrator | SynapticIntegrator, alpha: float | Tensor | None) -> Any:
        metadata: dict[str, Any] = _surrogate(neuron)
        wipes = neuron.reset_delay and isinstance(neuron, SynapticIntegrator)
        if neuron.reset == "subtract" or wipes:
            self._check_reset(layer, neuron.reset)
            metadata |= {RESET: neuron.reset, DELAY: neuron.reset_delay}
        own = {}
        if isinstance(neuron, RestingIntegrator):
            own = {"v_reset": self._array(neuron.v_reset, layer), "v_leak": self._array(neuron.v_leak, layer)}
        own |= {"v_threshold": self._array(neuron.v_threshold, layer)}
        return self._node(layer, neuron.beta, alpha, own, metadata)

    def _integrator(self, layer: Layer, beta: float | Tensor, alpha: float | Tensor | None) -> Any:
        leak = getattr(layer.neuron, "v_leak", None)
        return self._node(layer, beta, alpha, {} if leak is None else {"v_leak": self._array(leak, layer)}, {})

    def _node(
        self, layer: Layer, beta: float | Tensor, alpha: float | Tensor | None, own: dict[str, np.ndarray],
        metadata: dict[str, Any],
    ) -> Any:  # fmt: skip
        """A node of decays and other numbers: tau = dt / (1 - decay), with a gain for which an input of 1 is 1."""
        nir, decay, spiking = self.nir, self._array(beta, layer), "v_threshold" in own
        if alpha is None and np.all(decay == 1):
            own.pop("v_leak", None)
            kind = nir.IF if spiking else nir.I
            return kind(r=np.full(self.shape_of(layer.shape), 1 / self.dt), **own, metadata=metadata)
        self._check_leaks(layer, decay, BETA)
        own.setdefault("v_leak", np.zeros(self.shape_of(layer.shape)))
        if spiking:
            own.setdefault("v_reset", np.zeros(self.shape_of(layer.shape)))
        membrane, r, metadata = self.dt / (1 - decay), 1 / (1 - decay), metadata | {BETA: decay}
        if alpha is None:
            return (nir.LIF if spiking else nir.LI)(tau=membrane, r=r, **own, metadata=metadata)
        current = self._array(alpha, layer)
        self._check_leaks(layer, current, ALPHA)
        synapse, w_in, metadata = self.dt / (1 - current), 1 / (1 - current), metadata | {ALPHA: current}
        kind = nir.CubaLIF if spiking else nir.CubaLI
        return kind(tau_syn=synapse, tau_mem=membrane, r=r, w_in=w_in, **own, metadata=metadata)

    def _array(self, value: float | Tensor, layer: Layer) -> np.ndarray:
        """One number for each neuron, in the shape that the population has in NIR."""
        flat = value.detach().cpu().double().numpy() if isinstance(value, Tensor) else np.float64(value)
        whole = np.ascontiguousarray(np.broadcast_to(flat, layer.shape))
        return whole.reshape(self.shape_of(layer.shape))

    def _check_reset(self, layer: Layer, reset: str) -> None:
        if self.reset == "metadata":
            return
        what = "takes the threshold away" if reset == "subtract" else "acts a step later and wipes the current out too"
        raise UserError(
            f"the reset of layer '{layer.name}' {what} ({reset}), and NIR's equations know one to a value alone: other "
            f"programs would run another net. Train with reset=zero, or store it for this one: {IN_METADATA}"
        )

    def _check_leaks(self, layer: Layer, decay: np.ndarray, name: str) -> None:
        if np.any(decay == 1):
            raise UserError(
                f"layer '{layer.name}' has neurons with {name}=1 beside a decay, whose time constant is infinite. Use "
                f"{name} below 1, or neurons of their own layer without leak (if)"
            )


def _surrogate(neuron: LeakyIntegrator | SynapticIntegrator) -> dict[str, Any]:
    kind = next(name for name, kind in SURROGATES.items() if type(neuron.surrogate) is kind)
    return {SURROGATE: write_named(kind, vars(neuron.surrogate))}
