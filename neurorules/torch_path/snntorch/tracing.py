"""The calls that a module makes in one step of its forward, traced by torch.fx without running a sample."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from snntorch import SpikingNeuron
from torch import fx, nn

from neurorules.language.errors import RAISED, UserError
from neurorules.torch_path.snntorch.module_checks import PARTS, unwrapped

ONE_STEP = (
    "A net's forward computes one step: it takes the spikes of this step, and its layers keep their membranes "
    "(init_hidden=True) or are handed them. Move the loop over time out of it"
)


class _Tracer(fx.Tracer):
    """Follows a module's own code down to the layers of torch and snnTorch."""

    def __init__(self) -> None:
        super().__init__()
        self.record_stack_traces = True

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Whether a call of this module is one node of the graph: a layer, or a subclass of one."""
        if isinstance(m, nn.Sequential):
            return False
        return isinstance(m, tuple(PARTS)) or type(m).__module__.split(".")[0] in ("torch", "snntorch", "neurorules")

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Trace a call of a module; of one that is compiled or wrapped, what is inside.

        Args:
            m: the module.
            forward: its forward.
            args: what it is called with.
            kwargs: likewise.

        Returns:
            A proxy of what it returns.
        """
        inner = unwrapped(m)
        if inner is not m:
            m, forward = inner, inner.forward
        return super().call_module(m, forward, args, kwargs)


def trace(module: nn.Module) -> fx.Graph:
    """The calls of one step, in the order in which they run.

    Args:
        module: with a forward of one step.

    Returns:
        A graph whose modules are layers of torch and snnTorch.

    Raises:
        UserError: the forward loops over time, or does what depends on the values of its input.
    """
    try:
        return _Tracer().trace(module)
    except UserError:
        raise
    except RAISED as error:  # whatever a user's own code raises when it is given a proxy
        raise UserError(f"the forward of {type(module).__name__} {_why_not(module, error)}") from None


def _why_not(module: nn.Module, error: BaseException) -> str:
    """The reason why a forward cannot be followed, its place, and what to do, as the end of a sentence."""
    frames = traceback.extract_tb(error.__traceback__)
    outside = [frame for frame in frames if not {"torch", "neurorules"} & set(Path(frame.filename).parts)]
    own = [frame for frame in outside if "site-packages" not in frame.filename]
    at = f" in line {own[-1].lineno} of {Path(own[-1].filename).name}" if own else ""
    if isinstance(error, SystemExit):
        return f"ends the program{at} (SystemExit: {error}). Raise an error there instead, or leave it out"
    if any("spikegen" in frame.filename for frame in outside):
        return f"draws spikes by snntorch.spikegen{at}. Let it take spikes, and name an encoder, encode='poisson'"
    if "not installed as a submodule" in str(error):
        return f"calls a layer that is not among its modules{at}. Keep layers in torch.nn.ModuleList, not in a list"
    several = [one.name for one in signature(module.forward).parameters.values() if one.kind is one.VAR_POSITIONAL]
    if several and "iterated" in str(error):
        return f"takes any number of states, *{several[0]}. Name each of them, as mem1=None, mem2=None"
    if "cannot be interpreted as an integer" in str(error) or "iterated" in str(error):
        return f"loops over its input{at}. {ONE_STEP}"
    if "'len' is not supported" in str(error):
        return f"takes len() of what runs through it{at}. Write x.size(0), which can be followed"
    why = str(error).strip().splitlines()[:1] or [type(error).__name__]
    return (
        f"cannot be followed{at} ({why[0].rstrip('.')}). Let it call its layers in an order that does not depend on "
        f"the values of its input"
    )


class Resets:
    """The membranes that a forward sets anew while it is traced, as `snntorch.utils.reset` does; all are put back.

    Args:
        module: whose forward is traced inside the `with`.
    """

    def __init__(self, module: nn.Module) -> None:
        self.neurons = {path: one for path, one in module.named_modules() if isinstance(one, SpikingNeuron)}
        self.before = {path: dict(one._buffers) for path, one in self.neurons.items()}
        self.layers: list[str] = []

    def __enter__(self) -> Resets:
        for one in self.neurons.values():
            one._buffers["mem"] = torch.empty(0)
        self.during = {path: one._buffers["mem"] for path, one in self.neurons.items()}
        return self

    def __exit__(self, *_: object) -> None:
        for path, one in self.neurons.items():
            if one._buffers.get("mem") is not self.during[path]:
                self.layers.append(f"layer {_plain(path)} ({type(one).__name__})")
            one._buffers.clear()
            one._buffers.update(self.before[path])

    def refuse(self) -> None:
        """Refuse a forward that has set a membrane anew.

        Raises:
            UserError: it has; the first layer is named.
        """
        if self.layers:
            raise UserError(
                f"forward sets the membrane of {self.layers[0]} anew in each step. Leave the reset out of it: every "
                f"batch begins at rest here"
            )


def place_of(node: fx.Node, root: nn.Module) -> str:
    """Name a call in messages.

    Args:
        node: the node of the graph.
        root: the module that was traced.

    Returns:
        A layer by its path and class, another call by its name and the line of the user's code that makes it.
    """
    if node.op == "call_module":
        path = str(node.target)
        return f"layer {_plain(path)} ({type(root.get_submodule(path)).__name__})"
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))
    return f"'{str(name).strip('_')}'{line_of(node)}"


def line_of(node: fx.Node) -> str:
    """The place where a user's code makes a call, as " in line 12 of net.py"; empty if that is not known."""
    frames = re.findall(r'File "([^"]+)", line (\d+)', node.stack_trace or "")
    own = [(name, line) for name, line in frames if "site-packages" not in name]
    return f" in line {own[-1][1]} of {Path(own[-1][0]).name}" if own else ""


def _plain(path: str) -> str:
    """A module's path without the names of what wraps modules."""
    return ".".join(part for part in path.split(".") if part != "_orig_mod")
