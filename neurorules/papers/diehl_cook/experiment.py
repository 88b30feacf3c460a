"""One run of the experiment: learn without labels, give neurons classes by training labels, test once."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int64

from neurorules.contracts.data_set import DataSet
from neurorules.datasets import open_dataset
from neurorules.language.errors import UserError
from neurorules.language.ranges import Count, Whole, ranged
from neurorules.native.diehl_cook import Constants, random_state
from neurorules.papers.diehl_cook.brian2_network import open_network
from neurorules.papers.diehl_cook.network import Network, TorchNetwork
from neurorules.papers.diehl_cook.picture import draw
from neurorules.papers.diehl_cook.presentation import FULL, show
from neurorules.runs.progress import track
from neurorules.runs.tensors import save_tensors
from neurorules.torch_path.training.report import versions

UNASSIGNED = -1
"""The class of a neuron that never spiked."""
FIELDS, WEIGHTS = "receptive_fields.png", "weights.safetensors"


@ranged("")
@dataclass(frozen=True)
class DiehlCook:
    """The settings of one run of the experiment.

    Args:
        neurons: number of excitatory neurons.
        machine: the machine that runs the network: torch (compiled if there is a C compiler), or brian2.
        learns: whether weights change; in the control they do not, and thresholds still adapt.
        data: name of a data set of images of one channel.
        epochs: passes through the training samples.
        limit: number of training samples, the first ones of an order drawn from the seed; None for all.
        assigns: number of training samples, from the front of the same order, whose labels give neurons their classes.
        tested: number of test samples, the first ones; None for all.
        seed: the seed of weights, delays, order and spikes.
    """

    neurons: Count
    machine: Literal["torch", "brian2"] = "torch"
    learns: bool = True
    data: str = "mnist"
    epochs: Count = 1
    limit: Count | None = None
    assigns: Count = 10_000
    tested: Count | None = None
    seed: Whole = 0


def run(settings: DiehlCook, folder: Path, data_dir: Path | None = None, quiet: bool = False) -> dict[str, Any]:
    """Run the experiment, and write weights and a picture of them into a folder.

    Args:
        settings: the settings of the run.
        folder: an existing folder.
        data_dir: folder of the data sets, None for the default folder.
        quiet: show no progress bar.

    Returns:
        The settings, numbers of samples, test_accuracy and shuffled_accuracy (the control, whose assignment is by
        shuffled labels) in 0..1, spikes, attempts, neurons of each class, and seconds.

    Raises:
        UserError: the data are no images of one channel.
    """
    data, constants = open_dataset(settings.data, data_dir), Constants()
    check_images(data)
    weights, order, learning, reading, control = (np.random.default_rng([settings.seed, part]) for part in range(5))
    samples = order.permutation(len(data.train_labels))
    learned, assigns = samples[: settings.limit], samples[: settings.assigns]
    state = random_state(int(np.prod(data.shape)), settings.neurons, weights, constants)
    begin = time.perf_counter()
    opened: AbstractContextManager[Network] = (
        nullcontext(TorchNetwork(state, constants)) if settings.machine == "torch" else open_network(state, constants)
    )
    with opened as network:
        attempts = 0
        presented = np.tile(learned, settings.epochs)
        for sample in track(presented, "learning", quiet=quiet):
            image = grey_levels(data.train[sample])
            attempts += show(network, image, learning, constants, learns=settings.learns, adapts=True).attempts
        seconds = time.perf_counter() - begin
        counts = responses(network, data.train[assigns], reading, constants, "assigning", quiet)
        answers = responses(network, data.test[: settings.tested], reading, constants, "testing", quiet)
        w, theta = network.w, network.theta
    labels, test_labels = data.train_labels[assigns], data.test_labels[: settings.tested]
    classes = assign(counts, labels, data.classes)
    shuffled = assign(counts, control.permutation(labels), data.classes)
    save_tensors(folder / WEIGHTS, {"w": w, "theta": theta, "classes": torch.from_numpy(classes)})
    draw(w.numpy().T.reshape(-1, *data.shape), classes, folder / FIELDS)
    return {
        **asdict(settings),
        "limit": len(learned), "assigns": len(assigns), "tested": len(test_labels), "batch_size": 1,
        "test_accuracy": accuracy(answers, test_labels, classes, data.classes),
        "shuffled_accuracy": accuracy(answers, test_labels, shuffled, data.classes),
        "neurons_of_class": {str(one): count for one, count in sorted(Counter(classes.tolist()).items())},
        "spikes_per_image": float(answers.sum(1).mean()),
        "attempts_per_image": attempts / len(presented),
        "train_seconds": seconds,
        "seconds": time.perf_counter() - begin,
        "presentations_per_second": attempts / seconds,
        "versions": versions(),
    }  # fmt: skip


def check_images(data: DataSet) -> None:
    """Refuse data that the network cannot be shown.

    Raises:
        UserError: the samples are no images of one channel, or have no classes.
    """
    if data.kind != "images" or data.shape[0] != 1 or data.task != "classes":
        raise UserError(
            f"data '{data.name}' are {data.kind} of {data.shape[0]} channels, and the network of Diehl & Cook sees "
            f"images of one channel that belong to classes. Use mnist, fashion_mnist or digits"
        )


def grey_levels(image: Any) -> Float[np.ndarray, "I"]:
    """An image (1, H, W) as grey levels 0..255, flat; in float images, 1 is the full intensity."""
    levels = np.asarray(image).reshape(-1).astype(np.float64)
    return levels if image.dtype == np.uint8 else FULL * levels.clip(0, 1)


def responses(
    network: Network, images: Any, random: np.random.Generator, constants: Constants, task: str, quiet: bool
) -> Int64[np.ndarray, "S N"]:
    """Count the spikes of each neuron for each image, without learning and adaptation.

    Args:
        network: the network.
        images: (S, 1, H, W).
        random: generator of the input spikes.
        constants: the constants of the network.
        task: the title of the progress bar.
        quiet: show no progress bar.

    Returns:
        Counts (S, N).
    """
    counts = np.zeros(
        (len(images), network.w.shape[1]), dtype=np.int64
    )  # stored answers would be scattered over the memory
    for row, image in zip(counts, track(images, task, quiet=quiet), strict=True):
        row[:] = show(network, grey_levels(image), random, constants).counts
    return counts


def assign(counts: Int64[np.ndarray, "S N"], labels: Int64[np.ndarray, "S"], classes: int) -> Int64[np.ndarray, "N"]:
    """Assign each neuron to the class for whose images it spikes most on average.

    Args:
        counts: spikes of each neuron for training images.
        labels: the labels of these images.
        classes: number of classes.

    Returns:
        The class of each neuron; `UNASSIGNED` for one that never spiked.
    """
    member = labels == np.arange(classes)[:, None]
    mean = member @ counts / np.maximum(member.sum(1), 1)[:, None]
    return np.where(mean.any(0), mean.argmax(0), UNASSIGNED)


def accuracy(
    counts: Int64[np.ndarray, "S N"], labels: Int64[np.ndarray, "S"], assigned: Int64[np.ndarray, "N"], classes: int
) -> float:
    """The share of images for which the neurons of the right class have the highest mean count.

    Args:
        counts: spikes of each neuron for test images.
        labels: the labels of these images.
        assigned: the class of each neuron, as `assign` gives it.
        classes: number of classes.

    Returns:
        The accuracy in 0..1. A class without neurons is never predicted, and an image without spikes counts as wrong.
    """
    member = assigned == np.arange(classes)[:, None]
    votes = np.where(member.any(1), counts @ member.T / np.maximum(member.sum(1), 1), -1.0)
    right = (votes.argmax(1) == labels) & (votes.max(1) > 0)
    return float(right.mean())
