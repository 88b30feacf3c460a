"""Ranks: processes that torchrun has started together, and the messages that they exchange by torch.distributed.

The processes of one machine or of several learn one network from shares of each batch. CPUs communicate by gloo, GPUs
by NCCL.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor

from neurorules.language.errors import OwnRankError, UserError
from neurorules.runs.interrupt import StopFlag, no_last_line
from neurorules.runs.launch import Launch, launch

MEETING = timedelta(seconds=40)
"""How long ranks wait for each other to begin. There is no other way to notice that a rank has ended before it met the
others."""
PATIENCE = timedelta(minutes=5)
"""How long a rank that has met the others waits for one that sends nothing. One whose process has ended is noticed at
once, since its connections are closed."""
LOOK = timedelta(seconds=1)
"""How long a rank waits inside gloo, where no signal reaches Python, before it looks whether it is to stop."""
LAST_WAIT = timedelta(seconds=5)
"""How long a rank that is to stop still waits for the others, which stop after the same batch if they can."""


class RankLost(OwnRankError):
    """Another rank has ended or does not answer, so that this one cannot go on."""


class OtherRankFailed(UserError):
    """Another rank could not begin, and its own message says why."""


@dataclass
class Ranks:
    """The ranks that share batches, as one of them sees the others.

    Args:
        rank: number of this one, 0 .. count - 1.
        count: the number of ranks, >= 2.
        group: torch's process group, through which they communicate.
        stop: says whether this rank requests that training stops after the next batch.
        stop_requested: whether any rank requested that before the last batch.
        sent_bytes: bytes that this rank has handed to the group for sums.
        store: the store at which the ranks met; None for that of torch.distributed.
        work_seconds: how long other ranks may have to work before they can answer.
        ends: closes further connections between ranks, at the end of `over_ranks`.
    """

    rank: int
    count: int
    group: Any
    stop: StopFlag = field(default_factory=StopFlag)
    stop_requested: bool = False
    sent_bytes: int = 0
    store: Any = None
    work_seconds: float = 0.0
    ends: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @property
    def first(self) -> bool:
        """Whether this rank is the one that writes and prints."""
        return self.rank == 0

    def sums(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """The sums of tensors over all ranks, the same bits on each.

        Args:
            tensors: any shapes, one type and device; those of the other ranks have the same shapes.

        Returns:
            As many sums, which share one piece of memory.

        Raises:
            RankLost: another rank does not answer.
        """
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        self.sent_bytes += flat.numel() * flat.element_size()
        self._sum(flat)
        pieces = flat.split([tensor.numel() for tensor in tensors])
        return [piece.view(tensor.shape) for piece, tensor in zip(pieces, tensors, strict=True)]

    def from_first(self, message: bytes | None) -> bytes:
        """Give every rank the value of the first rank, as `from_rank` does."""
        return self.from_rank(0, message)

    def from_rank(self, source: int, message: bytes | None) -> bytes:
        """Give every rank the value of one rank.

        Args:
            source: the rank whose value it is.
            message: the message of that rank; those of the others are not read.

        Returns:
            The message of that rank.

        Raises:
            RankLost: another rank does not answer.
        """
        own = (message or b"") if self.rank == source else b""
        size = torch.tensor([len(own)])
        self._spread(size, source)
        content = torch.zeros(int(size), dtype=torch.uint8)
        if own:
            content = torch.frombuffer(bytearray(own), dtype=torch.uint8)
        if len(content):
            self._spread(content, source)
        return content.numpy().tobytes()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Run a block in which ranks do not communicate. If it fails on one of them, it fails on all.

        Raises:
            UserError: the error of the block, on the lowest rank on which it failed; `OtherRankFailed` on all other
                ranks.
        """
        error: UserError | None = None
        try:
            yield
        except UserError as raised:
            error = raised
        failed = torch.zeros(self.count, dtype=torch.int64)
        failed[self.rank] = error is not None
        self._sum(failed)
        if not failed.any():
            return
        lowest = int(failed.argmax())
        if lowest != self.rank or error is None:
            raise OtherRankFailed(f"rank {lowest} of {self.count} could not begin, and its own line says why")
        raise error if self.first else OwnRankError(f"rank {self.rank} of {self.count}: {error}") from None

    def _sum(self, tensor: Tensor) -> None:
        options = torch.distributed.AllreduceOptions()
        options.timeout = PATIENCE  # otherwise the group would use the shorter timeout with which it met
        self._speak(lambda: self.group.allreduce([tensor], options), tensor)

    def _spread(self, tensor: Tensor, source: int) -> None:
        options = torch.distributed.BroadcastOptions()
        options.rootRank, options.timeout = source, PATIENCE
        self._speak(lambda: self.group.broadcast([tensor], options), tensor)

    def _speak(self, call: Callable[[], Any], tensor: Tensor) -> None:
        with self.losses():
            work = call()
            if tensor.is_cpu:
                self.wait(work)
            else:  # waits on the GPU, not here
                work.wait()

    @contextmanager
    def losses(self) -> Iterator[None]:
        """Run a block that speaks to other ranks, and tell its error in one line.

        Raises:
            RankLost: another rank has ended or does not answer.
        """
        try:
            yield
        except RuntimeError as error:
            reason = " ".join(str(error).split("] ", 1)[-1].split(". ", 1)[0].split())
            raise RankLost(
                f"rank {self.rank} of {self.count} stops: another rank has ended or does not answer ({reason:.100})"
            ) from None

    def wait(self, work: Any) -> None:
        """Wait for a message of gloo. A launcher ends ranks by a signal when one of them has died, and kills those that
        do not answer it.

        Raises:
            RuntimeError: the message cannot be sent, or this rank is to stop and none has come.
        """
        last: float | None = None
        while True:
            try:
                work.wait(LOOK)
                return
            except RuntimeError:
                if work.is_completed():
                    work.wait()  # its own error, or none if it has just ended
                    return
            if self.stop.requested:
                last = last or time.monotonic() + LAST_WAIT.total_seconds() + self.work_seconds
                if time.monotonic() > last:
                    raise RuntimeError("asked to stop while it waited") from None


_here: ContextVar[Ranks | None] = ContextVar("ranks", default=None)


def ranks_here() -> Ranks | None:
    """The ranks of the block of `over_ranks` in which this is called; None outside, or where there is one process."""
    return _here.get()


@contextmanager
def over_ranks(ranks: Ranks | None = None) -> Iterator[Ranks | None]:
    """Inside the block, a `Learner` made in this process learns together with those of the other ranks.

    It is given whole batches, the same ones on every rank. Each rank learns from its share, and the change is averaged
    over the ranks, as if one process had learned from the whole batch. With the schedule "pipelined" each rank learns
    its own layers instead, and `Learner.flush` makes the network whole again. The ranks are those that torchrun has
    started, or those of an existing process group of torch.distributed.

    Args:
        ranks: the ranks to learn with; None for those of torch.distributed.

    Yields:
        The ranks; None if there is one process alone, for which nothing changes.

    Raises:
        UserError: the ranks cannot find each other.
    """
    with contextlib.ExitStack() as end:
        if ranks is None:
            ranks = ranks_here() or end.enter_context(_joined())
        if ranks is not None and ranks is not ranks_here():  # the outermost block of these ranks
            end.callback(ranks.ends.close)
        token = _here.set(ranks)
        end.callback(_here.reset, token)
        yield ranks


@contextmanager
def _joined() -> Iterator[Ranks | None]:
    """The ranks of torch.distributed, whose process group is created, and ended again, if there is none yet."""
    import torch.distributed as distributed

    started = launch()
    there = distributed.is_available() and distributed.is_initialized()
    if started.ranks < 2 and not there:
        yield None
        return
    if not distributed.is_available():
        raise UserError(
            f"torchrun has started {started.ranks} ranks, and this torch has no torch.distributed. Install another "
            f"build of torch, or start without torchrun"
        )
    store = None if there else _make_group(distributed, started)
    count = distributed.get_world_size()
    ranks = Ranks(distributed.get_rank(), count, distributed.group.WORLD, store=store) if count > 1 else None
    try:
        yield ranks
    finally:
        if not there:
            distributed.destroy_process_group()
            # Its threads end now, with its last reference. One that still releases a tensor when Python itself ends
            # would abort the process.
            if ranks is not None:
                ranks.group = None


def _make_group(distributed: Any, started: Launch) -> Any:
    """Create the process group, and return the store at which the ranks have met."""
    on_gpus = torch.cuda.is_available() and distributed.is_nccl_available()
    if on_gpus:  # from here on "cuda" is this rank's own GPU
        torch.cuda.set_device(started.local_rank % torch.cuda.device_count())
    try:
        with no_last_line():
            store, rank, count = next(distributed.rendezvous("env://", timeout=MEETING))
            # The store outlives ranks that are restarted. A prefix for each start keeps them from finding entries of
            # dead ranks.
            store = distributed.PrefixStore(f"start {started.restarts}", store)
            kind = "cpu:gloo,cuda:nccl" if on_gpus else "gloo"
            distributed.init_process_group(kind, store=store, rank=rank, world_size=count, timeout=MEETING)
            return store
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise OwnRankError(
            f"rank {started.rank} of {started.ranks} cannot reach the others ({reason:.100}): one has ended, or "
            f"cannot be reached. Start with torchrun, and see that all machines reach MASTER_ADDR and MASTER_PORT"
        ) from None
