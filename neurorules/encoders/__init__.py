"""The encoders that `--encode` accepts, one file each: they turn samples into spikes or currents."""

from __future__ import annotations

from neurorules.contracts.encoder import Encoder
from neurorules.language.errors import UserError
from neurorules.language.registry import Registry

ENCODERS = Registry("encoder", "neurorules.encoders")


def open_encoder(text: str, kind: str) -> Encoder:
    """Build the encoder that the user chose, and check that it accepts the data.

    Args:
        text: name with options, such as `poisson:max_rate=0.5`.
        kind: the kind of samples in the data set, "images", "events" or "sequences".

    Returns:
        The encoder, not fitted yet.

    Raises:
        UserError: the encoder or an option is unknown, a value is out of range, or the encoder does not accept this
            kind.
    """
    encoder: Encoder = ENCODERS.make(text)
    if kind not in encoder.accepts:
        fitting = [name for name in ENCODERS.names() if kind in ENCODERS.module(name).ENTRY.accepts]
        taken, advice = " or ".join(sorted(encoder.accepts)), " or ".join(fitting) or "with your own encoder"
        raise UserError(f"encoder '{text}' takes {taken}, but the data holds {kind}. Write --encode {advice}")
    return encoder
