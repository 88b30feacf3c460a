"""Short-term plasticity: the published recursion, the same spikes and changes in every schedule and on both paths."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from test_brian2_learning import trial_of
from test_brian2_online import assert_same_trajectories
from test_brian2_parity import in_256ths
from test_schedules import CLASSES, NETS, assert_schedules_agree

from neurorules.brian2_steps.case import Case
from neurorules.brian2_steps.parity import compare_spikes
from neurorules.brian2_steps.simulate import run_together
from neurorules.connections.dynamic import Dynamic
from neurorules.contracts.series import Series
from neurorules.language.errors import UserError
from neurorules.network.initial import initialise
from neurorules.network.model import build_model
from neurorules.network.network import build_network
from neurorules.rules import RULES
from neurorules.torch_path.forward.drive import transmitted
from neurorules.torch_path.training.learner import Learner
from neurorules.torch_path.trial.trial import Trial

TIRING, FACILITATING = "dynamic:release=0.6:recovery=7", "dynamic:release=0.15:recovery=3:facilitation=12"
KINDS = pytest.mark.parametrize("connection", [TIRING, FACILITATING], ids=["tiring", "facilitating"])


def from_spike_to_spike(times: list[int], connection: Dynamic) -> list[float]:
    """u R / U of each spike by the recursion over intervals of Markram, Wang & Tsodyks 1998."""
    release, rec, facil = connection.release, connection.recovery, connection.facilitation
    u, resources, found = release, 1.0, []
    for number, time in enumerate(times):
        if number:
            gap = time - times[number - 1]
            resources = 1 - (1 - resources * (1 - u)) * math.exp(-gap / rec)
            held = u * math.exp(-gap / facil) if facil else 0.0
            u = held + release * (1 - held)
        found.append(u * resources / release)
    return found


@pytest.mark.parametrize("times", [[0], [2, 3, 4, 5, 6, 7, 8], [0, 1, 9, 30, 31, 39], list(range(0, 40, 5))])
@pytest.mark.parametrize("connection", [Dynamic(1), Dynamic(1, 0.15, 3.0, 12.0), Dynamic(1, 1.0, 0.5, 0.0)], ids=str)
@pytest.mark.parametrize("window", [40, 1, 7])
def test_each_step_is_the_published_recursion_from_spike_to_spike(
    times: list[int], connection: Dynamic, window: int
) -> None:
    spikes = torch.zeros(40, 2, 1, dtype=torch.float64)
    spikes[times, 1] = 3.0  # of any height: the dynamics see that it came
    kept: dict[str, torch.Tensor] = {}
    efficacy = connection.efficacy
    parts = [transmitted("ff", efficacy, Series(part, False), len(part), kept) for part in spikes.split(window)]
    found = torch.cat([part.values for part in parts])
    assert not found[:, 0].any() and not found[spikes == 0].any()
    np.testing.assert_allclose(found[times, 1, 0] / 3, from_spike_to_spike(times, connection), rtol=1e-12)


def test_tiring_synapses_send_less_and_facilitating_ones_first_more() -> None:
    row = [0, 1, 2, 3]
    tiring, rising = (from_spike_to_spike(row, c) for c in (Dynamic(1, 0.6, 7.0), Dynamic(1, 0.1, 1.0, 20.0)))
    assert tiring == sorted(tiring, reverse=True) and tiring[0] == 1
    assert rising == sorted(rising) and rising[1] > 1.4


@KINDS
@pytest.mark.parametrize("net", ["12-8", "r10-8", "c3k3-p2-12-r8"])
def test_the_same_spikes_in_torch_and_in_brian2(connection: str, net: str) -> None:
    shape, generator = (1, 6, 6), torch.Generator().manual_seed(4)
    made = build_network(net, shape, 3, neuron="lif:beta=0.9:v_threshold=2", norm="none", connection=connection)
    model = build_model(made, RULES.make("stdp"))
    learned = initialise(model, 0, torch.device("cpu"), torch.float64)
    learned.parameters |= {k: in_256ths(generator, *w.shape, low=-256) for k, w in learned.parameters.items()}
    drive = (torch.rand(500, 3, *shape, generator=generator) < 0.3).double()
    batch = Trial(model, learned, Series(drive, False), 500, 500, None, {})
    phase = model.rule.phases[0]
    ((_, activities),) = batch.windows(phase, batch.phase_drive(phase, None), training=False)
    ours = {a.name: x.S.values.flatten(2).numpy() for a, x in zip(made.hidden, activities, strict=False)}
    arrays = {name: value.numpy() for name, value in learned.parameters.items()}
    outcome = run_together([Case(made, arrays, drive.numpy())], 500)[0]
    found = compare_spikes(ours, {name: outcome.layers[name].S for name in ours})
    assert (
        found.spikes_equal
        and found.spikes_compared > 1000
        and all(0.01 < spikes.mean() < 0.9 for spikes in ours.values())
    )
    for layer, activity in zip(made.layers, activities, strict=True):
        np.testing.assert_allclose(outcome.layers[layer.name].v, activity.v.values.flatten(2), rtol=0, atol=1e-9)


@KINDS
@pytest.mark.parametrize("rule", ["stdp:same_step=neither", "dfa", "sigprop:form=voltage"])
def test_weights_move_alike_in_torch_and_in_brian2(connection: str, rule: str) -> None:
    if rule.startswith("sigprop"):
        for norm in ("none", "streaming"):
            trial = trial_of(rule, connection=connection, norm=norm, steps=40)
            trial.assert_same_changes(trial.replay())
    else:
        assert_same_trajectories(trial_of(rule, connection=connection, steps=500, samples=1))


@KINDS
@pytest.mark.parametrize("rule", ["sigprop", "stdp"])
@pytest.mark.parametrize("kind", ["dense", "conv", "recurrent"])
@pytest.mark.parametrize("constant", [False, True], ids=["varying", "constant"])
def test_every_schedule_learns_the_same(connection: str, rule: str, kind: str, constant: bool) -> None:
    net, shape = NETS[kind]
    made = build_network(net, shape, CLASSES, neuron="lif:v_threshold=0.3", connection=connection)
    assert_schedules_agree(build_model(made.on(torch.device("cpu"), torch.float64), RULES.make(rule)), constant)


@pytest.mark.parametrize("rule", ["bptt", "fa", "pepita:form=dendritic"])
def test_a_rule_that_would_carry_something_back_through_it_is_refused(rule: str) -> None:
    made = build_network("12-8", (9,), 3, connection=TIRING)
    with pytest.raises(UserError, match=r"transmits spikes by those before.*Use --connection dense"):
        build_model(made, RULES.make(rule))


def test_a_constant_activity_beside_its_input_is_refused() -> None:
    learner = Learner("12-8", rule="pepita", input_shape=(9,), classes=3, connection=TIRING)
    with pytest.raises(UserError, match=r"constant activity beside its input.*Use --connection dense"):
        learner.step(torch.ones(8, 4, 9), torch.zeros(4, dtype=torch.long))
    network = build_network("8", (9,), 3, connection=TIRING, norm="none")
    case = Case(network, {}, np.zeros((3, 1, 9)), offset=np.zeros((1, 9)))
    with pytest.raises(UserError, match="no constant activity beside them"):
        run_together([case], 3)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("release=0", r"release is 0.0. Give a number above 0 and at most 1"),
        ("release=1.5", "release is 1.5. Give a number"),
        ("recovery=0", "recovery is 0.0. Give a number above 0"),
        ("recovery=inf", "recovery is inf"),
        ("facilitation=-1", "facilitation is -1.0. Give a number of at least 0"),
        ("releas=0.5", "Did you mean 'release'"),
    ],
)
def test_options_out_of_range_are_refused(option: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        build_network("8", (9,), 3, connection=f"dynamic:{option}")
