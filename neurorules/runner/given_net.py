"""The values that `net=` or `--net` may have: a text, a module of torch and snnTorch layers, or a NIR graph."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from neurorules.contracts.data_set import DataPlace
from neurorules.datasets import open_dataset
from neurorules.exchange.imported import Imported
from neurorules.exchange.nir.file import is_graph
from neurorules.exchange.nir.options import is_nir
from neurorules.language.config import TrainConfig
from neurorules.language.errors import UserError
from neurorules.language.settings import Init
from neurorules.language.user_module import call, current_folder, function_of, parsed
from neurorules.rules import RULES
from neurorules.torch_path.training.given_net import same_outputs
from neurorules.torch_path.training.stored_net import SIGN, named

MODULE = re.compile(r"\s*[^\W\d][\w.]*:")
"""How the text of a net begins that a function of the user's makes; no text of layers has a colon."""
DECIDED = ("neuron", "readout_neuron", "connection", "norm")
"""Settings that a module decides by its layers."""


@dataclass(frozen=True)
class ModuleNet:
    """A net that a function of the user's makes: `module:function`, from the current folder or a package.

    Args:
        text: with options of the function, as the user wrote it.
        module: dotted path of the module.
        function: name of the function in it.
        options: texts by name.
    """

    text: str
    module: str
    function: str
    options: dict[str, str]

    @classmethod
    def of_text(cls, text: str) -> ModuleNet:
        """Read a net's text of the form `module:function:key=value`.

        Raises:
            UserError: it is written otherwise.
        """
        parts = parsed(text)
        if parts is None:
            raise UserError(
                f"net '{text}' is neither a text of layers nor module:function. Write layers, such as 800-800, or the "
                f"function that returns your net, such as mynets:make_net"
            )
        return cls(text.strip(), *parts)

    def make(self, seed: int) -> Any:
        """Call the user's function and give what it returns.

        Args:
            seed: the seed of the draws that it makes from torch, so that the same run begins with the same weights.

        Returns:
            What it returns.

        Raises:
            UserError: there is no such function, or it raises an error.
        """
        where = f"net '{self.text}'"
        absent = f"there is no module '{self.module}'. Check its name, or change to the folder that holds it"
        with current_folder(), torch.random.fork_rng():
            make = function_of(where, self.module, self.function, absent, "a torch.nn.Module")
            torch.manual_seed(seed)
            return call(where, self.function, make, self.options)


def with_net(
    config: TrainConfig, place: DataPlace, net: Any = None, init: Init | None = None
) -> tuple[TrainConfig, Imported | None]:
    """Read a net that is a module, and say in the settings what it decides.

    Args:
        config: with the number of steps that the data decide; its `net` is a text.
        place: where the data are, whose samples the net reads.
        net: a module, a NIR graph, or a net that was read before; None for the one that the text names.
        init: how its weights begin where the settings leave that open; None for the rule's own.

    Returns:
        The settings, and the net; None for a text of layers.

    Raises:
        UserError: the net cannot be read, or settings say what its layers say.
    """
    if isinstance(net, Imported):
        return config, net
    if net is None and SIGN in config.net:
        raise UserError(
            f"net '{config.net}' lay in the memory of a Python program. Hand the module over again, net=module in "
            f"neurorules.train, or write a function that returns it: --net module:function"
        )
    if net is None and MODULE.match(config.net) is None and not is_nir(config.net):
        _check_begin(config)
        return config, None
    for name in DECIDED:
        if getattr(config, name) is not None:
            raise UserError(f"{name} is {getattr(config, name)}, and the layers of your net decide it. Leave it out")
    if config.readout != "last":
        raise UserError(f"readout is {config.readout}, and the last layer of your net reads out. Leave it out")
    _check_path(config)
    name = type(net).__name__
    file = net is None and is_nir(config.net)
    if net is None and not file:
        described = ModuleNet.of_text(config.net)
        net, name = described.make(config.seed), described.text
    own = named(_read(net, config, place), config.net.strip() if file else name)
    return replace(config, init=config.init or init, **own.settings()), own  # type: ignore[arg-type]


def _check_begin(config: TrainConfig) -> None:
    if config.init == "given":
        raise UserError(
            f"init is given, for the weights of a module, and net '{config.net}' is a text, which has none. Use torch "
            f"or he, or give a module"
        )


def without_module(settings: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
    """Settings as a program gives them, and apart from them a net that is no text.

    Args:
        settings: by name.

    Returns:
        The settings that are texts and numbers, and the net; None where it is a text, or nobody gives one.
    """
    net = settings.get("net")
    if net is None or isinstance(net, str):
        return dict(settings), None
    return {name: value for name, value in settings.items() if name != "net"}, net


def check_modules(config: TrainConfig, rows: Sequence[TrainConfig]) -> None:
    """Check that no row of a comparison says of a net of modules what its layers say.

    Args:
        config: what all rows share.
        rows: their configurations.

    Raises:
        UserError: one says it, or has a path that does not run such a net.
    """
    if SIGN not in config.net:
        return
    for row in rows:
        for name in DECIDED:
            if getattr(row, name) != getattr(config, name):
                raise UserError(f"'{row.rule}@{name}={getattr(row, name)}' changes a net of modules. Leave @{name} out")
        _check_path(row)


def _check_path(config: TrainConfig) -> None:
    if config.path != "torch":
        raise UserError(f"a net of modules runs in steps, and the path is {config.path}. Use --path torch")


def _read(net: Any, config: TrainConfig, place: DataPlace) -> Imported:
    file = net is None and is_nir(config.net)
    if not (file or isinstance(net, nn.Module) or is_graph(net)):
        raise UserError(
            f"net is a {type(net).__name__}. Give a text such as 800-800, a torch.nn.Module of torch and snnTorch "
            f"layers, or a NIR graph"
        )
    source = open_dataset(config.data, place)
    if file:
        from neurorules.exchange.nir.read import net_of_text

        own = net_of_text(config.net, source.shape)
    elif isinstance(net, nn.Module):
        from neurorules.torch_path.snntorch.from_module import from_module

        steps = config.steps or RULES.make(config.rule).defaults.steps
        own = from_module(net, source.shape, steps, config.scores, source.classes, flat=True)
    else:
        from neurorules.exchange.nir.read import net_of_graph

        own = net_of_graph(net, None, source.shape)
    if own.network.classes != source.classes:
        raise UserError(
            f"the net has {own.network.classes} outputs, and the data have {source.classes} classes. "
            f"{same_outputs(own.network.classes, source.classes)}"
        )
    return own


def refuse_modules(config: TrainConfig, what: str) -> None:
    """Refuse a net of the user's own where only texts are taken.

    Args:
        config: with the text of the net.
        what: takes texts alone, in the message.

    Raises:
        UserError: the text names a function or a module.
    """
    if MODULE.match(config.net) or SIGN in config.net or is_nir(config.net):
        raise UserError(
            f"net '{config.net}' is a module or a graph, and {what} takes nets as text. Write layers, such as 800-800"
        )
    _check_begin(config)
