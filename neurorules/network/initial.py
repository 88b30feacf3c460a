"""The beginning of a model: drawn parameters and the signal's first state, on a device and in a precision."""

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
    """Draw fresh parameters and state from one seed. Network and signal draw from generators of their own.

    Args:
        model: network, rule and signal.
        seed: the seed of the generators.
        device: where parameters and state shall stand.
        dtype: their precision; they are drawn in float64 and then rounded.
        init: how weights are drawn.

    Returns:
        Parameters of network and signal, and the signal's first state. No statistics yet.

    Raises:
        UserError: there is not enough memory for them, or the signal names a parameter as the network does.
    """
    check_parameters(model.network, dtype)
    net_generator = torch.Generator().manual_seed(seed)
    signal_generator = torch.Generator().manual_seed(seed + 1_000_003)
    parameters = model.network.initial_parameters(net_generator, torch.float64, init)
    own, state = _first_state(model, signal_generator)
    return place(Learned(parameters | own, signal=state), device, dtype)


def _first_state(model: Model, generator: torch.Generator) -> tuple[Parameters, SignalState]:
    """The signal's own parameters and state. It is shown the net's structure, and nothing that learns.

    Raises:
        UserError: a parameter of the signal's that has the name of one of the network's.
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
    """Put everything that is learned on a device, in a precision.

    Args:
        learned: parameters and state; not modified.
        device: where they shall stand.
        dtype: precision of floating-point tensors; integers and truth values stay as they are.

    Returns:
        The same state there.
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
