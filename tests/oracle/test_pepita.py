"""PEPITA against its equations written out again, its forms against each other, and against direct feedback."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import Tensor

from neurorules.contracts.net_shape import NetShape
from neurorules.contracts.phase_drive import Offset, PhaseDrive
from neurorules.contracts.series import Series
from neurorules.contracts.signal import SignalState
from neurorules.language.errors import UserError
from neurorules.native import scans
from neurorules.network.initial import initialise
from neurorules.network.layer import Masks, draw_masks
from neurorules.network.model import Learned, Model, build_model
from neurorules.network.network import build_network
from neurorules.papers.tables.pepita import fitted_slowness
from neurorules.rules import RULES
from neurorules.signals.perturbation import InputPerturbation
from neurorules.torch_path.training.learner import Learner
from neurorules.torch_path.trial.learn import TrialResult, learn_trial
from neurorules.torch_path.trial.trial import Trial, observe_phase

ROWS, CLASSES, SHAPE, STEPS = 6, 3, (1, 6, 6), 5
CPU = torch.device("cpu")
RATE = {"neuron": "rate", "norm": "none"}
FORMS = ["rate_difference", "contrastive", "graded", "dendritic", "dendritic:mirror=running", "graded:mirror=running"]


def made(rule: str, net: str = "9-7", **settings: str) -> tuple[Model, Learned]:
    model = build_model(build_network(net, SHAPE, CLASSES, **settings), RULES.make(rule))  # type: ignore[arg-type]
    return model, initialise(model, 1, CPU, torch.float64, "he")


def images(seed: int = 0) -> tuple[Series, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    values = torch.rand(ROWS, *SHAPE, generator=generator, dtype=torch.float64)
    return Series(values, True), torch.randint(0, CLASSES, (ROWS,), generator=generator)


def events(seed: int = 0) -> tuple[Series, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    values = (torch.rand(STEPS, ROWS, *SHAPE, generator=generator) < 0.3).double()
    return Series(values, False), torch.randint(0, CLASSES, (ROWS,), generator=generator)


def trial(
    model: Model, learned: Learned, drive: Series, labels: Tensor, steps: int, window: int | None = None
) -> TrialResult:
    return learn_trial(model, learned, drive, steps, labels, torch.Generator().manual_seed(4), window)


def warmed(rule: str, net: str, steps: int = STEPS, **settings: str) -> tuple[Model, Learned]:
    """A model whose running averages have seen something, and whose read-out has learnt."""
    model, learned = made(rule, net, **settings)
    for seed in range(3):
        result = trial(model, learned, *(images if steps == 1 else events)(seed + 10), steps)
        learned = replace(result.learned, parameters={
            name: w - 0.3 * result.gradients.get(name, torch.zeros_like(w)) for name, w in learned.parameters.items()
        })  # fmt: skip
    return model, learned


class Paper:
    """Two hidden layers of rectified units, no biases: section "the rule" of the paper, row by row.

    A dropped unit is silent for its readers and for its own difference: h is what dropout leaves of an activity.
    """

    def __init__(self, learned: Learned, masks: Masks, sign: float = 1.0) -> None:
        self.w = [learned.parameters[f"{name}.ff.w"] for name in ("hidden1", "hidden2", "readout")]
        self.projection = sign * learned.signal["projection"].flatten(1)
        self.masks = [masks["hidden2.ff.0"], masks["readout.ff.0"]]

    def forward(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """What each connection reads, after dropout, and the probabilities; the activities before dropout go first."""
        first = torch.relu(x @ self.w[0].T)
        second = torch.relu((first * self.masks[0]) @ self.w[1].T)
        read = [x, first * self.masks[0], second * self.masks[1]]
        self.undropped = [first, second]
        return read, torch.softmax(read[2] @ self.w[2].T, 1)

    def passes(self, x: Tensor, y: Tensor) -> None:
        self.clean, self.p = self.forward(x)
        self.h, self.alive = self.clean[1:], self.undropped
        self.e = self.p - y
        self.err, self.p_err = self.forward(x + self.e @ self.projection)
        self.h_err, self.alive_err = self.err[1:], self.undropped


def paper_of(rule: str, sign: float = 1.0) -> tuple[Paper, dict[str, Tensor], Tensor]:
    model, learned = made(rule, "9-d0.3-7-d0.3", **RATE)
    drive, labels = images()
    masks = draw_masks(model.network.layers, ROWS, torch.Generator().manual_seed(4))
    paper = Paper(learned, masks, sign)
    y = torch.nn.functional.one_hot(labels, CLASSES).double()
    paper.passes(drive.values.flatten(1), y)
    return paper, trial(model, learned, drive, labels, 1).gradients, y


def assert_gradients(found: Mapping[str, Tensor], expected: list[Tensor]) -> None:
    names = ["hidden1.ff.w", "hidden2.ff.w", "readout.ff.w"]
    assert set(found) == set(names)
    for name, value in zip(names, expected, strict=True):
        torch.testing.assert_close(found[name], value / ROWS, rtol=1e-9, atol=1e-14)


def test_a_dropped_unit_does_not_learn() -> None:
    model, learned = made("pepita:neurons=rate:kappa=2", "40-d0.5", **RATE)
    drive = Series(images()[0].values[:1], True)
    masks = draw_masks(model.network.layers, 1, torch.Generator().manual_seed(4))
    dropped = masks["readout.ff.0"][0] == 0
    found = trial(model, learned, drive, torch.tensor([1]), 1).gradients["hidden1.ff.w"]
    assert 10 < int(dropped.sum()) < 30
    assert not found[dropped].any() and found[~dropped].abs().sum(1).count_nonzero() > 5


def test_with_dropped_learn_a_units_own_difference_knows_no_dropout() -> None:
    paper, found, _ = paper_of("pepita:neurons=rate:kappa=2:dropped=learn")
    pairs = zip(paper.alive, paper.alive_err, paper.err, strict=False)
    assert_gradients(found, [*((h - h_err).T @ pre for h, h_err, pre in pairs), paper.e.T @ paper.err[2]])


@pytest.mark.parametrize("net", ["c3k3-d0.5-p2-8", "c3k3-d0.4-8"])
def test_dropped_units_of_maps_do_not_learn_either(net: str) -> None:
    model, learned = made("pepita:neurons=rate:kappa=2", net, **RATE)
    drive, labels = images()
    x = drive.values
    masks = draw_masks(model.network.layers, ROWS, torch.Generator().manual_seed(4))
    mask = masks["hidden2.ff.0"]
    assert mask.shape[1:] == (3, 6, 6)
    found = trial(model, learned, drive, labels, 1)
    e = torch.softmax(found.scores, 1) - torch.nn.functional.one_hot(labels, CLASSES).double()
    pushed = x + torch.tensordot(e, learned.signal["projection"], 1)
    w = learned.parameters["hidden1.ff.w"]
    h, h_err = (torch.relu(torch.nn.functional.conv2d(rows, w, padding=1)) * mask for rows in (x, pushed))
    expected = torch.nn.grad.conv2d_weight(pushed, w.shape, h - h_err, padding=1)
    torch.testing.assert_close(found.gradients["hidden1.ff.w"], expected / ROWS, rtol=1e-9, atol=1e-13)


def test_dropout_behind_a_pool_drops_the_pools_output_and_no_unit() -> None:
    model, learned = made("pepita:neurons=rate:kappa=2", "c3k3-p2-d0.5-8", **RATE)
    other = build_model(model.network, RULES.make("pepita:neurons=rate:kappa=2:dropped=learn"))
    mine, theirs = (trial(each, learned, *images(), 1).gradients for each in (model, other))
    assert torch.equal(mine["hidden1.ff.w"], theirs["hidden1.ff.w"])


@pytest.mark.parametrize("form", ["rate_difference", "contrastive", "graded", "dendritic", "time_local"])
def test_without_dropout_the_two_are_one(form: str) -> None:
    learners = [
        Learner("9-7", f"pepita:form={form}:dropped={kind}", input_shape=SHAPE, classes=CLASSES, precision="float64")
        for kind in ("stay", "learn")
    ]
    for learner in learners:
        learner.step(*images())
    assert all(torch.equal(v, learners[1].learned.parameters[n]) for n, v in learners[0].learned.parameters.items())


@pytest.mark.parametrize("form", ["rate_difference", "contrastive", "graded", "dendritic"])
@pytest.mark.parametrize("norm", ["none", "streaming"])
def test_dropped_units_stay_with_and_without_fused_scans(form: str, norm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, learned = made(f"pepita:kappa=5:form={form}:bias=true", "9-d0.4-7-d0.4", norm=norm, neuron="lif")
    fused = trial(model, learned, *events(), STEPS).gradients
    monkeypatch.setattr(scans, "serves", lambda _: False)
    plain = trial(model, learned, *events(), STEPS).gradients
    assert fused["hidden1.ff.w"].abs().max() > 1e-6
    torch.testing.assert_close(plain, fused, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("sign", ["plus", "minus"])
@pytest.mark.parametrize("error", ["first", "second"])
def test_the_rate_rule_is_the_papers_with_the_same_masks_in_both_passes(sign: str, error: str) -> None:
    rule = f"pepita:neurons=rate:kappa=2:sign={sign}:error={error}"
    paper, found, y = paper_of(rule, 1.0 if sign == "plus" else -1.0)
    last = paper.e if error == "first" else paper.p_err - y
    hidden = [(h - h_err).T @ pre for h, h_err, pre in zip(paper.h, paper.h_err, paper.err, strict=False)]
    assert all(value.abs().max() > 1e-3 for value in hidden)
    assert_gradients(found, [*hidden, last.T @ paper.err[2]])


def test_the_presynaptic_factor_may_be_the_first_passes() -> None:
    paper, found, _ = paper_of("pepita:neurons=rate:kappa=2:presynaptic=forward")
    hidden = [(h - h_err).T @ pre for h, h_err, pre in zip(paper.h, paper.h_err, paper.clean, strict=False)]
    assert_gradients(found, [*hidden, paper.e.T @ paper.clean[2]])


def test_the_hebbian_form_has_one_product_a_pass() -> None:
    paper, found, y = paper_of("pepita:neurons=rate:kappa=2:form=contrastive")
    pairs = zip(paper.h, paper.clean, paper.h_err, paper.err, strict=False)
    hidden = [h.T @ pre - h_err.T @ pre_err for h, pre, h_err, pre_err in pairs]
    assert_gradients(found, [*hidden, paper.p.T @ paper.clean[2] - y.T @ paper.err[2]])


def test_the_time_local_form_changes_the_weights_between_the_passes() -> None:
    learner = Learner(
        "9", "pepita:neurons=rate:kappa=2:form=time_local", input_shape=SHAPE, classes=CLASSES, optimizer="sgd", lr=0.1,
        readout_lr=0.1, precision="float64",
    )  # fmt: skip
    w, v = (learner.learned.parameters[name].clone() for name in ("hidden1.ff.w", "readout.ff.w"))
    projection = learner.learned.signal["projection"].flatten(1)
    drive, labels = images()
    x, y = drive.values.flatten(1), torch.nn.functional.one_hot(labels, CLASSES).double()
    h = torch.relu(x @ w.T)
    p = torch.softmax(h @ v.T, 1)
    w, v = w - 0.1 * h.T @ x / ROWS, v - 0.1 * p.T @ h / ROWS
    x_err = x + (p - y) @ projection
    h_err = torch.relu(x_err @ w.T)
    w, v = w + 0.1 * h_err.T @ x_err / ROWS, v + 0.1 * y.T @ h_err / ROWS
    learner.step(drive, labels)
    torch.testing.assert_close(learner.learned.parameters["hidden1.ff.w"], w, rtol=1e-9, atol=1e-13)
    torch.testing.assert_close(learner.learned.parameters["readout.ff.w"], v, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("drive", [images, events])
@pytest.mark.parametrize("net", ["9", "c3k3"])
@pytest.mark.parametrize("norm", ["none", "streaming"])
def test_on_one_layer_graded_is_dendritic(norm: str, net: str, drive: type) -> None:
    model, learned = warmed("pepita:form=dendritic:kappa=2", net, norm=norm, neuron="lif")
    other = build_model(model.network, RULES.make("pepita:form=graded:kappa=2"))
    sample = drive()
    mine, theirs = (trial(each, learned, *sample, STEPS).gradients for each in (model, other))
    assert mine["hidden1.ff.w"].abs().max() > 1e-4
    torch.testing.assert_close(mine, theirs, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("net", ["9-8-7", "9-d0.2-8", "c3k3-p2-8", "c3k3-a2-c2k3-p2", "p2-c3k3-8"])
def test_the_dendritic_current_is_what_a_small_perturbation_of_a_rate_net_brings(net: str) -> None:
    # Rectifiers are linear between their kinks, so a small second pass is the linear phase, layer by layer.
    model, learned = warmed("pepita:form=dendritic:kappa=1e-7", net, steps=1, neuron="rate")
    other = build_model(model.network, RULES.make("pepita:form=graded:kappa=1e-7"))
    sample = images()
    mine, theirs = (trial(each, learned, *sample, 1).gradients for each in (model, other))
    for name, value in mine.items():
        assert value.abs().max() > 1e-10
        torch.testing.assert_close(theirs[name], value, rtol=1e-5, atol=1e-6 * float(value.abs().max()))


class FixedPush(InputPerturbation):
    """PEPITA with W_1 F frozen: a fixed random matrix in its place."""

    def drive(
        self, phase: str, state: SignalState, parameters: Mapping[str, Tensor], net: NetShape, sample: Series,
        output_error: Tensor | None, labels: Tensor | None,
    ) -> PhaseDrive:  # fmt: skip
        assert output_error is not None
        return PhaseDrive(sample, injected=output_error @ fixed_push(net))


def fixed_push(net: NetShape) -> Tensor:
    return torch.randn(
        net.classes, *net.layers[0].shape, generator=torch.Generator().manual_seed(8), dtype=torch.float64
    )


def test_with_the_first_layers_feedback_frozen_that_layer_learns_by_direct_feedback() -> None:
    model, learned = made("pepita:form=dendritic:bias=true", "9-7", norm="none")
    frozen = replace(model, signal=FixedPush(form="dendritic"))
    direct, taught = made("dfa", "9-7", norm="none")
    taught.signal["hidden1.feedback"] = -fixed_push(model.shape)
    sample = events()
    mine, theirs = trial(frozen, learned, *sample, STEPS).gradients, trial(direct, taught, *sample, STEPS).gradients
    for name in ("hidden1.ff.w", "hidden1.b", "readout.ff.w"):
        assert mine[name].abs().max() > 1e-4
        torch.testing.assert_close(mine[name], theirs[name], rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("net", ["9-d0.4-7-d0.3", "c3k3-p2-8", "r9-7"])
@pytest.mark.parametrize("drive", [images, events])
def test_every_form_learns_the_same_step_by_step(form: str, net: str, drive: type) -> None:
    model, learned = warmed(f"pepita:kappa=5:form={form}", net, neuron="lif")
    whole = trial(model, learned, *drive(), STEPS)
    for window in (1, 2):
        other = trial(model, learned, *drive(), STEPS, window)
        assert whole.gradients["hidden1.ff.w"].abs().max() > 1e-6
        torch.testing.assert_close(other.gradients, whole.gradients, rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(
            other.learned.signal["projection"], whole.learned.signal["projection"], rtol=1e-9, atol=1e-12
        )


@pytest.mark.parametrize("form", FORMS)
def test_without_a_perturbation_hidden_layers_stay(form: str) -> None:
    model, learned = warmed(f"pepita:form={form}", "9-7", norm="none")
    learned.signal["projection"] = torch.zeros_like(learned.signal["projection"])
    found = trial(model, learned, *events(), STEPS).gradients
    assert found["readout.ff.w"].abs().max() > 1e-3
    torch.testing.assert_close(found["hidden1.ff.w"], torch.zeros_like(found["hidden1.ff.w"]), rtol=0, atol=1e-15)


@pytest.mark.parametrize(
    ("options", "net", "kappa"),
    [
        (":neurons=rate", "9-7-6", 0.05),
        ("", "9-7", 2.0),
        ("", "9-7-6", 0.5),
        (":form=contrastive", "9-7-6", 0.5),
        (":mirror=running", "9", 0.5),
        (":form=graded", "9-7-6", 1.0),
        (":kappa=3", "9-7-6", 3.0),
    ],
)
def test_the_size_of_f_is_the_nets(options: str, net: str, kappa: float) -> None:
    given = RATE if "rate" in options else {}
    _, learned = made(f"pepita{options}", net, **given)
    projection = learned.signal["projection"]
    inputs = projection[0].numel()
    expected = kappa * (2 / inputs) ** 0.5 * ((inputs / 784) ** 0.25 if kappa == 2.0 else 1)
    bound = expected * 3**0.5  # of a uniform draw of that deviation
    assert 0.9 * bound < float(projection.abs().max()) <= bound * (1 + 1e-6)


def phases_of(drive: Series) -> tuple[Trial, dict[str, object]]:
    model, learned = warmed("pepita:kappa=5", "9-7")
    labels = torch.zeros(ROWS, dtype=torch.int64)
    each = Trial(model, learned, drive, STEPS, STEPS, labels, {})
    error = torch.randn(ROWS, CLASSES, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    before = observe_phase(each, model.rule.phases[0], None, training=True)
    after = observe_phase(each, model.rule.phases[1], error, training=True, before=before)
    again = observe_phase(each, model.rule.phases[1], error, training=True)
    return each, {"input": before, "modulated": after, "anew": again}


def test_events_are_replayed_and_never_made_dense() -> None:
    drive, _ = events()
    _, records = phases_of(drive)
    modulated = records["modulated"].activity[0]  # type: ignore[attr-defined]
    assert torch.equal(modulated.pre["ff"].values, drive.values.flatten(2))
    assert not torch.equal(modulated.S.values, records["input"].activity[0].S.values)  # type: ignore[attr-defined]


@pytest.mark.parametrize("drive", [images, events])
def test_a_replay_that_keeps_the_first_passes_current_is_the_same_pass(drive: type) -> None:
    _, records = phases_of(drive()[0])
    kept, anew = (records[name].activity for name in ("modulated", "anew"))  # type: ignore[attr-defined]
    for here, there in zip(kept, anew, strict=True):
        torch.testing.assert_close(here.v.values, there.v.values, rtol=1e-12, atol=1e-13)


def test_noise_turns_the_projection_against_the_forward_weights() -> None:
    for rule, angle in (("form=dendritic:mirror=running", 140), ("neurons=rate:mirror=layers:init=normal", 115)):
        settings = {"neuron": "rate", "norm": "none"} if "rate" in rule else {"norm": "none"}
        model, learned = made(f"pepita:{rule}", "20", **settings)
        assert model.signal is not None
        first = model.signal.measures(learned.signal, learned.parameters, model.shape)["anti_alignment_deg"]
        step = partial(trial, model, steps=1) if "rate" in rule else partial(trial, model, steps=STEPS)
        for seed in range(300):
            learned = step(learned, *images(seed)).learned
        last = model.signal.measures(learned.signal, learned.parameters, model.shape)["anti_alignment_deg"]
        assert 60 < first < 120 and last > angle
        spread = float(learned.signal["projection"].std())
        assert spread == pytest.approx((2 / 36) ** 0.5 * (0.05 if "rate" in rule else 1.0), rel=1e-3)


def test_the_push_is_measured_in_units_of_threshold() -> None:
    model, learned = made("pepita:kappa=3", "9-7", norm="none", neuron="if:v_threshold=2")
    drive, labels = images()
    result = trial(model, learned, drive, labels, STEPS)
    error = torch.softmax(result.scores, 1) - torch.nn.functional.one_hot(labels, CLASSES)
    push = error @ learned.signal["projection"].flatten(1) @ learned.parameters["hidden1.ff.w"].T / 2
    share = ROWS / (16 + ROWS)  # of a first trial, beside an average's own start
    found = float(result.learned.signal["push"].value)
    assert found == pytest.approx(share * float(push.square().mean()))


@pytest.mark.parametrize(
    ("rule", "net", "says"),
    [
        ("pepita:init=normal", "c3k3-8", "use init=uniform"),
        ("pepita:neurons=rate:mirror=layers", "c3k3-8", "use mirror=running"),
        ("pepita:mirror=layers", "9-7", "use mirror=running"),
        ("pepita:mirror=running:init=class_means", "9-7", "leave mirror out"),
    ],
)
def test_what_an_option_lacks_is_said_in_one_line(rule: str, net: str, says: str) -> None:
    settings = RATE if "rate" in rule else {}
    with pytest.raises(UserError, match=f"(?i){says}"):
        made(rule, net, **settings)


def test_a_net_without_a_hidden_layer_has_nothing_to_modulate() -> None:
    network = build_network("9", SHAPE, CLASSES)
    bare = replace(network, layers=(replace(network.readout, inputs=()),))
    with pytest.raises(UserError, match="the net has no hidden layer with weights"):
        build_model(bare, RULES.make("pepita"))


def test_few_patterns_for_many_rows_bring_the_same_current_as_the_rows_themselves() -> None:
    generator = torch.Generator().manual_seed(1)
    shares = torch.randn(ROWS, CLASSES, generator=generator, dtype=torch.float64)
    patterns = torch.randn(CLASSES, *SHAPE, generator=generator, dtype=torch.float64)
    offset = Offset(patterns, shares)
    torch.testing.assert_close(offset.rows().flatten(1), shares @ patterns.flatten(1))


@pytest.mark.parametrize("slow", [0.03, 0.5, 4.0])
def test_the_papers_fit_finds_the_slowness_of_its_own_curve(slow: float) -> None:
    curve = [0.9 * t / (slow + t) for t in range(1, 61)] + [0.9]
    assert fitted_slowness(curve) == pytest.approx(slow, rel=1e-3)
