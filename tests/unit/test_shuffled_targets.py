"""The control of shuffled targets: hidden layers are taught their neighbour's, the read-out its own."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from neurorules.compare.controls import control_of, with_controls
from neurorules.compare.rows import name_of, parse_rows
from neurorules.contracts.series import Series
from neurorules.language.config import TrainConfig
from neurorules.language.errors import UserError
from neurorules.network.initial import initialise
from neurorules.network.model import build_model
from neurorules.network.network import build_network
from neurorules.rules import RULES
from neurorules.torch_path.training.learner import Learner
from neurorules.torch_path.trial.learn import TrialResult, learn_trial

ROWS, STEPS, CLASSES = 7, 4, 3


def trial(rule: str, targets: str, labels: Tensor) -> TrialResult:
    network = build_network("8-6", (10,), CLASSES, neuron="lif:beta=0.9")
    model = build_model(network, RULES.make(rule), targets=targets)  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(2)
    drive = Series(torch.rand(STEPS, ROWS, 10, generator=generator, dtype=torch.float64) * 2, False)
    learned = initialise(model, 0, torch.device("cpu"), torch.float64)
    for _ in range(2):
        found = learn_trial(model, learned, drive, STEPS, labels, generator)
        learned = replace(found.learned, parameters=learned.parameters)
    return learn_trial(model, learned, drive, STEPS, labels, generator)


@pytest.mark.parametrize("rule", ["sigprop", "sigprop:embedding=class_means", "drtp", "local_readout:readouts=fixed"])
def test_hidden_layers_learn_the_neighbours_label_and_the_read_out_its_own(rule: str) -> None:
    labels = torch.tensor([0, 1, 2, 2, 1, 0, 1])
    shuffled, own, rolled = (
        trial(rule, "shuffled", labels).gradients,
        trial(rule, "own", labels).gradients,
        trial(rule, "own", labels.roll(1)).gradients,
    )
    for name, value in shuffled.items():
        same, other = (own, rolled) if name.startswith("readout") else (rolled, own)
        assert torch.equal(value, same[name]), name
        if name.endswith("ff.w"):
            assert not torch.equal(value, other[name]), name


def test_an_output_error_comes_from_the_neighbour_as_well() -> None:
    labels = torch.tensor([0, 1, 2, 2, 1, 0, 1])
    shuffled, own = trial("dfa", "shuffled", labels), trial("dfa", "own", labels)
    m, expected = (found.third_factors["hidden1"].values for found in (shuffled, own))
    assert torch.allclose(m, expected.roll(1, 0), rtol=1e-12) and not torch.allclose(m, expected)
    assert torch.equal(shuffled.gradients["readout.ff.w"], own.gradients["readout.ff.w"])


def test_a_pipeline_teaches_the_same_targets() -> None:
    learners = [
        Learner("8-6", "sigprop", input_shape=(10,), classes=CLASSES, steps=STEPS, schedule=schedule,
                precision="float64", targets="shuffled")
        for schedule in ("by_layer", "pipelined")
    ]  # fmt: skip
    generator = torch.Generator().manual_seed(5)
    for _ in range(2):
        spikes = (torch.rand(STEPS, ROWS, 10, generator=generator) < 0.5).double()
        labels = torch.randint(0, CLASSES, (ROWS,), generator=generator)
        for learner in learners:
            learner.push(spikes, labels)
    learners[1].flush()
    here, there = (learner.learned.parameters for learner in learners)
    assert all(torch.equal(value, there[name]) for name, value in here.items())


@pytest.mark.parametrize(
    ("rule", "words"),
    [("bptt", "read-out's own error"), ("fa", "read-out's own error"), ("bsp", "read-out's own error"),
     ("shallow", "not taught at all"), ("stdp", "not taught at all")],
)  # fmt: skip
def test_rules_without_a_signal_of_the_hidden_layers_own_refuse_in_one_line(rule: str, words: str) -> None:
    own = RULES.make(rule).defaults
    network = build_network(
        "6", (10,), CLASSES, neuron=own.neuron, readout_neuron=own.readout_neuron, norm=own.norm,
        connection=own.connection,
    )  # fmt: skip
    with pytest.raises(UserError, match=f"'{rule}'.*{words}.*such as sigprop"):
        build_model(network, RULES.make(rule), targets="shuffled")


def test_one_sample_has_no_neighbour() -> None:
    with pytest.raises(UserError, match="--batch-size is 1"):
        TrainConfig(targets="shuffled", batch_size=1)


def test_controls_join_what_is_not_there_yet() -> None:
    config = TrainConfig()

    def added(rules: str, controls: str = "shallow,shuffled", **settings: object) -> list[tuple[str, str]]:
        given = replace(config, **settings)  # type: ignore[arg-type]
        rows = parse_rows(rules, given)
        return [(c.rule, c.targets) for c in with_controls(rows, given, controls) if c not in rows]

    assert added("bptt,dfa,fa") == [("shallow", "own"), ("dfa", "shuffled")]
    assert added("sigprop:form=voltage,shallow@readout_lr=0.1") == [("sigprop:form=voltage", "shuffled")]
    assert added("bptt,fa") == [("shallow", "own")]
    assert added("sigprop", "none") == [] and added("sigprop", "shallow") == [("shallow", "own")]
    assert added("sigprop", path="brian2") == [] and added("dfa", batch_size=1) == [("shallow", "own")]
    assert added("sigprop", targets="shuffled") == [("shallow", "own")]
    with pytest.raises(UserError, match="shufled.*shuffled"):
        added("sigprop", "shufled")


def test_rows_say_what_is_not_the_usual() -> None:
    run, shared = {"rule": "sigprop", "targets": "shuffled", "hardware": "fixed_point", "path": "torch"}, TrainConfig()
    assert name_of(run, shared) == "sigprop, shuffled targets @ fixed_point" and control_of(run) == "shuffled"
    assert (
        name_of({"rule": "bsp", "path": "continuous"}, shared) == "bsp @ continuous"
        and control_of({"rule": "bsp"}) == ""
    )
    assert control_of({"rule": "shallow", "targets": "own"}) == "shallow"
