"""A rule's update beside the exact gradient, and beside `bptt`'s: same weights, same samples, same loss.

Two questions, two numbers. How far is what the rule asks for from the gradient of the loss? There the other side is the
exact gradient, in which running averages are constants of the trial. And how far is the rule's *signal* from `bptt`'s?
There both sides go back through the normalisation alike, centred and decorrelated, so that one signal is one update.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from neurorules.contracts.normalisation import CurrentStatistics, Normalisation, UpdateStatistics, by_running, over_rows
from neurorules.contracts.series import Series
from neurorules.language.errors import UserError
from neurorules.language.rules import Statistics
from neurorules.network.model import Learned, Model, build_model
from neurorules.network.network import Network, Parameters
from neurorules.rules import RULES
from neurorules.torch_path.trial.learn import TrialResult, learn_trial

DRAWS = 7_000_003
"""Seed of the dropout masks of a probe's trials: the same for every rule, and no draw of a run's own."""


@dataclass(frozen=True)
class ProbeNormalisation(Normalisation):
    """Forwards by the running averages as they are; backwards with E[d] and E[d I^] over the samples at hand.

    Running averages of an update belong to the rule that made them, and lag. For the angle of signals both sides take
    those of the probe's samples instead, so that two rules with one signal have one update.

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


def bptt_model(model: Model, statistics: Statistics) -> Model | None:
    """`bptt` on the same network for the same loss; None where nothing can be carried back through the network."""
    rule = replace(RULES.make(f"bptt:statistics={statistics}"), loss=model.rule.loss, targets=model.rule.targets)
    try:
        return build_model(model.network, rule)
    except UserError:
        return None


def exact_model(model: Model) -> Model | None:
    """The exact gradient on the same network; None where there is none.

    Statistics are held: running averages are constants of a trial, and so is the gain of what a layer sends itself.
    Those of batch normalisation alone are functions of the weights, and the gradient goes through them.
    """
    layers = [layer for layer in model.network.layers if layer.normalisation is not None]
    batch = all(layer.normalisation is not None and layer.normalisation.reads_batch for layer in layers)
    loops = any(entry.connection.recurrent for layer in layers for entry in layer.inputs)
    return bptt_model(model, "moving" if batch and not loops else "held")


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


def agreement(
    model: Model, learned: Learned, drive: Series, steps: int, labels: Tensor
) -> dict[str, dict[str, float | None]]:
    """By layer that the rule changes: its update against the exact gradient, and the angle of its signal to `bptt`'s.

    Empty where nothing can be carried back through the network.

    Args:
        model, learned: as they are; nothing is changed.
        drive: (T, B, *input) or constant (B, *input).
        steps: T.
        labels: (B,) class indices.
    """
    alike, exact = probed(model), exact_model(model)
    other = bptt_model(alike, "moving")
    if exact is None or other is None:
        return {}
    batch, known = (drive, steps, labels), exact_state(learned)
    here, there, signal, bptts = (
        by_layer(model.network, probe_trial(each, state, *batch).gradients)
        for each, state in ((model, learned), (exact, known), (alike, learned), (other, known))
    )
    return {
        name: {
            **compare_updates(here[name], there[name]),
            "signal_angle_deg": compare_updates(signal[name], bptts[name])["angle_deg"],
        }
        for name in there
        if name in here
    }


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
