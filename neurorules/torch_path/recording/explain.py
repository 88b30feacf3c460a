"""Why one weight moved: the factors of its texts at its two neurons, and the change that they cause at each step.

A change is a sum over steps, so each step has its share. With `dv_dw`, the share belongs to the step of the presynaptic
spike, and its postsynaptic factor includes the later effect of that spike on the membrane (docs/traces.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from neurorules.contracts.data_set import DataPlace
from neurorules.contracts.normalisation import UpdateStatistics
from neurorules.contracts.series import Series
from neurorules.language.errors import UserError
from neurorules.language.expressions import Name, calls_in, show
from neurorules.language.vocabulary import ELIGIBILITY
from neurorules.network.model import Model
from neurorules.network.products import DeclaredEligibility, Group, value_of
from neurorules.network.texts import Text
from neurorules.torch_path.forward.run_layer import Carry
from neurorules.torch_path.recording.synapse import Synapse, find_synapse
from neurorules.torch_path.training.learner import Learner
from neurorules.torch_path.training.restore import restore
from neurorules.torch_path.trial.learn import learn_trial
from neurorules.torch_path.trial.probe import Probe
from neurorules.torch_path.update.eligibility_by_synapse import decays, gated_scan
from neurorules.torch_path.update.eligibility_forwards import eligibility_of
from neurorules.torch_path.update.figures import predicted, scoring_of
from neurorules.torch_path.update.local_view import ChangeSums, LocalView
from neurorules.torch_path.update.post_factors import PostFactors
from neurorules.torch_path.update.post_values import post_value
from neurorules.torch_path.update.pre_factors import CENTRED_SPIKES, pre_value
from neurorules.traces.explanation import Explanation, PhasePart, Term


@dataclass(frozen=True)
class Views(Probe):
    """Stores the local views of one layer, phase by phase.

    Args:
        layer: the name of the layer.
        views: the views of the phases so far.
    """

    layer: str
    views: list[LocalView] = field(default_factory=list)

    def learns(self, view: LocalView, texts: tuple[Text, ...], statistics: Mapping[str, UpdateStatistics]) -> None:
        if view.layer.name == self.layer:
            self.views.append(replace(view, carry=Carry(traces=dict(view.carry.traces)), traced={}))


def explain_run(run: Path, synapse: str, sample: int = 0, data_dir: DataPlace = None) -> Explanation:
    """Explain why a weight of a finished run would move if the network learned from a test sample. The network does not
    change.

    Args:
        run: the folder of the run.
        synapse: LAYER:POST:PRE (see `synapse`).
        sample: the position in the test set, from 0, as in recorded traces.
        data_dir: the folder of the data sets; None for the default folder.

    Returns:
        The factors of the weight's texts at each step, and the change that they make.

    Raises:
        UserError: there is no such run, synapse or sample, or the rule does not change the weight.
    """
    restored = restore(run, data_dir)
    wanted, test = find_synapse(restored.learner.model.network, synapse), restored.data.test
    if not 0 <= sample < len(test):
        raise UserError(f"--sample is {sample}. Give one of the test samples, 0..{len(test) - 1}")
    drive, labels = test.batch(np.array([sample]), torch.Generator().manual_seed(restored.config.seed))
    explanation = explain(restored.learner, drive, labels, wanted)
    return replace(explanation, rule=restored.config.rule, sample=sample)


def explain(learner: Learner, drive: Series, labels: Tensor, synapse: Synapse) -> Explanation:
    """Explain why a weight would move in a trial of some samples. All numbers are averages over them.

    A rule that applies changes between its phases applies them here, to this learner.

    Args:
        learner: the learner in its current state.
        drive: (T, B, *input) or constant (B, *input).
        labels: class indices (B,), or the targets of another task.
        synapse: a synapse of its network.

    Returns:
        The factors of the weight's texts at each step, and the change that they make.

    Raises:
        UserError: the rule does not change the weight.
    """
    parameter = synapse.layer.weight_name(synapse.entry)
    views = Views(synapse.layer.name)
    gradients: list[Mapping[str, Tensor]] = []

    def apply(changes: Mapping[str, Tensor]) -> dict[str, Tensor]:
        gradients.append(changes)
        return {name: value.clone() for name, value in learner.apply_and_read(changes).items()}

    placed = drive.like(drive.values.to(learner.device, learner.dtype))
    before, weight = learner.trial_state(), float(learner.read()[parameter][synapse.weight])
    before = replace(before, parameters={name: value.clone() for name, value in before.parameters.items()})
    steps = learner.steps if drive.constant else len(drive.values)
    with torch.no_grad():
        prediction = predicted(scoring_of(learner.model), learner.scores(placed))[0].tolist()
        generator = torch.Generator(learner.device).manual_seed(learner.seed)
        running = learner.store.on_hardware(learner.model)
        trial = learn_trial(running, before, placed, steps, labels.to(learner.device), generator, None, apply, views)
        label = int(labels[0]) if learner.model.task == "classes" else 0
        possible_parts = (
            _part(view, learner.model, synapse, before.update, label, len(labels)) for view in views.views
        )
        parts = tuple(part for part in possible_parts if part is not None)
    gradients.append(trial.gradients)
    weight_changes = [g[parameter] for g in gradients if parameter in g]
    if not parts or not weight_changes:
        raise UserError(
            f"rule '{learner.model.rule.name}' has no text for the weights of layer '{synapse.layer.name}': they stay "
            f"as they are. Explain a synapse that learns, or see: neurorules cite {learner.model.rule.name} --equations"
        )
    total = torch.stack(weight_changes).sum(0)
    scale, rule = synapse.layer.neuron.scale, learner.model.rule
    threshold = scale.expand(synapse.layer.shape)[synapse.post] if isinstance(scale, Tensor) else scale
    return Explanation(
        synapse.name, parameter, synapse.weight, rule.name, rule.declarations, weight, 0, labels[0].tolist(),
        prediction, 1.0, float(threshold) if synapse.layer.neuron.spiking else None, parts,
        float(total[synapse.weight]),
        (synapse.strongest(total) if total[synapse.weight[0]].any() else synapse).name,
    )  # fmt: skip


def _part(
    view: LocalView,
    model: Model,
    synapse: Synapse,
    statistics: Mapping[str, UpdateStatistics],
    label: int,
    samples: int,
) -> PhasePart | None:
    """The part of one phase's texts in a synapse's change; None if they do not change its connection."""
    if synapse.entry.name not in view.activity.pre:
        return None
    texts = [text for text in model.texts_of(view.phase) if _holds(text, synapse)]
    if not texts:
        return None
    factors = PostFactors(view, statistics, ChangeSums())
    terms, own = [], torch.zeros(view.activity.steps, dtype=torch.float64)
    for text in texts:
        for number, group in enumerate(text.groups):
            name = f"{view.phase}.{view.layer.name}.w.{number}"
            post, pre, product = _factors(view, synapse, group, factors, name)
            factor = _weight_factor(view, synapse, group)
            product = product * (factor / samples)
            if synapse.own_pair is not None:
                own += product[:, :, synapse.own_pair].sum(1).double().cpu()
            factors_there = _at(pre, synapse.pre), _at(post, synapse.post)
            terms.append(Term(_pre_text(group), show(group.post), *factors_there, factor, _numpy(product.sum((1, 2)))))
    rows = view.activity.v.values.shape[1]
    return PhasePart(
        view.phase, tuple(text.plasticity.text for text in texts),
        label if rows == model.network.classes and rows != samples else 0,
        dict(_variables(view, model, synapse, texts)), tuple(terms),
        None if synapse.own_pair is None else _numpy(own),
    )  # fmt: skip


def _holds(text: Text, synapse: Synapse) -> bool:
    flat = len(synapse.layer.shape) == 1
    own = text.plasticity
    return own.parameter == "w" and own.role == synapse.layer.role and (flat or own.populations == "all")


def _factors(
    view: LocalView, synapse: Synapse, group: Group, factors: PostFactors, name: str
) -> tuple[Tensor, Tensor, Tensor]:
    """Post factor (T, B, *shape), pre factor (T, B, *pre), and their product at each pair of the weight, (T, B, P)."""
    steps = view.activity.steps
    post = factors.of_current(group, name, every=True).over_time(steps)
    if group.eligibility is not None:
        return _eligibility_of_pairs(view, synapse, group.eligibility, group.late, post)
    centred = group.eligible and synapse.entry.name in view.activity.pre_mean
    spikes = view.activity.pre[synapse.entry.name]
    if group.eligible and not centred:
        pre = spikes.over_time(steps)
    else:
        pre = pre_value(view, synapse.entry, CENTRED_SPIKES if centred else group.pre).over_time(steps)
    post_pairs, pre_pairs = synapse.pairs(post, pre)
    return post, pre, post_pairs * pre_pairs


def _eligibility_of_pairs(
    view: LocalView, synapse: Synapse, eligibility: DeclaredEligibility, late: bool, post: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """`_factors` for a declared eligibility as the presynaptic factor, with its trace at each pair over time."""
    steps = view.activity.steps
    post_pairs, _ = synapse.pairs(post, view.activity.pre[synapse.entry.name].over_time(steps))
    total = _at_pairs(view, synapse, eligibility, late)
    shape = (steps, total.shape[1], *synapse.entry.pre_shape)
    pre = total[:, :, synapse.own_pair or 0].reshape(steps, -1, *(1,) * len(synapse.entry.pre_shape)).expand(shape)
    return post, pre, post_pairs * total


def _at_pairs(view: LocalView, synapse: Synapse, eligibility: DeclaredEligibility, late: bool) -> Tensor:
    """A declared eligibility at each pair of the weight over time, (T, B, P)."""
    steps = view.activity.steps
    spikes = view.activity.pre[synapse.entry.name].over_time(steps)
    total = torch.zeros(())
    for group in eligibility.groups:
        own = Series.of(post_value(view, group.post, lambda a: a), view.layer.shape).over_time(steps)
        pre = spikes if group.eligibility is not None else pre_value(view, synapse.entry, group.pre).over_time(steps)
        ours, theirs = synapse.pairs(own, pre)
        if group.eligibility is not None:
            theirs = _at_pairs(view, synapse, group.eligibility, group.late)
        total = total + ours * theirs
    gate, _ = synapse.pairs(decays(view, eligibility.decay), spikes)
    after = gated_scan(total, gate)
    return torch.cat([torch.zeros_like(after[:1]), after[:-1]]) if late else after


def _weight_factor(view: LocalView, synapse: Synapse, group: Group) -> float:
    if group.weight is None:
        return 1.0
    w = view.parameters[synapse.layer.weight_name(synapse.entry)][synapse.weight]
    return float(value_of(group.weight, {"w": w, **view.constants}, view.layer.neuron.psi, lambda a: a))


def _pre_text(group: Group) -> str:
    if group.eligibility is not None:
        return f"delay({group.eligibility.name}, 1)" if group.late else group.eligibility.name
    return ELIGIBILITY if group.eligible else "1" if group.pre is None else show(group.pre)


def _variables(view: LocalView, model: Model, synapse: Synapse, texts: list[Text]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the variables that texts read at the two neurons, in the order of the picture; spikes and membrane are
    always among them.
    """
    equations = [model.rule.equation(text.plasticity) for text in texts]
    equations += [own.eligibility(e.name) for own in equations for e in model.rule.eligibilities if e.name in own.reads]
    reads = {"S_pre", "S_post", "v_post"}.union(*(equation.reads for equation in equations))
    reads |= {"m_post"} if view.m is not None else set()
    steps, shape = view.activity.steps, view.layer.shape
    if ELIGIBILITY in reads:
        reads |= {"mean_pre"}
    reads -= {"mean_pre"} if synapse.entry.name not in view.activity.pre_mean else set()
    for name in ("S_pre", "mean_pre", "x_pre"):
        if name in reads:
            value = pre_value(view, synapse.entry, Name(name)).over_time(steps)
            yield name, _at(value.expand(steps, view.activity.v.values.shape[1], *synapse.entry.pre_shape), synapse.pre)
    for name in ("S_post", "v_post", "i_post", "x_post", "m_post", "kept_post", "p_post", "y_post"):
        if name in reads:
            value = post_value(view, Name(name), lambda a: a)
            yield name, _at(Series.of(value, shape).over_time(steps), synapse.post)
    if any(call.function == "psi" for equation in equations for call in calls_in(equation.expression)):
        yield "psi_post", _at(view.activity.psi(view.layer.neuron, view.activity.v.values), synapse.post)
    if ELIGIBILITY in reads:
        spikes = _of_neuron(pre_value(view, synapse.entry, CENTRED_SPIKES).over_time(steps), synapse.pre)
        arriving = spikes.reshape(steps, -1, *(1,) * len(shape)).expand(steps, -1, *shape)
        yield ELIGIBILITY, _at(eligibility_of(view, f"explained.{synapse.name}", arriving), synapse.post)


def _of_neuron(values: Tensor, place: tuple[int, ...]) -> Tensor:
    """Values (T, B, *shape) of one neuron, (T, B)."""
    index: tuple[slice | int, ...] = (slice(None), slice(None), *place)
    return values[index]


def _at(values: Tensor, place: tuple[int, ...]) -> np.ndarray:
    return _numpy(_of_neuron(values, place))


def _numpy(values: Tensor) -> np.ndarray:
    return values.detach().double().cpu().numpy().copy()
