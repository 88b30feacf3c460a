"""The key of a parameter: its layer, its connection if it is a weight, and its own name."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

WEIGHT, BIAS = "w", "b"
"""The own names of a connection's weights and of a layer's bias, as rule texts write them."""


class ParameterKey(NamedTuple):
    """The key of one array that may learn. Dictionaries, files and devices use its `name`.

    Args:
        layer: the name of the layer, such as "hidden1" or "readout"; "" for a parameter of a signal that has no layer.
        parameter: "w" for weights, "b" for the bias, or a name that the neuron or the learning signal chose.
        connection: the input of the layer that the weights belong to, such as "ff" or "rec"; None for other parameters.
    """

    layer: str
    parameter: str
    connection: str | None = None

    @property
    def name(self) -> str:
        """The name in dictionaries and files, such as `hidden1.ff.w` for weights and `hidden1.b` for a bias."""
        return _name_of(self)

    @property
    def place(self) -> str:
        """The layer, and the connection if the parameter belongs to one, such as `hidden1.ff`."""
        return self.layer if self.connection is None else f"{self.layer}.{self.connection}"

    @property
    def is_weight(self) -> bool:
        """Whether these are the weights of a connection, which pass through a hardware model and may decay."""
        return self.connection is not None and self.parameter == WEIGHT


@lru_cache(maxsize=4096)
def _name_of(key: ParameterKey) -> str:
    return ".".join(part for part in (key.layer, key.connection, key.parameter) if part)


@lru_cache(maxsize=4096)
def key_of(name: str) -> ParameterKey:
    """Parse the name of a parameter.

    Args:
        name: `<layer>.<connection>.<parameter>` for weights, `<layer>.<parameter>` for others, and `<parameter>` for a
            parameter without a layer.
    """
    layer, dot, rest = name.partition(".")
    if not dot:
        return ParameterKey("", name)
    connection, dot, parameter = rest.partition(".")
    return ParameterKey(layer, parameter, connection) if dot else ParameterKey(layer, rest)
