"""Signal propagation on a spiking convolutional net: the paper's spiking table (MNIST, Fashion-MNIST)."""

from __future__ import annotations

from dataclasses import replace

from neurorules.compare.controls import frozen_beside
from neurorules.language.config import TrainConfig
from neurorules.papers.paper import Paper, Published, Row, Table

NET = "c32k3-p2-c64k3-p2-256"
"""Two of {conv 3x3, normalisation, integrate-and-fire, max-pool}, one dense layer, the classifier. The paper does not
say how wide its layers are. In sigprop no hidden layer learns for the read-out, which reads T + 1 levels per neuron;
therefore its width is 256."""
WIDE = "SP surrogate, dense layer of 1024"
NETS = {WIDE: "c32k3-p2-c64k3-p2-1024"}
"""The nets of rows that have a different net from their table."""

RULES = {
    "Shallow": "shallow",
    "BP surrogate": "bptt",
    "SP surrogate": "sigprop",
    "SP voltage": "sigprop:form=voltage",
    WIDE: "sigprop",
    "Fixed codes instead of prototypes (control)": "sigprop:targets=codes",
}
PUBLISHED = {
    "mnist": {"Shallow": 92.76, "BP surrogate": 99.16, "SP surrogate": 98.99, "SP voltage": 97.37},
    "fashion_mnist": {"Shallow": 83.58, "BP surrogate": 93.30, "SP surrogate": 90.49, "SP voltage": 89.32},
}
"""Test accuracy in percent: 100 minus the errors of the paper's Section VI, as a replication's report copied them."""
TITLES = {"mnist": "MNIST", "fashion_mnist": "Fashion-MNIST"}


def sigprop_spiking(quick: bool = False) -> Paper:
    """One table per data set; if `quick`, with 6,000 images and 2 epochs."""
    return Paper(
        title="Signal propagation, spiking nets (Section VI)",
        source="Kohan, Rietman, Siegelmann 2023",
        tables=tuple(
            Table(f"{TITLES[data]}, net {NET}, T = 4", tuple(_row(data, label, quick) for label in RULES))
            for data in PUBLISHED
        ),
        notes=(
            "The paper's numbers are a replication's copy of its table (second-hand); widths and epochs are unknown.",
            "The same settings serve both data sets.",
        ),
    )


def _row(data: str, label: str, quick: bool) -> Row:
    """A row of the table of one data set."""
    config = TrainConfig(
        rule=RULES[label],
        data=data,
        net=NETS.get(label, NET),
        steps=4,
        epochs=2 if quick else 10,
        limit=6000 if quick else None,
        precision="fast",
    )
    if RULES[label] == "shallow":
        (config,) = frozen_beside([replace(config, rule="sigprop")], config)
    accuracy = PUBLISHED[data].get(label)
    return Row(label, config, None if accuracy is None else Published(accuracy, trust="second-hand"))


ENTRY = sigprop_spiking
