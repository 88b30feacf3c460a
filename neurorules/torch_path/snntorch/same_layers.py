"""The check that a module computes what the network computes whose trained numbers it is to receive."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import torch
from torch import Tensor

from neurorules.connections._convolution import Convolution
from neurorules.contracts.normalisation import Normalisation
from neurorules.language.errors import UserError
from neurorules.language.settings import Scores
from neurorules.network.layer import Layer
from neurorules.normalisations.batch import Batch
from neurorules.torch_path.snntorch.modules import to_connection
from neurorules.torch_path.snntorch.norms import to_normalisation
from neurorules.torch_path.snntorch.numbers import OTHERS
from neurorules.torch_path.snntorch.populations import to_neuron, to_reader
from neurorules.torch_path.snntorch.values import Block

ROUNDING = 1e-6
"""The largest relative difference of two numbers that count as equal: snnTorch keeps those of neurons in float32."""


def check_same(block: Block, layer: Layer, scores: Scores) -> None:
    """Refuse modules whose neurons, normalisation or kernels compute something else than a layer.

    A normalisation of the layer that the modules lack is no difference, since it is folded into the weights. Surrogates
    are not compared, since they change no spike.

    Args:
        block: the modules.
        layer: the layer whose numbers they are to receive.
        scores: what gives class scores, which decides how the neurons of a read-out are read.

    Raises:
        UserError: a difference: the module, what it has, and what the layer has.
    """
    population = block.population
    if population is not None or layer.role == "readout":
        module, at = (None, "the end of the module") if population is None else (population.module, population.at)
        if layer.role == "readout":
            theirs = to_reader(module, at, layer.shape, scores)
        else:
            assert module is not None
            theirs = to_neuron(module, at, layer.shape)
        learned = (*getattr(layer.neuron, "learns", ()), "learned", "shape", "surrogate")
        _compare(at, "neurons", theirs, layer, layer.neuron, learned)
    if block.norm is not None:
        _check_norm(to_normalisation(*block.norm, layer.shape), block.norm.at, layer)
    for arrival, one in zip(block.arrivals, layer.inputs, strict=False):
        connection, _ = to_connection(arrival.linear.module, arrival.linear.at, block.pool)
        if isinstance(connection, Convolution) and type(connection) is type(one.connection):
            _compare(arrival.linear.at, "a kernel", connection, layer, one.connection)


def _check_norm(theirs: Batch, at: str, layer: Layer) -> None:
    own: Normalisation | None = layer.normalisation
    if not isinstance(own, Batch):
        raise UserError(f"{at} normalises a current, and that of layer '{layer.name}' was not normalised so. {OTHERS}")
    _compare(at, "batch normalisation", theirs, layer, own)


def _compare(at: str, what: str, theirs: Any, layer: Layer, own: Any, but: tuple[str, ...] = ()) -> None:
    """Refuse two parts of another kind, or with other numbers than those in `but`."""
    if type(theirs) is not type(own):
        raise UserError(f"{at} is {what} of another kind than layer '{layer.name}' learned with. {OTHERS}")
    for field in fields(own):
        one, other = getattr(theirs, field.name), getattr(own, field.name)
        if field.name not in but and not _alike(one, other):
            raise UserError(
                f"{at} has {field.name} {_shown(one)}, and layer '{layer.name}' learned with {_shown(other)}. {OTHERS}"
            )


def _alike(one: Any, other: Any) -> bool:
    if isinstance(one, float | Tensor) and isinstance(other, float | Tensor):
        a, b = (torch.as_tensor(number).detach().cpu().double() for number in (one, other))
        shapes_fit = a.shape == b.shape or 1 in (a.numel(), b.numel())
        return shapes_fit and torch.allclose(a, b, rtol=ROUNDING, atol=ROUNDING)
    return bool(one == other)


def _shown(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"of its own for each neuron (mean {float(value.double().mean()):.4g})"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
