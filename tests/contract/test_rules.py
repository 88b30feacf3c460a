"""Every rule of the registry, by existing: what its texts promise, held against what it does."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from neurorules.audit import audit_rules
from neurorules.contracts.series import Series
from neurorules.datasets import open_dataset
from neurorules.language.errors import UserError
from neurorules.language.rules import Rule
from neurorules.network.model import Learned, Model, build_model, initialise
from neurorules.network.network import build_network
from neurorules.rules import RULES
from neurorules.torch_path.forward.run_layer import Carry
from neurorules.torch_path.trial.learn import TrialResult, learn_trial
from neurorules.torch_path.update.plasticity import Gathered, LocalView, learn_layer

NAMES = RULES.names()
NETS = ["12-10-8", "c3k3-p2-10", "12-r10"]
STEPS, ROWS, CLASSES, SHAPE = 5, 6, 3, (1, 6, 6)


def needs_of(rule: Rule) -> frozenset[str]:
    return rule.signal.make().needs if rule.signal else frozenset()


def made(name: str, net: str = NETS[0], norm: str | None = None) -> tuple[Model, Learned]:
    """A rule on a net of the neurons and connections it brings."""
    rule = RULES.make(name)
    own = rule.defaults
    network = build_network(
        net, SHAPE, CLASSES, neuron=own.neuron, readout_neuron=own.readout_neuron, norm=norm or own.norm,
        connection=own.connection,
    )  # fmt: skip
    model = build_model(network, rule)
    return model, initialise(model, 1, torch.device("cpu"), torch.float64)


def fits(name: str, net: str) -> bool:
    """Whether a rule takes a net; one that does not must say so in a line, and take the plain one."""
    try:
        made(name, net)
    except UserError:
        assert net != NETS[0]
        return False
    return True


def steps_of(name: str) -> int:
    """T of a rule's own neurons: 1 where they have no time."""
    return min(STEPS, RULES.make(name).defaults.steps)


PAIRS = [(name, net) for name in NAMES for net in NETS if fits(name, net)]


def samples(steps: int, rows: int = ROWS, seed: int = 0) -> tuple[Series, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    drive = (torch.rand(steps, rows, *SHAPE, generator=generator, dtype=torch.float64) < 0.4).double()
    return Series(drive * 1.5, False), torch.randint(0, CLASSES, (rows,), generator=generator)


def trial(model: Model, learned: Learned, drive: Series, labels: Tensor) -> TrialResult:
    return learn_trial(model, learned, drive, len(drive.values), labels, torch.Generator().manual_seed(0))


def warmed(name: str, net: str, trials: int = 3) -> tuple[Model, Learned]:
    """A model whose read-out is no longer at its start, and whose running averages have seen something."""
    model, learned = made(name, net)
    for seed in range(trials):
        result = trial(model, learned, *samples(steps_of(name), seed=seed + 10))
        learned = result.learned
        for parameter, gradient in result.gradients.items():
            learned.parameters[parameter] = learned.parameters[parameter] - 0.05 * gradient
    return model, learned


@pytest.mark.parametrize(("name", "net"), PAIRS)
def test_a_silent_presynaptic_population_changes_none_of_its_weights(name: str, net: str) -> None:
    model, learned = made(name, net)
    assert not any(model.rule.equation(p).drifts for p in model.rule.plasticity if p.parameter == "w")
    drive, labels = samples(steps_of(name))
    result = trial(model, learned, Series(torch.zeros_like(drive.values), False), labels)
    assert not result.gradients.get("hidden1.ff.w", torch.zeros(1)).any()


@pytest.mark.parametrize("name", [n for n in NAMES if "m_post" in RULES.make(n).hidden_reads])
def test_changes_are_linear_in_the_third_factor(name: str) -> None:
    model, learned = made(name, norm="none")
    result = trial(model, learned, *samples(steps_of(name)))
    layer, activity = model.network.layers[1], result.activity[1]
    m = torch.randn(ROWS, *layer.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))

    def changes(scale: float) -> dict[str, Tensor]:
        gathered = Gathered()
        phase = next(p.phase for p in model.rule.plasticity if p.role == "hidden")
        view = LocalView(
            layer, phase, activity, Series(scale * m, True), learned.parameters, model.rule.constants,
            model.rule.trace_decay, Carry(), True,
        )  # fmt: skip
        learn_layer(view, model.texts, {}, gathered)
        return gathered.changes

    one, three = changes(1.0), changes(3.0)
    assert one.keys() == three.keys() and any(value.any() for value in one.values())
    for parameter, value in one.items():
        torch.testing.assert_close(three[parameter], 3 * value)


@pytest.mark.parametrize(("name", "net"), PAIRS)
def test_the_order_of_a_batch_does_not_matter(name: str, net: str) -> None:
    model, learned = warmed(name, net)
    drive, labels = samples(steps_of(name))
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    straight = trial(model, learned, drive, labels)
    mixed = trial(model, learned, Series(drive.values[:, order], False), labels[order])
    torch.testing.assert_close(mixed.gradients, straight.gradients, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(mixed.scores, straight.scores[order])


@pytest.mark.parametrize(("name", "net"), PAIRS)
def test_no_row_of_a_batch_sees_another(name: str, net: str) -> None:
    model, learned = warmed(name, net)
    drive, labels = samples(steps_of(name))
    other = Series(drive.values.clone(), False)
    other.values[:, 1:] = samples(steps_of(name), seed=9)[0].values[:, 1:]
    mine, theirs = trial(model, learned, drive, labels), trial(model, learned, other, labels)
    assert torch.equal(mine.scores[0], theirs.scores[0])
    for here, there in zip(mine.activity, theirs.activity, strict=True):
        assert torch.equal(here.v.values[:, 0], there.v.values[:, 0])


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("sigprop", "traces_propagation")])
def test_changes_add_up_over_the_rows_of_a_batch(name: str) -> None:
    # Prototypes are rows of their own, which see a sum over the samples; sigprop is tested without them below.
    check_additive(name)


@pytest.mark.parametrize("form", ["surrogate", "voltage"])
def test_sigprop_with_codes_adds_up_over_the_rows_of_a_batch(form: str) -> None:
    check_additive(f"sigprop:targets=codes:form={form}")


def check_additive(name: str) -> None:
    model, learned = warmed(name, NETS[0])
    drive, labels = samples(steps_of(name))
    whole = trial(model, learned, drive, labels).gradients
    parts = [trial(model, learned, Series(drive.values[:, [i]], False), labels[[i]]).gradients for i in range(ROWS)]
    for parameter, gradient in whole.items():
        torch.testing.assert_close(sum(part[parameter] for part in parts) / ROWS, gradient, rtol=1e-9, atol=1e-12)


FORMS = [
    "sigprop:form=voltage", "sigprop:embedding=class_means", "sigprop:embedding=fixed", "sigprop:targets=codes",
    "sigprop:generator=target_input", "sigprop:generator=target_loop", "sigprop:predict=prototypes",
    "pepita:form=time_local", "pepita:form=dendritic", "pepita:mirror=running", "pepita:init=class_means",
    "pepita:neurons=rate:mirror=layers", "local_readout:readouts=fixed", "bsp:method=fixed_points", "bsp:method=both",
]  # fmt: skip
AUDITED = [*NAMES, *FORMS]
"""Every rule as it comes, and the forms that change what its signal needs or how it is met."""


Audit = dict[str, list[dict[str, Any]]]


@cache
def audit() -> Audit:
    """The locality audit of every rule."""
    return audit_rules(AUDITED)


ALSO_FOUND = {"pepita:form=time_local": {"batch_pool"}}
"""The second pass meets weights that the first pass has changed, by all samples: the rule's doing, not its signal's."""
NOT_FOUND = {"local_readout:readouts=fixed": {"local_readout"}}
"""No disturbance tells a random read-out that does not learn from feedback."""


@pytest.mark.parametrize("name", AUDITED)
def test_what_a_rule_declares_is_what_perturbation_finds(name: str) -> None:
    check_declared(name, audit())


def check_declared(name: str, found: Audit) -> None:
    rule = RULES.make(name)
    fact = next(fact for fact in found["facts"] if fact["rule"] == name)
    assert set(fact["needs"]) - ALSO_FOUND.get(name, set()) == needs_of(rule) - NOT_FOUND.get(name, set())
    assert fact["state_moves"] == [] and not fact["hidden_memory"]
    later = [e["depends"] for e in found["entries"] if e["rule"] == name and e["kind"] == "later_steps"]
    if rule.signal is not None and later:
        assert any(later[:-1]) == (rule.signal.make().known != "step")


@pytest.mark.parametrize("name", NAMES)
def test_a_rule_that_declares_nothing_from_above_reads_nothing_from_above(name: str) -> None:
    check_reach(name, audit())


def check_reach(name: str, found: Audit) -> None:
    order = {layer: number for number, layer in enumerate(("hidden1", "hidden2", "hidden3", "readout"))}
    above = {
        (entry["kind"], entry["perturbed"])
        for entry in found["entries"]
        if entry["rule"] == name and entry["kind"] in ("weights", "activity") and entry["depends"]
        if order[entry["perturbed"]] > order[entry["update_of"]]
    }
    needs = needs_of(RULES.make(name))
    assert any(kind == "weights" for kind, _ in above) == bool(needs & {"weight_transport", "weight_sign"})
    assert any(kind == "activity" for kind, _ in above) == bool(needs & {"output_error", "above"})


@pytest.mark.parametrize("name", NAMES)
def test_no_default_rule_uses_a_statistic_of_the_batch(name: str) -> None:
    model, _ = made(name)
    assert not any(a.normalisation.reads_batch for a in model.network.layers if a.normalisation)


TRAINING = """
import json, sys
from dataclasses import replace
from neurorules.compare.controls import frozen_beside
from neurorules.runner.dispatch import settle
from neurorules.language.config import TrainConfig
from neurorules.rules import RULES
from neurorules.torch_path.training.batches import load_data
from neurorules.torch_path.training.trainer import train
rule, seeds, settings, control = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3]), json.loads(sys.argv[4])
RULES.modules.setdefault(rule.partition(":")[0], rule)
shared = TrainConfig(net="32-32-32", validation=0, **settings)
row = replace(shared, rule=rule)
if control:
    [row] = frozen_beside([row], shared)
configs = [settle(replace(row, seed=seed)) for seed in range(seeds)]
data = load_data(configs[0], None)
print(json.dumps([train(config, quiet=True, data=data)["test_accuracy"] for config in configs]))
"""


@cache
def digits_runs(rule: str, seeds: int = 5, control: bool = False, **settings: int | str) -> list[float]:
    """Test accuracy on real digits, seed by seed, on a net whose frozen layers lose much; of a rule, or of its control.

    In a process of its own: the checks of every call that hold in tests would make training ten times slower.
    """
    given = json.dumps(settings or {"epochs": 6, "batch_size": 32})
    command = [sys.executable, "-c", TRAINING, rule, str(seeds), given, json.dumps(control)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return [float(accuracy) for accuracy in json.loads(done.stdout)]


LEARNING = [n for n in NAMES if RULES.make(n).supervised and not RULES.make(n).control]


@pytest.mark.slow
@pytest.mark.parametrize("name", [*LEARNING, "sigprop:form=voltage"])
def test_a_learning_rule_beats_its_frozen_control_by_three_standard_errors(name: str) -> None:
    paired = [a - b for a, b in zip(digits_runs(name), digits_runs(name, control=True), strict=True)]
    error = statistics.stdev(paired) / len(paired) ** 0.5
    assert statistics.mean(paired) > 3 * error > 0


@pytest.mark.slow
def test_the_sign_of_pepitas_projection_decides() -> None:
    # x + F e moves a sample away from its own class where F holds class means: only against them is that descent.
    along, against = (
        digits_runs(f"pepita:form=dendritic:init=class_means:sign={sign}", seeds=2) for sign in ("plus", "minus")
    )
    frozen = digits_runs("pepita", control=True)
    assert max(along) < min(frozen) - 0.2
    assert min(against) > max(frozen) + 0.1


@pytest.mark.slow
def test_pepita_learns_nothing_from_another_samples_error() -> None:
    rule = "pepita:form=dendritic:init=class_means:sign=minus"
    own, other = digits_runs(rule, seeds=2), digits_runs(rule, seeds=2, epochs=6, batch_size=32, targets="shuffled")
    assert min(own) > max(other) + 0.1


@pytest.mark.slow
def test_sigprop_learns_from_one_sample_at_a_time() -> None:
    settings = {"seeds": 2, "epochs": 1, "batch_size": 1, "limit": 700}
    frozen = digits_runs("sigprop", control=True, **settings)
    paired = zip(digits_runs("sigprop", **settings), frozen, strict=True)
    assert min(learned - frozen for learned, frozen in paired) > 0.1


def test_the_digits_are_real() -> None:
    data = open_dataset("digits")
    assert len(data.train_labels) + len(data.test_labels) == 1797
