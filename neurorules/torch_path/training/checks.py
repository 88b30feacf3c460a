"""Checks of what a user passes to a learner, with one plain line for everything that does not fit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from neurorules.contracts.series import Series
from neurorules.language.errors import UserError, unknown
from neurorules.network.network import Network
from neurorules.torch_path.process.forks import one_thread_in_forks
from neurorules.torch_path.training.arguments import Labels, Spikes, to_labels, to_series
from neurorules.torch_path.training.doubts import LARGEST, Doubt, to_device


class Diverged(UserError):
    """The numbers of a training are no longer finite. The changes of the trial in which that was found are not
    applied.
    """


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
        raise UserError(f"the input has shape {shape}, the network reads ({expected}, {wanted}){still}. Reshape it")
    if 0 in shape:
        raise UserError(f"the input has shape {shape}: it holds no step or no sample")
    numbers = series.values
    if numbers.is_floating_point() and numbers.device.type == "cpu":
        numbers = numbers.to(dtype)  # read where it lies
    values = to_device(numbers, device, dtype)
    readable = numbers if numbers.device.type == "cpu" else values
    if readable.is_floating_point():  # NaN propagates through both, and no tensor of the input's size is created
        ask(Doubt(torch.stack(readable.aminmax()).double(), -LARGEST, LARGEST, _not_finite), doubts)
    steps = steps if series.constant else shape[0]
    check_steps(network, steps)
    return series.like(values), steps


def check_finite(gradients: Mapping[str, Tensor], network: Network, scores: Tensor | None = None) -> None:
    """Refuse changes that cannot be applied.

    Args:
        gradients: the gradients of a trial, by parameter.
        network: the network, whose layers the message names.
        scores: the scores of the trial, (B, C); None without scores.

    Raises:
        Diverged: a change or a score is not finite; the message names the layer and likely causes.
    """
    for doubt in finite_doubts(gradients, network, scores):
        doubt.check(doubt.numbers.tolist())


def finite_doubts(gradients: Mapping[str, Tensor], network: Network, scores: Tensor | None = None) -> list[Doubt]:
    """The checks of `check_finite` as doubts, which do not wait for the device.

    Args:
        gradients: the gradients of a trial, by parameter.
        network: the network, whose layers the message names.
        scores: the scores of the trial, (B, C); None without scores.

    Returns:
        One doubt, or none if there is nothing to check.
    """
    names = list(gradients)
    sizes = list(torch._foreach_norm([gradients[name] for name in names])) if names else []
    if scores is not None:
        names.append("readout.output")
        sizes.append(scores.abs().max())

    def diverged(numbers: Sequence[float]) -> Diverged:
        name = next(name for name, size in zip(names, numbers, strict=True) if not math.isfinite(size))
        layer = name.split(".", 1)[0]
        steadier = next((a.neuron.steadier for a in network.layers if a.name == layer), "or a smaller signal")
        return Diverged(
            f"'{name}' is no longer finite: layer '{layer}' diverged. Lower the learning rate (--lr, --readout-lr), "
            f"keep the currents in scale (--norm streaming), {steadier}"
        )

    return [Doubt(torch.stack(sizes).double(), -LARGEST, LARGEST, diverged)] if sizes else []


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
            raise UserError(f"layer '{layer.name}' has rate neurons, which run 1 step, asked {steps}. Use --steps 1")


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
            f"labels have shape {tuple(labels.shape)}, the input holds {samples} samples. Give ({samples},) class "
            f"indices, or one-hot rows ({samples}, {classes}){hint if turned else ''}"
        )
    if labels.is_floating_point() or labels.dtype == torch.bool:
        raise UserError(f"labels are {labels.dtype}, must be whole numbers, class indices. Use labels.long()")
    labels = labels.to(torch.int64)

    def out_of_range(ends: Sequence[float]) -> UserError:
        low, high = map(int, ends)
        return UserError(
            f"labels run {low}..{high}, the network has {classes} classes: they must lie in 0..{classes - 1}"
        )

    waits = ask(Doubt(torch.stack(labels.aminmax()).double(), 0, classes - 1, out_of_range), doubts)
    return to_device(labels.clamp(0, classes - 1) if waits else labels, device, labels.dtype)


def ask(doubt: Doubt, doubts: list[Doubt] | None) -> bool:
    """Check numbers at once if they are on a CPU, or if checks have to wait for the device.

    Args:
        doubt: the check.
        doubts: a list for a check whose numbers are on another device; None if checks wait.

    Returns:
        True if the check remains to be answered.
    """
    if doubts is None or doubt.numbers.device.type == "cpu":
        doubt.check(doubt.numbers.tolist())
        return False
    doubts.append(doubt)
    return True


def _not_finite(ends: Sequence[float]) -> UserError:
    return UserError("the input holds NaN or infinite values. Clean it before the step")
