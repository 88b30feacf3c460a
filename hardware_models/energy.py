"""Energy of a sample by term, learning and memory among them, from counts of events and what each of them takes.

    E = synops e_syn + active e_act + idle e_idle + hops e_hop + weight updates e_learn
        + bytes read e_r + bytes written e_w + P_static T

Each term stands alone: figures of one chip do not hold all of them, and a term that a chip's figures lack is named and
not guessed. Counts times constants are an estimate, whatever the constants are.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from hardware_models.devices.loihi import ACTIVE_PJ, IDLE_PJ, SPIKE_PJ, SYNOP_PJ
from hardware_models.devices.odin import SYNOP_PJ as ODIN_SYNOP_PJ
from hardware_models.devices.reckon import SYNOP_PJ as RECKON_SYNOP_PJ

PJ_IN_MJ = 1e9
"""Picojoules of a millijoule: what one milliwatt takes in a second."""


class Events(NamedTuple):
    """What happens in one sample; all numbers are >= 0.

    Args:
        synops: synaptic operations: for each spike, the synapses of weight other than 0 that it reaches.
        active, idle: updates of neurons that fire or are driven, and all others.
        hops: spikes times the hops that each takes.
        weight_updates: changes of a weight by the learning engine.
        bytes_read, bytes_written: of learning, from and to memory.
        seconds: that the sample takes.
    """

    synops: float = 0.0
    active: float = 0.0
    idle: float = 0.0
    hops: float = 0.0
    weight_updates: float = 0.0
    bytes_read: float = 0.0
    bytes_written: float = 0.0
    seconds: float = 0.0


class Figures(NamedTuple):
    """What each event takes on one chip; None where it is not published.

    Args:
        synop, active, idle, hop, weight_update: in pJ.
        byte_read, byte_written: in pJ.
        static_mW: power without any event.
        state: whether it was measured, simulated or estimated.
        source: of the figures.
    """

    synop: float | None = None
    active: float | None = None
    idle: float | None = None
    hop: float | None = None
    weight_update: float | None = None
    byte_read: float | None = None
    byte_written: float | None = None
    static_mW: float | None = None
    state: str = ""
    source: str = ""


FIGURES: dict[str, Figures] = {
    "loihi": Figures(
        synop=SYNOP_PJ, active=ACTIVE_PJ, idle=IDLE_PJ, hop=SPIKE_PJ, weight_update=120.0,
        state="simulated before silicon", source="Davies et al. 2018, IEEE Micro 38(1), Table 2, 0.75 V; pairwise STDP",
    ),
    "odin": Figures(
        synop=ODIN_SYNOP_PJ, state="published for the chip", source="Frenkel et al. 2019, arXiv 1804.07858; at least"
    ),
    "reckon": Figures(
        synop=RECKON_SYNOP_PJ, state="published for the chip", source="Frenkel & Indiveri 2022, 28 nm, 0.5 V"
    ),
    "digital_45nm": Figures(
        synop=0.03, weight_update=0.23, byte_read=10 / 8, byte_written=10 / 8, state="estimated",
        source="Horowitz, ISSCC 2014, 0.9 V: an addition of 8 bits; with a product of 8 bits; a memory of 8 KB, where "
        "writing is taken to be reading",
    ),
}  # fmt: skip
"""Figures by chip. Chips whose published figures differ with what they count (SpiNNaker) or lack (Xylo, BrainScaleS-2,
Loihi 2) have none."""


class Energy(NamedTuple):
    """The energy of one sample.

    Args:
        terms: in pJ, by name; those that the figures have and that are counted.
        left_out: names of the terms for which events were counted and no figure is known.
    """

    terms: dict[str, float]
    left_out: tuple[str, ...]


def energy_by_term(events: Events, figures: Figures) -> Energy:
    """The energy of a sample, term by term.

    Args:
        events: of the sample.
        figures: of the chip.

    Returns:
        The terms in pJ, and which could not be known.
    """
    static = None if figures.static_mW is None else figures.static_mW * PJ_IN_MJ
    parts = {
        "synapses": ((events.synops, figures.synop),),
        "neurons": ((events.active, figures.active), (events.idle, figures.idle)),
        "routing": ((events.hops, figures.hop),),
        "learning": ((events.weight_updates, figures.weight_update),),
        "memory": ((events.bytes_read, figures.byte_read), (events.bytes_written, figures.byte_written)),
        "static": ((events.seconds, static),),
    }
    terms: dict[str, float] = {}
    unknown = []
    for name, pairs in parts.items():
        counted = [(count, figure) for count, figure in pairs if count > 0]
        known = [count * figure for count, figure in counted if figure is not None]
        if len(known) < len(counted):
            unknown.append(name)
        elif counted:
            terms[name] = sum(known)
    return Energy(terms, tuple(unknown))


class Operations(NamedTuple):
    """Operations of one connection for a batch of inputs, its bias left out.

    Args:
        effective: those whose weight and input are both other than 0.
        dense: those of all weights, padding left out.
        accumulate: whether additions are enough, since every input is -1, 0 or 1.
    """

    effective: int
    dense: int
    accumulate: bool


def operations_of(weights: Tensor, inputs: Tensor, stride: int = 1, padding: int = 0) -> Operations:
    """Count the operations of a connection as NeuroBench 2.3.0 does (`SynapticOperations`).

    Args:
        weights: of a dense connection, (O, I), or of a convolution, (O, C, k, k).
        inputs: (B, I), or (B, C, H, W).
        stride, padding: of the convolution.

    Returns:
        The counts, summed over the batch.
    """
    accumulate = bool(torch.isin(inputs, torch.tensor([-1.0, 0.0, 1.0], dtype=inputs.dtype)).all())
    weight, given = (weights != 0).double(), (inputs != 0).double()

    def total(w: Tensor, x: Tensor) -> int:
        if w.ndim == 2:
            return int((x @ w.T).sum())
        return int(torch.nn.functional.conv2d(x, w, stride=stride, padding=padding).sum())

    return Operations(total(weight, given), total(torch.ones_like(weight), torch.ones_like(given)), accumulate)
