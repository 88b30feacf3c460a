"""Nets of classes with a forward of their own: one of each kind of connection that modules bring."""

from __future__ import annotations

import random
from typing import Any

import snntorch
import snntorch.utils
import torch
from torch import Tensor, nn

from neurorules import Learner


class Anything(nn.Module):
    """A class with a forward of its own: convolutions of any kind, branches, and recurrence."""

    def __init__(self, kind: str, draw: random.Random) -> None:
        super().__init__()
        self.kind = kind
        groups, high, wide, dilation = (
            draw.choice((1, 2)),
            draw.choice((1, 3)),
            draw.choice((1, 5)),
            draw.choice((1, 2)),
        )
        lines = kind == "lines"
        conv = nn.Conv1d if lines else nn.Conv2d
        sides = (3,) if lines else (high, wide)
        around = tuple(dilation * (side // 2) for side in sides)
        self.first = conv(2, 4, sides, padding=around, groups=groups, dilation=dilation)
        self.second = conv(4, 6, sides, stride=draw.choice((1, 2)), padding=draw.choice((1, 2)), groups=2)
        self.beside = conv(4, 4, 1, bias=draw.random() < 0.5)
        self.head = nn.LazyLinear(5)
        recurrent: dict[str, Any] = {"conv2d_channels": 4, "kernel_size": 3} if kind == "maps that read maps" else {}
        if kind == "neurons that read themselves":
            self.first, recurrent = nn.Linear(16, 9), {"all_to_all": False, "V": torch.rand(9)}
        reads_itself = kind in ("maps that read maps", "neurons that read themselves")
        self.lif1 = spiking(draw, snntorch.RLeaky if reads_itself else snntorch.Leaky, **recurrent)
        self.lif2 = spiking(draw, snntorch.Leaky)
        self.pool = nn.AvgPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        if self.kind == "neurons that read themselves":
            return self.head(self.lif1(self.first(x.flatten(1))))
        one = self.lif1(self.first(x))
        match self.kind:
            case "branches side by side":
                two = torch.cat([one, self.lif2(self.beside(one))], 1)
            case "a scaled sum":
                two = 0.5 * one + self.lif2(self.beside(one) - 0.25 * one)
            case "groups":
                two = self.lif2(self.second(self.pool(one)))
            case "lines":
                two = self.lif2(self.second(one))
            case _:
                two = one
        return self.head(two.flatten(1))


def spiking(draw: random.Random, kind: Any, **options: Any) -> nn.Module:
    return kind(draw.choice((0.0, 0.5, 0.8, 0.9)), threshold=draw.uniform(0.1, 0.4), init_hidden=True,
                reset_mechanism="zero", reset_delay=False, **options)  # fmt: skip


def learner_of_module(seed: int, kind: str, steps: int, precision: str = "float32") -> Learner:
    """A net of a class of one of these kinds, with random numbers."""
    torch.manual_seed(seed)
    shapes: dict[str, tuple[int, ...]] = {"lines": (2, 9), "neurons that read themselves": (16,)}
    shape = shapes.get(kind, (2, 9, 8))
    module = Anything(kind, random.Random(seed))
    module(torch.zeros(1, *shape))
    snntorch.utils.reset(module)
    return Learner(module, "bptt", input_shape=shape, steps=steps, seed=seed, precision=precision)


KINDS = ("lines", "groups", "branches side by side", "a scaled sum", "maps that read maps",
         "neurons that read themselves")  # fmt: skip
