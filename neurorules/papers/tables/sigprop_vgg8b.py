"""Signal propagation on CIFAR-10 with VGG8b, a rate net: the recipe of the authors' library, meant for a GPU."""

from __future__ import annotations

from neurorules.compare.controls import frozen_beside
from neurorules.language.config import TrainConfig
from neurorules.papers.paper import Paper, Published, Row, Table

NET = "c128k3-d0.2-c256k3-p2-d0.2-c256k3-d0.2-c512k3-p2-d0.2-c512k3-p2-d0.2-c512k3-p2-d0.2-1024-d0.2"
NARROW = "c12k3-c16k3-p2-c16k3-c32k3-p2-c32k3-p2-c32k3-p2-64"
"""A net of the same depth, at about a tenth of the width and without dropout, for a first look on a CPU."""
TITLES = {"cifar10": "CIFAR-10", "cifar10:copy=jpeg": "CIFAR-10 (JPEG copy)"}
RULES = {
    "Shallow": "shallow",
    "BP": "bptt",
    "SP v1 (labels)": "sigprop",
    "SP v14 (first nearest, a row a sample)": "sigprop:generator=target_input:loss=max_one",
    "SP v15 (6 nearest, a row a sample)": "sigprop:generator=target_input:loss=top_k",
}


def sigprop_vgg8b(quick: bool = False) -> Paper:
    """One table per data set; if `quick`, with narrow nets, 8,000 images, and 3 epochs of batches of 32."""
    return Paper(
        title="Signal propagation, VGG8b (the authors' library)",
        source="Kohan, Rietman, Siegelmann 2023",
        tables=tuple(_table(data, title, quick) for data, title in TITLES.items()),
        notes=(
            "The paper's CIFAR-10 accuracy is quoted by Chen et al. 2025, table 5 (second-hand).",
            "Pictures are neither cropped nor flipped here, which the library's recipe does: expect less.",
            "Batches are normalised per map and phase by running averages, there by instance.",
        ),
    )


def _table(data: str, title: str, quick: bool) -> Table:
    """The table of one data set."""
    configs = {label: _config(rule, data, quick) for label, rule in RULES.items()}
    sigprop = _config("sigprop", data, quick)
    (configs["Shallow"],) = frozen_beside([sigprop], sigprop)
    rows = (Row(label, config, _published(label)) for label, config in configs.items())
    return Table(f"{title}, net {NARROW if quick else NET}, LeakyReLU 0.01", tuple(rows))


def _config(rule: str, data: str, quick: bool) -> TrainConfig:
    """The configuration that trains one rule of the table."""
    common = {"rule": rule, "data": data, "neuron": "rate:leak=0.01", "steps": 1}
    if quick:
        return TrainConfig(**common, net=NARROW, epochs=3, batch_size=32, lr=1e-3, limit=8000, validation=1000)  # type: ignore[arg-type]
    return TrainConfig(
        **common, net=NET, epochs=400, batch_size=128, optimizer="adam", lr=5e-4, readout_lr=5e-4,  # type: ignore[arg-type]
        lr_schedule="steps:at=200-300-350-375:factor=0.25",
    )  # fmt: skip


def _published(label: str) -> Published | None:
    """The paper's accuracy of a row; None if it has none."""
    return Published(91.6, trust="second-hand") if label.startswith("SP v1 ") else None


ENTRY = sigprop_vgg8b
