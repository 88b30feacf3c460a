"""Samples that are dicts, as data sets of Hugging Face give them: which field is the sample, and which the label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neurorules.language.errors import UserError
from neurorules.language.options import check_flag

SAMPLES = (
    "image", "images", "img", "pixel_values", "x", "input", "inputs", "data", "sample", "samples", "events", "frames",
    "spikes", "features", "audio",
)  # fmt: skip
"""Names of fields that hold a sample, in lower case."""
LABELS = ("label", "labels", "target", "targets", "y", "class", "digit", "fine_label", "category")
"""Names of fields that hold its label."""


Keys = tuple[str, str] | None
"""The fields of the sample and of its label, as a user names them; None to know them by their names."""


def checked_keys(keys: Any) -> Keys:
    """The two fields that a user names.

    Args:
        keys: what the user gives.

    Returns:
        Both as a pair, or None where none are named.

    Raises:
        UserError: these are not two names.
    """
    if keys is None:
        return None
    if not isinstance(keys, list | tuple) or len(set(keys)) != len(keys) or [type(one) for one in keys] != [str, str]:
        raise UserError(f"keys is {keys!r:.60}. Give two names: keys=('pixels', 'digit'), the sample's and the label's")
    return keys[0], keys[1]


def check_order(batch_first: Any) -> None:
    """Refuse a `batch_first` that is no truth value, such as the text "no", which Python takes for true.

    Raises:
        UserError: it is neither True, nor False, nor None.
    """
    if batch_first is not None:
        check_flag("batch_first", batch_first)


def without_names(thing: Any, where: str, keys: Keys = None) -> Any:
    """Sample and label of a dict; anything else as it is.

    Args:
        thing: one sample, or a batch of them.
        where: how an error names it.
        keys: the fields, where the user names them.

    Returns:
        (sample, label) of a dict whose fields say which is which; of two fields one that is known is enough.

    Raises:
        UserError: the names of the fields do not say it, or `keys` are not among them.
    """
    if keys is not None:
        return _by_keys(thing, where, keys)
    if not isinstance(thing, Mapping):
        return thing
    names = list(thing)
    samples, labels = ([name for name in names if str(name).lower() in usual] for usual in (SAMPLES, LABELS))
    if len(names) == 2 and len(samples) + len(labels) == 1:
        rest = [name for name in names if name not in samples + labels]
        samples, labels = samples or rest, labels or rest
    if len(samples) == len(labels) == 1:
        return thing[samples[0]], thing[labels[0]]
    raise UserError(
        f"{where} is a dict of {_listed(names)}, and no two of its names say which is the sample and which the label, "
        f"as image and label do. Say it: keys=('{names[0] if names else 'image'}', '{names[-1] if names else 'label'}')"
    )


def _by_keys(thing: Any, where: str, keys: tuple[str, str]) -> tuple[Any, Any]:
    if not isinstance(thing, Mapping):
        raise UserError(f"keys={keys} name fields of dicts, and {where} is a {type(thing).__name__}. Leave keys out")
    absent = [key for key in keys if key not in thing]
    if absent:
        raise UserError(
            f"{where} is a dict of {_listed(list(thing))}, and none of them is '{absent[0]}'. Name two of them by keys="
        )
    return thing[keys[0]], thing[keys[1]]


def _listed(names: list[Any]) -> str:
    return ", ".join(map(str, names[:6])) or "nothing"
