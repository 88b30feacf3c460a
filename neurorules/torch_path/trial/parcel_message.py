"""A batch on its way from the layers of one rank to those of the next, as bytes.

It holds the forward activity that the layers above may read, and nothing else: no weight, no error, no label. Spikes
are sent as bits. What a rank can compute from the samples and their labels, it computes by itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from math import prod
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from neurorules.contracts.series import Later, Series, series_of, summed_over_time
from neurorules.network.layer import NETWORK_INPUT, Layer
from neurorules.network.model import Learned, Model
from neurorules.torch_path.forward.run_layer import Activity
from neurorules.torch_path.trial.phase_record import PhaseRecord
from neurorules.torch_path.trial.pipeline import Parcel, trial_of
from neurorules.torch_path.trial.trial import begun_record

BITS = "bits"
"""The form of values that are all 0 or 1; others have the name of their data type."""
SIZE = 8
"""The number of bytes that give the length of the description."""
LINE = 64
"""The number of bytes of a line of memory. Products of MKL round by the place where a matrix begins within a line, so
that the receiver lets a tensor begin where it does for the sender."""


class Cargo(NamedTuple):
    """The activity that goes from the layers of one rank to those above, as indices of layers up to its last one.

    Args:
        spikes: layers whose output is read above.
        membranes: layers whose membranes the signal of a layer above reads at every step.
        summaries: layers whose averages over time the signal reads, for a layer above or for its prediction.
    """

    spikes: tuple[int, ...]
    membranes: tuple[int, ...]
    summaries: tuple[int, ...]


class Item(NamedTuple):
    """One tensor of a message.

    Args:
        phase: the phase.
        layer: the index of the layer.
        what: "S", "v" or "summary".
        form: `BITS`, or the data type.
        shape: the shape of the tensor.
        place: the byte within a line of memory at which it begins.
        constant: whether it is constant in time.
        summed: whether its sum over time was known to the sender.
    """

    phase: str
    layer: int
    what: str
    form: str
    shape: tuple[int, ...]
    place: int
    constant: bool = False
    summed: bool = False

    @property
    def bytes(self) -> int:
        """The number of bytes of its values."""
        count = prod(self.shape)
        return -(-count // 8) if self.form == BITS else count * _dtype(self.form).itemsize


def cargo_above(model: Model, last: int) -> Cargo:
    """The activity of a layer and of those below that layers above it may read.

    Args:
        model: network, rule and signal.
        last: the index of the layer.

    Returns:
        The layers of each kind of activity.
    """
    layers, signal = model.network.layers, model.signal
    sources = [[e.source for e in layer.inputs if not e.connection.recurrent] for layer in layers[last + 1 :]]
    spikes = {source for each in sources for source in each if NETWORK_INPUT < source <= last}
    shown = {each[0] for each in sources if each and NETWORK_INPUT < each[0] <= last}
    if signal is None or not signal.reads_below:
        shown = set()
    predicts = signal is not None and model.rule.predict != "readout"
    summaries = set(range(last + 1)) if predicts else shown
    return Cargo(
        tuple(sorted(spikes)),
        tuple(sorted(shown)) if signal is not None and signal.every == "v" else (),
        tuple(sorted(summaries)) if signal is not None and signal.summary is not None else (),
    )


def packed(model: Model, parcel: Parcel, last: int, about: dict[str, Any]) -> bytes:
    """The message that a batch is for the rank above.

    Args:
        model: network, rule and signal.
        parcel: the batch, which has passed the rank's last layer.
        last: the index of that layer.
        about: further facts, which `facts_of` gives to the receiver.

    Returns:
        The message.
    """
    cargo, items, contents = cargo_above(model, last), [], []
    for phase, record in parcel.records.items():
        for item, values in _contents(model, cargo, phase, record):
            items.append(list(item))
            contents.append(_bytes_of(item, values))
    description = json.dumps({**about, "steps": parcel.steps, "items": items}).encode()
    return b"".join([len(description).to_bytes(SIZE, "little"), description, *contents])


def facts_of(message: bytes) -> dict[str, Any]:
    """The description at the beginning of a message, with the facts that the sender added."""
    facts: dict[str, Any] = json.loads(message[SIZE : SIZE + int.from_bytes(message[:SIZE], "little")])
    return facts


def unpack(model: Model, learned: Learned, parcel: Parcel, last: int, message: bytes) -> None:
    """Let a batch arrive at the first layer of a rank.

    Args:
        model: network, rule and signal.
        learned: current parameters and state.
        parcel: the batch, which no layer of this rank has seen; its steps and records are filled in.
        last: the index of the last layer of the rank below.
        message: what the rank below has sent for the batch.
    """
    facts = facts_of(message)
    parcel.steps = facts["steps"]
    trial, layers, cargo = trial_of(model, learned, parcel), model.network.layers, cargo_above(model, last)
    for phase in model.rule.phases:
        record = begun_record(trial, phase, None)
        record.activity = [_unsent(layer, parcel.steps) for layer in layers[: last + 1]]
        parcel.records[phase.name] = record
    place = SIZE + int.from_bytes(message[:SIZE], "little")
    for entry in facts["items"]:
        item = Item._make([*entry[:4], tuple(entry[4]), *entry[5:]])
        values = _values_of(item, message[place : place + item.bytes], parcel.drive.values)
        place += item.bytes
        _fill_in(parcel.records[item.phase], layers[item.layer].name, item, values)
    for index in cargo.summaries:
        if _counts(model, cargo, index):
            for record in parcel.records.values():
                record.summary[layers[index].name] = record.activity[index].S.total(parcel.steps)


def _counts(model: Model, cargo: Cargo, index: int) -> bool:
    """Whether the average that the signal reads of a layer follows from spikes that are sent."""
    counts = model.signal is not None and model.signal.summary == "spikes"
    return counts and index in cargo.spikes and model.network.layers[index].neuron.spiking


def _contents(model: Model, cargo: Cargo, phase: str, record: PhaseRecord) -> Iterator[tuple[Item, Tensor]]:
    """The tensors of one phase that are sent."""
    layers = model.network.layers
    series = [("S", index, record.activity[index].S) for index in cargo.spikes]
    series += [("v", index, record.activity[index].v) for index in cargo.membranes]
    for what, index, one in series:
        values = one.values
        form = BITS if what == "S" and layers[index].neuron.spiking else _word(values)
        summed = one.summed is not None
        yield Item(phase, index, what, form, tuple(values.shape), _place(values), one.constant, summed), values
    for index in cargo.summaries:
        summary = record.summary.get(layers[index].name)
        if summary is not None and not _counts(model, cargo, index):
            yield Item(phase, index, "summary", _word(summary), tuple(summary.shape), _place(summary)), summary


def _fill_in(record: PhaseRecord, layer: str, item: Item, values: Tensor) -> None:
    """Place a tensor of a message in the record of its phase."""
    if item.what == "summary":
        record.summary[layer] = values
        return
    series = Series(values, item.constant, summed_over_time(values) if item.summed else None)
    activity = record.activity[item.layer]
    record.activity[item.layer] = replace(activity, S=series) if item.what == "S" else replace(activity, v=series)


def _unsent(layer: Layer, steps: int) -> Activity:
    """The activity of a layer on another rank before anything of it has come. What does not come cannot be read."""

    def refuse() -> Tensor:
        raise LookupError(f"activity of layer '{layer.name}' has stayed on its rank, and is read on another one")

    nothing = series_of(Later((steps, 0, *layer.shape), refuse))
    return Activity(steps, {}, {}, {}, None, None, nothing, nothing, None)


def _bytes_of(item: Item, values: Tensor) -> bytes:
    if item.form == BITS:
        return np.packbits(values.bool().cpu().numpy()).tobytes()
    return values.contiguous().cpu().flatten().view(torch.uint8).numpy().tobytes()


def _values_of(item: Item, content: bytes, like: Tensor) -> Tensor:
    """The tensor of an item, on the device of another tensor; bits are of the type of that one."""
    dtype = like.dtype if item.form == BITS else _dtype(item.form)
    count, skipped = prod(item.shape), item.place // dtype.itemsize
    values = torch.empty(count + skipped, dtype=dtype, device=like.device)[skipped:]
    if item.form == BITS:
        sent = torch.from_numpy(np.unpackbits(np.frombuffer(content, np.uint8), count=count))
    else:
        sent = torch.frombuffer(bytearray(content), dtype=dtype)
    return values.copy_(sent).reshape(item.shape)


def _place(values: Tensor) -> int:
    return values.data_ptr() % LINE if values.is_contiguous() else 0


def _word(values: Tensor) -> str:
    return str(values.dtype).removeprefix("torch.")


def _dtype(word: str) -> torch.dtype:
    dtype: torch.dtype = getattr(torch, word)
    return dtype
