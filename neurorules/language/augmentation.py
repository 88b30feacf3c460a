"""Random changes of training pictures (`--augment`): `shift:pixels=1`, `flip`, or both joined by +."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from neurorules.language.errors import UserError, unknown
from neurorules.language.options import convert_options, parse_named
from neurorules.language.ranges import Count, ranged


@dataclass(frozen=True)
class Augmentation:
    """The random changes of a training picture, each time it is learned from.

    Args:
        pixels: the largest number of pixels by which it is shifted, up or down and to either side; 0 for no shift.
        flip: whether left and right are exchanged in every second picture, by chance.
    """

    pixels: int = 0
    flip: bool = False


@ranged("augmentation 'shift'")
def shift(*, pixels: Count = 1) -> Augmentation:
    """A shift by a random whole number of pixels along each axis. What leaves the picture is lost, and zeros enter.

    Args:
        pixels: the largest shift, >= 1.

    Returns:
        The augmentation.
    """
    return Augmentation(pixels=pixels)


def flip() -> Augmentation:
    """An exchange of left and right in half of the pictures."""
    return Augmentation(flip=True)


KINDS: dict[str, Callable[..., Augmentation]] = {"shift": shift, "flip": flip}


def parse_augmentation(text: str) -> Augmentation:
    """Parse the value of `--augment`.

    Args:
        text: augmentations with their options, joined by +.

    Returns:
        All of them together.

    Raises:
        UserError: a name or an option is unknown, an option is out of range, or an augmentation is named twice.
    """
    all_of_them = Augmentation()
    names: list[str] = []
    for piece in text.split("+"):
        name, options = parse_named(piece.strip())
        if name not in KINDS:
            raise unknown("augmentation", name, KINDS)
        if name in names:
            raise UserError(f"augmentation '{text}' names '{name}' twice. Name it once")
        names.append(name)
        one = KINDS[name](**convert_options(f"augmentation '{name}'", KINDS[name], options))
        pixels, flips = all_of_them.pixels or one.pixels, all_of_them.flip or one.flip
        all_of_them = replace(all_of_them, pixels=pixels, flip=flips)
    return all_of_them
