"""The identity of a learner, in words that are stored with its state, so that the state of another learner is
recognised.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

import torch
from torch import Tensor

from neurorules.language.errors import UserError
from neurorules.torch_path.training.earlier_names import in_todays_words

IDENTITY = "learner"
"""The name of these words in a state: a JSON text, as bytes."""
OPTIMISER = "optimizer"
NEURON = "neuron of layer "
ABOUT = ("source", "defaults", "control", "signal")
"""The fields of a rule that change no number, or that the learner's settings replace."""


def identity(learner: Any) -> Tensor:
    """The identity of a learner as bytes (n,) uint8, so that it can be stored among tensors."""
    return torch.frombuffer(bytearray(json.dumps(_words(learner)).encode()), dtype=torch.uint8)


def check_identity(learner: Any, stored: Tensor, weights_only: bool) -> None:
    """Refuse the state of another learner.

    Args:
        learner: the `Learner` that is to load the state.
        stored: the entry `IDENTITY` of the state.
        weights_only: whether the optimiser may differ.

    Raises:
        UserError: the state belongs to another learner; the message names the first difference with both values.
    """
    try:
        theirs = json.loads(bytes(stored.cpu().to(torch.uint8).tolist()))
    except ValueError:
        theirs = None
    if not isinstance(theirs, Mapping):
        raise UserError(f"the state is damaged: its entry '{IDENTITY}' does not say which learner it is of. Restore it")
    theirs = {key: in_todays_words(str(text)) if key.startswith(NEURON) else text for key, text in theirs.items()}
    ours = _words(learner)
    for key in (key for key in {**ours, **theirs} if not (weights_only and key == OPTIMISER)):
        if ours.get(key) != theirs.get(key):
            raise UserError(
                f"the state is of another learner: its {key} is {_short(theirs.get(key))}, this one's is "
                f"{_short(ours.get(key))}. Load it into a learner made with the same settings"
            )


def _words(learner: Any) -> dict[str, str]:
    model = learner.model
    own = {name: value for name, value in _settings(model.rule) if name not in ABOUT}
    words = {
        "rule": own.pop("name").strip("'"), "signal": _text(model.signal), "targets": model.targets,
        "input shape": _text(model.network.input_shape), "layers": " ".join(a.name for a in model.network.layers),
    }  # fmt: skip
    for layer in model.network.layers:
        words |= {f"{name} of layer '{layer.name}'": text for name, text in _settings(layer) if name != "name"}
    words |= {f"rule's {name}": value for name, value in own.items()}
    if model.task != "classes":
        words["task"] = model.task
    if model.last_steps is not None:
        words["last steps"] = _text(model.last_steps)
    words["hardware"] = _text(learner.hardware)
    words[OPTIMISER] = ", ".join(f"{kind} for {name}" for name, kind in learner.optimiser.kinds.items())
    return words


def _text(value: Any) -> str:
    """A value in words, which are the same for equal values on every device and in every precision.

    A setting with its default value is left out, so that entries can get further settings.
    """
    if isinstance(value, Tensor):
        digest = hashlib.sha256(value.detach().cpu().float().contiguous().numpy().tobytes()).hexdigest()
        return f"numbers of shape {tuple(value.shape)} ({digest[:12]})"
    if is_dataclass(value) and not isinstance(value, type):
        return f"{type(value).__name__}({', '.join(f'{name}={text}' for name, text in _settings(value))})"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {_text(item)}' for key, item in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"({', '.join(map(_text, value))})"
    return repr(value)


def _settings(value: Any) -> list[tuple[str, str]]:
    """Fields that differ from their defaults, in words."""
    settings = []
    for field in fields(value):
        text = _text(getattr(value, field.name))
        default = field.default if field.default_factory is MISSING else field.default_factory()
        if default is MISSING or text != _text(default):
            settings.append((field.name, text))
    return settings


def _short(text: str | None) -> str:
    if text is None:
        return "none"
    return text if len(text) <= 120 else f"{text[:117]}..."
