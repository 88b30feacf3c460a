"""The errors of the weights that a device was programmed with, connection by connection."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from neurorules.contracts.chip import Chip
from neurorules.contracts.device_hooks import OwnFormat
from neurorules.torch_path.training.learner import Learner


def quantisation_of(deployed: Learner, exact: dict[str, Tensor]) -> dict[str, dict[str, Any]]:
    """Measure what each connection lost when it was programmed.

    Args:
        deployed: on the device.
        exact: the weights that were programmed, by name.

    Returns:
        By parameter: the root mean square of the error of what is read, over that of the weights; the largest error
        over the largest weight; and where the device shows codes, what one is worth, their ends, how many values are
        used, and the share at the ends.
    """
    rows: dict[str, dict[str, Any]] = {}
    reading, state = deployed.read(), deployed.store.hardware_state
    for _, _, name in deployed.model.network.weights():
        w, error = exact[name].double(), reading[name].double() - exact[name].double()
        size = float(w.square().mean().sqrt()) or 1.0
        row: dict[str, Any] = {
            "weights": w.numel(),
            "relative_error": float(error.square().mean().sqrt()) / size,
            "largest_error": float(error.abs().max()) / (float(w.abs().max()) or 1.0),
        }
        device, own = Chip(deployed.store.device, state).parts[-1]
        if isinstance(device, OwnFormat):
            codes, step, lowest, highest = device.codes(own, name, deployed.learned.parameters[name])
            ends = ((codes == lowest) | (codes == highest)).double().mean()
            row |= {"step": step, "lowest": lowest, "highest": highest, "values": len(torch.unique(codes))}
            row["at_the_ends"] = float(ends)
        rows[name] = row
    return rows
