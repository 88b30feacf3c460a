"""The name of a parameter: its layer, its connection where it is a weight, and a name of its own."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

WEIGHT, BIAS = "w", "b"
"""Names of a connection's weights and of a layer's bias, as rule texts write them."""


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
        """The name in dictionaries and files, such as `hidden1.ff.w` for weights and `hidden1.b` for a bias."""
        return _name_of(self)

    @property
    def is_weight(self) -> bool:
        """Whether these are the weights of a connection, which pass through a hardware model and may decay."""
        return self.connection is not None and self.parameter == WEIGHT


@lru_cache(maxsize=4096)
def _name_of(key: ParameterKey) -> str:
    return ".".join(part for part in (key.layer, key.connection, key.parameter) if part)


@lru_cache(maxsize=4096)
def key_of(name: str) -> ParameterKey:
    """Take the name of a parameter apart.

    Args:
        name: `<layer>.<connection>.<parameter>` for weights, `<layer>.<parameter>` for others, `<parameter>` where it
            belongs to no layer.
    """
    layer, dot, rest = name.partition(".")
    if not dot:
        return ParameterKey("", name)
    connection, dot, parameter = rest.partition(".")
    return ParameterKey(layer, parameter, connection) if dot else ParameterKey(layer, rest)
