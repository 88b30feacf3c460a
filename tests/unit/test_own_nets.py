"""A user's own net goes wherever a net goes: train, compare, resume, load, record, simulate and the command line."""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path

import pytest
import snntorch
import torch
from places import content, done, refused
from torch import Tensor, nn

import neurorules
from neurorules import Learner
from neurorules.language.errors import UserError
from neurorules.runs.interrupt import StopFlag
from neurorules.torch_path.snntorch.from_module import from_module
from neurorules.torch_path.training import training_run
from neurorules.torch_path.training.stored_net import named

SHORT = {"data": "digits", "steps": 4, "epochs": 1, "limit": 120, "batch_size": 32}
LINE = ["--data", "digits", "--steps", "4", "--epochs", "1", "--limit", "120", "--batch-size", "32"]


class Net(nn.Module):
    """Decays of each neuron's own, a layer that stays as it is, and a read-out that reads two layers."""

    def __init__(self) -> None:
        super().__init__()
        betas = torch.linspace(0.5, 0.95, 20)
        self.fc1, self.lif1 = nn.Linear(64, 20), snntorch.Leaky(betas, threshold=0.3, init_hidden=True)
        self.norm, self.lif2 = nn.BatchNorm1d(16), snntorch.Synaptic(0.5, 0.8, threshold=0.3, init_hidden=True)
        self.fc2, self.out, self.skip = nn.Linear(20, 16), nn.Linear(16, 10), nn.Linear(20, 10)
        self.fc1.weight.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        first = self.lif1(self.fc1(x.flatten(1)))
        return self.out(self.lif2(self.norm(self.fc2(first)))) + self.skip(first)


SOURCE = """
import snntorch
from torch import nn


def make_net(width: int = 16):
    return nn.Sequential(
        nn.Linear(64, width), snntorch.Leaky(0.8, threshold=0.3, init_hidden=True), nn.Linear(width, 10)
    )


def make_other():
    return make_net(8)


def make_loop():
    class Loop(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.lif, self.out = nn.Linear(64, 8), snntorch.Leaky(0.8, init_hidden=True), nn.Linear(8, 10)

        def forward(self, x):
            return sum(self.out(self.lif(self.fc(frame))) for frame in x)

    return Loop()


def make_nine():
    return nn.Sequential(nn.Linear(64, 8), snntorch.Leaky(0.8, init_hidden=True), nn.Linear(8, 9))


def make_rnn():
    return nn.Sequential(nn.Linear(64, 8), nn.GRU(8, 8), nn.Linear(8, 10))


def make_text():
    return "64-64"


def make_error():
    raise RuntimeError("out of ideas")


number = 3
"""


@pytest.fixture
def net() -> Net:
    torch.manual_seed(1)
    return Net()


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that holds the user's module, which is the current one."""
    (tmp_path / "minenets.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "minenets", raising=False)
    return tmp_path


def test_a_run_of_a_module_begins_with_its_weights_and_is_found_again_without_it(net: Net, tmp_path: Path) -> None:
    before = {name: value.clone() for name, value in net.state_dict().items()}
    result = neurorules.train("bptt", net=net, out=tmp_path / "run", lr=0.0, readout_lr=0.0, **SHORT)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert result["init"] == "given" and result["net"].startswith("Net#")
    assert "hidden2 16 cuba_lif (batch normalisation), readout 10 leaky_readout (reads hidden1)" in result["net_layers"]
    learner = neurorules.load(tmp_path / "run")
    assert isinstance(learner, Learner)
    assert torch.equal(learner.learned.parameters["hidden1.ff.w"], before["fc1.weight"])
    assert torch.equal(learner.learned.parameters["readout.hidden1.w"], before["skip.weight"])
    there = Learner(net, "bptt", steps=4, input_shape=(1, 8, 8), device="cpu")
    there.load(learner.state(), weights_only=True)
    drive = torch.rand(4, 7, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    here, other = learner.respond(drive), there.respond(drive)
    assert torch.equal(here.scores, other.scores) and float(here.activity[1].S.values.sum()) > 0


def test_a_net_travels_to_another_process_whole(net: Net) -> None:
    sent = named(from_module(net, (1, 8, 8), 4), "Net")
    arrived = pickle.loads(pickle.dumps(sent))
    assert named(arrived, "Net").name == sent.name and arrived.frozen == {"hidden1.ff.w"}
    assert all(torch.equal(value, arrived.parameters[name]) for name, value in sent.parameters.items())


def test_what_a_run_learned_goes_back_into_the_module(net: Net, tmp_path: Path) -> None:
    frozen, before = net.fc1.weight.clone(), net.fc2.weight.clone()
    neurorules.train("bptt", net=net, out=tmp_path / "run", **SHORT)
    neurorules.load(tmp_path / "run").write_back(net)
    assert torch.equal(net.fc1.weight, frozen) and not torch.equal(net.fc2.weight, before)
    again = Learner(net, "bptt", steps=4, input_shape=(1, 8, 8), device="cpu")
    loaded = neurorules.load(tmp_path / "run")
    assert torch.equal(again.learned.parameters["hidden2.ff.w"], loaded.learned.parameters["hidden2.ff.w"])


def test_a_run_that_was_stopped_goes_on_to_the_same_bits_from_its_own_file(
    net: Net, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = neurorules.train("sigprop", net=net, out=tmp_path / "whole", **SHORT)
    stops = iter([False, True])
    with monkeypatch.context() as patch:
        patch.setattr(StopFlag, "requested", property(lambda self: next(stops, False)))
        with pytest.raises(KeyboardInterrupt):
            neurorules.train("sigprop", net=net, out=tmp_path / "stopped", **SHORT)
    torch.manual_seed(5)
    other_weights = Net()
    result = neurorules.train("sigprop", net=other_weights, out=tmp_path / "stopped", resume=True, **SHORT)
    assert result["test_accuracy"] == whole["test_accuracy"]
    weights = [neurorules.load(tmp_path / name).learned.parameters for name in ("whole", "stopped")]
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
    other_weights.lif2.beta.fill_(0.7)
    with pytest.raises(UserError, match="net is"):
        neurorules.train("sigprop", net=other_weights, out=tmp_path / "stopped", resume=True, **SHORT)


def test_weights_are_drawn_anew_for_each_seed_of_a_comparison_unless_they_are_given(net: Net, tmp_path: Path) -> None:
    options = {"net": net, "lr": 0.0, "readout_lr": 0.0, **SHORT}
    both = {"seeds": 2, "controls": "shallow"}
    drawn = neurorules.compare("bptt", tmp_path / "drawn", **both, **options)
    given = neurorules.compare("bptt", tmp_path / "given", init="given", controls="none", **options)
    folders = [tmp_path / "drawn" / "bptt" / "seed0", tmp_path / "drawn" / "bptt" / "seed1"]
    first, second, third = (
        neurorules.load(folder).learned.parameters for folder in (*folders, tmp_path / "given" / "bptt" / "seed0")
    )
    assert not torch.equal(first["hidden2.ff.w"], second["hidden2.ff.w"])
    for parameters in (first, second, third):
        assert torch.equal(parameters["hidden1.ff.w"], net.fc1.weight)  # requires_grad=False
        assert torch.equal(parameters["hidden2.ff.w"], net.fc2.weight) == (parameters is third)
    pages = {name: (tmp_path / name / "report.html").read_text() for name in ("drawn", "given")}
    assert "weights are drawn anew for each seed" in pages["drawn"]
    assert "each run begins with the weights of the module" in pages["given"]
    assert drawn["settings"]["net"] == given["settings"]["net"] and drawn["settings"]["net_layers"]
    assert [run["control"] for run in drawn["runs"]] == ["", "", "shallow", "shallow"]
    assert not drawn["audit"]["left_out"] and drawn["audit"]["facts"]
    (folders[1] / "result.json").unlink()
    again = neurorules.compare("bptt", tmp_path / "drawn", resume=True, **both, **options)
    assert [run["test_accuracy"] for run in again["runs"]] == [run["test_accuracy"] for run in drawn["runs"]]
    with torch.no_grad():
        net.fc2.weight[0, 0] += 1.0  # of no account where weights are drawn
    neurorules.compare("bptt", tmp_path / "drawn", resume=True, **both, **options)
    with pytest.raises(UserError, match=r"other weights of Net#\w+: hidden2\.ff\.w\. Give the net as it was"):
        neurorules.compare("bptt", tmp_path / "given", init="given", controls="none", resume=True, **options)
    with torch.no_grad():
        net.fc1.weight[0, 0] += 1.0  # which stays as it is
    with pytest.raises(UserError, match="hidden1"):
        neurorules.compare("bptt", tmp_path / "drawn", resume=True, **both, **options)


def test_the_command_line_takes_a_function_and_all_commands_find_its_net(
    mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done("train", "--net", "minenets:make_net:width=12", "--rule", "dfa", "--out", "run", *LINE)
    stored = json.loads((mine / "run" / "config.json").read_text())
    assert stored["net"].startswith("minenets:make_net:width=12#")
    done("train", "--net", "minenets:make_net:width=12", "--rule", "dfa", "--out", "twice", *LINE)
    (mine / "minenets.py").write_text("raise RuntimeError('a stored run needs no code of the user')\n")
    sys.modules.pop("minenets", None)
    weights = [neurorules.load(mine / name).learned.parameters["hidden1.ff.w"] for name in ("run", "twice")]
    assert torch.equal(*weights) and weights[0].shape == (12, 64)
    done("record", "run", "--samples", "2", "--out", "traces.h5")
    done("simulate", "run", "--samples", "2")
    capsys.readouterr()


@pytest.mark.parametrize(
    ("net", "words"),
    {
        "minenets:make_loop": "loops over its input",
        "minenets:make_rnn": "layer 1 (GRU) has no counterpart",
        "minenets:make_nine": "the net has 9 outputs, and the data have 10 classes",
        "minenets:make_text": "net is a str",
        "minenets:make_error": "make_error() failed (RuntimeError: out of ideas)",
        "minenets:make_nothing": "has no function 'make_nothing'",
        "minenets:number": "has no function 'number'",
        "minenets:make_net:depth=3": "depth",
        "nowhere:make_net": "there is no module 'nowhere'",
        "minenets:": "is neither a text of layers nor module:function",
        "Net#0123456789": "lay in the memory of a Python program",
    }.items(),
)
def test_what_cannot_be_had_ends_in_one_line_and_leaves_nothing(
    mine: Path, capsys: pytest.CaptureFixture[str], net: str, words: str
) -> None:
    before = {name for name in content(mine) if "__pycache__" not in name}
    assert words in refused(capsys, "train", "--net", net, "--out", "run", *LINE)
    assert words in refused(capsys, "compare", "--rules", "bptt", "--net", net, "--out", "runs", *LINE)
    after = {name for name in content(mine) if "__pycache__" not in name}
    assert after == before and not (mine / "run").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--neuron", "lif"], "neuron is lif, and the layers of your net decide it"),
        (["--norm", "none"], "norm is none, and the layers of your net decide it"),
        (["--readout", "all"], "readout is all"),
        (["--path", "continuous"], "a net of modules runs in steps"),
    ],
)
def test_settings_that_layers_decide_are_refused_beside_a_module(
    mine: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    assert words in refused(capsys, "train", "--net", "minenets:make_net", "--out", "run", *LINE, *options)


def test_rows_and_searches_that_change_a_module_are_refused(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["--net", "minenets:make_net", *LINE]
    assert "changes a net of modules" in refused(capsys, "compare", "--rules", "bptt@neuron=if", *line)
    assert "Use --path torch" in refused(capsys, "compare", "--rules", "sigprop", "--paths", "continuous", *line)
    assert "tune takes nets as text" in refused(capsys, "tune", "--rules", "bptt", *line)
    assert "init is given" in refused(capsys, "train", "--net", "8", "--init", "given", *LINE)


def test_a_net_that_was_changed_in_its_folder_is_not_taken(net: Net, tmp_path: Path) -> None:
    neurorules.train("bptt", net=net, out=tmp_path / "run", **SHORT)
    net.lif1.threshold.fill_(0.5)
    neurorules.train("bptt", net=net, out=tmp_path / "other", **SHORT)
    (tmp_path / "run" / "net.safetensors").write_bytes((tmp_path / "other" / "net.safetensors").read_bytes())
    with pytest.raises(UserError, match="describes another net"):
        neurorules.load(tmp_path / "run")
    (tmp_path / "run" / "net.safetensors").unlink()
    with pytest.raises(UserError, match="there is no file"):
        neurorules.load(tmp_path / "run")


def test_a_run_that_fails_at_once_leaves_no_folder(net: Net, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: object, stop: object) -> None:
        raise MemoryError

    monkeypatch.setattr(training_run.Run, "learn", broken)
    with pytest.raises(MemoryError):
        neurorules.train("bptt", net=net, out=tmp_path / "run", **SHORT)
    assert not content(tmp_path)
