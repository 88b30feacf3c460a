"""The numbers of a layer: read from the modules that it is made of, and written back into them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import snntorch
import torch
from torch import Tensor, nn

from neurorules.contracts.normalisation import CurrentStatistics
from neurorules.contracts.running_mean import REFERENCE, RunningMean
from neurorules.exchange.folding import fold
from neurorules.language.errors import UserError
from neurorules.network.layer import Layer
from neurorules.network.model import Learned
from neurorules.torch_path.snntorch.module_checks import RECURRENT, WEIGHTED, check_plain
from neurorules.torch_path.snntorch.neuron_options import LEARNED, as_maps_of_one_row, learns
from neurorules.torch_path.snntorch.values import Block, Placed, Spiking

OTHERS = "Give the module that the learner was made from"
NO_AVERAGES = "has track_running_stats=False, and averages are kept here. Leave it at True"


class Numbers(NamedTuple):
    """The numbers that a layer of the module brings.

    Args:
        parameters: weights and bias, by full name.
        frozen: names of those that do not learn.
        statistics: running averages of its current where it is normalised, else None.
    """

    parameters: dict[str, Tensor]
    frozen: frozenset[str]
    statistics: CurrentStatistics | None


class Linked(NamedTuple):
    """A linear module of a layer.

    Args:
        name: the name of the input that it is.
        placed: the module.
        gain: by what its current is multiplied, its bias included: a number or one for each neuron (O,).
        spikes_times: a number by which what it reads is multiplied.
    """

    name: str
    placed: Placed
    gain: float | Tensor
    spikes_times: float = 1.0

    @property
    def weight(self) -> Tensor:
        """The weights of the user's module; of neurons that read themselves alone their V."""
        return self.placed.module.V if self.single else self.placed.module.weight  # type: ignore[return-value]

    @property
    def bias(self) -> Tensor | None:
        """The module's own bias, or None."""
        return None if self.single else self.placed.module.bias  # type: ignore[return-value]

    @property
    def single(self) -> bool:
        """Whether it is one weight from each neuron to itself."""
        return not isinstance(self.placed.module, WEIGHTED)

    def scale(self, weight: Tensor) -> float | Tensor:
        """By what the module's weights are multiplied, to be those of the layer.

        Args:
            weight: which has the shape of the module's, or of the layer's.

        Returns:
            A number, or one for each postsynaptic neuron, as it multiplies weights.
        """
        whole = self.gain * self.spikes_times
        return whole.reshape(-1, *(1,) * (weight.ndim - 1)) if isinstance(whole, Tensor) else whole


def linears_of(block: Block, layer: Layer) -> list[Linked]:
    """Every linear module of a layer; the one inside a recurrent population is last.

    Args:
        block: the modules.
        layer: what they are here.

    Returns:
        One for each input of the layer.

    Raises:
        UserError: the layer has other inputs.
    """
    gain, population = _gain(block), block.population
    names = [one.name for one in layer.inputs]
    linears = [
        Linked(name, one.linear, gain * one.current_times, one.spikes_times)
        for name, one in zip(names, block.arrivals, strict=False)
    ]
    if population is not None and isinstance(population.module, RECURRENT):
        recurrent = population.module.recurrent
        assert isinstance(recurrent, nn.Module)
        at = f"the recurrent {type(recurrent).__name__} of {population.at}"
        linears.append(Linked("rec", Placed(at, recurrent), 1.0))
    if [one.name for one in linears] != names:
        raise UserError(f"layer '{layer.name}' has {len(names)} inputs, and the module's has {len(linears)}. {OTHERS}")
    return linears


def read_numbers(block: Block, layer: Layer) -> Numbers:
    """Copies of a layer's weights and of its bias, which is the sum of its modules' biases. Of several biases, whose
    changes could not be told apart in the layer's current, one learns (`_bias_that_learns`).

    Args:
        block: the modules.
        layer: what they are here.

    Returns:
        Its numbers. A bias is frozen where no module has one that learns.

    Raises:
        UserError: weights that are no plain numbers, or a batch normalisation with options that none here has.
    """
    parameters: dict[str, Tensor] = {}
    frozen: set[str] = set()
    linears = linears_of(block, layer)
    for one, linear in zip(layer.inputs, linears, strict=True):
        key = layer.weight_name(one)
        check_plain(linear.placed.module, linear.placed.at)
        weight = linear.weight.detach()
        if linear.single:
            weight = as_maps_of_one_row(weight, layer.shape).expand(layer.shape)
        shape = one.connection.weight_shape(one.pre_shape)
        parameters[key] = (weight * linear.scale(weight)).reshape(shape)
        frozen |= set() if linear.weight.requires_grad else {key}
    bias = sum_of_biases(linears)
    own = [linear.bias for linear in linears]
    statistics = None
    if block.norm is not None:
        statistics = _read_statistics(block.norm, bias, layer.bias_shape)
        own = [block.norm.module.bias]  # type: ignore[list-item]
        bias = torch.zeros_like(bias) if own[0] is None else own[0].detach().clone()
    parameters[layer.bias_name] = bias.reshape(layer.bias_shape)
    if not any(one is not None and one.requires_grad for one in own):
        frozen.add(layer.bias_name)
    for key, number in _learned_numbers(block, layer).items():
        parameters[key] = as_maps_of_one_row(number.detach(), layer.shape).clone()
        frozen |= set() if number.requires_grad else {key}
    return Numbers(parameters, frozenset(frozen), statistics)


def _learned_numbers(block: Block, layer: Layer) -> dict[str, Tensor]:
    """The parameters that a population's own numbers are in its module, by their full names here."""
    if block.population is None:
        return {}
    module = block.population.module
    return {f"{layer.name}.{ours}": getattr(module, theirs) for ours, theirs in LEARNED.items()
            if isinstance(module, Spiking) and learns(module, theirs)}  # fmt: skip


def sum_of_biases(linears: list[Linked]) -> Tensor:
    """The sum of the biases of a layer's modules, (O,), of the weights' type and on their device."""
    total = linears[0].weight.detach().new_zeros(linears[0].weight.shape[0])
    for linear in linears:
        if linear.bias is not None:
            total = total + linear.bias.detach() * linear.gain
    return total


def written_numbers(block: Block, layer: Layer, learned: Learned) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield a module's parameters and buffers, each with its new value; none of them is changed.

    Args:
        block: the modules.
        layer: what they are here.
        learned: everything that was learned.

    Yields:
        Pairs of a parameter or buffer and its new value.

    Raises:
        UserError: the modules have other shapes, or no bias where one was learned.
    """
    for key, number in _learned_numbers(block, layer).items():
        if key not in learned.parameters or learned.parameters[key].numel() != number.numel():
            raise UserError(f"the neurons of layer '{layer.name}' learn other numbers in the module. {OTHERS}")
        yield number, learned.parameters[key].reshape(number.shape)
    linears = linears_of(block, layer)
    weights = {one.name: learned.parameters[layer.weight_name(one)] for one in layer.inputs}
    bias = learned.parameters[layer.bias_name]
    if block.norm is None:
        weights, bias = fold(layer, learned)
    bias = _by_map(layer, bias)
    for linear in linears:
        value = weights[linear.name]
        if linear.single and linear.weight.numel() == 1:
            continue  # one number for all, which does not learn
        _check_size(linear.placed.at, "weights", linear.weight, layer, value)
        yield linear.weight, value.reshape(linear.weight.shape) / linear.scale(linear.weight)
    if block.norm is not None:
        yield from _written_statistics(block.norm, layer, learned, sum_of_biases(linears))
        return
    receiver, own = _bias_that_learns(linears)
    if receiver is None or own is None:
        if bool(bias.any()):
            raise UserError(f"layer '{layer.name}' learned a bias, and the module's layer has bias=False. {OTHERS}")
        return
    _check_size(receiver.placed.at, "a bias", own, layer, bias)
    change = bias - sum_of_biases(linears).to(bias)
    yield own, own.detach().to(bias) + change / receiver.gain


def _bias_that_learns(linears: list[Linked]) -> tuple[Linked | None, Tensor | None]:
    """The module whose bias gets what the layer's bias learned: the first one with requires_grad. If none has it, the
    bias changes only by a normalisation that is folded into it, and the first one gets that."""
    biases = [(linear, linear.bias) for linear in linears if linear.bias is not None]
    learning = [(linear, bias) for linear, bias in biases if bias.requires_grad]
    return next(iter([*learning, *biases]), (None, None))


def _by_map(layer: Layer, bias: Tensor) -> Tensor:
    """One bias for each neuron of a flat population, or for each map (O,)."""
    if bias.ndim == 1:
        return bias
    first = bias[:, :1, :1]
    if not bool((bias == first).all()):
        raise UserError(
            f"layer '{layer.name}' has another bias at its border, because its normalisation centres what a border of "
            f"zeros meets, and a Conv2d has one for each map. Use to_snntorch(), or train without norm='streaming'"
        )
    return first.reshape(-1)


def _check_size(at: str, what: str, own: Tensor, layer: Layer, value: Tensor) -> None:
    if own.numel() != value.numel():
        raise UserError(
            f"{at} has {what} of shape {tuple(own.shape)}, and layer '{layer.name}' that learned has "
            f"{tuple(value.shape)}. {OTHERS}"
        )


def _gain(block: Block) -> float | Tensor:
    """By what a population multiplies its current: 1 but for a Lapicque, which integrates it over a capacitor."""
    if block.population is None or not isinstance(block.population.module, snntorch.Lapicque):
        return 1.0
    neuron = block.population.module
    gain: Tensor = torch.as_tensor(neuron.time_step / neuron.C)
    return float(gain) if gain.numel() == 1 else gain.detach().reshape(-1)


def _read_statistics(norm: Placed, bias: Tensor, shape: tuple[int, ...]) -> CurrentStatistics:
    at, module = norm
    assert isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)
    if module.running_mean is None or module.running_var is None or module.num_batches_tracked is None:
        raise UserError(f"{at} {NO_AVERAGES}")
    mean = (module.running_mean.detach() - bias).reshape(shape)
    variance = module.running_var.detach().reshape(shape)
    samples = (module.num_batches_tracked * REFERENCE).to(mean.dtype)
    return CurrentStatistics(RunningMean(mean, samples), RunningMean(variance + mean.square(), samples))


def _written_statistics(
    norm: Placed, layer: Layer, learned: Learned, inside: Tensor
) -> Iterator[tuple[Tensor, Tensor]]:
    module = norm.module
    assert isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)
    if module.running_mean is None or module.running_var is None:
        raise UserError(f"{norm.at} {NO_AVERAGES}")
    bias = learned.parameters[layer.bias_name]
    _check_size(norm.at, "averages", module.running_mean, layer, bias)
    averages = learned.current.get(f"input.{layer.name}")
    if averages is not None:
        mean, square = (one.value.reshape(-1) for one in averages)
        yield module.running_mean, mean + inside.to(mean)
        yield module.running_var, (square - mean.square()).clamp(min=0)
    if module.bias is not None:
        yield module.bias, bias.reshape(-1)
