"""Whose parameter it is: the layer, the connection where it is a weight, and the parameter's own name."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

WEIGHT, BIAS = "w", "b"
"""A connection's weights and a layer's bias, as rule texts name them."""


class ParameterKey(NamedTuple):
    """One array of numbers that may learn. Dictionaries, files and devices know it by its `name`.

    Args:
        layer: name of the layer, such as "hidden1" or "readout"; "" for a signal's parameter that belongs to none.
        parameter: "w" for weights, "b" for the bias, or a name that the neuron or the learning signal gave it.
        connection: the layer's input that the weights belong to, such as "ff" or "rec"; None for other parameters.
    """

    layer: str
    parameter: str
    connection: str | None = None

    @property
    def name(self) -> str:
        """`hidden1.ff.w` for weights, `hidden1.b` for others."""
        return ".".join(part for part in (self.layer, self.connection, self.parameter) if part)

    @property
    def is_weight(self) -> bool:
        """Whether these are the weights of a connection, which pass through a hardware model and may decay."""
        return self.connection is not None and self.parameter == WEIGHT


@lru_cache(maxsize=4096)
def key_of(name: str) -> ParameterKey:
    """The key of a parameter that is known by its name.

    Args:
        name: `<layer>.<connection>.<parameter>` for weights, `<layer>.<parameter>` for others, `<parameter>` where it
            belongs to no layer.
    """
    layer, dot, rest = name.partition(".")
    if not dot:
        return ParameterKey("", name)
    connection, dot, parameter = rest.partition(".")
    return ParameterKey(layer, parameter, connection) if dot else ParameterKey(layer, rest)
