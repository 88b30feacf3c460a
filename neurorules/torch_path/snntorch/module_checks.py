"""The check that a module does what its class does and no more. Whatever else it does would be lost, and is refused."""

from __future__ import annotations

from collections.abc import Iterable

import snntorch
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from neurorules.language.errors import UserError

WEIGHTS = frozenset({"weight", "bias"})
LEAKY = frozenset({"threshold", "graded_spikes_factor", "reset_mechanism_val", "V", "beta", "mem"})
BATCH = WEIGHTS | {"running_mean", "running_var", "num_batches_tracked"}
PARTS: dict[type[nn.Module], frozenset[str]] = {
    nn.Linear: WEIGHTS,
    nn.Conv1d: WEIGHTS,
    nn.Conv2d: WEIGHTS,
    snntorch.Leaky: LEAKY,
    snntorch.Lapicque: LEAKY | {"R", "C", "time_step"},
    snntorch.RLeaky: LEAKY | {"spk"},
    snntorch.Synaptic: LEAKY | {"alpha", "syn"},
    snntorch.Alpha: LEAKY | {"alpha", "syn_exc", "syn_inh"},
    snntorch.RSynaptic: LEAKY | {"alpha", "syn", "spk"},
    nn.BatchNorm1d: BATCH,
    nn.BatchNorm2d: BATCH,
    **dict.fromkeys(
        (
            nn.ReLU,
            nn.Tanh,
            nn.MaxPool1d,
            nn.MaxPool2d,
            nn.AvgPool1d,
            nn.AvgPool2d,
            nn.AdaptiveAvgPool1d,
            nn.AdaptiveAvgPool2d,
            nn.Flatten,
            nn.Dropout,
            nn.Identity,
        ),
        frozenset[str](),
    ),
}
"""Every class that has a counterpart here, and the parameters and buffers that it has of its own."""
SAME = frozenset(
    {"__init__", "__doc__", "__module__", "__qualname__", "__annotations__", "__dict__", "__weakref__", "__repr__"}
) | {"__parameters__", "__firstlineno__", "__static_attributes__", "__constants__", "__orig_bases__", "extra_repr"}
"""What a subclass may say anew without computing anything else."""
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
RECURRENT = (snntorch.RLeaky, snntorch.RSynaptic)
STATEFUL = (
    nn.Linear, nn.Conv1d, nn.Conv2d, nn.BatchNorm1d, nn.BatchNorm2d, snntorch.Leaky, snntorch.Lapicque,
    snntorch.Synaptic, snntorch.Alpha, *RECURRENT,
)  # fmt: skip
WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d)


def unwrapped(module: nn.Module) -> nn.Module:
    """The module inside torch.compile's and the data-parallel wrappers, which compute what it computes.

    Raises:
        UserError: torch.jit has compiled the module.
    """
    while True:
        if isinstance(module, torch.jit.ScriptModule):
            raise UserError(
                f"a {type(module).__name__} of torch.jit holds compiled code in place of layers. Give the module "
                f"itself, as it was before torch.jit.script or torch.jit.trace"
            )
        inner = module._modules.get("_orig_mod")
        if isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
            check_no_hooks(module, f"the {type(module).__name__} around the net")
            inner = module._modules.get("module")
        if inner is None:
            return module
        module = inner


def check_plain(module: nn.Module, where: str) -> None:
    """Refuse a module that does more than its class does. A class that has no counterpart here passes.

    Args:
        module: the module of a Sequential, or the Sequential itself.
        where: names it in messages.

    Raises:
        UserError: it does more: what, and what can be done.
    """
    counterpart = next((base for base in (*PARTS, nn.Sequential) if isinstance(module, base)), None)
    if counterpart is None:
        return
    if any(isinstance(value, nn.UninitializedParameter) for value in module._parameters.values()):
        raise UserError(f"{where} has no weights yet. Run the net once on a sample before")
    check_no_hooks(module, where)
    parts = PARTS.get(counterpart, frozenset())
    own = {name for base in _above(type(module), counterpart) for name in vars(base)} - SAME
    methods = {
        name for name in own if hasattr(counterpart, name) or name in parts or name in counterpart.__annotations__
    }
    methods |= {name for name in vars(module) if callable(getattr(counterpart, name, None))}
    if methods:
        raise UserError(
            f"{where} is a {counterpart.__name__} with {_listed(methods)} of its own, which would not run here. Use "
            f"{counterpart.__module__.split('.')[0]}'s {counterpart.__name__} itself"
        )
    beside = {*module._parameters, *module._buffers} - parts
    if counterpart is not nn.Sequential:
        beside |= set(module._modules) - ({"recurrent"} if counterpart in RECURRENT else set())
    if beside:
        raise UserError(
            f"{where} holds {_listed(beside)}, which a {counterpart.__name__} has not and nothing here would read. "
            f"Remove it"
        )
    if isinstance(module, WEIGHTED):
        _check_weights(module, where)


def check_module(root: nn.Module) -> None:
    """Refuse a net that does something beside its forward, also in the containers inside it.

    Args:
        root: a Sequential, or a module with a forward of its own.

    Raises:
        UserError: a hook or a parametrisation, or a parameter of a Sequential that none of its layers has;
            or the net is one layer, or a list of layers that nothing calls.
    """
    if isinstance(root, (*PARTS, nn.ModuleList, nn.ModuleDict)):
        raise UserError(
            f"a net is a text such as '800-800', a Network, or a torch.nn.Module of torch and snnTorch layers, and "
            f"this is a {type(root).__name__}. Give the module that calls its layers"
        )
    for path, wrapped in root.named_modules():
        module = unwrapped(wrapped)
        at = f"layer {path} ({type(module).__name__})" if path else f"the {type(module).__name__}"
        if type(module).forward is nn.Sequential.forward:
            check_plain(module, at)
        elif not isinstance(module, tuple(PARTS)):
            check_no_hooks(module, at)


def check_no_hooks(module: nn.Module, where: str) -> None:
    """Refuse a module that calls something else where it runs.

    Args:
        module: the module of a Sequential, or a wrapper around it.
        where: names it in messages.

    Raises:
        UserError: something else is called; pruning and weight or spectral normalisation are named.
    """
    if parametrize.is_parametrized(module):
        names = getattr(module, "parametrizations", {})
        raise UserError(
            f"{where} has a parametrisation of {_listed(names)}, which would not be learned here. Remove it first: "
            f"torch.nn.utils.parametrize.remove_parametrizations(module, '{next(iter(names), 'weight')}')"
        )
    hooks = [hook for kind in HOOKS for hook in getattr(module, kind).values()]
    for hook in hooks:
        name = getattr(hook, "_tensor_name", None)
        if name is not None:
            raise UserError(
                f"{where} is pruned ('{name}'), and what is pruned would learn again here. Make it final first, "
                f"torch.nn.utils.prune.remove(module, '{name}'): its zeros are then weights like others"
            )
        if type(hook).__name__ in ("WeightNorm", "SpectralNorm"):
            raise UserError(
                f"{where} has a {type(hook).__name__}, which would not be learned here. Remove it first: "
                f"torch.nn.utils.remove_{'weight' if type(hook).__name__ == 'WeightNorm' else 'spectral'}_norm(module)"
            )
    if hooks:
        name = getattr(hooks[0], "__name__", type(hooks[0]).__name__)
        raise UserError(f"{where} has the hook '{name}', which nothing here would call. Remove it from the module")


def check_unshared(module: nn.Module, where: str, before: set[int]) -> None:
    """Refuse a module that shares what it keeps, weights or a membrane, with a module before it.

    Args:
        module: the module of a Sequential.
        where: names it in messages.
        before: identities of the modules before it, and of their parameters; this one's are added.

    Raises:
        UserError: it shares something.
    """
    if not isinstance(module, STATEFUL):
        return
    if id(module) in before:
        what = "weights" if isinstance(module, WEIGHTED) else "membranes"
        raise UserError(f"{where} stands there twice, and {what} cannot be shared. Use a module of its own")
    own = {id(module), *(id(value) for value in module.parameters())}
    if own & before:
        raise UserError(f"{where} shares its weights with a layer before it. Give it parameters of its own")
    before |= own


def _above(kind: type, counterpart: type) -> Iterable[type]:
    """The classes that a subclass adds to one that has a counterpart here."""
    return kind.__mro__[: kind.__mro__.index(counterpart)]


def _check_weights(module: nn.Module, where: str) -> None:
    for name in ("weight", "bias"):
        value = getattr(module, name)
        if not isinstance(value, Tensor):
            continue
        if type(value) not in (Tensor, nn.Parameter) or value.layout != torch.strided or value.is_meta:
            raise UserError(f"{where} has a {name} that is not a plain tensor. Give it dense numbers")
        if not value.is_floating_point() or value.is_quantized:
            raise UserError(f"{where} has a {name} of {value.dtype}. Give it float32 or float64")
        if value._backward_hooks:
            raise UserError(f"{where} has a hook on its {name}, which nothing here would call. Remove it")
        if not bool(value.isfinite().all()):
            raise UserError(f"{where} has a {name} that holds NaN or infinite values. Give it finite ones")
    shape = _shape_of(module)
    if tuple(module.weight.shape) != shape:  # type: ignore[arg-type]
        actual = tuple(module.weight.shape)  # type: ignore[arg-type]
        raise UserError(f"{where} says that its weight has shape {shape}, and it has {actual}. Make them the same")
    if module.bias is not None and tuple(module.bias.shape) != shape[:1]:  # type: ignore[arg-type]
        bias = tuple(module.bias.shape)  # type: ignore[arg-type]
        raise UserError(f"{where} has a bias of shape {bias}, and its weight needs {shape[:1]}. Make them agree")


def _shape_of(module: nn.Module) -> tuple[int, ...]:
    if isinstance(module, nn.Linear):
        return module.out_features, module.in_features
    assert isinstance(module, nn.Conv1d | nn.Conv2d)
    return module.out_channels, module.in_channels // module.groups, *module.kernel_size


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in sorted(names))
