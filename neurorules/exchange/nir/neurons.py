"""Neurons from the nodes of NIR that have a state: their equations in steps, by Euler's method or exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from neurorules.contracts.neuron import Neuron, Reset
from neurorules.contracts.surrogate import Surrogate
from neurorules.exchange.nir.file import metadata_of
from neurorules.exchange.nir.kinds import INTEGRATORS, kind_of
from neurorules.exchange.nir.numbers import like_population
from neurorules.exchange.nir.options import UNITS, Clock, NirOptions, unit_of
from neurorules.exchange.nir.wiring import Cell
from neurorules.language.errors import UserError
from neurorules.neurons._leaky import LeakyIntegrator
from neurorules.neurons._resting import RestingIntegrator
from neurorules.neurons._synaptic import SynapticIntegrator
from neurorules.neurons.leaky_readout import LeakyReadout
from neurorules.surrogates import make_surrogate

Shape = tuple[int, ...]
RESET, DELAY, BETA, ALPHA, SURROGATE = "reset", "reset_delay", "beta", "alpha", "surrogate"
"""Names in a node's metadata: what NIR cannot say, and decays to the last bit."""
CLOSE = 1e-12
"""The largest difference from the decay of the time constant at which the decay in the metadata is used."""


class Population(NamedTuple):
    """The neurons that a node of a NIR graph describes.

    Args:
        neuron: the neuron model with its numbers.
        gain: the factor of its current: one number, or one for each neuron (*shape).
    """

    neuron: Neuron[Any]
    gain: np.ndarray


def population_of(cell: Cell, shape: Shape, clock: Clock, options: NirOptions, where: str, *, last: bool) -> Population:
    """The neurons of a population.

    Args:
        cell: its node.
        shape: shape of the population.
        clock: how the graph's time runs.
        options: options of the user.
        where: names the graph in messages.
        last: whether it is read out.

    Returns:
        The neurons, and the gain of their current.

    Raises:
        UserError: numbers that cannot be, such as a time constant below the step; the node is named.
    """
    if cell.node is None and cell.threshold is None:
        return Population(LeakyReadout(0.0), np.ones(()))
    return _Reading(cell, shape, clock, options, where, last).population()


@dataclass
class _Reading:
    """Reads the numbers of one node and chooses the neuron model for it."""

    cell: Cell
    shape: Shape
    clock: Clock
    options: NirOptions
    where: str
    last: bool

    def population(self) -> Population:
        if self.cell.node is None:
            alone = self.plain(self.numbers("threshold", self.cell.threshold))
            self._check(self.positive(alone), "a threshold that is not positive, so that it fires without input")
            return Population(LeakyIntegrator(0.0, alone, "zero", False, self.surrogate()), np.ones(()))
        beta, gain = self._membrane()
        alpha: np.ndarray | None = None
        if self.kind.startswith("Cuba"):
            alpha, drive = self.decay("tau_syn", ALPHA)
            gain = gain * drive * self.numbers("w_in")
        reset, delay, graded = self._reset()
        zero = np.zeros(())
        leak = self.numbers("v_leak") if hasattr(self.cell.node, "v_leak") else zero
        after = self.numbers("v_reset") if hasattr(self.cell.node, "v_reset") else zero
        gain = self.near_one(gain)
        if graded and not self.last:
            self._check(alpha is None and not leak.any() and np.unique(beta).size == 1,
                        "a membrane that others read, and a synaptic current, a v_leak or several decays")  # fmt: skip
            return Population(LeakyReadout(float(beta.reshape(-1)[0])), gain)
        if graded and alpha is None and not leak.any() and np.unique(beta).size == 1:
            return Population(LeakyReadout(float(beta.reshape(-1)[0])), gain)
        theta = np.ones(()) if graded else self.numbers(*self._threshold())
        if not graded and _differs_within_maps(gain) and np.all(gain > 0):
            # neurons of a map share weights: their membranes are kept in units of their own gains
            theta, leak, after, gain = theta / gain, leak / gain, after / gain, np.ones(())
        start = zero if self.clock.at_zero else leak
        self._check(graded or bool(np.all(theta > np.maximum(start, after))),
                    "a threshold that is not above v_reset and the membrane's start, so it never rests")  # fmt: skip
        if leak.any() or after.any():
            self._check(reset in ("zero", "none"), "a reset by subtraction beside a v_leak or v_reset other than 0")
            own = [self.plain(one) for one in (zero if alpha is None else alpha, leak, after, start)]
            return Population(
                RestingIntegrator(self.plain(beta), self.plain(theta), reset, False, self.surrogate(), *own), gain
            )
        plain = (self.plain(beta), self.plain(theta), reset, delay, self.surrogate())
        return Population(
            LeakyIntegrator(*plain) if alpha is None else SynapticIntegrator(*plain, self.plain(alpha)), gain
        )

    @property
    def kind(self) -> str:
        return kind_of(self.cell.node)

    @property
    def at(self) -> str:
        node = self.cell.threshold if self.cell.node is None else self.cell.node
        return f"{self.where}: node '{self.cell.name}' ({kind_of(node)})"

    @property
    def metadata(self) -> Mapping[str, Any]:
        return metadata_of(self.cell.threshold if self.cell.node is None else self.cell.node)

    def _check(self, right: bool, fault: str) -> None:
        if not right:
            raise UserError(f"{self.at} has {fault}. Change it")

    def _membrane(self) -> tuple[np.ndarray, np.ndarray]:
        """The decay of the membrane in a step, and the factor of its current."""
        if self.kind in ("IF", "I"):
            step = 1.0 if self.clock.charge else self.step
            return np.ones(()), self.numbers("r") * step
        beta, drive = self.decay("tau_mem" if self.kind.startswith("Cuba") else "tau", BETA)
        return beta, drive * self.numbers("r")

    @property
    def step(self) -> float:
        """The step in the unit of this node's times."""
        unit = None if self.options.unit else unit_of(self.metadata, self.at)
        if unit is None or self.clock.seconds is None:
            return self.clock.step
        return 1.0 if unit == "steps" else self.clock.seconds / UNITS[unit]

    def decay(self, name: str, exact: str) -> tuple[np.ndarray, np.ndarray]:
        """The decay of a step, and the factor of its drive.

        It is computed in the precision in which the time constant is written. The metadata may hold it to the last
        bit, where it is that of the time constant.

        Args:
            name: name of the time constant.
            exact: name of the decay in the metadata.
        """
        tau = self.numbers(name)
        self._check(bool(np.all(tau > 0)), f"a {name} that is not positive")
        ratio = self.step / tau
        if not self.clock.exact and bool(np.any(ratio > 1 + 1e-6)):
            raise UserError(
                f"{self.at} has a {name} of {float(tau.min()):.4g}, and a step takes {self.step:.4g} in the same unit. "
                f"Give shorter steps or the right unit, net.nir:dt=0.0001:unit=ms, or method=exact"
            )
        ratio = ratio if self.clock.exact else np.minimum(ratio, 1)
        decay = np.exp(-ratio) if self.clock.exact else 1 - ratio
        stated = self.metadata.get(exact)
        if stated is not None and not self.clock.exact:
            own = np.asarray(stated, dtype=np.float64)
            if own.shape in ((), tau.shape) and np.all(np.abs(own - decay) <= CLOSE):
                decay = own
        return np.asarray(decay, np.float64), np.asarray(1 - decay if self.clock.exact else ratio)

    def numbers(self, name: str, node: Any = None) -> np.ndarray:
        """Numbers of a node: one, (), or one for each neuron, (*shape)."""
        node = self.cell.node if node is None else node
        value = np.asarray(getattr(node, name))
        if not np.issubdtype(value.dtype, np.number) or bool(np.isnan(value).any()):
            raise UserError(f"{self.at} has a {name} that is not a number. Give it numbers")
        if name.startswith("tau"):
            self._check(bool(np.all(value > 0)), f"a {name} that is not positive")
        else:
            self._check(bool(np.all(np.isfinite(value))), f"a {name} that is not finite")
        value = value if np.issubdtype(value.dtype, np.floating) else value.astype(np.float64)
        if value.size == 1:
            return value.reshape(())
        own = like_population(value, self.shape)
        if own is None:
            raise UserError(
                f"{self.at} has {name} of shape {value.shape}, and what drives it has shape {self.shape}. Make them "
                f"the same"
            )
        return own

    def near_one(self, gain: np.ndarray) -> np.ndarray:
        """The gain, 1 where it differs from 1 by no more than the rounding of the numbers that it is made of."""
        kinds = [np.asarray(value).dtype for value in vars(self.cell.node).values() if isinstance(value, np.ndarray)]
        widest = max((float(np.finfo(one).eps) for one in kinds if np.issubdtype(one, np.floating)), default=0.0)
        gain = np.asarray(gain, np.float64)
        return np.where(np.abs(gain - 1) <= 8 * widest, 1.0, gain)

    def plain(self, value: np.ndarray) -> float | Tensor:
        """One number where all neurons have the same, else a tensor (*shape)."""
        value = np.asarray(value, np.float64)
        if np.unique(value).size == 1:
            return float(value.reshape(-1)[0])
        return torch.from_numpy(np.broadcast_to(value, self.shape).copy())

    def positive(self, value: float | Tensor) -> bool:
        return bool((torch.as_tensor(value) > 0).all())

    def _threshold(self) -> tuple[str, Any]:
        return ("v_threshold", self.cell.node) if self.cell.threshold is None else ("threshold", self.cell.threshold)

    def _reset(self) -> tuple[Reset, bool, bool]:
        """Read what a spike does, whether it does it a step later, and whether there are no spikes at all."""
        if self.kind in INTEGRATORS:
            return "none", False, self.cell.threshold is None
        stated = self.metadata.get(RESET)
        if self.options.reset is not None:
            return ("subtract" if self.options.reset == "subtract" else "zero"), False, False
        if stated is None:
            return "zero", False, False
        if stated not in ("zero", "subtract"):
            raise UserError(f"{self.at} says the reset '{stated}' in its metadata. Known: zero, subtract. Change it")
        delay = bool(self.metadata.get(DELAY, False))
        return ("subtract" if stated == "subtract" else "zero"), delay, False

    def surrogate(self) -> Surrogate:
        """The derivative of spikes, for learning."""
        stated = self.metadata.get(SURROGATE)
        return make_surrogate(self.options.surrogate or (stated if isinstance(stated, str) else "fast_sigmoid"))


def _differs_within_maps(gain: np.ndarray) -> bool:
    """Whether the neurons of a map have several gains."""
    return gain.ndim == 3 and not bool(np.all(gain == gain[:, :1, :1]))
