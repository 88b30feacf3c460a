"""Scripts of networks that run step by step: they learn the weights, and send the spikes, of our own runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from neurorules.brian2_objects.script import save, write
from neurorules.brian2_steps.case import Case
from neurorules.brian2_steps.script import script_of_updates
from neurorules.brian2_steps.simulate import run_together
from neurorules.cli import run
from neurorules.contracts.series import Series
from neurorules.language.errors import UserError
from neurorules.runner.scripts import changes_of, copied
from neurorules.runner.side_by_side import check_can_learn, compare_updates
from neurorules.torch_path.training.learner import Learner
from tests.unit.test_scripts import assert_same, learned_by

pytest.importorskip("brian2")

STEPS, SAMPLES = 4, 3
SMALL = {"net": "5-4", "shape": (7,)}


def learner(rule: str, net: str, shape: tuple[int, ...], **settings: object) -> Learner:
    given = {"neuron": "lif:beta=0.8", "steps": STEPS, "precision": "float64", "device": "cpu", **settings}
    return Learner(net, rule, input_shape=shape, classes=3, **given)  # type: ignore[arg-type]


def batches(updates: int, shape: tuple[int, ...], steps: int = STEPS) -> list[tuple[Series, torch.Tensor]]:
    generator = torch.Generator().manual_seed(1)
    rows = [4 * (torch.rand(steps, SAMPLES, *shape, generator=generator) < 0.5).double() for _ in range(updates)]
    return [(Series(one, False), torch.arange(SAMPLES) % 3) for one in rows]


def updated(
    rule: str, path: Path, net: str, shape: tuple[int, ...], updates: int, warm: bool = True, **settings: object
) -> Learner:
    """Learn some updates in Brian2, and write them as a script; the learner that Brian2 taught."""
    here, there = learner(rule, net, shape, **settings), learner(rule, net, shape, **settings)
    steps = here.steps
    check_can_learn(here, SAMPLES)
    if warm:  # From the second update on there are running averages.
        trained = learner(rule, net, shape, **settings)
        trained.step(*batches(1, shape, steps)[0])
        for one in (here, there):
            one.load(trained.state(), weights_only=True)
    cases: list[Mapping[str, Case]] = []
    done = list(compare_updates(here, there, batches(updates, shape, steps), lambda one: cases.append(copied(one))))
    assert all(update.equal for update in done)
    save(write(script_of_updates(cases, steps, changes_of(here), ("A test.",))), path, force=False)
    return there


@pytest.mark.parametrize(
    ("rule", "settings"),
    [
        ("triplet_stdp", {"weight_sum": 0.9}),
        ("stdp", {"optimizer": "momentum", "net": "r5"}),
        ("drtp", {"norm": "none", "optimizer": "sgd"}),
        ("sigprop", {}),
        ("sigprop", {"neuron": "rate", "steps": 1, "optimizer": "none", "readout_optimizer": "adam"}),
        ("dfa", {"net": "c2k3-p2", "shape": (1, 6, 6), "weight_decay": 0.01, "weight_sum": 1.5}),
    ],
)
def test_a_script_learns_what_updates_in_brian2_learn(rule: str, settings: dict[str, object], tmp_path: Path) -> None:
    script = tmp_path / "model.py"
    there = updated(rule, script, updates=2, **{**SMALL, **settings})  # type: ignore[arg-type]
    learned = learned_by(script)
    ours = {name: value.numpy() for name, value in there.learned.parameters.items() if name in learned}
    assert {"readout.ff.w", "readout.b", "hidden1.ff.w", "hidden1.b"} <= ours.keys()
    assert_same(learned, ours)
    with np.load(script.with_suffix(".npz")) as stored:
        assert np.abs(stored["hidden1.ff.w"] - ours["hidden1.ff.w"]).max() > 1e-9


def test_the_script_of_a_trained_net_sends_its_spikes(tmp_path: Path) -> None:
    folder, script = tmp_path / "run", tmp_path / "net.py"
    given = ["--data", "digits", "--net", "6-5", "--limit", "40", "--epochs", "1", "--steps", "5"]
    assert run(["train", "--rule", "shallow", *given, "--out", str(folder)]) == 0
    assert run(["simulate", str(folder), "--samples", "3", "--script", str(script)]) == 0
    from neurorules.brian2_steps.trained import numbers_of
    from neurorules.torch_path.training.restore import restore

    restored = restore(folder, precision="float64", device="cpu")
    drive = restored.data.test.batch(np.arange(3), torch.Generator().manual_seed(restored.config.seed))[0]
    parameters, norms = numbers_of(restored.learner.model, restored.learner.trial_state())
    case = Case(restored.learner.model.network, parameters, drive.values.double().numpy(), normalisation=norms)
    [ours] = run_together([case], 5)
    learned = learned_by(script)
    said = {name: f"{name}.{'membranes' if name == 'readout' else 'spikes'}" for name in ours.layers}
    sent = {name: learned.pop(said[name]) for name in ours.layers}
    assert_same(learned, {name: value for name, value in parameters.items() if name in learned})
    for name, layer in ours.layers.items():
        assert np.array_equal(sent[name], layer.S) and layer.S.any(), name


def test_updates_of_which_the_first_has_no_running_averages_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="running averages"):
        updated("dfa", tmp_path / "model.py", updates=2, warm=False, **SMALL)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_an_optimiser_that_no_script_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="pid.*cannot be written"):
        updated("stdp", tmp_path / "model.py", updates=1, optimizer="pid", **SMALL)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())
