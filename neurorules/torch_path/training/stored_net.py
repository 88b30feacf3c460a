"""The file of a run folder for a net that is made of modules, with its description and initial numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from neurorules.contracts.normalisation import CurrentStatistics
from neurorules.contracts.running_mean import RunningMean
from neurorules.exchange.imported import Imported
from neurorules.language.errors import UserError
from neurorules.network.description import digest_of, network_of, words_of
from neurorules.runs.folder import NET
from neurorules.runs.tensors import load_tensors, save_tensors
from neurorules.torch_path.training.earlier_names import with_todays_names

SIGN = "#"
"""The sign before the digest of its description in the name of such a net."""
WORDS, NAME, FROZEN = "net", "name", "frozen"
"""The names of the texts that the file holds in addition to tensors."""
NUMBERS, PARAMETERS, AVERAGES = "numbers/", "parameters/", "averages/"
"""The beginnings of the names of its tensors: numbers of neurons, weights and biases, averages of batch
normalisation."""


def named(net: Imported, name: str) -> Imported:
    """The net with a name that distinguishes it from nets with other layers or neurons; weights make no difference.

    Args:
        net: the net as read from a module.
        name: a name that users know, such as that of its class.

    Returns:
        The same net, whose name ends with a digest.
    """
    words, numbers = words_of(net.network)
    digest = digest_of(words, numbers, sorted(net.frozen))
    return Imported(net.network, net.parameters, net.statistics, net.frozen, f"{name}{SIGN}{digest}")


def save_net(folder: Path, net: Imported) -> None:
    """Write the net of a new run.

    Args:
        folder: the folder of the run.
        net: the net with its name.
    """
    words, numbers = words_of(net.network)
    tensors = {f"{NUMBERS}{name}": value for name, value in numbers.items()}
    tensors |= {f"{PARAMETERS}{name}": value for name, value in net.parameters.items()}
    for layer, averages in net.statistics.items():
        for which, one in zip(("mean", "square"), averages, strict=True):
            tensors |= {f"{AVERAGES}{layer}/{which}/{part}": value for part, value in one._asdict().items()}
    texts = {WORDS: json.dumps(words), NAME: net.name, FROZEN: json.dumps(sorted(net.frozen))}
    save_tensors(folder / NET, tensors, texts)


def load_net(folder: Path, name: str) -> Imported | None:
    """Read the net of a run.

    Args:
        folder: the folder of the run.
        name: the name of the net in the configuration of the run.

    Returns:
        The net; None if the net is completely described by its text.

    Raises:
        UserError: the file is missing or damaged, or describes another net.
    """
    if SIGN not in name:
        return None
    path = folder / NET
    tensors, texts = load_tensors(path)
    try:
        words, frozen = json.loads(texts[WORDS]), json.loads(texts[FROZEN])
    except (KeyError, ValueError):
        raise UserError(f"{path} is damaged, it describes no net. Restore it, or train again with --force") from None
    numbers = _below(tensors, NUMBERS)
    if digest_of(words, numbers, frozen) != name.rpartition(SIGN)[2]:
        raise UserError(
            f"{path} describes another net than that of config.json, {name}. Restore it, or train again with --force"
        )
    averages = with_todays_names(_below(tensors, AVERAGES))
    layers = dict.fromkeys(key.partition("/")[0] for key in averages)
    statistics = {layer: CurrentStatistics(*(_mean(averages, layer, which) for which in ("mean", "square")))
                  for layer in layers}  # fmt: skip
    return Imported(network_of(words, numbers), _below(tensors, PARAMETERS), statistics, frozenset(frozen), name)


def check_begun_with(folder: Path, net: Imported, init: str | None) -> None:
    """Refuse a net with other weights than those with which a run began. Nothing is checked in a folder without a net.

    Args:
        folder: the folder of the run, whose net has the same layers.
        net: the net to continue with, or to compare.
        init: the initial weights; if they are random, only frozen weights are compared.

    Raises:
        UserError: weights or averages differ.
    """
    if not (folder / NET).exists():
        return
    stored = load_net(folder, net.name)
    if stored is None:  # the name describes it completely
        return
    begun, wanted = (_beginning(one if init == "given" else one.drawn_anew()) for one in (stored, net))
    changed = [name for name, value in wanted.items() if name not in begun or not torch.equal(value.cpu(), begun[name])]
    if changed:
        raise UserError(
            f"the run in {folder} began with other weights of {net.name}: {', '.join(changed[:3])}. Give the net as it "
            f"was then, or begin anew with --force"
        )


def _beginning(net: Imported) -> dict[str, Tensor]:
    """All tensors of a net, by names such as those of its file."""
    averages = {f"{layer}.{which}": one.value for layer, both in net.statistics.items()
                for which, one in zip(("mean", "square"), both, strict=True)}  # fmt: skip
    return {**net.parameters, **averages}


def _below(tensors: Mapping[str, Tensor], beginning: str) -> dict[str, Tensor]:
    return {name.removeprefix(beginning): value for name, value in tensors.items() if name.startswith(beginning)}


def _mean(averages: Mapping[str, Tensor], layer: str, which: str) -> RunningMean:
    return RunningMean(*(averages[f"{layer}/{which}/{part}"] for part in RunningMean._fields))
