"""The calls that a module makes in one step of its forward, traced by torch.fx without running a sample."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import fx, nn

from neurorules.language.errors import UserError
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
    except Exception as error:  # whatever a user's own code raises when it is given a proxy
        name = type(module).__name__
        if "cannot be interpreted as an integer" in str(error) or "iterated" in str(error):
            raise UserError(f"the forward of {name} loops over its input. {ONE_STEP}") from None
        why = str(error).strip().splitlines()[:1] or [type(error).__name__]
        raise UserError(
            f"the forward of {name} cannot be followed ({why[0].rstrip('.')}). Let it call its layers in an order that "
            f"does not depend on the values of its input"
        ) from None


def place_of(node: fx.Node, root: nn.Module) -> str:
    """Name a call in messages.

    Args:
        node: of the graph.
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
    """The place where a user's code makes a call, as " in line 12 of net.py"; empty where that is not known."""
    frames = re.findall(r'File "([^"]+)", line (\d+)', node.stack_trace or "")
    own = [(name, line) for name, line in frames if "site-packages" not in name]
    return f" in line {own[-1][1]} of {Path(own[-1][0]).name}" if own else ""


def _plain(path: str) -> str:
    """A module's path without the names of what wraps modules."""
    return ".".join(part for part in path.split(".") if part != "_orig_mod")
