"""Checks of the targets that a user passes to a learner, by its task, with one plain line for everything that does not
fit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from neurorules.contracts.series import Series
from neurorules.contracts.target import OF_CLASSES, OF_VALUES, PER_STEP
from neurorules.language.errors import UserError
from neurorules.language.settings import Task
from neurorules.network.model import Model
from neurorules.torch_path.training.arguments import Labels, to_tensor
from neurorules.torch_path.training.checks import ask, check_labels
from neurorules.torch_path.training.doubts import LARGEST, Doubt, to_device

FORM: dict[Task, str] = {
    "classes": "({B},) class indices",
    "multilabel": "({B}, {O}) zeros and ones",
    "regression": "({B}, {O}) values",
    "classes_per_step": "({B}, {T}) class indices, the samples first",
    "regression_per_step": "({B}, {T}, {O}) values, the samples first",
}
"""The shape and values of the targets of each task, in words."""


def check_targets(
    targets: Labels, drive: Series, steps: int, model: Model, like: tuple[torch.device, torch.dtype],
    doubts: list[Doubt] | None = None,
) -> Tensor:  # fmt: skip
    """Check the targets of a batch, and move them to a device.

    Args:
        targets: the user's targets.
        drive: the drive of the same samples.
        steps: T.
        model: the model, with its task and its number of outputs.
        like: a tensor on the device to move them to, with the precision for targets other than class indices.
        doubts: as in `check_labels`.

    Returns:
        Class indices, int64, or vectors, in the shape of the task with the samples first.

    Raises:
        UserError: the shape does not fit the task, or values are not finite, not classes, or not 0 or 1.
    """
    task, outputs = model.task, model.network.classes
    if task == "classes":
        return check_labels(targets, drive, outputs, like[0], doubts)
    samples = drive.values.shape[0 if drive.constant else 1]
    wanted = FORM[task].format(B=samples, T=steps, O=outputs)
    values = to_tensor(_listed(targets, wanted), "the targets", f"Give {wanted}")
    values = _in_shape(values, task, samples, steps, outputs, wanted)
    if task in OF_CLASSES:
        return _classes(values, outputs, wanted, like[0], doubts)
    return _vectors(values.to(torch.uint8) if values.dtype == torch.bool else values, task, wanted, like, doubts)


def _listed(targets: Labels, wanted: str) -> Labels:
    """Lists as arrays; everything else is returned unchanged."""
    if not isinstance(targets, list | tuple):
        return targets
    try:
        return np.asarray(targets)
    except (ValueError, TypeError, RuntimeError):
        raise UserError(f"targets are a {type(targets).__name__} of different things. Give {wanted}") from None


def _in_shape(values: Tensor, task: Task, samples: int, steps: int, outputs: int, wanted: str) -> Tensor:
    """Targets in the shape of their task; an axis of one output may be left out.

    Raises:
        UserError: they have another shape.
    """
    lead = (samples, steps) if task in PER_STEP else (samples,)
    shape = tuple(values.shape)
    if task in OF_CLASSES:
        if shape == (*lead, 1):
            return values[..., 0]
        fits = shape == lead
    else:
        if outputs == 1 and shape == lead:
            return values[..., None]
        fits = shape == (*lead, outputs)
    if fits:
        return values
    hint = ""
    if task in PER_STEP and shape[:2] == (steps, samples):
        hint = ": time stands first, so transpose the first two axes"
    elif shape == (samples,) and not values.is_floating_point():
        hint = f": one whole number a sample looks like classes, and the learner was made with task='{task}'"
    raise UserError(f"targets have shape {shape}, and {samples} samples need {wanted}{hint}")


def _classes(
    values: Tensor, classes: int, wanted: str, device: torch.device, doubts: list[Doubt] | None
) -> Tensor:  # fmt: skip
    if values.is_floating_point() or values.dtype == torch.bool:
        raise UserError(f"targets are {values.dtype}, and the task is classes for each step: {wanted}. Use .long()")
    values = values.to(torch.int64)

    def out_of_range(ends: Sequence[float]) -> UserError:
        low, high = map(int, ends)
        return UserError(f"targets run {low}..{high}, and the network has {classes} classes: 0..{classes - 1}")

    waits = ask(Doubt(torch.stack(values.aminmax()).double(), 0, classes - 1, out_of_range), doubts)
    return to_device(values.clamp(0, classes - 1) if waits else values, device, values.dtype)


def _vectors(
    values: Tensor, task: Task, wanted: str, like: tuple[torch.device, torch.dtype], doubts: list[Doubt] | None
) -> Tensor:
    device, dtype = like
    if task in OF_VALUES:
        values = to_device(values, device, dtype)
        ends = torch.stack(values.aminmax()).double()
        ask(Doubt(ends, -LARGEST, LARGEST, lambda _: UserError("the targets hold NaN or infinite values. Leave these "
            "samples out, or fill the values in")), doubts)  # fmt: skip
        return values
    away = torch.minimum(values.double().abs(), (values.double() - 1).abs()).max()

    def no_label(_: Sequence[float]) -> UserError:
        return UserError(f"targets hold other values than 0 and 1, and several labels for each sample are {wanted}")

    ask(Doubt(torch.stack([away]), 0, 0, no_label), doubts)
    return to_device(values, device, dtype)
