"""The change of one weight, step by step, adds up to what the trial asks of it."""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor

from neurorules.contracts.series import Series
from neurorules.language.eligibility import Eligibility
from neurorules.language.errors import UserError
from neurorules.language.rules import DELTA_RULE, Plasticity, Rule, Source
from neurorules.language.settings import Task
from neurorules.network.model import build_model
from neurorules.rules import RULES
from neurorules.torch_path.recording.explain import explain
from neurorules.torch_path.recording.synapse import find_synapse
from neurorules.torch_path.training.learner import Learner
from neurorules.traces.explanation import Explanation

STEPS, CLASSES, SHAPE = 5, 3, (1, 6, 6)
TOLERANCE = 1e-10
FORMS = [
    "sigprop:form=voltage",
    "sigprop:generator=target_input",
    "pepita:form=contrastive",
    "pepita:form=time_local",
    "pepita:form=graded",
    "pepita:form=dendritic",
    "stdp:same_step=neither",
    "local_readout:readouts=fixed",
    "bsp:method=both",
    "tess:waves=sine",
]
TAUGHT = [
    name
    for name in RULES.names()
    if name != "tess" and any(p.parameter == "w" and p.role == "hidden" for p in RULES.make(name).plasticity)
]
FEW_STEPS = {"eventprop": {"neuron": "cuba_lif:alpha=0.82:beta=0.95"}}
"""Neurons of rules whose own ones have thresholds that samples of a few steps do not reach."""
DENSE = ("hidden2:3:4", "hidden1:2:0.3.3", "readout:1:5")
MAPS = ("hidden1:2.1.4:0.2.5", "hidden1:0.0.0:0.0.0", "hidden2:3:11")


def samples(steps: int, rows: int = 1, seed: int = 0) -> tuple[Series, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    drive = (torch.rand(steps, rows, *SHAPE, generator=generator, dtype=torch.float64) < 0.5).double()
    return Series(drive * 1.5, False), torch.randint(0, CLASSES, (rows,), generator=generator)


@cache
def made(rule: str, net: str, **settings: str) -> Learner:
    """A learner whose running averages and read-out have seen something."""
    settings = FEW_STEPS.get(rule, {}) | settings
    learner = Learner(net, rule, input_shape=SHAPE, classes=CLASSES, precision="float64", seed=1, **settings)
    learner.steps = min(STEPS, RULES.make(rule).defaults.steps)
    for seed in range(2):
        learner.step(*samples(learner.steps, rows=4, seed=seed + 10))
    return learner


def explained(learner: Learner, synapse: str, rows: int = 1) -> Explanation:
    """An explanation; the sum it is held against is the trial's own gradient."""
    found = explain(learner, *samples(learner.steps, rows), find_synapse(learner.model.network, synapse))
    np.testing.assert_allclose(found.total, -found.gradient, rtol=TOLERANCE, atol=TOLERANCE * 1e-2)
    return found


@pytest.mark.parametrize("rule", [*TAUGHT, *FORMS])
def test_the_steps_add_up_to_the_gradient_of_a_dense_synapse(rule: str) -> None:
    learner = made(rule, "8-7")
    hidden = [explained(learner, synapse) for synapse in DENSE]
    strongest = explained(learner, hidden[0].strongest)
    assert abs(strongest.gradient) >= max(abs(hidden[0].gradient), 1e-12) or not strongest.gradient
    assert strongest.strongest == strongest.synapse


@pytest.mark.parametrize("rule", ["sigprop:bias=all", "pepita", "bptt", "eventprop", "stdp", "local_readout", "dfa"])
def test_the_steps_add_up_where_a_kernel_is_shared(rule: str) -> None:
    learner = made(rule, "c3k3-p2-7")
    for synapse in MAPS:
        found = explained(learner, synapse)
        alone = [part.own for part in found.parts if part.own is not None]
        assert len(alone) == (0 if synapse.startswith("hidden2") else len(found.parts))
    strongest = explained(learner, explained(learner, MAPS[1]).strongest)
    assert strongest.index[0] == 0 and strongest.strongest == strongest.synapse
    assert abs(strongest.gradient) > 0


def test_a_pair_of_a_strided_kernel_is_the_one_that_the_convolution_multiplies() -> None:
    learner = made("dfa", "c3k3vs2-7")
    found = explained(learner, "hidden1:1.1.0:0.3.2")
    assert found.index == (1, 0, 1, 2)
    part = found.parts[0]
    np.testing.assert_allclose(part.own, (part.terms[0].pre_factor * part.terms[0].post_factor).sum(1), atol=1e-15)


@pytest.mark.parametrize("rule", ["bptt", "sigprop", "stdp"])
def test_the_steps_add_up_in_a_loop_and_under_other_normalisations(rule: str) -> None:
    explained(made(rule, "8-r7"), "hidden2.rec:3:4")
    for norm in ("batch", "none"):
        explained(made(rule, "8-7", norm=norm), "hidden2:3:4", rows=3)


def test_the_steps_add_up_through_synapses_that_tire_dropout_and_a_read_out_of_all_layers() -> None:
    learner = made("local_readout", "8-d0.3-7", connection="dynamic", readout="all")
    for synapse in ("hidden2:3:4", "readout.hidden1:2:5", "readout.hidden2:0:6"):
        assert explained(learner, synapse).synapse == synapse
    with pytest.raises(UserError, match="layer 'readout' has the inputs hidden1, hidden2. Name one: readout.hidden1"):
        find_synapse(learner.model.network, "readout:0:0")


@pytest.mark.parametrize("neuron", ["lif:beta=0.8:reset=zero", "cuba_lif:refractory=2", "alif"])
def test_the_eligibility_shown_is_the_membranes_own(neuron: str) -> None:
    # Forwards in time, dw = sum of post factor x eligibility; the machine runs the same sum backwards.
    learner = made("bptt", "8-7", neuron=neuron, norm="none")
    found = explained(learner, "hidden2:3:4", rows=2)
    read = found.parts[0].variables
    forwards = -(read["m_post"] * read["psi_post"] * read["dv_dw"]).sum() / 2
    np.testing.assert_allclose(forwards, found.total, rtol=TOLERANCE)
    assert abs(forwards) > 1e-9


def test_a_declared_eligibility_is_shown_as_it_stands_at_each_step() -> None:
    tagged = Rule(
        "tagged",
        (Plasticity("w", "-(m_post + 0.5) * e * (1 - 0.2 * w) + 0.01 * S_post * delay(S_pre, 2)"), *DELTA_RULE),
        "dfa",
        Source("A. Nobody", 2026, "None"),
        eligibilities=(Eligibility("e", 0.7, "psi(v_post) * S_pre + 0.3 * S_pre"),),
    )
    for net, synapse in (("8-7", "hidden2:3:4"), ("c3k3-7", "hidden1:2.1.4:0.2.5")):
        learner = made("dfa", net)
        model = learner.model
        learner.model = build_model(model.network, tagged)
        found = explained(learner, synapse)
        learner.model = model
        read = found.parts[0].variables
        term = next(term for term in found.parts[0].terms if term.pre == "e")
        np.testing.assert_allclose(term.weight_factor, 1 - 0.2 * found.weight, rtol=1e-12)
        expected = np.zeros(1)
        for now, arrived in enumerate(read["psi_post"] * read["S_pre"] + 0.3 * read["S_pre"]):
            expected = 0.7 * expected + arrived
            np.testing.assert_allclose(term.pre_factor[now], expected, rtol=1e-9, atol=1e-12)


def test_what_is_shown_is_what_the_texts_read() -> None:
    found = explained(made("sigprop", "8-7"), "hidden2:3:4")
    assert [part.phase for part in found.parts] == ["input", "target"]
    assert [part.variables["v_post"].shape[1] for part in found.parts] == [1, CLASSES]
    assert found.parts[1].row == found.label
    spikes, v = found.parts[0].variables["S_post"], found.parts[0].variables["v_post"]
    assert found.v_threshold is not None
    np.testing.assert_array_equal(spikes > 0, v > found.v_threshold)
    pair = explained(made("stdp", "8-7"), "hidden2:3:4").parts[0]
    assert {"x_pre", "x_post"} <= set(pair.variables) and "m_post" not in pair.variables


@pytest.mark.parametrize(
    ("task", "rule", "told"),
    [
        ("regression", "dfa", r"target 0\.9701, 0\.7078, predicted 0, 0$"),
        ("multilabel", "bptt", r"target 0, 1, predicted [01], [01]$"),
        ("classes_per_step", "dfa", r"target 0, 1, 2, 0, 1, predicted [012], "),
        (
            "regression_per_step",
            "bptt",
            r"target 0\.\d+, 0\.\d+ at the last of 5 steps, predicted 0, 0 at the last",
        ),
    ],
)
def test_targets_without_a_class_are_explained_and_told(task: Task, rule: str, told: str) -> None:
    outputs = {"classes_per_step": {"classes": 3}, "multilabel": {"classes": 2}}.get(task, {"outputs": 2})
    learner = Learner("8-7", rule, input_shape=SHAPE, task=task, precision="float64", seed=1, steps=STEPS, **outputs)
    values = torch.rand(1, STEPS, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    targets = {
        "regression": values[:, 0], "multilabel": torch.tensor([[0.0, 1.0]]), "regression_per_step": values,
        "classes_per_step": torch.arange(STEPS)[None] % 3,
    }[task]  # fmt: skip
    found = explain(learner, samples(STEPS)[0], targets, find_synapse(learner.model.network, "hidden2:3:4"))
    found = explain(learner, samples(STEPS)[0], targets, find_synapse(learner.model.network, found.strongest))
    np.testing.assert_allclose(found.total, -found.gradient, rtol=TOLERANCE)
    assert abs(found.total) > 1e-9 and re.match(told, found.outcome), found.outcome
    assert found.as_dict()["label"] == targets[0].tolist()


def test_nothing_is_left_changed_by_an_explanation() -> None:
    learner = made("dfa", "8-7")
    before = learner.state()
    explained(learner, "hidden2:3:4")
    assert all(torch.equal(value, before[name]) for name, value in learner.state().items())


@pytest.mark.parametrize(
    ("net", "asked", "told"),
    [
        ("8-7", "hiden1:0:0", "unknown layer 'hiden1'. Did you mean 'hidden1'"),
        ("8-7", "hidden1:0", "names no synapse. Write LAYER:POST:PRE, such as hidden1:4:18"),
        ("8-7", "hidden1.rec:0:0", "unknown input of layer 'hidden1' 'rec'. Known: ff"),
        ("8-7", "hidden2:7:0", "layer 'hidden2' has no neuron 7. Its neurons are 0..6"),
        ("8-7", "hidden2:0:-1", "input 'ff' of layer 'hidden2' has no neuron -1. Its neurons are 0..7"),
        ("8-7", "hidden1:0:0.6.0", "has no neuron 0.6.0. Its neurons are 0.0..5.0..5"),
        ("8-7", "hidden2:a:0", "'a' is not a neuron of layer 'hidden2'. Write a number, 0..6"),
        ("c3k3-p2-7", "hidden1:0.3:0", "Write channel.row.column, 0..2.0..5.0..5, or a number, 0..107"),
        ("c3k3-p2-7", "hidden1:0.0.3:0.2.3", "it sees rows 0..1 and columns 2..4 of each map"),
    ],
)
def test_a_synapse_that_is_not_there_is_told(net: str, asked: str, told: str) -> None:
    with pytest.raises(UserError) as caught:
        find_synapse(made("dfa", net).model.network, asked)
    assert told in str(caught.value) and "\n" not in str(caught.value)


def test_a_weight_that_nothing_teaches_and_one_that_is_none_are_told() -> None:
    with pytest.raises(UserError, match="rule 'shallow' has no text for the weights of layer 'hidden1'"):
        explained(made("shallow", "8-7"), "hidden1:0:0")
    with pytest.raises(UserError, match="a synapse of a ring connection"):
        find_synapse(made("bsp:method=fixed_points", "8-7").model.network, "hidden1:0:0")
