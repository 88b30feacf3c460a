"""The report on a pipeline over ranks: which layers lie on which rank, how long ranks waited, and what they sent."""

from __future__ import annotations

from typing import Any

from neurorules.torch_path.training.rank_pipe import RankPipe


def use_of_ranks(pipe: RankPipe) -> dict[str, Any]:
    """The facts about a pipeline since its processes began; those about batches are means over the batches.

    Args:
        pipe: the layers of this rank, after a flush.

    Returns:
        layers: the names of each rank's layers; layer_ms: milliseconds that each layer took for a batch when the layers
        were divided; idle_ticks: the share of ticks, in 0..1, in which a rank had no batch, because the pipeline was
        filling or emptying; waiting: by rank, the share of its time in which it waited for other ranks, in 0..1, idle
        ticks included; sent_bytes_per_batch: by rank, forward activity; state_bytes_per_flush: by rank, what its layers
        had learned, sent to all others after an epoch and before a checkpoint. The last four are missing if nothing was
        learned.
    """
    names = [layer.name for layer in pipe.model.network.layers]
    uses, others = pipe.uses, pipe.ranks.count - 1
    facts: dict[str, Any] = {
        "layers": [[names[index] for index in section] for section in pipe.sections],
        "layer_ms": {name: 1e3 * cost for name, cost in zip(names, pipe.costs, strict=False)},
    }
    if uses:
        idle = uses[0].flushes * others
        facts |= {
            "idle_ticks": idle / (uses[0].batches + idle),
            "waiting": [use.waiting_seconds / use.seconds for use in uses],
            "sent_bytes_per_batch": [use.sent_bytes / use.batches for use in uses],
            "state_bytes_per_flush": [use.state_bytes / use.flushes for use in uses],
        }
    return facts


def line_of_use(facts: dict[str, Any]) -> str:
    """The report in a line, such as "rank 0: hidden1 (3 % waiting, 102 kB a batch); ..."."""
    if "waiting" not in facts:
        return "; ".join(f"rank {rank}: {', '.join(names)}" for rank, names in enumerate(facts["layers"]))
    ranks = zip(facts["layers"], facts["waiting"], facts["sent_bytes_per_batch"], strict=True)
    each = [
        f"rank {rank}: {', '.join(names)} ({100 * waiting:.0f} % waiting, {_size(sent)} a batch)"
        for rank, (names, waiting, sent) in enumerate(ranks)
    ]
    return f"{'; '.join(each)}; {100 * facts['idle_ticks']:.1f} % of ticks idle"


def _size(count: float) -> str:
    """A number of bytes in words, such as "1.2 MB"."""
    if count >= 1e6:
        return f"{count / 1e6:.1f} MB"
    return f"{count / 1e3:.0f} kB" if count >= 1e4 else f"{count:.0f} bytes"
