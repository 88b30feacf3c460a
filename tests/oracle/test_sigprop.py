"""Sigprop's generators, losses and predictions: changes against autograd, and real training where the claim is one."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from neurorules import Learner, Series
from neurorules.language.config import TrainConfig
from neurorules.language.errors import UserError
from neurorules.network.initial import initialise
from neurorules.network.model import Learned, Model, build_model
from neurorules.network.network import build_network
from neurorules.rules import RULES
from neurorules.signals._class_tree import class_tree, subset_scores
from neurorules.signals._low_pass import traces
from neurorules.signals._similarity import Rows, Similarity
from neurorules.torch_path.training.trainer import train
from neurorules.torch_path.trial.learn import TrialResult, learn_trial

STEPS, SAMPLES, CLASSES, INPUTS, NEURONS, TAU = 4, 7, 3, 6, 11, 0.3
NEURON = "lif:beta=0:reset=none"
"""A membrane without memory: the step's presynaptic spike is then the whole derivative, and autograd's own."""
GENERATORS = ("target_only", "target_input", "target_loop")


def made(options: str, net: str = str(NEURONS)) -> tuple[Model, Learned]:
    network = build_network(net, (INPUTS,), CLASSES, norm="none", neuron=NEURON)
    model = build_model(network, RULES.make(f"sigprop:{options}:tau={TAU}"))
    return model, initialise(model, 1, torch.device("cpu"), torch.float64)


def samples() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    x = (torch.rand(STEPS, SAMPLES, INPUTS, generator=generator, dtype=torch.float64) < 0.5).double() * 2
    return x, torch.randint(CLASSES, (SAMPLES,), generator=generator)


def trial(model: Model, learned: Learned) -> TrialResult:
    x, labels = samples()
    return learn_trial(model, learned, Series(x, False), STEPS, labels, torch.Generator())


def target_stream(generator: str, p: dict[str, Tensor], x: Tensor, labels: Tensor) -> tuple[Tensor, Rows]:
    """Membranes of the first layer's target stream, (T, rows, N), and its rows."""
    embedding, each = p["hidden1.embedding"], torch.arange(SAMPLES)
    if generator == "target_only":
        return embedding.expand(STEPS, -1, -1), Rows(labels, torch.arange(CLASSES))
    if generator == "target_input":
        return x @ p["hidden1.ff.w"].T + p["hidden1.b"] + embedding[labels], Rows(each, labels)
    spikes = (x @ p["hidden1.ff.w"].T + p["hidden1.b"] > 1).double().mean(0)
    output = spikes @ p["readout.ff.w"].T + p["readout.b"]
    error = (functional.one_hot(labels, CLASSES) - torch.softmax(output, 1)).detach()
    return (functional.normalize(error, dim=1) @ embedding).expand(STEPS, -1, -1), Rows(each, labels)


@pytest.mark.parametrize("loss", ["label", "max_all", "soft", "l2", "cosine"])
@pytest.mark.parametrize("form", ["surrogate", "voltage"])
@pytest.mark.parametrize("generator", GENERATORS)
def test_the_first_layer_goes_down_the_gradient_of_its_own_loss(generator: str, form: str, loss: str) -> None:
    model, learned = made(f"generator={generator}:form={form}:loss={loss}")
    found = trial(model, learned).gradients
    (x, labels), neuron = samples(), model.network.layers[0].neuron
    p = {name: value.clone().requires_grad_() for name, value in learned.parameters.items()}

    def activity(v: Tensor) -> Tensor:
        return (v.clamp(min=0) if form == "voltage" else neuron.primitive(v)).mean(0)

    h = activity(x @ p["hidden1.ff.w"].T + p["hidden1.b"])
    v, rows = target_stream(generator, p, x, labels)
    t = activity(v)
    u, w = functional.normalize(h, dim=1), functional.normalize(t - t.mean(0), dim=1)
    if loss == "l2":
        each = (u - w[rows.own]).square().sum(1)
    elif loss == "cosine":
        each = 1 - (u * w[rows.own]).sum(1)
    else:
        contexts = functional.one_hot(rows.classes).double()
        positives = Similarity(loss).positives(rows, contexts, TAU)  # type: ignore[arg-type]
        each = -(positives * torch.log_softmax(u @ w.T / TAU, 1)).sum(1)
    names = ["hidden1.ff.w", "hidden1.b", "hidden1.embedding"]
    for name, expected in zip(names, torch.autograd.grad(each.mean(), [p[n] for n in names]), strict=True):
        torch.testing.assert_close(found[name], expected, rtol=1e-4, atol=1e-6, msg=lambda m, name=name: f"{name}: {m}")


@pytest.mark.parametrize("generator", GENERATORS)
def test_targets_from_below_are_those_of_the_layer_below(generator: str) -> None:
    model, learned = made(f"generator={generator}:loss=soft", net="11-9")
    before = trial(model, learned).gradients["hidden2.ff.w"]
    label, known = made(f"generator={generator}:loss=label", net="11-9")
    assert not torch.allclose(before, trial(label, known).gradients["hidden2.ff.w"])


def test_the_neutral_class_joins_the_input_of_the_pass_that_is_read() -> None:
    model, learned = made("predict=neutral")
    result, p, (x, labels) = trial(model, learned), learned.parameters, samples()
    current = x @ p["hidden1.ff.w"].T + p["hidden1.b"] + p["hidden1.embedding"].mean(0)
    spikes = (current > 1).double()
    scores = spikes.mean(0) @ p["readout.ff.w"].T + p["readout.b"]
    torch.testing.assert_close(result.scores, scores)
    error = torch.softmax(scores, 1) - functional.one_hot(labels, CLASSES)
    torch.testing.assert_close(result.gradients["readout.ff.w"], error.T @ spikes.mean(0) / SAMPLES)


@pytest.mark.parametrize("predict", ["readout", "prototypes", "subset", "neutral"])
def test_a_learner_predicts_the_same_way_it_was_trained(predict: str) -> None:
    learner = Learner("12-9", f"sigprop:predict={predict}", input_shape=(INPUTS,), classes=CLASSES, device="cpu")
    scores = learner.scores(samples()[0].float())
    assert scores.shape == (SAMPLES, CLASSES) and bool(torch.isfinite(scores).all())


def separated(classes: int = 8, spread: float = 0.1) -> tuple[Tensor, Tensor, Tensor]:
    """Prototypes in pairs of neighbours, samples around them, and the samples' classes."""
    generator = torch.Generator().manual_seed(0)
    pairs = torch.randn(classes // 2, 40, generator=generator, dtype=torch.float64).repeat_interleave(2, 0)
    prototypes = pairs + 0.5 * torch.randn(classes, 40, generator=generator, dtype=torch.float64)
    labels = torch.arange(classes).repeat(5)
    noise = torch.randn(len(labels), 40, generator=generator, dtype=torch.float64)
    return functional.normalize(prototypes, dim=1), functional.normalize(prototypes[labels] + spread * noise), labels


def test_the_closest_subset_finds_the_class_and_gives_probabilities() -> None:
    prototypes, h, labels = separated()
    tree = class_tree(prototypes)
    scores = subset_scores(h, tree, 0.1)
    assert sorted(tree.classes) == list(range(8)) and 3 <= tree.depth <= 7
    torch.testing.assert_close(scores.exp().sum(1), torch.ones(len(h)).double())
    assert torch.equal(scores.argmax(1), labels)


def test_two_classes_are_one_choice_and_neighbours_share_a_node() -> None:
    prototypes, h, _ = separated(2)
    expected = torch.log_softmax(h @ prototypes.T / 0.1, 1)
    torch.testing.assert_close(subset_scores(h, class_tree(prototypes), 0.1), expected)
    nodes, pairs = [class_tree(separated()[0])], set()
    while nodes:
        node = nodes.pop()
        pairs |= {tuple(sorted(node.classes))} if len(node.classes) == 2 else set()
        nodes += node.halves or ()
    assert pairs == {(0, 1), (2, 3), (4, 5), (6, 7)}


def test_a_sample_never_meets_the_prototypes_of_a_subset_it_left() -> None:
    prototypes, h, labels = separated()
    tree = class_tree(prototypes)
    assert tree.halves is not None
    left, right = tree.halves
    assert left.halves is not None
    changed = left._replace(halves=tuple(half._replace(row=-half.row) for half in left.halves))
    mine = torch.isin(labels, torch.tensor(right.classes))
    before, after = subset_scores(h, tree, 0.1), subset_scores(h, tree._replace(halves=(changed, right)), 0.1)
    assert torch.equal(before[mine], after[mine]) and not torch.equal(before[~mine], after[~mine])


def test_traces_at_all_steps_are_those_of_the_recursion() -> None:
    spikes = (torch.rand(9, 4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64) < 0.3).double()
    for decay in (0.0, 0.7):
        x, expected = torch.zeros(4, 5, dtype=torch.float64), []
        for row in spikes:
            x = decay * x + row
            expected.append(x)
        torch.testing.assert_close(traces(spikes, decay), torch.stack(expected))


REFUSED = {
    "sigprop:generator=target_input:predict=prototypes": "one prototype a class",
    "sigprop:targets=codes:generator=target_loop": "targets=pushed",
    "sigprop:targets=codes:loss=max_all": "target stream",
    "sigprop:loss=top_k": "k=6 makes all 3 class prototypes",
    "sigprop:tau=0": "tau is 0",
    "traces_propagation:decay=1": "decay is 1",
    "traces_propagation:tau=-1": "tau is -1",
    "traces_propagation:loss=top_k": "k=6 makes all 3 class prototypes",
}


@pytest.mark.parametrize("rule", REFUSED)
def test_options_that_cannot_work_together_are_refused_in_one_line(rule: str) -> None:
    with pytest.raises(UserError, match=REFUSED[rule]) as raised:
        Learner("12", rule, input_shape=(INPUTS,), classes=CLASSES, device="cpu")
    assert "\n" not in str(raised.value)


@cache
def on_digits(rule: str) -> float:
    """Test accuracy on real digits."""
    reading = RULES.make("sigprop").defaults.readout_lr  # of the frozen control as well
    config = TrainConfig(rule=rule, net="32-32-32", validation=0, epochs=6, batch_size=32, readout_lr=reading)
    return float(train(config, quiet=True)["test_accuracy"])


@pytest.mark.slow
def test_plain_l2_ends_below_layers_that_never_learned() -> None:
    assert on_digits("sigprop:loss=l2:centred=false:normalised=false") < on_digits("shallow")


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        "generator=target_input", "generator=target_loop", "generator=target_loop:embedding=class_means",
        "generator=target_input:loss=max_all", "generator=target_input:loss=top_k", "loss=soft", "loss=max_one",
        "loss=l2", "loss=cosine", "predict=neutral", "predict=subset", "predict=prototypes",
    ],
)  # fmt: skip
def test_every_other_generator_loss_and_prediction_learns(options: str) -> None:
    assert on_digits(f"sigprop:{options}") > on_digits("shallow") + 0.15
