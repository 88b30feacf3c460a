"""SPELA: its loss by autograd, its vectors by their angles, its changes by hand, and its prediction by cosines."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from by_hand import CLASSES, STEPS, Hand, assert_gradients, assert_m, batch
from test_signals_of_errors import expected_changes
from torch.nn.functional import cosine_similarity

from neurorules import Learner
from neurorules.signals._features import feature_count
from neurorules.signals.class_vectors import ClassVectors

X, LABELS = batch()


def loss_of(kind: str, centred: str, rates: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
    """The sum over samples of the loss of one layer, as the paper has it."""
    h = rates - rates.mean(1, keepdim=True) if centred == "true" else rates
    cosine = cosine_similarity(h, vectors, dim=1, eps=1e-300)
    return ((2 - cosine).log() if kind == "log" else -cosine).sum()


@pytest.mark.parametrize(("loss", "centred"), [("log", "true"), ("log", "false"), ("cosine", "true")])
def test_each_layer_descends_its_loss_and_its_weights_follow(loss: str, centred: str) -> None:
    hand = Hand(f"spela:loss={loss}:centred={centred}")
    run, found = hand.run(X), hand.trial(X, LABELS)
    m = []
    for layer, name in enumerate(hand.names):
        rates = torch.tensor(run.rates[layer], requires_grad=True)
        vectors = torch.as_tensor(hand.state(f"{name}.vectors"))[torch.as_tensor(LABELS)]
        loss_of(loss, centred, rates, vectors).backward()  # type: ignore[no-untyped-call]
        m.append(rates.grad.numpy() / len(run.v[layer]))
        assert abs(m[-1]).max() > 1e-3
        assert_m(found, name, m[-1])
    assert_gradients(found, expected_changes(hand, run, m, "spike"))


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize(("classes", "neurons"), [(2, 3), (3, 8), (10, 11), (10, 400)])
def test_vectors_of_classes_are_as_far_apart_as_they_can_be(centred: bool, classes: int, neurons: int) -> None:
    v = vectors_of(centred, classes, neurons)
    apart = np.eye(classes) * classes / (classes - 1) - 1 / (classes - 1)
    np.testing.assert_allclose(v @ v.T, apart, atol=1e-12)
    assert not centred or abs(v.sum(1)).max() < 1e-12


def test_a_layer_without_room_for_a_simplex_has_unit_vectors_of_other_directions() -> None:
    v = vectors_of(True, 10, 4)
    np.testing.assert_allclose((v**2).sum(1), 1)
    assert (v @ v.T - 2 * np.eye(10)).max() < 1 - 1e-6


def vectors_of(centred: bool, classes: int, neurons: int) -> np.ndarray:
    net = Learner(f"{neurons}", "spela", input_shape=(5,), classes=classes).model.shape
    assert feature_count(net.hidden[0].shape) == neurons
    drawn = ClassVectors(centred=centred).initial(net, torch.Generator().manual_seed(1))
    return drawn["hidden1.vectors"].numpy()


def test_a_silent_layer_is_taught_by_its_vector_alone() -> None:
    hand = Hand("spela:loss=cosine")
    hand.learned.parameters["hidden1.b"].zero_()
    nothing = np.zeros_like(X)
    assert not hand.run(nothing).rates[0].any()
    # Its length counts as that of one spike in STEPS, and a derivative by the mean is spread over STEPS.
    assert_m(hand.trial(nothing, LABELS), "hidden1", -hand.state("hidden1.vectors")[LABELS] * STEPS / STEPS)


def test_the_nearest_vector_of_the_last_layer_predicts() -> None:
    hand = Hand("spela:predict=vectors")
    h = hand.run(X).rates[-1]
    h = h - h.mean(1, keepdims=True)
    v = hand.state(f"{hand.names[-1]}.vectors")
    assert v.shape[0] == CLASSES
    np.testing.assert_allclose(
        hand.trial(X, LABELS).scores, h @ v.T / np.linalg.norm(h, axis=1, keepdims=True), atol=1e-10
    )
