"""A small constant current carried forward through the layers, linearised around the activity in the phase "input".

a_1 = gain_1 (W_1 offset + injected), a_l = gain_l W_l (psi_{l-1} a_{l-1}): there are no spikes. psi is the mean over
time of the neuron's pseudo-derivative; the gain is the normalisation's, held fixed; pooling by maxima passes what the
most active neuron of a window carries. Recurrent connections are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from torch import Tensor

from neurorules.contracts.phase_drive import PhaseDrive
from neurorules.contracts.series import pending_source
from neurorules.native import scans
from neurorules.network.layer import NETWORK_INPUT, Input, Layer, Masks, mask_name
from neurorules.network.network import Parameters
from neurorules.torch_path.forward.offset import offset_current
from neurorules.torch_path.forward.run_layer import Activity


@dataclass(frozen=True)
class Reference:
    """The activity of a layer in the phase "input", about which perturbations are linear.

    Args:
        psi: mean over time of the pseudo-derivative, (B, *shape); None if no further layer needs it.
        output: sum of its output over time, (B, *shape).
        gain: the gain of its normalisation; None for none.
    """

    psi: Tensor | None
    output: Tensor
    gain: Tensor | None


def run_tangent(
    layers: tuple[Layer, ...], parameters: Parameters, references: list[Reference], drive: PhaseDrive, masks: Masks
) -> list[Tensor]:
    """Carry a constant offset or current forward through the layers.

    Args:
        layers: in order; the read-out may be left out.
        parameters: the network's.
        references: the activity of each layer that is read in the phase "input", in order.
        drive: offset or injected current of the phase.
        masks: dropout masks of the trial.

    Returns:
        The current a that it causes in each layer, (B, *shape), in order.

    Raises:
        LookupError: no current reaches a layer, or the pseudo-derivative of a layer that is read is missing.
    """
    currents: list[Tensor] = []
    for index, layer in enumerate(layers):
        total = drive.injected if index == 0 else None
        for entry in layer.inputs:
            if entry.connection.recurrent:
                continue
            if entry.source == NETWORK_INPUT:
                if drive.offset is None:
                    continue
                brought = offset_current(layer, parameters, drive.offset, masks)
            else:
                reference = references[entry.source]
                if reference.psi is None:
                    raise LookupError(f"layer '{layer.name}' reads a layer whose pseudo-derivative is missing")
                rows = _through_transforms(
                    layer, entry, reference.output, reference.psi * currents[entry.source], masks
                )
                brought = entry.connection.current(parameters[layer.weight_name(entry)], rows)
            total = brought if total is None else total + brought
        if total is None:
            raise LookupError(f"nothing reaches layer '{layer.name}'")
        gain = references[index].gain if index < len(references) else None
        currents.append(total if gain is None else total * gain)
    return currents


def _through_transforms(layer: Layer, entry: Input, output: Tensor, change: Tensor, masks: Masks) -> Tensor:
    for position, transform in enumerate(entry.transforms):
        mask = masks.get(mask_name(layer, entry, position))
        change = transform.tangent(output, mask, change)
        output = transform.forward(output, mask)
    return change


def psi_total(layer: Layer, activity: Activity) -> Tensor:
    """Sum over a window's steps of the pseudo-derivative.

    Args:
        layer: whose neurons give psi.
        activity: the activity of the layer in the window.

    Returns:
        The sum, (B, *shape).
    """
    rerun, psi, dynamics = pending_source(activity.v), layer.psi, layer.dynamics
    v = None if rerun is not None and psi is not None else activity.v.values
    if psi is None or dynamics is None or (v is not None and not scans.serves(v)):
        return activity.psi(layer.neuron, activity.v.values).sum(0)
    theta, like = dynamics.v_threshold, rerun.current if v is None else v
    scan = scans.reverse(
        like.new_ones(activity.v.lead[1], prod(layer.shape)), activity.steps, 0.0, scans.Reset.NONE,
        v=None if v is None else v.reshape(*v.shape[:2], -1), rerun=rerun,
        v_threshold=theta.reshape(-1) if isinstance(theta, Tensor) else theta, psi=psi, every=False,
    )  # fmt: skip
    return scan.over_time.reshape(-1, *layer.shape)
