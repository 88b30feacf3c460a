"""Forward-forward by plain loops: its loss by autograd, wrong labels, a prediction by a pass for each class."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from by_hand import CLASSES, SAMPLES, STEPS, Hand, batch
from torch import Tensor

from neurorules import Learner, Series
from neurorules.language.errors import UserError
from neurorules.language.rules import Plasticity
from neurorules.network.model import build_model
from neurorules.rules import RULES
from neurorules.signals.goodness import Goodness
from neurorules.torch_path.trial.learn import learn_trial

X, LABELS = batch()
THETA, GAIN = 0.2, 7.0
RULE = f"forward_forward:loss=threshold:theta={THETA}:gain={GAIN}"


class Spike(torch.autograd.Function):
    """A step at threshold, whose slope is that of the default surrogate."""

    @staticmethod
    def forward(ctx: Any, v: Tensor) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(v)
        return (v > 1).to(v)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        (v,) = ctx.saved_tensors
        return gradient / (1 + 2 * (v - 1).abs()) ** 2


def wrong_of(hand: Hand, labels: np.ndarray) -> list[int]:
    """Wrong labels of the first trial, from the stored draws: trials count from 1."""
    return [(int(y) + int(hand.state("shifts")[1, y])) % CLASSES for y in labels]


def goodness_by_autograd(hand: Hand, own: dict[str, Tensor], label: int, b: int) -> list[Tensor]:
    """The goodness of each layer for one sample that carries a label. What a layer hands up and keeps is detached."""
    goodness, source = [], [torch.from_numpy(X[t, b]) for t in range(STEPS)]
    for number, name in enumerate(hand.names):
        kept, spikes = torch.zeros(len(own[f"{name}.b"]), dtype=torch.float64), []
        for t in range(STEPS):
            v = hand.beta * kept + own[f"{name}.ff.w"] @ source[t] + own[f"{name}.b"]
            v = v + own["hidden1.embedding"][label] if number == 0 else v
            late = (kept > 1).double()
            s = Spike.apply(v - late)
            kept = (v - s).detach() if not hand.zeroed else ((v - late) * (1 - s)).detach()
            spikes.append(s)
        goodness.append(torch.stack(spikes).mean(0).square().mean())
        source = [s.detach() for s in spikes]
    return goodness


@pytest.mark.parametrize("neuron", ["if", "lif:beta=0.8"])
@pytest.mark.parametrize("loss_of_rule", ["threshold", "difference"])
def test_every_layer_descends_its_own_loss_and_no_other(neuron: str, loss_of_rule: str) -> None:
    """Hinton 2022: -log p(own label) - log(1 - p(wrong label)), or Lee & Song 2023: -log sigmoid of the difference of
    the two passes; by autograd that stops between layers and steps."""
    hand = Hand(RULE.replace("threshold", loss_of_rule), neuron=neuron)
    found = hand.trial(X, LABELS)
    own = {name: value.clone().requires_grad_() for name, value in hand.learned.parameters.items()}
    loss = torch.zeros((), dtype=torch.float64)
    for b, wrong in enumerate(wrong_of(hand, LABELS)):
        right, other = (goodness_by_autograd(hand, own, label, b) for label in (int(LABELS[b]), wrong))
        for here, there in zip(right, other, strict=True):
            threshold = (GAIN * (THETA - here), GAIN * (there - THETA))
            terms = threshold if loss_of_rule == "threshold" else (GAIN * (there - here),)
            loss = loss + sum(torch.nn.functional.softplus(term) for term in terms) / SAMPLES
    loss.backward()
    for name in ("hidden1.ff.w", "hidden1.b", "hidden1.embedding", "hidden2.ff.w", "hidden2.b"):
        expected = own[name].grad
        assert expected is not None and float(expected.abs().max()) > 1e-4, name
        torch.testing.assert_close(found.gradients[name], expected, rtol=0, atol=1e-12, msg=name)


def test_rate_neurons_of_one_step_descend_it_too() -> None:
    learner = Learner(
        "6-5", RULE, input_shape=(4,), classes=CLASSES, neuron="rate", norm="none", steps=1, precision="float64",
        device="cpu", optimizer="sgd", seed=3,
    )  # fmt: skip
    x = torch.rand(1, SAMPLES, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    labels, shifts = torch.from_numpy(LABELS), learner.learned.signal["shifts"][1]
    own = {name: value.clone().requires_grad_() for name, value in learner.learned.parameters.items()}
    loss = torch.zeros((), dtype=torch.float64)
    for shown, sign in ((labels, 1.0), ((labels + shifts[labels]) % CLASSES, -1.0)):
        current = x[0] @ own["hidden1.ff.w"].T + own["hidden1.b"] + own["hidden1.embedding"][shown]
        h = current.relu()
        h2 = (h.detach() @ own["hidden2.ff.w"].T + own["hidden2.b"]).relu()
        for layer in (h, h2):
            p = torch.sigmoid(GAIN * (layer.square().mean(1) - THETA))
            loss = loss - (torch.log(p) if sign > 0 else torch.log(1 - p)).mean()
    loss.backward()
    trial, _ = learner.learn(x, labels)
    for name in ("hidden1.ff.w", "hidden1.embedding", "hidden2.ff.w", "hidden2.b"):
        expected = own[name].grad
        assert expected is not None and expected.any()
        torch.testing.assert_close(trial.gradients[name], expected, rtol=0, atol=1e-12, msg=name)


@pytest.mark.parametrize("neuron", ["if", "lif:beta=0.8"])
def test_a_prediction_is_a_pass_for_each_class(neuron: str) -> None:
    """Class by class and sample by sample in numpy: the sum over layers of the mean squared rate."""
    hand = Hand(RULE, neuron=neuron)
    scores = hand.learner.scores(torch.from_numpy(X)).numpy()
    for b, label in np.ndindex(SAMPLES, CLASSES):
        run = hand.run(X[:, [b]], injected=hand.parameter("hidden1.embedding")[[label]])
        good = sum(float((rates**2).mean()) for rates in run.rates)
        assert scores[b, label] == pytest.approx(GAIN * good, abs=1e-12)
    assert np.ptp(scores, axis=1).min() > 0.01


def test_no_score_knows_a_label_in_training_either() -> None:
    hand = Hand(RULE)
    here, there = (hand.trial(X, labels) for labels in (LABELS, (LABELS + 1) % CLASSES))
    assert not torch.equal(here.gradients["hidden1.ff.w"], there.gradients["hidden1.ff.w"])
    assert torch.equal(here.scores, there.scores)
    torch.testing.assert_close(here.scores, hand.learner.scores(torch.from_numpy(X)), rtol=0, atol=1e-12)


@pytest.mark.parametrize("net", ["5-4", "r5-4", "5-d0.4-4", "d0.4-5-4"])
def test_scores_do_not_hang_on_the_batch_nor_on_how_often_the_first_current_is_made(net: str) -> None:
    """A normalised net, also recurrent or with dropout: a sample alone, and in training, has the scores it has here."""
    learner = Learner(
        net, RULE, input_shape=(6,), classes=CLASSES, steps=STEPS, precision="float64", device="cpu", seed=4
    )
    x = torch.from_numpy(X)
    learner.step(x, torch.from_numpy(LABELS))
    before = learner.scores(x)
    alone = torch.cat([learner.scores(x[:, [b]]) for b in range(SAMPLES)])
    trial, _ = learner.learn(x, torch.from_numpy(LABELS))
    for scores in (alone, trial.scores):
        torch.testing.assert_close(scores, before, rtol=0, atol=1e-12)


def test_two_passes_that_do_the_same_teach_nothing_where_both_labels_are_as_likely() -> None:
    """p = 1/2 at G = theta; below it, the right label pulls harder than the wrong one pushes."""
    moved = {}
    for theta in (None, 0.9):
        plain = Hand("forward_forward:loss=threshold:theta=0.2", net="5")
        rates = plain.run(X[:, :1]).rates[0]
        level = float((rates**2).mean()) if theta is None else theta
        hand = Hand(f"forward_forward:loss=threshold:theta={level!r}:gain=10", net="5")
        hand.learned.parameters["hidden1.embedding"] *= 0
        assert level > 0.01
        moved[theta] = hand.trial(X[:, :1], LABELS[:1]).gradients["hidden1.b"]
    assert float(moved[None].abs().max()) < 1e-15 and float(moved[0.9].max()) <= 0 and float(moved[0.9].min()) < -1e-3


def test_wrong_labels_are_drawn_from_the_seed_and_stored() -> None:
    learners = [Learner("5", RULE, input_shape=(6,), classes=5, seed=seed, device="cpu") for seed in (1, 1, 2)]
    shifts = [learner.learned.signal["shifts"] for learner in learners]
    assert torch.equal(shifts[0], shifts[1]) and not torch.equal(shifts[0], shifts[2])
    share = torch.stack([(shifts[0] == k).double().mean() for k in range(1, 5)])
    assert int(shifts[0].min()) == 1 and int(shifts[0].max()) == 4 and float((share - 0.25).abs().max()) < 0.03
    signal, state, seen = Goodness(), dict(learners[0].learned.signal), set()
    labels = torch.arange(5)
    for _ in range(40):
        state |= signal.observe(state, None, labels)  # type: ignore[arg-type]
        shape = learners[0].model.shape
        sample = learners[0].learned.parameters
        drive = signal.drive("negative", state, sample, shape, None, None, labels)  # type: ignore[arg-type]
        assert drive.context is not None
        shown = drive.context.argmax(1)
        assert not bool((shown == labels).any())
        seen |= {(int(a), int(b)) for a, b in zip(labels, shown, strict=True)}
    assert len(seen) == 20 and int(state["trial"]) == 40


def test_a_text_in_a_phase_that_repeats_its_samples_is_refused() -> None:
    hand, rule = Hand(RULE), RULES.make(RULE)
    learning = replace(rule, plasticity=(*rule.plasticity, Plasticity("b", "-m_post", phase="candidates")))
    model = build_model(hand.learner.model.network, learning)
    drive, labels = Series(torch.from_numpy(X), False), torch.from_numpy(LABELS)
    with pytest.raises(UserError, match="repeats its samples") as refused:
        learn_trial(model, hand.learned, drive, STEPS, labels, torch.Generator())
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["theta=-1", "gain=0", "gain=nan", "predict=label", "loss=none"])
def test_options_out_of_range_are_refused_in_one_line(text: str) -> None:
    with pytest.raises(UserError) as refused:
        RULES.make(f"forward_forward:{text}")
    assert "\n" not in str(refused.value) and "forward_forward" in str(refused.value)
