"""Every kind of target: the exact gradient against autograd, local rules against updates written out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from neurorules.contracts.series import Series
from neurorules.contracts.target import OF_CLASSES, PER_STEP, TASKS
from neurorules.language.errors import UserError
from neurorules.language.settings import Task
from neurorules.network.initial import initialise
from neurorules.network.model import Learned, Model, build_model
from neurorules.network.network import Network, build_network
from neurorules.rules import RULES
from neurorules.torch_path.training.state import to_tensors
from neurorules.torch_path.trial.learn import learn_trial
from neurorules.torch_path.trial.observe import respond

STEPS, SAMPLES, INPUTS, OUTPUTS = 7, 4, 5, 3
BETA, KAPPA = 0.8, 0.6
TOLERANCE = 1e-10
LAST = (None, 3)
CASES = [(task, last) for task in TASKS for last in LAST]


def net(text: str = "6-5", norm: str = "none", task: Task = "regression") -> Network:
    made = build_network(
        text, (INPUTS,), OUTPUTS, neuron=f"lif:beta={BETA}", norm=norm, readout_neuron=f"leaky_readout:beta={KAPPA}",
        task=task,
    )  # fmt: skip
    return made.on(torch.device("cpu"), torch.float64)


def targets_of(task: Task, seed: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    lead = (SAMPLES, STEPS) if task in PER_STEP else (SAMPLES,)
    if task in OF_CLASSES:
        return torch.randint(OUTPUTS, lead, generator=generator)
    values = torch.randn(*lead, OUTPUTS, generator=generator, dtype=torch.float64)
    return (values > 0).double() if task == "multilabel" else values


def drive_of(seed: int = 1) -> Series:
    generator = torch.Generator().manual_seed(seed)
    return Series((torch.rand(STEPS, SAMPLES, INPUTS, generator=generator) < 0.5).double() * 2, False)


def started(model: Model) -> Learned:
    return initialise(model, 1, torch.device("cpu"), torch.float64)


def loss_of(task: Task, outputs: Tensor, targets: Tensor, last: int | None, squared: bool) -> Tensor:
    """The loss of a batch, summed over samples, from outputs (T, B, O), by torch's own functions."""
    scored = outputs[-last:] if last else outputs
    if task not in PER_STEP:
        rows, wanted, steps = scored.mean(0), targets, 1
    else:
        wanted = (targets[:, -last:] if last else targets).transpose(0, 1).flatten(0, 1)
        rows, steps = scored.flatten(0, 1), len(scored)
    if task in OF_CLASSES and not squared:
        return functional.cross_entropy(rows, wanted, reduction="sum") / steps
    if task == "multilabel" and not squared:
        return functional.binary_cross_entropy_with_logits(rows, wanted, reduction="sum") / steps
    vectors = functional.one_hot(wanted, OUTPUTS).double() if task in OF_CLASSES else wanted
    return functional.mse_loss(rows, vectors, reduction="sum") / 2 / steps


def run_by_hand(model: Model, weights: dict[str, Tensor], spikes: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Outputs of each step (T, B, O) and the spikes of each layer, with resets held fixed."""
    neuron = model.network.layers[0].neuron
    layers = [spikes]
    for name in ("hidden1", "hidden2"):
        u = spikes.new_zeros(SAMPLES, len(weights[f"{name}.b"]))
        sent = []
        for here in layers[-1]:
            late = (u > 1).double().detach()  # still above after its reset
            v = BETA * u + here @ weights[f"{name}.ff.w"].T + weights[f"{name}.b"] - late
            soft = neuron.primitive(v)
            sent.append((v > 1).double() + soft - soft.detach())
            u = v - (sent[-1].detach() - late)
        layers.append(torch.stack(sent))
    v, outputs = spikes.new_zeros(SAMPLES, OUTPUTS), []
    for here in layers[-1]:
        v = KAPPA * v + here @ weights["readout.ff.w"].T + weights["readout.b"]
        outputs.append(v)
    return torch.stack(outputs), layers


@pytest.mark.parametrize("loss", ["cross_entropy", "squared"])
@pytest.mark.parametrize(("task", "last"), CASES)
def test_the_exact_gradient_is_that_of_autograd(task: Task, last: int | None, loss: str) -> None:
    model = build_model(net(task=task), RULES.make(f"bptt:loss={loss}"), task=task, last_steps=last)
    learned, drive, targets = started(model), drive_of(), targets_of(task)
    parameters = {name: value + 0.3 if name.endswith("w") else value for name, value in learned.parameters.items()}
    trial = learn_trial(
        model, replace(learned, parameters=parameters), drive, STEPS, targets, torch.Generator(), None
    )  # fmt: skip
    leaves = {name: value.clone().requires_grad_() for name, value in parameters.items()}
    outputs, layers = run_by_hand(model, leaves, drive.values)
    assert all(0 < layer.mean() < 1 for layer in layers[1:])
    loss_of(task, outputs, targets, last, loss == "squared").backward()
    for name, leaf in leaves.items():
        assert leaf.grad is not None and leaf.grad.abs().max() > 1e-6, name
        assert (trial.gradients[name] - leaf.grad / SAMPLES).abs().max() < TOLERANCE, name
    seen = outputs.detach().transpose(0, 1) if task in PER_STEP else outputs.detach()[-(last or STEPS) :].mean(0)
    assert (trial.scores - seen).abs().max() < TOLERANCE
    alone = respond(model, replace(learned, parameters=parameters), drive, STEPS).scores
    assert torch.equal(alone, trial.scores)


def error_by_hand(task: Task, outputs: Tensor, targets: Tensor, last: int | None) -> Tensor:
    """Derivative of the batch's loss by the output of each step, (T, B, O)."""
    leaf = outputs.detach().clone().requires_grad_()
    loss_of(task, leaf, targets, last, squared=False).backward()
    assert leaf.grad is not None
    return leaf.grad


@pytest.mark.parametrize(("task", "last"), CASES)
def test_direct_feedback_sends_the_error_of_the_step_through_its_own_matrix(task: Task, last: int | None) -> None:
    model = build_model(net(task=task), RULES.make("dfa"), task=task, last_steps=last)
    learned, drive, targets = started(model), drive_of(), targets_of(task)
    trial = learn_trial(model, learned, drive, STEPS, targets, torch.Generator(), None)
    outputs, layers = run_by_hand(model, learned.parameters, drive.values)
    error = error_by_hand(task, outputs, targets, last)
    for number, name in enumerate(("hidden1", "hidden2")):
        neuron = model.network.layers[number].neuron
        psi = neuron.psi(trial.activity[number].v.values)
        m = error @ learned.signal[f"{name}.feedback"]
        change = torch.einsum("tbo,tbi->oi", m * psi, layers[number]) / SAMPLES
        assert change.abs().max() > 1e-6
        assert (trial.gradients[f"{name}.ff.w"] - change).abs().max() < TOLERANCE, name
        assert (trial.gradients[f"{name}.b"] - (m * psi).sum((0, 1)) / SAMPLES).abs().max() < TOLERANCE, name
    faded = [torch.zeros_like(layers[-1][0])]
    for here in layers[-1]:
        faded.append(KAPPA * faded[-1] + here)
    readout = torch.einsum("tbo,tbi->oi", error, torch.stack(faded[1:])) / SAMPLES
    assert (trial.gradients["readout.ff.w"] - readout).abs().max() < TOLERANCE


@pytest.mark.parametrize(("task", "last"), CASES)
def test_a_local_read_out_learns_the_loss_of_the_task(task: Task, last: int | None) -> None:
    """Its third factor and its own gradients are those of autograd on the read-out of the layer's spikes."""
    model = build_model(net(task=task), RULES.make("local_readout"), task=task, last_steps=last)
    learned, drive, targets = started(model), drive_of(), targets_of(task)
    generator = torch.Generator().manual_seed(5)
    own = {n: torch.randn(v.shape, generator=generator, dtype=v.dtype) for n, v in learned.parameters.items()
           if "local" in n}  # fmt: skip
    learned = replace(learned, parameters={**learned.parameters, **own})
    trial = learn_trial(model, learned, drive, STEPS, targets, torch.Generator(), None)
    each = task in PER_STEP or last is not None
    for number, name in enumerate(("hidden1", "hidden2")):
        spikes = trial.activity[number].S.values.clone().requires_grad_()
        weights = {key: own[f"{name}.local_{key}"].clone().requires_grad_() for key in "wb"}
        outputs = spikes @ weights["w"].T + weights["b"]
        if task in PER_STEP or not each:
            loss = loss_of(task, outputs, targets, last, squared=False)
        else:  # the sample's own target at each of the last steps
            count = last or STEPS
            loss = sum(loss_of(task, outputs[t : t + 1], targets, None, False) for t in range(STEPS - count, STEPS))
            loss = loss / count
        loss.backward()
        assert spikes.grad is not None and spikes.grad.abs().max() > 1e-6
        m = trial.third_factors[name].over_time(STEPS)
        assert (m - spikes.grad).abs().max() < TOLERANCE, name
        for key, leaf in weights.items():
            assert leaf.grad is not None
            assert (trial.gradients[f"{name}.local_{key}"] - leaf.grad / SAMPLES).abs().max() < TOLERANCE, (name, key)


def two_trials(model: Model, task: Task, window: int, constant: bool) -> dict[str, Tensor]:
    """Gradients, scores and everything learned, of two consecutive trials with plain steps in between."""
    learned, found = started(model), {}
    for trial in range(2):
        drive = drive_of(10 + trial)
        drive = Series(drive.values[0] * 0.7, True) if constant else drive
        given = targets_of(task, 20 + trial)
        result = learn_trial(model, learned, drive, STEPS, given, torch.Generator(), window)
        moved = {n: w - 0.5 * result.gradients.get(n, torch.zeros_like(w)) for n, w in learned.parameters.items()}
        learned = replace(result.learned, parameters=moved)
        found |= {f"{trial}.{name}": value.clone() for name, value in result.gradients.items()}
        found[f"{trial}.scores"] = result.scores
    return found | to_tensors(Learned(**vars(learned)))


@pytest.mark.parametrize(("task", "last"), CASES)
@pytest.mark.parametrize(
    ("rule", "text", "constant"),
    [("dfa", "r6-5", False), ("dfa", "6-5", True), ("dfa:presynaptic=eligibility", "6-5", False),
     ("shallow", "6-5", False)],
)  # fmt: skip
def test_any_window_gives_the_same_numbers(rule: str, text: str, task: Task, last: int | None, constant: bool) -> None:
    norm = "none" if "eligibility" in rule else "streaming"  # dv_dw runs backwards through a normalisation
    model = build_model(net(text, norm, task), RULES.make(rule), task=task, last_steps=last)
    whole = two_trials(model, task, STEPS, constant)
    assert any(value.abs().max() > 1e-6 for name, value in whole.items() if name.startswith("1.readout"))
    for window in (1, 2, 3):
        other = two_trials(model, task, window, constant)
        assert whole.keys() == other.keys()
        for name, value in whole.items():
            assert (value - other[name]).abs().max() <= TOLERANCE, (window, name)


@pytest.mark.parametrize(("task", "last"), CASES)
def test_feedback_alignment_through_the_forward_weights_is_the_exact_gradient(task: Task, last: int | None) -> None:
    found = []
    for rule in ("fa", "bptt"):
        model = build_model(net("r6-5", task=task), RULES.make(rule), task=task, last_steps=last)
        learned = started(model)
        learned.signal = {f"feedback.{name}": value for name, value in learned.parameters.items()}
        found.append(learn_trial(model, learned, drive_of(), STEPS, targets_of(task), torch.Generator()).gradients)
    for name, value in found[0].items():
        assert (value - found[1][name]).abs().max() <= TOLERANCE, name


@pytest.mark.parametrize("task", ["classes", "multilabel", "regression"])
@pytest.mark.parametrize("rule", ["bptt", "fa", "dfa", "shallow"])
def test_scoring_all_last_steps_is_scoring_the_trial(rule: str, task: Task) -> None:
    found = [
        two_trials(build_model(net("r6-5", "streaming", task), RULES.make(rule), task=task, last_steps=last), task,
                   STEPS, False)
        for last in (None, STEPS)
    ]  # fmt: skip
    for name, value in found[0].items():
        assert (value - found[1][name]).abs().max() <= TOLERANCE, name


@pytest.mark.parametrize("rule", ["dfa", "bptt", "local_readout"])
def test_what_happens_before_the_last_steps_teaches_only_through_the_membrane(rule: str) -> None:
    """Targets of steps that are not scored change nothing, whatever they are."""
    model = build_model(net(), RULES.make(rule), task="regression_per_step", last_steps=2)
    given = targets_of("regression_per_step")
    other = torch.cat([given[:, : STEPS - 2] + 100, given[:, STEPS - 2 :]], 1)
    one, two = (learn_trial(model, started(model), drive_of(), STEPS, y, torch.Generator()) for y in (given, other))
    assert all(torch.equal(value, two.gradients[name]) for name, value in one.gradients.items())


def test_direct_target_projection_adds_up_the_columns_of_the_labels() -> None:
    model = build_model(net(task="multilabel"), RULES.make("drtp"), task="multilabel")
    learned, targets = started(model), targets_of("multilabel")
    trial = learn_trial(model, learned, drive_of(), STEPS, targets, torch.Generator())
    feedback = learned.signal["hidden1.feedback"]
    by_hand = torch.stack([-sum((feedback[k] for k in range(OUTPUTS) if row[k]), torch.zeros(6)) for row in targets])
    assert (trial.third_factors["hidden1"].values * STEPS - by_hand).abs().max() < TOLERANCE


@pytest.mark.parametrize("task", ["multilabel", "regression"])
def test_shuffled_targets_are_those_of_the_sample_before_at_every_step(task: Task) -> None:
    for kind, last in ((task, None), (task, 3), ("regression_per_step", None)):
        model = build_model(net(task=kind), RULES.make("dfa"), task=kind, last_steps=last)
        learned, targets = started(model), targets_of(kind)
        own = learn_trial(model, learned, drive_of(), STEPS, targets, torch.Generator())
        mixed = learn_trial(
            replace(model, targets="shuffled"), learned, drive_of(), STEPS, targets, torch.Generator()
        )  # fmt: skip
        assert torch.equal(own.gradients["readout.ff.w"], mixed.gradients["readout.ff.w"])
        before = own.third_factors["hidden1"].over_time(STEPS).roll(1, 1)
        assert torch.equal(mixed.third_factors["hidden1"].over_time(STEPS), before)


def test_more_last_steps_than_a_trial_has_are_refused() -> None:
    model = build_model(net(), RULES.make("dfa"), task="regression", last_steps=STEPS + 1)
    with pytest.raises(UserError, match="last_steps=8 .* a trial has 7. Give at most 7"):
        learn_trial(model, started(model), drive_of(), STEPS, targets_of("regression"), torch.Generator())
    with pytest.raises(UserError, match="Give at most 7"):
        respond(model, started(model), drive_of(), STEPS)


@pytest.mark.parametrize("loss", ["soft", "max_all", "l2", "cosine"])
def test_sigprop_embeds_a_target_vector_as_it_embeds_a_class(loss: str) -> None:
    """One-hot vectors teach what class indices teach; what is embedded of any other vector is its sum of rows."""
    rule = RULES.make(f"sigprop:generator=target_input:loss={loss}")
    classes = targets_of("classes")
    vectors = functional.one_hot(classes, OUTPUTS).double()
    found = []
    for task, targets in (("classes", classes), ("multilabel", vectors)):
        model = build_model(net(norm="streaming", task=task), rule, task=task)
        trial = learn_trial(model, started(model), drive_of(), STEPS, targets, torch.Generator())
        found.append({n: g for n, g in trial.gradients.items() if n.startswith("hidden")})
    assert all(torch.equal(value, found[1][name]) for name, value in found[0].items())
    assert any(value.abs().max() > 1e-6 for value in found[0].values())
    values = targets_of("regression")
    model = build_model(net(norm="streaming"), rule, task="regression")
    learned = started(model)
    drive = model.teaching_signal.drive(
        "target", learned.signal, learned.parameters, model.shape, drive_of(), None, values
    )
    by_hand = sum(values[:, k, None] * learned.parameters["hidden1.embedding"][k] for k in range(OUTPUTS))
    assert drive.injected is not None and (drive.injected - by_hand).abs().max() < TOLERANCE
    trial = learn_trial(model, learned, drive_of(), STEPS, values, torch.Generator())
    assert all(bool(g.isfinite().all()) for g in trial.gradients.values())


def test_sigprop_that_asks_for_classes_refuses_vectors() -> None:
    for options in ("", ":generator=target_input", ":generator=target_input:loss=soft:embedding=class_means"):
        with pytest.raises(UserError, match="rule 'sigprop' cannot learn values"):
            build_model(net(), RULES.make(f"sigprop{options}"), task="regression")
