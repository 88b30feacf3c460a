"""A learner whose layers lie on several ranks, whole again: each rank gives the others what its layers have learned."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from neurorules.language.errors import UserError
from neurorules.runs.interrupt import interrupts_wait
from neurorules.torch_path.process.session import own_session
from neurorules.torch_path.training.rank_pipe import RankPipe, Use
from neurorules.torch_path.training.state import from_tensors, tensors_of

ABOUT = "about"
"""The entry of a message that is no tensor of the learner: figures and the use of time, as a JSON text."""
PARAMETERS, OPTIMISER = "parameters/", "optimiser/"


def flush_ranks(learner: Any, pipe: RankPipe) -> list[dict[str, float]]:
    """Wait until every rank has learned the batches under way, and give each of them the whole network.

    All ranks have to call this after the same batch.

    Args:
        learner: the `Learner` that owns the pipe.
        pipe: the layers of this rank.

    Returns:
        The figures of each batch since the last flush, in order, the same on every rank.

    Raises:
        RankLost: another rank has ended or does not answer.
        UserError: layers of two ranks have changed the same tensor, which one process would not do.
    """
    if not pipe.under_way and not pipe.broken:
        return []
    ranks = pipe.ranks
    with pipe.failing_together(), own_session(learner.fast), interrupts_wait() as hold:
        pipe.end()
        own = save(_own_changes(learner, pipe))
        pipe.use.state_bytes += len(own)
        messages = [load(ranks.from_rank(rank, own if rank == ranks.rank else None)) for rank in range(ranks.count)]
        facts = [json.loads(bytes(message.pop(ABOUT).tolist())) for message in messages]
        _check_apart(messages)
        hold()
        for rank, message in enumerate(messages):
            if rank != ranks.rank:
                _take_over(learner, message)
        pipe.uses = [Use(**fact["use"]) for fact in facts]
        pipe.under_way, pipe.figures, pipe.changes = 0, [], set()
    return [_joined(figures) for figures in zip(*(fact["figures"] for fact in facts), strict=True)]


def _own_changes(learner: Any, pipe: RankPipe) -> dict[str, Tensor]:
    """The tensors that this rank has changed, with the optimiser's of its parameters, and what it knows beside them."""
    buffers = tuple(OPTIMISER + name.removeprefix(PARAMETERS) + "/" for name in pipe.changes)
    tensors = {**tensors_of(learner.learned), **learner.store.state()}
    about = json.dumps({"figures": pipe.figures, "use": asdict(pipe.use)}).encode()
    changed = {n: t.contiguous().cpu() for n, t in tensors.items() if n in pipe.changes or n.startswith(buffers)}
    return {**changed, ABOUT: torch.frombuffer(bytearray(about), dtype=torch.uint8)}


def _check_apart(messages: list[dict[str, Tensor]]) -> None:
    owners: dict[str, int] = {}
    for rank, message in enumerate(messages):
        for name in message:
            if owners.setdefault(name, rank) != rank:
                raise UserError(
                    f"layers on ranks {owners[name]} and {rank} both change '{name}', which would not be learned as in "
                    f"one process. Use --schedule by_layer"
                )


def _take_over(learner: Any, tensors: Mapping[str, Tensor]) -> None:
    """Take over what the layers of another rank have learned."""
    device = learner.device
    buffers = {n.removeprefix(OPTIMISER): t.to(device) for n, t in tensors.items() if n.startswith(OPTIMISER)}
    parameters = {n.removeprefix(PARAMETERS): t for n, t in tensors.items() if n.startswith(PARAMETERS)}
    for name, value in parameters.items():
        learner.store.parameters[name].copy_(value)
    learner.optimiser.load({**learner.optimiser.state(), **buffers})
    rest = {n: t.to(device) for n, t in tensors.items() if not n.startswith((PARAMETERS, OPTIMISER))}
    flat = tensors_of(replace(learner.learned, parameters={})) | rest
    learner.learned = replace(from_tensors(flat), parameters=learner.learned.parameters)


def _joined(figures: tuple[dict[str, float], ...]) -> dict[str, float]:
    """The figures of one batch from those that each rank knows: loss and scores first, then spikes of all layers."""
    every = {name: value for of_rank in figures for name, value in of_rank.items()}
    spikes = {name: value for name, value in every.items() if name.startswith("spikes.")}
    return {**{name: value for name, value in every.items() if name not in spikes}, **spikes}
