"""Samples that are dicts, as data sets of Hugging Face give them: which field is the sample, and which the label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neurorules.language.errors import UserError

SAMPLES = (
    "image", "images", "img", "pixel_values", "x", "input", "inputs", "data", "sample", "samples", "events", "frames",
    "spikes", "features", "audio",
)  # fmt: skip
"""Names of fields that hold a sample, in lower case."""
LABELS = ("label", "labels", "target", "targets", "y", "class", "digit", "fine_label", "category")
"""Names of fields that hold its label."""


def without_names(thing: Any, where: str) -> Any:
    """Sample and label of a dict; anything else as it is.

    Args:
        thing: one sample, or a batch of them.
        where: how an error names it.

    Returns:
        (sample, label) of a dict whose fields say which is which; of two fields one that is known is enough.

    Raises:
        UserError: the names of the fields do not say it.
    """
    if not isinstance(thing, Mapping):
        return thing
    names = list(thing)
    samples, labels = ([name for name in names if str(name).lower() in usual] for usual in (SAMPLES, LABELS))
    if len(names) == 2 and len(samples) + len(labels) == 1:
        rest = [name for name in names if name not in samples + labels]
        samples, labels = samples or rest, labels or rest
    if len(samples) == len(labels) == 1:
        return thing[samples[0]], thing[labels[0]]
    listed = ", ".join(map(str, names[:6])) or "nothing"
    raise UserError(
        f"{where} is a dict of {listed}, and no two of its names say which is the sample and which the label, as image "
        "and label do. Give pairs: [(one['image'], one['label']) for one in data], with its own names"
    )
