"""One picture file as an array: grey or colour, 8 or 16 bits a channel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Shaped
from PIL import Image

from neurorules.datasets._damage import reading

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".gif"})
SIXTEEN_BITS = {"RGB;16B": "RGB;16L", "RGBA;16B": "RGBA;16L"}
"""How Pillow unpacks colours of 16 bits: the upper byte of each by the first way, and the lower by the second, which
takes the two bytes for turned round. It has no array of such colours itself (Pillow 13)."""
GREY, COLOUR, DEEPEST = "L", "RGB", 2**16 - 1


def read_picture(path: Path) -> Shaped[np.ndarray, "H W _"]:
    """Read a picture file as an array of pixels. A palette is looked up, and transparency is left out.

    Args:
        path: the path of the file.

    Returns:
        (H, W, 1) grey or (H, W, 3) colours: uint8, or uint16 for 16 bits a channel.

    Raises:
        UserError: the file is no picture, or damaged.
    """
    with reading(f"picture {path}", "Remove it, or save it again as PNG or JPEG"), Image.open(path) as picture:
        raw = picture.tile[0].args if picture.tile else None
        if isinstance(raw, str) and raw in SIXTEEN_BITS:
            high = np.asarray(picture).astype(np.uint16)
            with Image.open(path) as again:
                again.tile = [tile._replace(args=SIXTEEN_BITS[raw]) for tile in again.tile]
                low = np.asarray(again)
            return (high << 8 | low)[:, :, :3]
        if picture.mode.startswith("I"):  # grey of 16 bits
            values = np.asarray(picture)
            if values.min() < 0 or values.max() > DEEPEST:
                raise ValueError("its grey levels have more than 16 bits")
            return values.astype(np.uint16)[:, :, None]
        grey = picture.mode in ("1", GREY, "LA", "La")
        array = np.asarray(picture.convert(GREY if grey else COLOUR))
        return array[:, :, None] if grey else array
