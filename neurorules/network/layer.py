"""A layer: one population of neurons with its input connections and its normalisation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from neurorules.contracts.connection import Connection, Shape
from neurorules.contracts.neuron import Dynamics, Neuron
from neurorules.contracts.normalisation import Normalisation
from neurorules.contracts.parameter_key import BIAS, WEIGHT, ParameterKey
from neurorules.contracts.series import Series
from neurorules.contracts.transform import Transform, repeat_over_time
from neurorules.native.scans import Psi
from neurorules.network.post_forms import backwards, psi_of

NETWORK_INPUT = -1
"""Source index of the network's input."""
INPUT = "input"
"""Name of the network's input among populations."""

Masks = dict[str, Tensor]
"""Dropout masks of one trial, by "layer.input.transform"."""


@dataclass(frozen=True)
class Input:
    """One named connection of a layer.

    Args:
        name: such as "ff", "rec", or the source's name for a read-out of all layers.
        source: index of the layer that it reads; `NETWORK_INPUT` for the network's input.
        transforms: the transforms of the source's spikes before the connection, in order.
        connection: the map from arriving activity to current.
        source_shape: shape of the source population.
        pre_shape: shape of the activity after the transforms.
    """

    name: str
    source: int
    transforms: tuple[Transform, ...]
    connection: Connection
    source_shape: Shape
    pre_shape: Shape


@dataclass(frozen=True)
class Layer:
    """A population of neurons with its inputs.

    Args:
        name: such as "hidden1" or "readout".
        inputs: the named connections that drive the layer; at least one.
        shape: the shape of the population, (N,) or (C, H, W).
        neuron: the neuron model of the population.
        normalisation: the normalisation of its current; None for none.
        role: whether it is a hidden layer or the read-out.
    """

    name: str
    inputs: tuple[Input, ...]
    shape: Shape
    neuron: Neuron
    normalisation: Normalisation | None
    role: Literal["hidden", "readout"]

    def on(self, device: torch.device, dtype: torch.dtype) -> Layer:
        """Return the layer with the numbers of its neurons and its normalisation on a device.

        Args:
            device: the target device.
            dtype: the precision of the numbers.

        Returns:
            The layer on the device.
        """
        norm = None if self.normalisation is None else self.normalisation.to(device, dtype)
        return replace(self, neuron=self.neuron.to(device, dtype), normalisation=norm)

    def weight_name(self, entry: Input) -> str:
        """Name of an input's weights among the network's parameters."""
        return self.weight_names[entry.name]

    @cached_property
    def weight_names(self) -> dict[str, str]:
        """Names of the weights among the network's parameters, by the name of the input."""
        return {entry.name: ParameterKey(self.name, WEIGHT, entry.name).name for entry in self.inputs}

    @cached_property
    def centres_inputs(self) -> bool:
        """Whether running means are subtracted from the layer's inputs."""
        return self.normalisation is not None and self.normalisation.centres_inputs

    @cached_property
    def bias_name(self) -> str:
        """Name of the bias among the network's parameters."""
        return ParameterKey(self.name, BIAS).name

    @property
    def bias_shape(self) -> Shape:
        """Shape of the bias: one number per neuron, (N,), or one per map, (C, 1, 1)."""
        return self.shape if len(self.shape) == 1 else (self.shape[0], 1, 1)

    @cached_property
    def dynamics(self) -> Dynamics | None:
        """The leaky integrator that a scan may run instead of the neurons; None if there is none."""
        return self.neuron.dynamics()

    @cached_property
    def backwards(self) -> Dynamics | None:
        """The leaky integrator through which small changes pass as through the neurons; None if there is none."""
        return backwards(self.neuron)

    @cached_property
    def forgets(self) -> bool:
        """Whether the membrane keeps nothing from step to step (beta = 0), so that small changes pass to no later
        step.
        """
        return self.backwards is not None and isinstance(self.backwards.beta, float) and self.backwards.beta == 0.0

    @cached_property
    def psi(self) -> Psi | None:
        """The pseudo-derivative of the neurons as scans compute it; None if they cannot."""
        return psi_of(self.neuron)


def input_name(source: str, is_next: bool, others: list[Input]) -> str:
    """Name an input of a layer, for nets that are built from modules or files.

    Args:
        source: name of the layer that is read, or "input".
        is_next: whether the source is the layer directly before.
        others: inputs of the same layer that already have names.

    Returns:
        "ff" for the layer directly before, otherwise the name of the source; a number is appended if the name is taken.
    """
    name, number = "ff" if is_next else source, 2
    taken = {one.name for one in others}
    while name in taken:
        name, number = f"{source}_{number}", number + 1
    return name


def mask_name(layer: Layer, entry: Input, position: int) -> str:
    """The name of the dropout mask of one transform.

    Args:
        layer: the reading layer.
        entry: one of its inputs.
        position: the position of the transform among those of the input, from 0.

    Returns:
        "layer.input.position".
    """
    return f"{layer.name}.{entry.name}.{position}"


def arrive(layer: Layer, entry: Input, spikes: Series, masks: Masks) -> Series:
    """The source's spikes as they reach a connection, after all transforms.

    Args:
        layer: the reading layer.
        entry: one of its inputs.
        spikes: the spikes of the source, (T, B, *source) or constant (B, *source).
        masks: dropout masks; a transform without a mask drops nothing.

    Returns:
        The arriving activity, (T, B, *pre) or constant (B, *pre).
    """
    if not entry.transforms:
        return spikes
    rows = spikes.rows()
    for position, transform in enumerate(entry.transforms):
        rows = transform.forward(rows, masks.get(mask_name(layer, entry, position)))
    return spikes.with_rows(rows)


def carry_back(layer: Layer, entry: Input, weights: Tensor, post: Series, spikes: Series, masks: Masks) -> Series:
    """Carry a post factor back through weights and transforms to the source's spikes.

    Args:
        layer: the layer that the post factor belongs to.
        entry: the input through which the factor is carried back.
        weights: the connection's own weights (weight transport), or others of the same shape (fixed feedback).
        post: the factor with respect to the current, (T, B, *shape) or constant (B, *shape).
        spikes: the spikes of the source in the forward pass, (T, B, *source) or constant (B, *source).
        masks: dropout masks of the trial.

    Returns:
        The factor with respect to the source's spikes. It is constant in time where `post` is, unless the way back
        depends on the spikes of each step, as through the position of a maximum.
    """
    if post.constant and not (spikes.constant or _same_for_all_rows(entry)):
        post = Series(post.over_time(len(spikes.values)), False)
    steps = [spikes.rows()]
    run = entry.transforms[:-1] if entry.connection.linear else entry.transforms
    for position, transform in enumerate(run):
        steps.append(transform.forward(steps[-1], masks.get(mask_name(layer, entry, position))))
    if entry.connection.linear:
        gradient = entry.connection.transpose(weights, post.rows(), entry.pre_shape)
    else:
        arrived = steps[-1]
        gradient = entry.connection.carry(weights, post.rows().expand(arrived.shape[0], *layer.shape), arrived)
    for position in reversed(range(len(entry.transforms))):
        mask = masks.get(mask_name(layer, entry, position))
        rows = steps[position]
        if post.constant and not spikes.constant:
            rows = rows[: gradient.shape[0]]
        gradient = entry.transforms[position].adjoint(rows, mask, gradient)
    return post.with_rows(gradient)


def _same_for_all_rows(entry: Input) -> bool:
    """Whether the map from the source's spikes to the current is one linear map."""
    return entry.connection.linear and all(transform.linear for transform in entry.transforms)


def draw_masks(layers: tuple[Layer, ...], batch: int, generator: torch.Generator) -> Masks:
    """Draw the dropout masks of one training trial.

    Args:
        layers: the layers of the network.
        batch: number of samples B.
        generator: the only source of random numbers.

    Returns:
        Dropout masks by name; empty for a network without dropout.
    """
    masks: Masks = {}
    for layer in layers:
        for entry in layer.inputs:
            shape = entry.source_shape
            for position, transform in enumerate(entry.transforms):
                mask = transform.draw(batch, shape, generator)
                if mask is not None:
                    masks[mask_name(layer, entry, position)] = mask
                shape = transform.post_shape(shape)
    return masks


def dropout_mask_of(layers: tuple[Layer, ...], index: int, masks: Masks) -> Tensor | None:
    """The dropout mask of a layer's own output, which says how much of it reaches the layers that read it.

    Dropout after pooling is ignored, because it drops the pool's output and not that of a neuron. If several layers
    read this one, each through its own mask, the result is the mean of the masks.

    Args:
        layers: the layers of the network.
        index: the index of the layer.
        masks: the masks of the trial.

    Returns:
        The mask (B, *shape): 0 where a neuron is dropped, 1/(1-p) where it is not. None without dropout.
    """
    entries = [(layer, e) for layer in layers for e in layer.inputs if e.source == index and not e.connection.recurrent]
    masks_of_readers = [_kept_by(layer, entry, layers[index].shape, masks) for layer, entry in entries]
    drawn = [mask for mask in masks_of_readers if mask is not None]
    if not drawn or len(masks_of_readers) == 1:
        return drawn[0] if drawn else None
    return torch.stack([torch.ones_like(drawn[0]) if mask is None else mask for mask in masks_of_readers]).mean(0)


def _kept_by(layer: Layer, entry: Input, shape: Shape, masks: Masks) -> Tensor | None:
    """The product of the masks between a source and one reading layer, by neuron of the source; None without a mask."""
    total: Tensor | None = None
    for position, transform in enumerate(entry.transforms):
        if not transform.by_neuron:
            break
        mask = masks.get(mask_name(layer, entry, position))
        if mask is not None:
            total = mask if total is None else total.reshape(mask.shape) * mask
    return None if total is None else total.reshape(-1, *shape)


__all__ = [
    "NETWORK_INPUT",
    "Input",
    "Layer",
    "Masks",
    "arrive",
    "carry_back",
    "draw_masks",
    "dropout_mask_of",
    "input_name",
    "repeat_over_time",
]  # fmt: skip
