"""Checks of the batches that a user passes to a learner, with one plain line for everything that does not fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurorules.contracts.series import Series
from neurorules.contracts.target import OF_CLASSES, OF_VALUES, PER_STEP
from neurorules.language.errors import UserError, unknown
from neurorules.language.settings import Task
from neurorules.network.model import Model
from neurorules.network.network import Network
from neurorules.torch_path.process.forks import one_thread_in_forks
from neurorules.torch_path.training.arguments import Labels, Spikes, to_labels, to_series, to_tensor
from neurorules.torch_path.training.doubts import LARGEST, Doubt, to_device
from neurorules.torch_path.training.doubts import Diverged as Diverged
from neurorules.torch_path.training.drives import batch_of

PRECISIONS = {"float32": torch.float32, "float64": torch.float64, "fast": torch.float32}
"""The data type of each precision; `fast` also rounds products."""


def check_device(name: str) -> torch.device:
    """The torch device for the word auto, cpu or cuda.

    Raises:
        UserError: the word is unknown, or cuda is asked for and there is no GPU.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("device 'cuda' was asked for, and torch finds no CUDA here. Use cpu, or install torch for CUDA")
    if name not in ("cpu", "cuda"):
        raise UserError(f"device '{name}' is unknown. Use auto, cpu or cuda")
    return torch.device(name)


def check_precision(name: str) -> torch.dtype:
    """The data type for the word float32, float64 or fast (float32).

    Raises:
        UserError: the word is another one.
    """
    if name not in PRECISIONS:
        raise unknown("precision", name, PRECISIONS)
    return PRECISIONS[name]


def check_drive(
    spikes: Spikes, network: Network, steps: int, device: torch.device, dtype: torch.dtype,
    doubts: list[Doubt] | None = None,
) -> tuple[Series, int]:  # fmt: skip
    """Check the drive of a network, and move it to a device.

    Args:
        spikes: the user's drive.
        network: the network to drive.
        steps: number of steps T of a constant drive; a varying drive has its own number.
        device: the device to move the drive to.
        dtype: the data type of the drive.
        doubts: a list for checks that would have to wait for the device; if it is None, they wait.

    Returns:
        The drive, (T, B, *input) or constant (B, *input), and T.

    Raises:
        UserError: the shape is not (T, B, *input), values are not finite, or a neuron cannot run T steps.
    """
    if torch.get_num_threads() > 1:
        one_thread_in_forks()
    series = to_series(spikes)
    lead, expected = (1, "B") if series.constant else (2, "T, B")
    shape = tuple(series.values.shape)
    if len(shape) < lead or shape[lead:] != network.input_shape:
        wanted = ", ".join(map(str, network.input_shape))
        still = "" if series.constant else f", or (B, {wanted}) for the same at each step"
        raise UserError(f"the input has shape {shape}, and the network reads ({expected}, {wanted}){still}. Reshape it")
    if 0 in shape:
        raise UserError(f"the input has shape {shape}, without a step or a sample. Give at least one of each")
    numbers = series.values
    if numbers.is_floating_point() and numbers.device.type == "cpu":
        numbers = numbers.to(dtype)  # read where it lies
    values = to_device(numbers, device, dtype)
    readable = numbers if numbers.device.type == "cpu" else values
    quick = doubts is None and readable.device.type == "cpu"  # a sum reads faster than the least and the largest value
    if readable.is_floating_point() and not (quick and readable.sum().isfinite()):
        # NaN propagates through both, and no tensor of the input's size is created
        Doubt(torch.stack(readable.aminmax()).double(), -LARGEST, LARGEST, _not_finite).ask(doubts)
    steps = steps if series.constant else shape[0]
    check_steps(network, steps)
    return series.like(values), steps


def check_steps(network: Network, steps: int) -> None:
    """Refuse a number of steps that a neuron cannot run.

    Args:
        network: the network, whose hidden layers are checked.
        steps: T.

    Raises:
        UserError: there are rate neurons, and more than one step.
    """
    for layer in network.hidden:
        if layer.neuron.steps is not None and steps != layer.neuron.steps:
            raise UserError(
                f"layer '{layer.name}' has rate neurons, which run 1 step, and {steps} were asked for. Use --steps 1"
            )


def check_labels(
    labels: Labels, drive: Series, classes: int, device: torch.device, doubts: list[Doubt] | None = None
) -> Tensor:
    """Check labels, and move them to a device.

    Args:
        labels: the user's labels.
        drive: the drive of the same samples.
        classes: number of classes C.
        device: the device to move the labels to.
        doubts: a list for checks that would have to wait for the device; until they are answered, labels are clamped to
            the range. If it is None, the checks wait.

    Returns:
        Class indices (B,), int64, on the device.

    Raises:
        UserError: the shape is not (B,), values are not whole numbers, or labels are out of range.
    """
    samples = drive.values.shape[0 if drive.constant else 1]
    labels = to_labels(labels, samples, classes)
    if tuple(labels.shape) != (samples,):
        turned = drive.values.ndim > 1 and not drive.constant and tuple(labels.shape) == drive.values.shape[:1]
        hint = "; the input has time first, (T, B, ...): where yours has the samples first, x.transpose(0, 1)"
        raise UserError(
            f"labels have shape {tuple(labels.shape)}, and the input holds {samples} samples. Give ({samples},) class "
            f"indices, or one-hot rows ({samples}, {classes}){hint if turned else ''}"
        )
    if labels.is_floating_point() or labels.dtype == torch.bool:
        raise UserError(f"labels are {labels.dtype}, and must be the whole numbers of classes. Use labels.long()")
    labels = labels.to(torch.int64)

    def out_of_range(ends: Sequence[float]) -> UserError:
        low, high = map(int, ends)
        return UserError(
            f"labels run {low}..{high}, and the network has {classes} classes. Give labels in 0..{classes - 1}"
        )

    waits = Doubt(torch.stack(labels.aminmax()).double(), 0, classes - 1, out_of_range).ask(doubts)
    return to_device(labels.clamp(0, classes - 1) if waits else labels, device, labels.dtype)


def _not_finite(ends: Sequence[float]) -> UserError:
    return UserError("the input holds NaN or infinite values. Clean it before the step")


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
        return UserError(f"targets run {low}..{high}, and the network has {classes} classes. Give 0..{classes - 1}")

    waits = Doubt(torch.stack(values.aminmax()).double(), 0, classes - 1, out_of_range).ask(doubts)
    return to_device(values.clamp(0, classes - 1) if waits else values, device, values.dtype)


def _vectors(
    values: Tensor, task: Task, wanted: str, like: tuple[torch.device, torch.dtype], doubts: list[Doubt] | None
) -> Tensor:
    device, dtype = like
    if task in OF_VALUES:
        values = to_device(values, device, dtype)
        Doubt(torch.stack(values.aminmax()).double(), -LARGEST, LARGEST, _no_values).ask(doubts)
        return values
    away = torch.minimum(values.double().abs(), (values.double() - 1).abs()).max()

    def no_label(_: Sequence[float]) -> UserError:
        return UserError(
            f"targets hold other values than 0 and 1, and several labels for each sample need {wanted}. Give these"
        )

    Doubt(torch.stack([away]), 0, 0, no_label).ask(doubts)
    return to_device(values, device, dtype)


def _no_values(ends: Sequence[float]) -> UserError:
    return UserError(
        "the targets hold NaN or infinite values. Leave these samples out, or replace the values by numbers"
    )


def check_batch(learner: Any, spikes: Spikes, labels: Labels) -> tuple[Series, int, Tensor]:
    """Check a user's batch, and convert it for a trial.

    Args:
        learner: the `Learner` that is to learn from it.
        spikes: (T, B, *input), a `Series`, or samples as `batch_of` reads them.
        labels: (B,) class indices, or one-hot rows (B, classes); or the targets of another task.

    Returns:
        The drive, the number of steps T, and the labels (B,) or other targets, all on the learner's device.

    Raises:
        UserError: shapes or values do not fit.
    """
    spikes = batch_of(learner, spikes, learning=True)
    drive, steps = check_drive(spikes, learner.model.network, learner.steps, learner.device, learner.dtype)
    like = learner.device, learner.dtype
    return drive, steps, check_targets(labels, drive, steps, learner.model, like)
