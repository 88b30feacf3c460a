"""`python docs/figures/device_picture.py` draws docs/images/devices.png: points that each device takes from each rule.

It reads the stored runs of docs/results/devices.md, and trains nothing.
"""

from __future__ import annotations

import json
import statistics

import matplotlib
from stored import FOLDER

matplotlib.use("Agg")
from matplotlib import pyplot as plt

FILES = ("mnist-devices", "mnist-devices-loihi", "mnist-devices-odin-reckon")
SIZE, HIGHEST = (9.6, 4.2), 6.0
"""Size of the picture in inches, and the loss in points from which on the colour stays the same."""


def main() -> None:
    """Draw the picture."""
    tests: dict[tuple[str, str], list[float]] = {}
    for file in FILES:
        for run in json.loads((FOLDER / f"{file}.json").read_text(encoding="utf-8"))["runs"]:
            rule, _, device = run["rule"].partition(" @ ")
            if device != "loihi" or file == "mnist-devices-loihi":
                tests.setdefault((rule, device), []).append(100 * run["test_accuracy"])
    rules = list(dict.fromkeys(rule for rule, _ in tests))
    devices = list(dict.fromkeys(device for _, device in tests if device))
    means = {key: statistics.fmean(values) for key, values in tests.items()}
    lost = [[means[rule, ""] - means[rule, device] for device in devices] for rule in rules]
    figure, axes = plt.subplots(figsize=SIZE, layout="constrained")
    shown = axes.imshow(lost, cmap="Reds", vmin=0, vmax=HIGHEST, aspect="auto")
    for row, numbers in enumerate(lost):
        for column, number in enumerate(numbers):
            colour = "white" if number > HIGHEST * 0.6 else "black"
            axes.text(column, row, f"{number:.1f}", ha="center", va="center", color=colour, fontsize=8)
    names = [device.replace("fixed_point:bits=4", "fixed_point\n4 bits").partition(":")[0] for device in devices]
    axes.set_xticks(range(len(devices)), names, rotation=30, ha="right", fontsize=8)
    axes.set_yticks(range(len(rules)), [rule.partition("@")[0] for rule in rules], fontsize=8)
    figure.colorbar(shown, label="test accuracy lost to floating point, points", extend="max")
    figure.savefig(FOLDER.parents[1] / "images" / "devices.png", dpi=100)


if __name__ == "__main__":
    main()
