"""PEPITA's Table 1, dense and convolutional nets of rate neurons; and spiking nets, which no paper shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from neurorules.language.config import TrainConfig
from neurorules.language.settings import Targets
from neurorules.papers.paper import Paper, Published, Row, Table, Trained

PUBLISHED = {
    ("dense", "mnist"): {"BP": (98.63, 0.03), "FA": (98.42, 0.07), "DRTP": (95.10, 0.10), "PEPITA": (98.01, 0.09)},
    ("dense", "cifar10"): {"BP": (55.27, 0.32), "FA": (53.82, 0.24), "DRTP": (45.89, 0.16), "PEPITA": (52.57, 0.36)},
    ("dense", "cifar100"): {"BP": (27.58, 0.09), "FA": (24.61, 0.28), "DRTP": (18.32, 0.18), "PEPITA": (24.91, 0.22)},
    ("conv", "mnist"): {"BP": (98.86, 0.04), "FA": (98.50, 0.06), "DRTP": (97.32, 0.25), "PEPITA": (98.29, 0.13)},
    ("conv", "cifar10"): {"BP": (64.99, 0.32), "FA": (57.51, 0.57), "DRTP": (50.53, 0.81), "PEPITA": (56.33, 1.35)},
    ("conv", "cifar100"): {"BP": (34.20, 0.20), "FA": (27.15, 0.53), "DRTP": (20.14, 0.68), "PEPITA": (27.56, 0.60)},
}
"""Test accuracy in percent, mean and standard deviation: Dellaferrera & Kreiman 2022, Table 1."""
VERIFIED = frozenset({"BP", "PEPITA"})
"""Rows that a public copy of the table confirms; the numbers of other rows are recalled."""
TITLES = {"mnist": "MNIST", "cifar10": "CIFAR-10", "cifar10:copy=jpeg": "CIFAR-10 (JPEG copy)", "cifar100": "CIFAR-100"}
DENSE = TrainConfig(
    net="1024-d0.1", batch_size=64, epochs=100, encode="constant:standardise=false", lr_schedule="steps:at=60-90",
    neuron="rate", steps=1, norm="none", init="he", optimizer="momentum",
)  # fmt: skip
"""The paper's dense net: 1024 rectified units, dropout of a tenth, momentum 0.9, rates cut at epochs 60 and 90."""
CONV = replace(DENSE, net="c32k5v-p2", batch_size=50, lr_schedule="steps:at=10-30-60")
"""The paper's convolutional net: 32 maps, 5 x 5, valid, pooled by 2."""
RATES = {"mnist": 0.1, "cifar10": 0.01, "cifar100": 0.01}
"""Learning rates of dense nets. Source: public code; that of CIFAR-100 is recalled."""
CONV_RATE = 0.01
"""Learning rate of convolutional nets."""
POSITIONS = {"mnist": 24**2, "cifar10": 28**2, "cifar100": 28**2}
"""Number of positions of a map: the paper averages the change of a kernel over them, and the value of a text is a
sum."""
RULES = {"BP": "bptt:bias=false", "FA": "fa", "DRTP": "drtp", "PEPITA": "pepita:neurons=rate"}
FIRST_CUT = 60
"""The epoch of the first cut of the learning rate; the curve is fitted to the epochs before it."""
CURVE = (1, 10, 20, 60)
"""Epochs whose validation accuracy a column shows."""
SPIKING = {
    "dendritic, mirrored": "pepita:form=dendritic:mirror=running",
    "graded, mirrored": "pepita:form=graded:mirror=running",
    "rate difference": "pepita",
    "contrastive": "pepita:form=contrastive",
    "dendritic, error shuffled (control)": "pepita:form=dendritic",
    "dendritic, F = -class means": "pepita:form=dendritic:init=class_means:sign=minus",
    "dendritic, F = +class means (sign test)": "pepita:form=dendritic:init=class_means:sign=plus",
    "DFA": "dfa",
    "BP surrogate": "bptt",
    "Shallow": "shallow",
}
SHUFFLED = ("dendritic, error shuffled (control)",)
"""Rows whose hidden layers learn from another sample's error."""
FEW = ("dendritic, mirrored", "DFA", "Shallow")
"""Rows of the larger tables."""
ONE_LAYER = TrainConfig(data="mnist", net="1000", epochs=3)
SMALL_CONV = TrainConfig(data="mnist", net="c16k3-p2-c32k3-p2-128", steps=4, epochs=3, limit=12_000)
SPIKING_TABLES = {
    "MNIST, spiking net 1000, integrate-and-fire, T = 8": (ONE_LAYER, tuple(SPIKING)),
    "MNIST, spiking net 500-500, integrate-and-fire, T = 8": (replace(ONE_LAYER, net="500-500"), tuple(SPIKING)),
    "MNIST, spiking net 1000, ten epochs": (replace(ONE_LAYER, epochs=10), (*FEW, "BP surrogate")),
    f"MNIST, 12,000 images, spiking net {SMALL_CONV.net}, T = 4": (SMALL_CONV, FEW),
    "N-MNIST, spiking net 300": (TrainConfig(data="nmnist", net="300", epochs=3), FEW),
}
"""The settings that all rows of a table share, and the labels of the rows, by title of the table."""


def pepita(quick: bool = False) -> Paper:
    """Table 1 and the tables of spiking nets; if `quick`, with 6,000 images and 2 epochs."""
    tables = [
        _table(kind, data, quick)
        for kind in ("dense", "conv")
        for data in ("mnist", "cifar10", "cifar10:copy=jpeg", "cifar100")
    ]
    return Paper(
        title="PEPITA: error-driven input modulation (Table 1)",
        source="Dellaferrera, Kreiman 2022",
        tables=(*tables, *(_spiking(config, rows, title, quick) for title, (config, rows) in SPIKING_TABLES.items())),
        notes=(
            "FA and DRTP rows of the paper are recalled, unverified. Its learning curves are test accuracies; ours are "
            "of held-out training samples.",
            "Slowness: s of accuracy = highest t / (s + t), fitted to the epochs before the first cut of the rate.",
            "The angle stands between F and the forward weights' product; above 90 degrees F opposes them.",
            "FA, DRTP and Shallow learn biases, which the paper's nets lack.",
        ),
        measures={"slowness": slowness, "angle, degrees": _angle, "validation % after epochs 1, 10, 20, 60": _curve},
    )


def _table(kind: str, data: str, quick: bool) -> Table:
    """A block of Table 1: one kind of net on one data set."""
    name = data.partition(":")[0]
    rate = RATES[name] if kind == "dense" else CONV_RATE
    hidden = rate if kind == "dense" else rate / POSITIONS[name]
    base = replace(DENSE if kind == "dense" else CONV, data=data, lr=rate, readout_lr=rate)
    rows = []
    for label, rule in RULES.items():
        config = replace(base, rule=rule, lr=hidden if label == "PEPITA" else rate)
        value, spread = PUBLISHED[kind, name][label]
        trust = "verified" if label in VERIFIED else "recalled, unverified"
        rows.append(Row(label, _small(config, quick), Published(value, spread, trust)))  # type: ignore[arg-type]
    frozen = "frozen convolution (control)" if kind == "conv" else "Shallow"
    rows.append(Row(frozen, _small(replace(base, rule="shallow"), quick)))
    return Table(f"{TITLES[data]}, {kind} net {base.net}", tuple(rows))


def _spiking(config: TrainConfig, rows: Sequence[str], title: str, quick: bool) -> Table:
    """Make a table of PEPITA's spiking nets."""

    def settings(label: str) -> TrainConfig:
        targets: Targets = "shuffled" if label in SHUFFLED else "own"
        return _small(replace(config, rule=SPIKING[label], targets=targets), quick)

    return Table(title, tuple(Row(label, settings(label)) for label in rows))


def _small(config: TrainConfig, quick: bool) -> TrainConfig:
    """The configuration; if `quick`, with 6,000 images and at most 2 epochs."""
    return replace(config, epochs=min(config.epochs, 2), limit=6000) if quick else config


def slowness(trained: Sequence[Trained]) -> str:
    """The fitted slowness s, in epochs, averaged over seeds; "-" where no curve can be fitted."""
    fits = [fitted_slowness(curve) for curve in map(_validation, trained) if len(curve) > 1]
    return f"{sum(fits) / len(fits):.3f}" if fits else "-"


def fitted_slowness(curve: Sequence[float]) -> float:
    """The s for which accuracy(t) = max t / (s + t) fits best by least squares, t = 1, 2, ... before the first cut.

    The paper also puts chance at t = 0, where every s gives 0, which does not change the fit. Source: its public
    notebook.
    """
    best, points = max(curve), list(enumerate(curve[:FIRST_CUT], start=1))

    def misfit(log_s: float) -> float:
        return sum((value - best * t / (math.exp(log_s) + t)) ** 2 for t, value in points)

    low, high = math.log(1e-5), math.log(1e3)
    while high - low > 1e-6:  # the squared error first falls and then rises with s
        third = (high - low) / 3
        if misfit(low + third) < misfit(high - third):
            high -= third
        else:
            low += third
    return math.exp((low + high) / 2)


def _validation(trained: Trained) -> list[float]:
    """The validation accuracy of a run after each epoch, in 0..1."""
    return [row["validation_accuracy"] for row in trained.metrics if row["validation_accuracy"] is not None]


def _angle(trained: Sequence[Trained]) -> str:
    """The angle between F and the product of the forward weights, in degrees, averaged over seeds."""
    angles = [a for one in trained if (a := one.result["measures"].get("anti_alignment_deg")) is not None]
    return f"{sum(angles) / len(angles):.1f}" if angles else "-"


def _curve(trained: Sequence[Trained]) -> str:
    """Validation accuracies after the epochs `CURVE`, in percent, averaged over seeds."""
    curves = [curve for curve in map(_validation, trained) if curve]
    points = [[curve[epoch - 1] for curve in curves if len(curve) >= epoch] for epoch in CURVE]
    return ", ".join(f"{100 * sum(p) / len(p):.1f}" for p in points if p) or "-"


ENTRY = pepita
