"""One population at a time between layers of snnTorch (or torch's ReLU and Tanh) and this library's neurons."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import snntorch
import torch
from torch import Tensor, nn

from neurorules.contracts.neuron import Neuron
from neurorules.contracts.surrogate import Surrogate
from neurorules.language.errors import UserError
from neurorules.language.settings import Scores
from neurorules.neurons._alpha import AlphaIntegrator
from neurorules.neurons._leaky import LeakyIntegrator
from neurorules.neurons._learned_numbers import LearningLeaky, LearningSynaptic
from neurorules.neurons._synaptic import SynapticIntegrator
from neurorules.neurons.leaky_readout import LeakyReadout
from neurorules.neurons.rate import Rate
from neurorules.surrogates import Atan, FastSigmoid
from neurorules.torch_path.snntorch.neuron_options import LEARNED, learns, number, refuse_options
from neurorules.torch_path.snntorch.relays import Relay

Shape = tuple[int, ...]


class _Step(torch.autograd.Function):
    """Forwards a step function in the membrane's own precision, backwards psi."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, surrogate: Surrogate) -> Tensor:
        ctx.save_for_backward(x)
        ctx.surrogate = surrogate
        return (x > 0).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (x,) = ctx.saved_tensors
        return gradients[0] * ctx.surrogate.psi(x), None


@dataclass(frozen=True)
class Spike:
    """A surrogate as snnTorch's `spike_grad`.

    snnTorch's own functions spike in float32 whatever the membrane is, so that a network in float64 cannot run.
    """

    surrogate: Surrogate

    def __call__(self, x: Tensor) -> Tensor:
        return _Step.apply(x, self.surrogate)


def to_leaky(neuron: LeakyIntegrator | LeakyReadout, dtype: torch.dtype, last: bool) -> nn.Module:
    """An snnTorch Leaky that keeps its own state.

    Args:
        neuron: whose numbers it has.
        dtype: precision of the numbers.
        last: whether it is the last module of a network, which returns (spikes, membrane).

    Returns:
        The module.
    """
    if isinstance(neuron, LeakyReadout):
        # Its spikes are not read; snnTorch's own function for them could not be stored with the module.
        return snntorch.Leaky(
            _tensor(neuron.beta, dtype), spike_grad=Spike(Atan()), init_hidden=True, output=last, reset_mechanism="none"
        )
    return snntorch.Leaky(
        _tensor(neuron.beta, dtype),
        _tensor(neuron.v_threshold, dtype),
        Spike(neuron.surrogate),
        **_options(neuron, last),
    )


def to_synaptic(neuron: SynapticIntegrator, dtype: torch.dtype, last: bool) -> nn.Module:
    """An snnTorch Synaptic that keeps its own state.

    Args:
        neuron: whose numbers it has.
        dtype: precision of the numbers.
        last: whether it is the last module of a network, which returns (spikes, synaptic current, membrane).

    Returns:
        The module.
    """
    return snntorch.Synaptic(
        _tensor(neuron.alpha, dtype),
        _tensor(neuron.beta, dtype),
        _tensor(neuron.v_threshold, dtype),
        Spike(neuron.surrogate),
        **_options(neuron, last),
    )


def to_alpha(neuron: AlphaIntegrator, dtype: torch.dtype, last: bool) -> nn.Module:
    """An snnTorch Alpha that keeps its own state.

    Args:
        neuron: whose numbers it has.
        dtype: precision of the numbers.
        last: whether it is the last module of a network, which returns (spikes, both currents, membrane).

    Returns:
        The module.
    """
    return snntorch.Alpha(
        _tensor(neuron.alpha, dtype),
        _tensor(neuron.beta, dtype),
        _tensor(neuron.v_threshold, dtype),
        Spike(neuron.surrogate),
        init_hidden=True,
        output=last,
        reset_mechanism=neuron.reset,
    )


def _options(neuron: LeakyIntegrator | SynapticIntegrator, last: bool) -> dict[str, Any]:
    """The options that Leaky and Synaptic share: that they keep their state, how they reset, which numbers learn."""
    learning = {f"learn_{theirs}": True for ours, theirs in LEARNED.items() if ours in neuron.learns}
    reset = {"reset_mechanism": neuron.reset, "reset_delay": neuron.reset_delay}
    return {"init_hidden": True, "output": last, **reset, **learning}


def to_neuron(module: nn.Module, where: str, shape: Shape) -> Neuron:
    """The neuron that a module of a Sequential is.

    Args:
        module: Leaky, Synaptic, ReLU or Tanh.
        where: names the module in messages.
        shape: the shape of the population.

    Returns:
        The neuron.

    Raises:
        UserError: something that neurons here do not do.
    """
    if isinstance(module, nn.ReLU | nn.Tanh):
        return Rate("relu" if isinstance(module, nn.ReLU) else "tanh")
    if isinstance(module, Relay):
        return LeakyReadout(0.0)
    refuse_options(module, where)
    beta = number(_leak(module), where, "beta", shape)
    threshold = number(torch.as_tensor(module.threshold), where, "threshold", shape)
    if float(torch.as_tensor(threshold).min()) <= 0:
        raise UserError(f"{where} has a threshold that is not positive. Use thresholds > 0")
    reset: Any = module.reset_mechanism
    delayed = isinstance(module, snntorch.Lapicque | snntorch.Alpha) or bool(module.reset_delay)
    surrogate = _surrogate(module, where)
    learned = tuple(ours for ours, theirs in LEARNED.items() if learns(module, theirs))
    if learned and not delayed:
        raise UserError(
            f"{where} learns {learned[0]}, and its reset has no delay, through which nothing here learns. Use "
            f"reset_delay=True"
        )
    if isinstance(module, snntorch.Alpha):
        own = number(torch.as_tensor(module.alpha).clamp(0, 1), where, "alpha", shape)
        return AlphaIntegrator(own, beta, threshold, reset, surrogate)
    alpha: float | Tensor | None = None
    if isinstance(module, snntorch.Synaptic | snntorch.RSynaptic):
        alpha = number(torch.as_tensor(module.alpha).clamp(0, 1), where, "alpha", shape)
    elif reset == "zero" and not isinstance(module, snntorch.Leaky):
        alpha = 0.0  # a reset of RLeaky and Lapicque wipes the current of its step out too, as that of Synaptic does
    if alpha is not None:
        if learned:
            return LearningSynaptic(beta, threshold, reset, delayed, surrogate, alpha, learned, shape)
        return SynapticIntegrator(beta, threshold, reset, delayed, surrogate, alpha)
    if learned:
        return LearningLeaky(beta, threshold, reset, delayed, surrogate, learned, shape)
    return LeakyIntegrator(beta, threshold, reset, delayed, surrogate)


def to_reader(module: nn.Module | None, where: str, shape: Shape, scores: Scores = "membrane") -> Neuron:
    """The neuron of the read-out. Class scores are the time average of its membrane, as snnTorch returns it, or spikes.

    Args:
        module: what stands behind the last Linear. None is a membrane without memory, a Leaky without reset a leaky
            read-out; a Leaky that resets stays what it is, and its spikes are not read.
        where: names the module in messages.
        shape: the shape of the read-out, (C,).
        scores: what gives class scores.

    Returns:
        The neuron.

    Raises:
        UserError: a module whose membrane cannot be read.
    """
    if module is None:
        return LeakyReadout(0.0)
    if isinstance(module, nn.ReLU | nn.Tanh):
        raise UserError(f"{where} stands behind the last Linear, whose output gives the class scores. Remove it")
    neuron = to_neuron(module, where, shape)
    assert isinstance(neuron, LeakyIntegrator | SynapticIntegrator | AlphaIntegrator)
    if scores != "membrane":
        return neuron
    if type(neuron) is LeakyIntegrator and neuron.reset == "none" and not isinstance(neuron.beta, Tensor):
        return LeakyReadout(neuron.beta)
    if not isinstance(neuron, AlphaIntegrator) and neuron.reset != "none" and not neuron.reset_delay:
        raise UserError(
            f"{where} resets before its membrane can be read, and class scores are read from the last membrane. "
            f"Use reset_delay=True or reset_mechanism='none'"
        )
    return neuron


def _leak(module: nn.Module) -> Tensor:
    """By what a membrane is multiplied in a step; a Lapicque's is Euler's step of its circuit."""
    if isinstance(module, snntorch.Lapicque):
        return torch.as_tensor(1 - module.time_step / (module.R * module.C))
    return torch.as_tensor(module.beta).clamp(0, 1)


def _surrogate(module: nn.Module, where: str) -> Surrogate:
    function: Any = module.spike_grad
    if isinstance(function, Spike):
        return function.surrogate
    name = getattr(function, "__qualname__", type(function).__name__).split(".")[0]
    if getattr(function, "__module__", "") == "snntorch.surrogate" and name in ("fast_sigmoid", "atan"):
        chosen = inspect.getclosurevars(function).nonlocals
        return FastSigmoid(float(chosen["slope"])) if name == "fast_sigmoid" else Atan(float(chosen["alpha"]))
    raise UserError(
        f"{where} has the surrogate '{name}', known are fast_sigmoid and atan. "
        f"Use snntorch.surrogate.fast_sigmoid(slope=25) or atan(alpha=2)"
    )


def _tensor(value: float | Tensor, dtype: torch.dtype) -> Tensor:
    return value.detach().clone() if isinstance(value, Tensor) else torch.tensor(value, dtype=dtype)
