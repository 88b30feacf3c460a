"""The layers of one rank, its links to the ranks below and above, and the use that it makes of its time."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch

from neurorules.connections._products import listing_once
from neurorules.contracts.series import Series
from neurorules.contracts.signal import Signal
from neurorules.language.errors import UserError
from neurorules.network.layer import NETWORK_INPUT
from neurorules.network.model import Learned, Model
from neurorules.torch_path.process.neighbours import Link, links_of
from neurorules.torch_path.process.ranks import Ranks
from neurorules.torch_path.trial.division import divided, measured_costs
from neurorules.torch_path.trial.parcel_message import facts_of, packed, unpack
from neurorules.torch_path.trial.pipeline import Parcel, Stage, run_stage

GO_ON, SAVE, STOP = range(3)
"""The words of the first rank about the time after a batch: it goes to the ranks above with the batch."""

PATIENT = 3.0
"""The number of times that a batch may pass all layers while a rank that is to stop waits for the others."""


@dataclass
class Use:
    """The use that a rank has made of its time since its process began.

    Args:
        batches: number of batches that it has learned from.
        flushes: the number of times that the pipeline was emptied.
        seconds: the time from the first batch after a flush to the next one, summed.
        waiting_seconds: the part of it in which the rank waited for the ranks beside it.
        sent_bytes: bytes of forward activity.
        state_bytes: bytes of what its layers had learned, sent at each flush.
    """

    batches: int = 0
    flushes: int = 0
    seconds: float = 0.0
    waiting_seconds: float = 0.0
    sent_bytes: int = 0
    state_bytes: int = 0


@dataclass
class RankPipe:
    """The layers of one rank, and its links to the ranks below and above.

    Args:
        model: network, rule and signal.
        ranks: the ranks, as this one sees them.
        slots: no batches, since none stays here between two calls.
        sections: the layers of each rank; empty until the first batch has been seen.
        costs: seconds that each layer takes for a batch, by which the layers were divided.
        reading_seconds: seconds in which the first rank reads a batch.
        save_due: whether the first rank wants a flush after the next batch, for a checkpoint.
        word: the first rank's word on the last batch.
        under_way: number of batches since the last flush.
        figures: figures of these batches, as far as this rank knows them.
        changes: names of the tensors that this rank has changed since then.
        broken: whether a batch has failed on this rank or a neighbour, so that layers have learned different numbers of
            batches.
        use: the use that this rank has made of its time.
        uses: the use that each rank had made of its time at the last flush.
    """

    model: Model
    ranks: Ranks
    slots: list[Parcel | None] = field(default_factory=list)
    sections: list[range] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)
    reading_seconds: float = 0.0
    save_due: bool = False
    word: int = GO_ON
    under_way: int = 0
    figures: list[dict[str, float]] = field(default_factory=list)
    changes: set[str] = field(default_factory=set)
    broken: bool = False
    use: Use = field(default_factory=Use)
    uses: list[Use] = field(default_factory=list)
    _below: Link | None = None
    _above: Link | None = None
    _begun: float = 0.0

    def __post_init__(self) -> None:
        layers = len(self.model.network.layers)
        if self.ranks.count > layers:
            raise UserError(
                f"{self.ranks.count} ranks cannot divide {layers} layers, since each of them takes one at least. Start "
                f"{layers} ranks at most, or use --schedule by_layer, with which ranks share batches"
            )

    @property
    def section(self) -> range:
        """The layers of this rank; all of them before they have been divided."""
        return self.sections[self.ranks.rank] if self.sections else range(len(self.model.network.layers))

    @property
    def reads_samples(self) -> bool:
        """Whether this rank needs the samples of a batch, and not only their labels."""
        layers, signal = self.model.network.layers, self.model.signal
        observes = signal is not None and type(signal).observe is not Signal.observe
        return observes or any(entry.source == NETWORK_INPUT for i in self.section for entry in layers[i].inputs)

    def unread(self, samples: int) -> Series:
        """Zeros in the place of samples that this rank does not need, constant (B, *input), which take no memory."""
        return Series(torch.zeros(()).expand(samples, *self.model.network.input_shape), True)

    @property
    def _links(self) -> list[Link]:
        return [link for link in (self._below, self._above) if link is not None]

    def check_empty(self) -> None:
        """Refuse to go on while layers have learned different numbers of batches.

        Raises:
            UserError: batches are under way.
        """
        self.check_whole()
        if self.under_way:
            raise UserError(
                f"{self.under_way} batches may still be under way, and ranks know only their own layers. Call flush() "
                f"first, on every rank"
            )

    def discard(self) -> int:
        """Refuse to drop batches, which other ranks may have learned already.

        Raises:
            UserError: batches are under way.
        """
        self.check_empty()
        return 0

    def check_whole(self) -> None:
        """Refuse to go on after a batch has failed.

        Raises:
            UserError: one has.
        """
        if self.broken:
            raise UserError(
                "a batch has failed on a rank, and layers have learned different numbers of batches. Start the ranks "
                "again, and load a saved state"
            )

    @contextmanager
    def failing_together(self) -> Iterator[None]:
        """If the block fails, close the links to other ranks, which then fail as well instead of waiting."""
        self.check_whole()
        try:
            yield
        except BaseException:
            self.broken = True
            for link in self._links:
                link.close()
            raise

    def divide(self, learned: Learned, parcel: Parcel) -> None:
        """Divide the layers by the times that they take on the first rank for a first batch.

        Args:
            learned: current parameters and state.
            parcel: the batch, which no layer has seen.
        """
        own = measured_costs(self.model, learned, parcel) if self.ranks.first else []
        if own:
            own[0] += self.reading_seconds
        self.costs = json.loads(self.ranks.from_first(json.dumps(own).encode()))
        self.sections = divided(self.costs, self.ranks.count)
        self.ranks.work_seconds = PATIENT * sum(self.costs)
        self._below, self._above = links_of(self.ranks)

    def receive(self, learned: Learned, parcel: Parcel) -> None:
        """Wait for the activity of the layers below, and for the first rank's word.

        Args:
            learned: current parameters and state.
            parcel: the batch, which is given that activity.
        """
        if self._below is None:
            self.word = STOP if self.ranks.stop.requested else SAVE if self.save_due else GO_ON
            return
        message = self._below.receive()
        self.word = facts_of(message)["word"]
        unpack(self.model, learned, parcel, self.section[0] - 1, message)

    def work(self, learned: Learned, parcel: Parcel) -> list[Stage]:
        """Run the layers of this rank on a batch, and evaluate their texts. No argument is changed.

        Args:
            learned: current parameters and state.
            parcel: the batch, with the activity of the layers below.

        Returns:
            The result of each layer, the first one first.
        """
        stages: list[Stage] = []
        with listing_once():
            for index in self.section:
                stages.append(run_stage(self.model, learned, index, stages[-1].parcel if stages else parcel))
        return stages

    def send(self, parcel: Parcel) -> None:
        """Send the activity that the layers above may read."""
        if self._above is not None:
            self._above.send(packed(self.model, parcel, self.section[-1], {"word": self.word}))

    def begin(self) -> None:
        """Note the time at the first batch after a flush."""
        if self.under_way == 0:
            self._begun = time.perf_counter()

    def end(self) -> None:
        """Wait until all ranks have learned the batches under way, and note what time has been used for.

        If another rank is to stop, this one is to stop as well.
        """
        if self._above is not None:
            self._above.finish()
        started = time.perf_counter()
        asks = self.ranks.sums([torch.tensor([float(self.ranks.stop.requested)])])[0]
        ended = time.perf_counter()
        if asks > 0:
            self.ranks.stop.request()
        use = self.use
        use.batches, use.flushes = use.batches + self.under_way, use.flushes + 1
        use.seconds += ended - self._begun
        use.waiting_seconds += ended - started + sum(link.waiting_seconds for link in self._links)
        use.sent_bytes += sum(link.sent_bytes for link in self._links)
        for link in self._links:
            link.waiting_seconds, link.sent_bytes = 0.0, 0
