"""The parser for hidden layers: `c16k3-n-p2-128` is a convolution, normalised and pooled, and a dense layer."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from neurorules.language.errors import UserError

GRAMMAR = (
    "Join with '-': 400 dense, c32k5 convolution (c32k5v valid, c32k5s2 stride 2), r128 recurrent (r128d5 with a "
    "delay of 5 steps), n normalisation, p2 or a2 max or average pooling, d0.1 dropout"
)
LONGEST_LOOP = 1000
"""The longest delay of a recurrent layer in steps; that many steps of its spikes are stored."""
# A size of more than nine digits is a typing error, so the pattern does not match it.
LAYER = re.compile(
    r"(?P<recurrent>r)?(?P<size>\d{1,9})(?:d(?P<delay>\d{1,9}))?|c(?P<maps>\d{1,9})k(?P<kernel>\d{1,9})(?P<valid>v)?(?:s(?P<stride>\d{1,9}))?(?P<late>v)?"
)
AFTER = re.compile(r"(?P<pool>[pa])(?P<side>\d{1,9})|d(?P<dropout>0?\.\d+|0)")


@dataclass(frozen=True)
class AfterSpec:
    """The transform of spikes before the next layer: pooling by `amount`, or dropout with probability `amount`."""

    kind: Literal["max", "average", "dropout"]
    amount: float


@dataclass(frozen=True)
class LayerSpec:
    """One hidden population of a network as its text describes it.

    Args:
        size: neurons (dense) or maps (convolution), >= 1.
        kernel: side of the kernel; None for dense.
        stride: the stride of the convolution.
        padding: the padding of the convolution.
        recurrent: whether the layer also receives its own spikes.
        delay: the steps after which it receives them.
        normalised: whether the text marks it with `n`.
        before: transforms of the layer's incoming spikes.
    """

    size: int
    kernel: int | None = None
    stride: int = 1
    padding: Literal["same", "valid"] = "same"
    recurrent: bool = False
    delay: int = 1
    normalised: bool = False
    before: tuple[AfterSpec, ...] = ()


@dataclass(frozen=True)
class NetSpec:
    """The hidden layers, and the transforms between the last of them and the read-out."""

    layers: tuple[LayerSpec, ...]
    last: tuple[AfterSpec, ...] = ()


def parse_net(text: str) -> NetSpec:
    """Parse the description of a net.

    Raises:
        UserError: a piece does not fit the grammar, a size is 0, or `n` comes before any layer.
    """
    layers: list[LayerSpec] = []
    waiting: list[AfterSpec] = []
    for piece in text.strip().split("-"):
        if piece == "n":
            if not layers or waiting:
                raise UserError(f"net '{text}': 'n' must stand right after a layer. {GRAMMAR}")
            layers[-1] = replace(layers[-1], normalised=True)
        elif match := AFTER.fullmatch(piece):
            waiting.append(_after(match, text))
        elif match := LAYER.fullmatch(piece):
            layers.append(replace(_layer(match, piece, text), before=tuple(waiting)))
            waiting = []
        else:
            raise UserError(f"net '{text}': '{piece}' is not a layer. {GRAMMAR}")
    if not layers:
        raise UserError(f"net '{text}' has no layer. {GRAMMAR}")
    return NetSpec(tuple(layers), tuple(waiting))


def _layer(match: re.Match[str], piece: str, text: str) -> LayerSpec:
    if match["size"]:
        spec = LayerSpec(int(match["size"]), recurrent=bool(match["recurrent"]), delay=int(match["delay"] or 1))
        if match["delay"] and not spec.recurrent:
            raise UserError(f"net '{text}': '{piece}' has a delay, which only recurrent layers have: r{piece}")
        if not 1 <= spec.delay <= LONGEST_LOOP:
            raise UserError(f"net '{text}': '{piece}' has a delay of {spec.delay} steps. Give 1 to {LONGEST_LOOP}")
    else:
        padding: Literal["same", "valid"] = "valid" if match["valid"] or match["late"] else "same"
        spec = LayerSpec(int(match["maps"]), int(match["kernel"]), int(match["stride"] or 1), padding)
    if min(spec.size, spec.stride, spec.kernel or 1) < 1:
        raise UserError(f"net '{text}': '{piece}' has a size of 0. Every size is at least 1")
    return spec


def _after(match: re.Match[str], text: str) -> AfterSpec:
    if match["dropout"]:
        return AfterSpec("dropout", float(match["dropout"]))
    side = int(match["side"])
    if side < 2:
        raise UserError(f"net '{text}': pooling by {side}. Pool by 2 or more")
    return AfterSpec("max" if match["pool"] == "p" else "average", float(side))
