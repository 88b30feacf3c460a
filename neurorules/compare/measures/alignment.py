"""Compares a rule's update with the exact gradient, and with that of `bptt`: same weights, same samples, same loss.

There are two numbers. The first is the angle between the rule's update and the gradient of the loss; this is the exact
gradient, in which running averages are constants during the trial. The second is the angle between the rule's *signal*
and that of `bptt`. For it, both are carried back through the normalisation in the same way, centred and decorrelated,
so that equal signals give equal updates.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Shaped
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
"""The seed of the dropout masks in a probe's trials: the same for every rule, and independent of a run's draws."""


@dataclass(frozen=True)
class ProbeNormalisation(Normalisation):
    """A normalisation with fixed running averages forward, and with E[d] and E[d I^] over the current samples backward.

    Running averages of an update belong to one rule, and lag behind. For the angle of signals, both sides use averages
    over the probe's samples instead, so that two rules with the same signal have the same update.

    Args:
        centres_inputs: as in the normalisation that it stands for.
    """

    centres_inputs: bool
    reads_batch = True

    def coefficients(self, statistics: CurrentStatistics, current: Tensor, training: bool) -> tuple[Tensor, Tensor]:
        return by_running(statistics)

    def adjoint(self, statistics: UpdateStatistics, post: Tensor, normalised: Tensor, gain: Tensor) -> Tensor:
        return (post - over_rows(post) - normalised * over_rows(post * normalised)) * gain


def probed(model: Model) -> Model:
    """The model with `ProbeNormalisation` in place of streaming normalisation; batch normalisation is kept."""
    layers = tuple(
        layer
        if layer.normalisation is None or layer.normalisation.reads_batch
        else replace(layer, normalisation=ProbeNormalisation(layer.normalisation.centres_inputs))
        for layer in model.network.layers
    )
    return replace(model, network=replace(model.network, layers=layers))


def bptt_model(model: Model, statistics: Statistics) -> Model | None:
    """Build `bptt` on the network of a model, for the same loss.

    Args:
        model: another rule's model.
        statistics: whether the running averages are constants of a trial (held) or move with it (moving).

    Returns:
        The model of `bptt`; None if errors cannot be carried back through the network.
    """
    rule = replace(RULES.make(f"bptt:statistics={statistics}"), loss=model.rule.loss, targets=model.rule.targets)
    try:
        return build_model(model.network, rule, scores=model.scores, task=model.task, last_steps=model.last_steps)
    except UserError:
        return None


def exact_model(model: Model) -> Model | None:
    """Build the model whose update is the exact gradient on the same network; None if there is none.

    Running averages are constants during a trial, and so is the gain of recurrent currents, so statistics are held.
    Only those of batch normalisation are functions of the weights, and the gradient goes through them.
    """
    layers = [layer for layer in model.network.layers if layer.normalisation is not None]
    batch = all(layer.normalisation is not None and layer.normalisation.reads_batch for layer in layers)
    loops = any(afferent.connection.recurrent for layer in layers for afferent in layer.inputs)
    return bptt_model(model, "moving" if batch and not loops else "held")


def exact_state(learned: Learned) -> Learned:
    """The part of another rule's state that `bptt` reads: parameters, and running averages of the phase "input"."""
    return Learned(learned.parameters, learned.current, learned.pre)


def probe_trial(
    model: Model, learned: Learned, drive: Series, steps: int, labels: Shaped[Tensor, " B *targets"]
) -> TrialResult:
    """Run one trial that changes nothing. If a phase applies its changes, later phases do not see them.

    Args:
        model: the model to run.
        learned: its parameters and state, which are not changed.
        drive: (T, B, *input), or constant (B, *input).
        steps: T.
        labels: class indices (B,).

    Returns:
        The trial's result; its gradients are summed over all phases, at the present weights, before any optimiser.
    """
    early: list[Mapping[str, Tensor]] = []

    def unchanged(gradients: Mapping[str, Tensor]) -> Parameters:
        early.append({name: value.clone() for name, value in gradients.items()})
        return learned.parameters

    generator = torch.Generator(drive.values.device).manual_seed(DRAWS)
    result = learn_trial(model, learned, drive, steps, labels, generator, None, unchanged)
    for gradients in early:
        for name, value in gradients.items():
            result.gradients[name] = result.gradients[name] + value if name in result.gradients else value
    return result


def by_layer(network: Network, gradients: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Put the gradients of each layer's weights into one row.

    Args:
        network: the network, which names the weights of each layer.
        gradients: the gradients by parameter.

    Returns:
        A tensor (weights,) in float64 for each layer, with all its connections; layers without gradients are left out.
    """
    pieces: dict[str, list[Tensor]] = {}
    for layer, _, name in network.weights():
        if name in gradients:
            pieces.setdefault(layer.name, []).append(gradients[name].double().flatten())
    return {name: torch.cat(parts) for name, parts in pieces.items()}


def agreement(
    model: Model, learned: Learned, drive: Series, steps: int, labels: Shaped[Tensor, " B *targets"]
) -> dict[str, dict[str, float | None]]:
    """Compare a rule's update with the exact gradient, and its signal with that of `bptt`, layer by layer.

    Args:
        model: the rule on its network.
        learned: its parameters and state, which are not changed.
        drive: (T, B, *input), or constant (B, *input).
        steps: T.
        labels: class indices (B,).

    Returns:
        For each layer that the rule changes, the result of `compare_updates`, and signal_angle_deg, the angle in
        degrees between the two signals. Empty if errors cannot be carried back through the network.
    """
    alike, exact = probed(model), exact_model(model)
    other = bptt_model(alike, "moving")
    if exact is None or other is None:
        return {}
    batch, averages = (drive, steps, labels), exact_state(learned)
    here, there, signal, bptts = (
        by_layer(model.network, probe_trial(each, state, *batch).gradients)
        for each, state in ((model, learned), (exact, averages), (alike, learned), (other, averages))
    )
    return {
        name: {
            **compare_updates(here[name], there[name]),
            "signal_angle_deg": compare_updates(signal[name], bptts[name])["angle_deg"],
        }
        for name in there
        if name in here
    }


def compare_updates(here: Float[Tensor, "*shape"], exact: Float[Tensor, "*shape"]) -> dict[str, float | None]:
    """Compare an update with the exact gradient.

    Args:
        here: the update, (weights,).
        exact: the gradient, (weights,).

    Returns:
        cosine in -1..1, angle_deg in 0..180, norm_ratio |here| / |exact|, and sign_agreement, the share in 0..1 of
        equal signs among the weights that both change. A value that is not defined is None, as for a vector of zeros.
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
