"""A link between two ranks that follow each other: messages of bytes from the lower rank to the higher one, by gloo."""

from __future__ import annotations

import os
import time
from typing import Any

import torch
from torch import Tensor

from neurorules.torch_path.process.ranks import MEETING, PATIENCE, Ranks


class Link:
    """One end of the link between rank n and rank n + 1. Messages go up; nothing ever comes down.

    A message is sent in the background, so that the sender can work on; it waits only if the one before has not been
    received yet.

    Args:
        ranks: the ranks, as this one sees them.
        lower: n, which is this rank or the one before it.
        name: a word that no other link of these ranks has.

    Raises:
        RankLost: the other rank does not answer.
    """

    def __init__(self, ranks: Ranks, lower: int, name: str) -> None:
        import torch.distributed as distributed

        self.ranks = ranks
        self.sent_bytes, self.waiting_seconds = 0, 0.0
        self._under_way: list[tuple[Any, Tensor]] = []
        ranks.ends.callback(self.close)
        with ranks.losses():
            store = ranks.store
            if store is None:
                store = distributed.distributed_c10d._get_default_store()
            own = distributed.PrefixStore(f"link {name} {lower}", store)
            self._group: Any = distributed.ProcessGroupGloo(own, ranks.rank - lower, 2, MEETING)

    def send(self, message: bytes) -> None:
        """Send a message to the rank above, once the message before has been received.

        Raises:
            RankLost: the rank above has ended or does not answer.
        """
        self.finish()
        self.sent_bytes += len(message)
        content = torch.frombuffer(bytearray(message), dtype=torch.uint8)
        with self.ranks.losses():
            self._under_way = [(self._spread(part), part) for part in (torch.tensor([len(message)]), content)]

    def finish(self) -> None:
        """Wait until the last message has been received."""
        started = time.perf_counter()
        with self.ranks.losses():
            for work, _ in self._under_way:
                self.ranks.wait(work)
        self._under_way = []
        self.waiting_seconds += time.perf_counter() - started

    def receive(self) -> bytes:
        """Wait for the next message of the rank below.

        Returns:
            The message.

        Raises:
            RankLost: the rank below has ended or does not answer.
        """
        started = time.perf_counter()
        with self.ranks.losses():
            size = torch.zeros(1, dtype=torch.int64)
            self.ranks.wait(self._spread(size))
            content = torch.zeros(int(size), dtype=torch.uint8)
            self.ranks.wait(self._spread(content))
        self.waiting_seconds += time.perf_counter() - started
        return content.numpy().tobytes()

    def close(self) -> None:
        """Close the connection; the other end of it then fails instead of waiting."""
        self._under_way, self._group = [], None

    def _spread(self, tensor: Tensor) -> Any:
        options = torch.distributed.BroadcastOptions()
        options.rootRank, options.timeout = 0, PATIENCE
        return self._group.broadcast([tensor], options)


def links_of(ranks: Ranks) -> tuple[Link | None, Link | None]:
    """New links of this rank to the rank below and to the rank above; None where there is no such rank.

    All ranks have to call this together.

    Raises:
        RankLost: another rank does not answer.
    """
    name = ranks.from_first(os.urandom(8).hex().encode()).decode()
    below = Link(ranks, ranks.rank - 1, name) if ranks.rank > 0 else None
    above = Link(ranks, ranks.rank, name) if ranks.rank < ranks.count - 1 else None
    return below, above
