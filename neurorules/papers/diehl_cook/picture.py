"""The picture of the learned weights: those onto each neuron as an image, sorted by the neurons' classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float, Int64

SIDE_INCHES = 6.0


def draw(w: Float[np.ndarray, "N 1 H W"], classes: Int64[np.ndarray, "N"], out: Path) -> None:
    """Draw the receptive fields of all neurons in the order of their classes, and save the picture.

    Args:
        w: weights onto each neuron.
        classes: the classes of the neurons.
        out: the file, .png.
    """
    from neurorules.traces.plots._shared import new_figure, save
    from neurorules.traces.plots.fields import fields

    figure = new_figure(
        SIDE_INCHES, SIDE_INCHES, f"Receptive fields of {len(w)} neurons, in the order of their classes"
    )
    fields(figure.subplots(), w[np.argsort(classes, kind="stable")])
    save(figure, out)
