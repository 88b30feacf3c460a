"""The parts around the BSP reconstruction: causal distance on the command line, PID, signed spikes, records of G1."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from neurorules.causal import CoupledSystem, influence, ranking
from neurorules.cli import run
from neurorules.connections.ring import Ring
from neurorules.language.config import config_from
from neurorules.language.errors import UserError
from neurorules.native.rings import run_edges
from neurorules.neurons._signed import signed_spikes
from neurorules.torch_path.training.restore import restore
from neurorules.torch_path.trial.learn import learn_trial
from neurorules.torch_path.update.optimiser import Optimiser
from neurorules.traces.store import TraceReader

SMALL = ["--net", "6", "--epochs", "1", "--limit", "200", "--threads", "1"]


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(list(arguments)) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1
    return captured.err


def test_causal_distance_ranks_a_ring_and_draws_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "graph.svg"
    command = ["causal-distance", "five_element:k2=0.4:k3=2", "--time", "0.5", "--out", str(picture), "--json"]
    assert run(command) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["regime"].startswith("asymptotically stable") and found["target"] == "J"
    distance = {row["source"]: row["distance"] for row in found["ranking"]}
    assert [distance[f"k1_{e}"] for e in "JSMHT"] == [1, 2, 3, 3, 2]
    assert [row["distance"] for row in found["ranking"]] == sorted(distance.values())
    through_t = next(row for row in found["ranking"] if row["source"] == "k1_T")
    assert through_t["coefficient"] == pytest.approx(2.0) and through_t["strength"] == pytest.approx(2 * 0.5**2 / 2)
    assert picture.read_text().count("<path") > 15
    assert run(["causal-distance", "five_element:k2=0", "--json"]) == 0
    assert "oscillator" in json.loads(capsys.readouterr().out)["regime"]


def test_causal_distance_takes_any_system_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "chain.json"
    chain = {"variables": ["a", "b", "c"], "coupling": [[0, 0, 0], [2, 0, 0], [0, 3, 0]]}
    file.write_text(json.dumps({**chain, "parameters": {"p": [1, 0, 0], "q": [0, 0, 5]}}))
    assert run(["causal-distance", str(file), "--target", "c", "--json"]) == 0
    ranked = [(r["source"], r["distance"], r["coefficient"]) for r in json.loads(capsys.readouterr().out)["ranking"]]
    assert ranked == [("q", 1, 5.0), ("p", 3, 6.0)]
    assert run(["causal-distance", str(file), "--target", "a"]) == 0
    assert "never" in capsys.readouterr().out
    file.write_text(json.dumps({**chain, "parameters": {"p": [1, 0]}}))
    assert "'p' has shape (2,)" in refused(capsys, "causal-distance", str(file))
    file.write_text("[]")
    assert "holds no system" in refused(capsys, "causal-distance", str(file))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--target", "Q"], "unknown variable 'Q'"),
        (["--layers", "0"], "--layers is 0"),
        (["--time", "0"], "--time is 0"),
        (["lif"], "not a system of coupled variables"),
        (["five_element:k3=0"], "k3 is 0.0. Give a number above 0"),
        (["--out", "graph.gif"], "unknown picture format 'gif'"),
    ],
)
def test_causal_distance_refuses_in_a_line(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert words in refused(capsys, "causal-distance", *arguments)


def test_an_effect_whose_shortest_paths_cancel_is_told_by_a_coefficient_of_zero() -> None:
    diamond = np.zeros((4, 4))
    diamond[1, 0], diamond[2, 0], diamond[3, 1], diamond[3, 2] = 1.0, 1.0, 2.0, -2.0
    system = CoupledSystem(("a", "b", "c", "d"), diamond, {"p": np.array([1.0, 0, 0, 0])})
    found = influence(system, "p", "d", 0.1)
    assert found.distance == 3 and found.coefficient == 0
    with pytest.raises(UserError, match="unknown parameter 'q'"):
        influence(system, "q", "d", 0.1)
    assert ranking(system, "a", 0.1)[0].distance == 1


def test_pid_adds_the_gradient_its_sum_and_its_change() -> None:
    parameters = {"hidden1.ff.w": torch.zeros(2)}
    optimiser = Optimiser(parameters, {"hidden1.ff.w": "pid:kp=2:ki=0.5:kd=3:keep=1"}, {"hidden1.ff.w": 0.1})
    first, second = torch.tensor([1.0, -2.0]), torch.tensor([3.0, 1.0])
    optimiser.step({"hidden1.ff.w": first})
    torch.testing.assert_close(parameters["hidden1.ff.w"], -0.1 * (2 * first + 0.5 * first))
    before, kept = parameters["hidden1.ff.w"].clone(), {k: v.clone() for k, v in optimiser.state().items()}
    optimiser.step({"hidden1.ff.w": second})
    moved = -0.1 * (2 * second + 0.5 * (first + second) + 3 * (second - first))
    torch.testing.assert_close(parameters["hidden1.ff.w"] - before, moved)
    other = Optimiser({"hidden1.ff.w": before}, {"hidden1.ff.w": "pid:kp=2:ki=0.5:kd=3:keep=1"}, {"hidden1.ff.w": 0.1})
    other.load(kept)
    other.step({"hidden1.ff.w": second})
    torch.testing.assert_close(before, parameters["hidden1.ff.w"])


def test_pid_refuses_gains_it_cannot_have() -> None:
    with pytest.raises(UserError, match="unknown option of optimizer 'pid' 'kpp'"):
        Optimiser({"a.w": torch.zeros(1)}, {"a.w": "pid:kpp=1"}, {"a.w": 0.1})
    with pytest.raises(UserError, match=r"keep is 2.0. Give a number in \[0, 1\]"):
        Optimiser({"a.w": torch.zeros(1)}, {"a.w": "pid:keep=2"}, {"a.w": 0.1})
    with pytest.raises(UserError, match="unknown option of optimizer 'adam'"):
        Optimiser({"a.w": torch.zeros(1)}, {"a.w": "adam:kp=1"}, {"a.w": 0.1})


def test_signed_spikes_carry_the_sum_of_their_current_to_half_a_threshold(generator: torch.Generator) -> None:
    current, threshold = torch.randn(9, 4, 5, generator=generator), torch.tensor(0.3)
    spikes = signed_spikes(current, threshold, burst=40)
    assert torch.equal(spikes, spikes.round()) and spikes.min() < 0 < spikes.max()
    assert ((spikes * threshold).cumsum(0) - current.cumsum(0)).abs().max() <= 0.15 + 1e-5
    assert signed_spikes(current, threshold, burst=2).abs().max() == 2
    assert not signed_spikes(torch.full((3, 1, 1), 0.04), threshold, 4).any()


def test_a_ring_whose_input_is_zero_adds_nothing_and_its_gradient_is_none(generator: torch.Generator) -> None:
    ring, pre = Ring(3), torch.randn(4, 6, generator=generator)
    pre[:, 2] = 0
    w = ring.initial((6,), generator, 1.0)
    assert w.shape == ring.weight_shape((6,)) == (5, 6, 3) and ring.post_shape((6,)) == (3,)
    moved = w.clone()
    moved[:, 2] += 0.5
    assert torch.equal(ring.current(w, pre), ring.current(moved, pre))
    gradient = ring.correlate(w, torch.randn(4, 3, generator=generator), pre)
    assert not gradient[:, 2].any() and gradient[:, 3].all()
    scale = 6.0 / 6**0.5
    torch.testing.assert_close(ring.current(w, pre), run_edges(ring.system, pre, w.exp()) * scale)
    with pytest.raises(UserError, match="flat population"):
        ring.post_shape((1, 2, 3))


def test_a_rings_leading_gain_is_a_signed_weight_set_by_its_fixed_point() -> None:
    ring, pre = Ring(1, gain=1.0, steps=40, h=0.001), torch.tensor([[0.01]], dtype=torch.float64)
    for up, sign in ((0.5, 1), (-0.5, -1)):
        w = torch.zeros(5, 1, 1, dtype=torch.float64)
        w[1], w[4] = up, -up
        expected = (np.exp(up) - np.exp(-up)) * 0.04**2 / 2 * 0.01
        found = float(ring.current(w, pre))
        assert found * sign > 0 and found == pytest.approx(expected, rel=0.03)


def test_what_is_recorded_of_a_reverse_circuit_is_what_would_be_learned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, trace = tmp_path / "run", tmp_path / "t.h5"
    assert run(["train", "--rule", "bsp", *SMALL, "--out", str(out)]) == 0
    command = ["record", str(out), "--samples", "3", "--variables", "forward,reverse,m,G1", "--out", str(trace)]
    assert run(command) == 0
    restored = restore(out)
    learner, test = restored.learner, restored.data.test
    with TraceReader(trace) as reader:
        for sample in range(3):
            drive, labels = test.batch(np.array([sample]), torch.Generator())
            with torch.no_grad():
                trial = learn_trial(learner.model, learner.trial_state(), drive, 1, labels, learner.generator)
            g1 = reader.dense(sample, "hidden1.ff", "G1")
            np.testing.assert_allclose(g1.reshape(6, -1), trial.gradients["hidden1.ff.w"].numpy(), atol=1e-6)
            reverse = reader.dense(sample, "readout", "reverse")
            np.testing.assert_allclose(reverse, trial.third_factors["readout"].values.numpy(), atol=1e-6)
            forward = reader.dense(sample, "hidden1", "forward")
            np.testing.assert_allclose(forward, trial.activity[0].S.values[:, 0].numpy(), atol=1e-6)
    capsys.readouterr()
    assert run(["train", "--rule", "dfa", *SMALL, "--steps", "2", "--out", str(out), "--force"]) == 0
    capsys.readouterr()
    assert "'dfa' has no reverse circuit. Record m" in refused(capsys, "record", str(out), "--variables", "reverse")
    assert run(["record", str(out), "--samples", "2", "--variables", "m,G1", "--out", str(trace), "--force"]) == 0


def test_a_normalisation_of_none_is_not_the_rules_own() -> None:
    assert config_from({"norm": "none"}).norm == "none" and config_from({"norm": None}).norm is None
    assert config_from({"limit": "none"}).limit is None


NODES_ALONE = """
import json
from neurorules.language.config import TrainConfig
from neurorules.rules import RULES
from neurorules.torch_path.training.trainer import train
found = {}
for rule in ("bsp:method=nodes", "bsp"):
    config = TrainConfig(rule=rule, net="32", epochs=5, batch_size=32, validation=0, threads=1)
    found[rule] = train(RULES.make(rule).settle(config), quiet=True)["test_accuracy"]
print(json.dumps(found))
"""


@pytest.mark.slow
def test_fixed_points_of_nodes_alone_do_not_classify() -> None:
    done = subprocess.run([sys.executable, "-c", NODES_ALONE], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["bsp:method=nodes"] < 0.4 and found["bsp"] > 0.9
