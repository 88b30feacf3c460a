"""Presentations: an image as Poisson spikes, repeated with more of them if the network hardly responds, and then
rest.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64

from neurorules.native.diehl_cook import Constants, normalise
from neurorules.papers.diehl_cook.network import Network

SHOWN_MS, REST_MS = 350.0, 150.0
"""The duration of an image, and of the rest after it, in which no spike counts. Source: the paper."""
HZ_OF_LEVEL = 1 / 8
"""Spikes per second of a pixel, by grey level of 0..255 and intensity. Source: the 2024 Brian2 program."""
INTENSITY, FEWEST_SPIKES = 2, 5
"""The intensity of the first attempt, and the number of spikes below which there is another attempt, with the intensity
increased by 1."""
MS_PER_S = 1000.0
FULL = 255.0


class Answer(NamedTuple):
    """The answer to one image.

    Args:
        counts: spikes of each excitatory neuron while the image was shown, in the last attempt, (N,).
        attempts: number of presentations, >= 1.
    """

    counts: Int64[np.ndarray, "N"]
    attempts: int


def most_attempts(constants: Constants) -> int:
    """The number of attempts after which a full pixel would spike more than once in a step."""
    return int(MS_PER_S / constants.dt_ms / (FULL * HZ_OF_LEVEL)) - INTENSITY + 1


def show(
    network: Network, image: Float[np.ndarray, "I"], random: np.random.Generator, constants: Constants,
    *, learns: bool = False, adapts: bool = False,
) -> Answer:  # fmt: skip
    """Show an image until the network responds with five spikes, with a rest after each attempt.

    If the network learns, its weights are normalised after each attempt.

    Args:
        network: the network.
        image: grey levels of the pixels, 0..255.
        random: generator of the input spikes.
        constants: the constants of the network.
        learns: whether weights change.
        adapts: whether thresholds change.

    Returns:
        The answer. It has fewer than five spikes if the brightest pixel could not spike more often.
    """
    shown, steps = constants.steps(SHOWN_MS), constants.steps(SHOWN_MS + REST_MS)
    pixels = np.flatnonzero(image)
    most = most_attempts(constants)
    counts = np.zeros(0, dtype=np.int64)
    for attempt in range(most):
        chance = image[pixels] * (HZ_OF_LEVEL * (INTENSITY + attempt) * constants.dt_ms / MS_PER_S)
        times, place = np.nonzero(random.random((shown, len(pixels))) < chance)
        spikes = network.present(
            steps, torch.from_numpy(times), torch.from_numpy(pixels[place]), learns=learns, adapts=adapts
        )
        if learns:
            w = network.w
            normalise(w)
            network.set_weights(w)
        counts = spikes[:shown].sum(0, dtype=torch.long).numpy()
        if counts.sum() >= FEWEST_SPIKES:
            return Answer(counts, attempt + 1)
    return Answer(counts, most)
