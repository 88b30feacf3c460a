"""A rule's update beside that of exact backpropagation through time: same weights, same samples, same loss."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from neurorules.language.errors import UserError
from neurorules.normalisations._shared import (
    CurrentStatistics,
    Normalisation,
    UpdateStatistics,
    by_running,
    over_rows,
)
from neurorules.rules import RULES
from neurorules.series import Series
from neurorules.torch_path.learn import TrialResult, learn_trial
from neurorules.torch_path.model import Learned, Model, build_model
from neurorules.torch_path.network import Network, Parameters

DRAWS = 7_000_003
"""Seed of the dropout masks of a probe's trials: the same for every rule, and no draw of a run's own."""


@dataclass(frozen=True)
class ProbeNormalisation(Normalisation):
    """Forwards by the running averages as they are; backwards with E[d] and E[d I^] over the samples at hand.

    Running averages of an update belong to the rule that made them, and lag. Both sides take those of the probe's
    samples instead, so that two rules with one signal have one update, and an angle tells of the signal.

    Args:
        centres_inputs: as the normalisation it stands for.
    """

    centres_inputs: bool
    reads_batch = True

    def coefficients(self, statistics: CurrentStatistics, current: Tensor, training: bool) -> tuple[Tensor, Tensor]:
        return by_running(statistics)

    def adjoint(self, statistics: UpdateStatistics, post: Tensor, normalised: Tensor, gain: Tensor) -> Tensor:
        return (post - over_rows(post) - normalised * over_rows(post * normalised)) * gain


def probed(model: Model) -> Model:
    """The same model with each streaming normalisation as a probe takes it; batch normalisation stays as it is."""
    layers = tuple(
        layer
        if layer.normalisation is None or layer.normalisation.reads_batch
        else replace(layer, normalisation=ProbeNormalisation(layer.normalisation.centres_inputs))
        for layer in model.network.layers
    )
    return replace(model, network=replace(model.network, layers=layers))


def exact_model(model: Model) -> Model | None:
    """`bptt` on the same network for the same loss; None where nothing can be carried back through the network."""
    exact = replace(RULES.make("bptt"), loss=model.rule.loss, targets=model.rule.targets)
    try:
        return build_model(model.network, exact)
    except UserError:
        return None


def exact_state(learned: Learned) -> Learned:
    """What `bptt` reads of a state that another rule made: parameters, and the averages of the phase "input"."""
    return Learned(learned.parameters, learned.current, learned.pre)


def probe_trial(model: Model, learned: Learned, drive: Series, steps: int, labels: Tensor) -> TrialResult:
    """One trial that changes nothing. Where a phase applies its changes, the phases after it see none of them.

    Its gradients are those of all phases together, at the weights as they are, before any optimiser.
    """
    early: list[Mapping[str, Tensor]] = []

    def unchanged(gradients: Mapping[str, Tensor]) -> Parameters:
        early.append({name: value.clone() for name, value in gradients.items()})
        return learned.parameters

    generator = torch.Generator(drive.values.device).manual_seed(DRAWS)
    found = learn_trial(model, learned, drive, steps, labels, generator, None, unchanged)
    for gradients in early:
        for name, value in gradients.items():
            found.gradients[name] = found.gradients[name] + value if name in found.gradients else value
    return found


def by_layer(network: Network, gradients: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The gradients of each layer's weights, all its connections in one row of float64; layers without any left out."""
    found: dict[str, list[Tensor]] = {}
    for layer, _, name in network.weights():
        if name in gradients:
            found.setdefault(layer.name, []).append(gradients[name].double().flatten())
    return {name: torch.cat(parts) for name, parts in found.items()}


def compare_updates(here: Tensor, exact: Tensor) -> dict[str, float | None]:
    """cosine, angle_deg, norm_ratio |here| / |exact|, and sign_agreement among the weights that both change.

    Args:
        here, exact: (weights,) each.
    """
    sizes = float(here.norm()), float(exact.norm())
    if not all(map(math.isfinite, sizes)) or sizes[1] == 0:
        return {"cosine": None, "angle_deg": None, "norm_ratio": None, "sign_agreement": None}
    if sizes[0] == 0:
        return {"cosine": None, "angle_deg": None, "norm_ratio": 0.0, "sign_agreement": None}
    cosine = max(-1.0, min(1.0, float((here / sizes[0]) @ (exact / sizes[1]))))
    signs = here.sign() * exact.sign()
    both = int((signs != 0).sum())
    agreement = float((signs > 0).sum()) / both if both else None
    angle = math.degrees(math.acos(cosine))
    return {"cosine": cosine, "angle_deg": angle, "norm_ratio": sizes[0] / sizes[1], "sign_agreement": agreement}
