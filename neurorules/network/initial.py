"""The initial parameters and state of a model, drawn from a seed and moved to a device."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from neurorules.contracts.signal import SignalState
from neurorules.language.errors import UserError
from neurorules.language.settings import Drawn
from neurorules.network.foresight import check_parameters
from neurorules.network.model import Learned, Model
from neurorules.network.network import Parameters


def initialise(model: Model, seed: int, device: torch.device, dtype: torch.dtype, init: Drawn = "torch") -> Learned:
    """Draw initial parameters and state from one seed; network and signal use separate random generators.

    Args:
        model: the network with its rule and signal.
        seed: the seed of the generators.
        device: the device of parameters and state.
        dtype: their precision; they are drawn in float64 and then rounded.
        init: how weights are drawn.

    Returns:
        The parameters of network and signal, and the signal's initial state, without any statistics.

    Raises:
        UserError: there is not enough memory, a parameter of the signal has the name of one of the network, or weights
            are to be drawn within bounds that the rule does not have.
    """
    check_parameters(model.network, dtype)
    net_generator = torch.Generator().manual_seed(seed)
    signal_generator = torch.Generator().manual_seed(seed + 1_000_003)
    parameters = model.network.initial_parameters(net_generator, torch.float64, init)
    if init == "bounds":
        parameters |= _within_bounds(model, parameters, net_generator)
    own, state = _first_state(model, signal_generator)
    return place(Learned(parameters | own, signal=state), device, dtype)


def _within_bounds(model: Model, parameters: Parameters, generator: torch.Generator) -> Parameters:
    """Weights of hidden layers, uniform within the rule's bounds."""
    if model.rule.bounds is None:
        raise UserError(
            f"init=bounds draws weights within the bounds of their rule, and rule '{model.rule.name}' has none. Use "
            f"init=torch"
        )
    low, high = model.rule.bounds
    names = [layer.weight_name(entry) for layer in model.network.hidden for entry in layer.inputs]
    drawn = {name: torch.rand(parameters[name].shape, generator=generator, dtype=torch.float64) for name in names}
    return {name: low + (high - low) * value for name, value in drawn.items()}


def _first_state(model: Model, generator: torch.Generator) -> tuple[Parameters, SignalState]:
    """The signal's own parameters and state. The signal receives the net's structure, and no parameters.

    Raises:
        UserError: a parameter of the signal has the name of one of the network.
    """
    signal = model.signal
    if signal is None:
        return {}, {}
    parameters = signal.parameters(model.shape, generator)
    twice = sorted(model.parameter_names & parameters.keys())
    if twice:
        raise UserError(
            f"signal '{type(signal).__name__}' calls a parameter of its own '{twice[0]}', which is the net's. Rename it"
        )
    return parameters, signal.initial(model.shape, generator)


def place(learned: Learned, device: torch.device, dtype: torch.dtype) -> Learned:
    """Move everything that is learned to a device and precision.

    Args:
        learned: parameters and state; not modified.
        device: the target device.
        dtype: precision of floating-point tensors; integer and boolean tensors are only moved.

    Returns:
        The same state on the device.
    """

    def move(value: Any) -> Any:
        if isinstance(value, Tensor):
            return value.to(device, dtype) if value.is_floating_point() else value.to(device)
        if isinstance(value, dict):
            return {key: move(item) for key, item in value.items()}
        if isinstance(value, tuple):
            return type(value)(*(move(item) for item in value))
        return value

    return Learned(**{name: move(value) for name, value in vars(learned).items()})
