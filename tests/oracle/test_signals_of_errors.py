"""Signals made of an error or a label, each against its paper's equation by hand; and the matrices they draw."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from by_hand import (
    CLASSES,
    INPUTS,
    NEURONS,
    SAMPLES,
    STEPS,
    Array,
    Hand,
    Pass,
    assert_gradients,
    assert_m,
    batch,
    error_of,
    product,
    psi,
    softmax,
)

from neurorules import Learner

X, LABELS = batch()
LINEAR = ["spike", "eligibility"]


def expected_changes(hand: Hand, run: Pass, m: list[Array], presynaptic: str) -> dict[str, Array]:
    """m psi(v) at each hidden neuron, times its input of the step or all that its membrane still holds of it."""
    made = {}
    for layer, name in enumerate(hand.names):
        post = np.broadcast_to(m[layer], run.v[layer].shape) * psi(run.v[layer])
        if presynaptic == "eligibility":
            post = hand.through_time(layer, run, post)
        made |= {f"{name}.ff.w": product(post, run.pre[layer]), f"{name}.b": post.sum((0, 1)) / SAMPLES}
    return made


@pytest.mark.parametrize("presynaptic", LINEAR)
@pytest.mark.parametrize("neuron", NEURONS)
def test_direct_feedback_is_the_output_error_through_a_matrix_of_each_layer(neuron: str, presynaptic: str) -> None:
    """Nokland 2016: m_l = B_l e, e = softmax(y) - y*, shared by the T steps of a trial."""
    hand = Hand(f"dfa:presynaptic={presynaptic}", neuron=neuron)
    run, found = hand.run(X), hand.trial(X, LABELS)
    e = error_of(run.output, LABELS)
    m = [e @ hand.state(f"{name}.feedback") / STEPS for name in hand.names]
    for name, value in zip(hand.names, m, strict=True):
        assert_m(found, name, value)
    assert_gradients(found, expected_changes(hand, run, m, presynaptic))
    assert_gradients(found, {"readout.ff.w": e.T @ run.rates[-1] / SAMPLES, "readout.b": e.sum(0) / SAMPLES})


@pytest.mark.parametrize("presynaptic", LINEAR)
def test_target_projection_is_minus_the_label_through_a_matrix(presynaptic: str) -> None:
    """Frenkel et al. 2021, with the sign that B, symmetric about zero, leaves free: m_l = -B_l y*."""
    hand = Hand(f"drtp:presynaptic={presynaptic}")
    run, found = hand.run(X), hand.trial(X, LABELS)
    m = [-np.eye(CLASSES)[LABELS] @ hand.state(f"{name}.feedback") / STEPS for name in hand.names]
    for name, value in zip(hand.names, m, strict=True):
        assert_m(found, name, value)
    assert_gradients(found, expected_changes(hand, run, m, presynaptic))


@pytest.mark.parametrize("presynaptic", LINEAR)
@pytest.mark.parametrize("neuron", NEURONS)
@pytest.mark.parametrize("rule", ["bptt", "fa", "sign_symmetry", "sign_symmetry:sizes=fixed", "weight_mirroring"])
def test_the_error_goes_down_layer_by_layer_and_step_by_step(rule: str, neuron: str, presynaptic: str) -> None:
    """Werbos 1990, Lillicrap et al. 2016, Liao et al. 2016: m_l[t] = B dI_{l+1}[t]; dI = psi m, back in time.

    B is W^T, fixed random weights, mirrors of W^T before the trial, or the signs of W^T times sizes of their own.
    """
    hand = Hand(f"{rule}:presynaptic={presynaptic}", neuron=neuron)
    run, found = hand.run(X), hand.trial(X, LABELS)
    down = np.broadcast_to(error_of(run.output, LABELS) / STEPS, (STEPS, SAMPLES, CLASSES))
    above, m = "readout", []
    for layer in reversed(range(len(hand.names))):
        match rule.partition(":")[0]:
            case "bptt":
                back = hand.weights(above)
            case "fa" | "weight_mirroring":
                back = hand.state(f"feedback.{above}.ff.w")
            case _:
                back = np.sign(hand.weights(above))
                uniform = back.shape[1] ** -0.5
                back = back * (hand.state(f"sizes.{above}.ff.w") if "fixed" in rule else uniform)
        m.insert(0, down @ back)
        assert_m(found, hand.names[layer], m[0])
        down = m[0] * psi(run.v[layer])
        if presynaptic == "eligibility":
            down = hand.through_time(layer, run, down)
        above = hand.names[layer]
    assert_gradients(found, expected_changes(hand, run, m, presynaptic))


def test_sign_symmetry_with_the_sizes_of_the_weights_is_backpropagation_to_the_bit() -> None:
    exact, signed = Hand("bptt"), Hand("sign_symmetry:sizes=fixed")
    for name in signed.learned.signal:
        signed.learned.signal[name] = signed.learned.parameters[name.removeprefix("sizes.")].abs()
    one, other = exact.trial(X, LABELS).gradients, signed.trial(X, LABELS).gradients
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_sizes_that_are_drawn_anew_are_the_same_in_one_trial_and_others_in_the_next() -> None:
    learner = Learner("7-7", "sign_symmetry:sizes=redrawn", input_shape=(6,), classes=3, seed=0, device="cpu")
    signal, signs = learner.model.signal, torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    state = dict(learner.learned.signal)
    first, again = (signal._sizes(state, "hidden2.ff.w", signs) for _ in range(2))
    later = signal._sizes({**state, "trial": state["trial"] + 1}, "hidden2.ff.w", signs)
    assert torch.equal(first, again) and not torch.equal(first, later) and bool((first > 0).all())
    assert not torch.equal(first, signal._sizes(state, "readout.ff.w", signs))


@pytest.mark.parametrize("readouts", ["learned", "fixed"])
def test_a_local_read_out_teaches_its_layer_by_its_own_error(readouts: str) -> None:
    """After Kaiser et al. 2020: m_l = G^T (softmax(G r + c) - y*), r the mean spikes; G, c learn by the delta rule."""
    hand = Hand(f"local_readout:readouts={readouts}")
    run, found = hand.run(X), hand.trial(X, LABELS)
    m, own = [], {}
    for name, rate in zip(hand.names, run.rates, strict=True):
        of = hand.parameter if readouts == "learned" else hand.state
        e = error_of(rate @ of(f"{name}.local_w").T + of(f"{name}.local_b"), LABELS)
        m.append(e @ of(f"{name}.local_w") / STEPS)
        own |= {f"{name}.local_w": e.T @ rate / SAMPLES, f"{name}.local_b": e.sum(0) / SAMPLES}
        assert_m(found, name, m[-1])
    assert_gradients(found, expected_changes(hand, run, m, "spike"))
    if readouts == "learned":
        assert_gradients(found, own)
    assert ("hidden1.local_w" in found.gradients) == (readouts == "learned")


def test_a_local_read_out_of_maps_reads_averages_over_four_by_four_windows() -> None:
    hand = Hand("local_readout", "c2k3", input_shape=(1, 6, 9))
    random = np.random.default_rng(1)
    found = hand.trial((random.random((STEPS, SAMPLES, 1, 6, 9)) < 0.5) * 2.0, LABELS)
    rate, g = found.activity[0].S.values.numpy().mean(0), hand.parameter("hidden1.local_w")
    rows, columns = ([(n * i // 4, -(-n * (i + 1) // 4)) for i in range(4)] for n in (6, 9))
    flat = [(c, *row, *column) for c in range(2) for row in rows for column in columns]
    features = np.stack([rate[:, c, top:end, left:right].mean((1, 2)) for c, top, end, left, right in flat], 1)
    e = softmax(features @ g.T + hand.parameter("hidden1.local_b")) - np.eye(CLASSES)[LABELS]
    m = np.zeros((SAMPLES, 2, 6, 9))
    for feature, (c, top, end, left, right) in enumerate(flat):
        area = (end - top) * (right - left)
        m[:, c, top:end, left:right] += (e @ g)[:, feature, None, None] / area / STEPS
    assert_m(found, "hidden1", m)
    assert_gradients(found, {"hidden1.local_w": e.T @ features / SAMPLES})


def mirrored(rule: str, trials: int, **others: Any) -> Hand:
    """A net whose feedback has met the noise of some trials, while its weights stayed."""
    hand = Hand(rule, **others)
    shape = hand.learner.model.network.input_shape
    x = X if shape == (INPUTS,) else np.ones((STEPS, SAMPLES, *shape))
    for _ in range(trials):
        hand.learned = replace(hand.learned, signal=dict(hand.trial(x, LABELS).learned.signal))
    return hand


@pytest.mark.parametrize("net", ["40-30", "40-r30", "c6k3-20"])
def test_mirrored_feedback_comes_as_near_to_the_weights_as_chance_lets_it(net: str) -> None:
    """Akrout et al. 2019: the mean of x y^T is W^T. n rows of signs leave |B - W|^2 = |W|^2 (fan-in - 1) / n."""
    others = {"input_shape": (1, 5, 5)} if "k" in net else {}
    hand = mirrored("weight_mirroring:rows=400:rate=0.001", 5, net=net, **others)
    names = [name.removeprefix("feedback.") for name in hand.learned.signal if name.startswith("feedback.")]
    assert set(names) == {n for n in hand.learned.parameters if n.endswith(".w")} - {"hidden1.ff.w"}
    for name in names:
        w, b = hand.parameter(name).ravel(), hand.state(f"feedback.{name}").ravel()
        chance = (np.prod(hand.parameter(name).shape[1:]) - 1) / 2000
        assert np.square(b - w).sum() / np.square(w).sum() == pytest.approx(chance, rel=0.4)
        assert w @ b / np.sqrt(w @ w * (b @ b)) == pytest.approx((1 + chance) ** -0.5, abs=0.005)
    figures = hand.learner.model.signal.measures(
        hand.learned.signal, hand.learned.parameters, hand.learner.model.shape
    )  # fmt: skip
    assert 1 < figures["feedback_angle_deg"] < 12


def test_feedback_follows_the_weights_at_its_rate() -> None:
    """B <- (1 - share) B + share W C: C is the correlation of signs, ones on its diagonal and chance beside it."""
    hand = mirrored("weight_mirroring:rate=0.25", 6, net="4-4")
    state, name = hand.learned.signal, "feedback.hidden2.ff.w"
    signal, view = hand.learner.model.signal, SimpleNamespace()
    w = hand.learned.parameters["hidden2.ff.w"]
    view.answer = lambda of, x: x @ w.T
    moved = [signal._moved({**state, "trial": torch.tensor(n)}, view, "hidden2.ff.w") for n in (3, 4, 50)]
    for after, share in zip(moved, (1 / 3, 0.25, 0.25), strict=True):
        c = torch.linalg.solve(w, (after - (1 - share) * state[name]) / share)
        np.testing.assert_allclose(torch.diagonal(c).numpy(), 1.0, atol=1e-9)
        assert 1e-3 < float((c - torch.eye(4)).abs().max()) < 0.5


DRAWN = {
    "dfa": ("hidden1.feedback", "hidden2.feedback"),
    "drtp": ("hidden1.feedback", "hidden2.feedback"),
    "fa": ("feedback.hidden2.ff.w", "feedback.readout.ff.w"),
    "sign_symmetry:sizes=fixed": ("sizes.hidden2.ff.w", "sizes.readout.ff.w"),
    "weight_mirroring": ("feedback.hidden2.ff.w", "feedback.readout.ff.w"),
    "local_readout:readouts=fixed": ("hidden1.local_w", "hidden2.local_w"),
    "pepita": ("projection",),
    "pepita:neurons=rate:init=normal:mirror=layers": ("projection", "feedback.hidden1"),
    "sigprop:embedding=fixed": ("embedding",),
    "sigprop:targets=codes": ("hidden1.code", "hidden2.code"),
    "traces_propagation": ("embedding",),
}


def drawn(rule: str, seed: int) -> dict[str, Array]:
    norm = {"norm": "none"} if "rate" in rule else {}
    learner = Learner("7-7", rule, input_shape=(6,), classes=3, seed=seed, precision="float64", device="cpu", **norm)
    return {name: learner.learned.signal[name].numpy() for name in DRAWN[rule]}


@pytest.mark.parametrize("rule", DRAWN)
def test_a_seed_draws_its_own_matrices_and_always_the_same(rule: str) -> None:
    first, again, other = drawn(rule, 0), drawn(rule, 0), drawn(rule, 1)
    for name, value in first.items():
        assert np.array_equal(value, again[name]) and np.abs(value).min() > 0
        assert np.abs(np.corrcoef(value.ravel(), other[name].ravel())[0, 1]) < 0.7, name
    shapes: dict[tuple[int, ...], list[Array]] = {}
    for value in first.values():
        shapes.setdefault(value.shape, []).append(value)
    for alike in shapes.values():
        assert len({value.tobytes() for value in alike}) == len(alike), "layers share a matrix"


def test_the_learned_embedding_is_the_seeds_too() -> None:
    made = [Learner("7", "sigprop", input_shape=(6,), classes=3, seed=seed, device="cpu") for seed in (0, 0, 1)]
    first, again, other = (learner.learned.parameters["hidden1.embedding"] for learner in made)
    assert torch.equal(first, again) and not torch.allclose(first, other)


@pytest.mark.parametrize(
    ("rule", "name", "deviation", "kurtosis"),
    [
        ("dfa", "hidden2.feedback", 600**-0.5, 3.0),  # N(0, 1 / N_l)
        ("drtp", "hidden1.feedback", 400**-0.5, 3.0),
        ("fa", "feedback.hidden2.ff.w", 400**-0.5, 3.0),  # of the fan-in
        ("local_readout:readouts=fixed", "hidden2.local_w", 600**-0.5, 3.0),
        ("sigprop:embedding=fixed", "embedding", 1.0, 3.0),
        ("sigprop:targets=codes", "hidden2.code", 1.0, 3.0),
        ("traces_propagation", "embedding", 1.0, 3.0),
        ("pepita", "projection", 2.0 * (700 / 784) ** 0.25 * (2 / 700) ** 0.5, 1.8),  # uniform
        ("pepita:neurons=rate", "projection", 0.05 * (2 / 700) ** 0.5, 1.8),
    ],
)
def test_matrices_have_the_size_and_the_law_that_is_documented(
    rule: str, name: str, deviation: float, kurtosis: float
) -> None:
    norm = {"norm": "none"} if "rate" in rule else {}
    learner = Learner("400-600", rule, input_shape=(700,), classes=10, precision="float64", device="cpu", **norm)
    values = learner.learned.signal[name].numpy().ravel()
    assert values.std() == pytest.approx(deviation, rel=0.05) and abs(values.mean()) < 0.1 * deviation
    assert ((values - values.mean()) ** 4).mean() / values.var() ** 2 == pytest.approx(kurtosis, rel=0.15)
