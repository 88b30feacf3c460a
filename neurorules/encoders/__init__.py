"""Encoders, one file each: they turn samples into the spikes or currents that drive the first layer."""

from __future__ import annotations

from neurorules.contracts.encoder import Encoder
from neurorules.language.errors import UserError
from neurorules.language.registry import Registry

ENCODERS = Registry("encoder", "neurorules.encoders")


def open_encoder(text: str, kind: str) -> Encoder:
    """Build the encoder that a user names, and check that it fits the data.

    Args:
        text: name with options, such as `poisson:max_rate=0.5`.
        kind: what the data set holds, "images" or "events".

    Returns:
        The encoder, not fitted yet.

    Raises:
        UserError: an unknown encoder or option, a value out of range, or an encoder that does not take this kind.
    """
    encoder: Encoder = ENCODERS.make(text)
    if kind not in encoder.accepts:
        fitting = [name for name in ENCODERS.names() if kind in ENCODERS.module(name).ENTRY.accepts]
        taken, advice = " or ".join(sorted(encoder.accepts)), " or ".join(fitting) or "with your own encoder"
        raise UserError(f"encoder '{text}' takes {taken}, but the data holds {kind}. Write --encode {advice}")
    return encoder
