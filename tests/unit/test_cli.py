"""The command line: what it prints, and how it fails: exit 2, one plain line, nothing lost."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from neurorules.cli import run

SMALL = ["--net", "12", "--steps", "3", "--epochs", "1", "--limit", "200"]


def fails(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line of a refusal."""
    code = run(list(arguments))
    captured = capsys.readouterr()
    assert code == 2
    assert captured.out == ""
    lines = captured.err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("neurorules: ") and "Traceback" not in lines[0]
    return lines[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["trian"], ["trian", "Did you mean 'train'"]),
        (["train", "--rul", "sigprop"], ["--rul", "--rule"]),
        (["train", "--rule", "sigprp"], ["unknown rule 'sigprp'", "sigprop"]),
        (["train", "--rule", "sigprop:fom=voltage"], ["unknown option of rule 'sigprop' 'fom'", "form"]),
        (["train", "--rule", "sigprop:form=volts"], ["volts", "voltage"]),
        (["train", "--rule", "sigprop:tau=warm"], ["tau", "'warm', which is not a number"]),
        (["train", "--data", "mnst"], ["mnst", "mnist"]),
        (["train", "--data", "no/such/file.npz"], ["no/such/file.npz"]),
        (["train", "--neuron", "lift"], ["unknown neuron 'lift'", "lif"]),
        (["train", "--neuron", "lif:beta=2"], ["beta is 2.0", "[0, 1]"]),
        (["train", "--neuron", "lif:surrogate=atna"], ["unknown surrogate 'atna'", "atan"]),
        (["train", "--encode", "poison"], ["poison", "poisson"]),
        (["train", "--encode", "frames"], ["frames", "images"]),
        (["train", "--optimizer", "adm"], ["adm", "adam"]),
        (["train", "--signal", "dfaa"], ["unknown signal 'dfaa'", "dfa"]),
        (["train", "--signal", "perturbation", "--rule", "dfa"], ["modulated"]),
        (["train", "--rule", "stdp", "--dw", "-m_post * S_pre"], ["m_post", "--signal"]),
        (["train", "--dw", "-m_pst * S_pre"], ["m_pst", "Did you mean `m_post`"]),
        (["train", "--dw", "clip(m_post * S_pre, 0, 1)"], ["mixes post and pre"]),
        (["train", "--norm", "layer"], ["unknown normalisation 'layer'", "batch, none, streaming"]),
        (["train", "--rule", "ottt", "--scores", "count"], ["ottt", "error at each step", "scores=membrane"]),
        (["train", "--connection", "conv2d"], ["'conv2d' joins maps", "dense", "--net c16k3"]),
        (["train", "--connection", "conv2d_grouped:groups=2"], ["joins maps"]),
        (["train", "--connection", "recurrent"], ["a population with itself", "--net r100"]),
        (["train", "--connection", "recurrent_delayed"], ["a population with itself"]),
        (["train", "--connection", "dense:size=3"], ["connection 'dense'", "--net", "Leave size out"]),
        (["train", "--rule", "eprop:c_reg=1e300"], ["c_reg", "no number of single precision"]),
        (
            ["train", "--rule", "eprop:feedback=adaptive", "--net", "20", "--schedule", "1", "--data", "digits"],
            ["dfa:feedback=adaptive", "--schedule by_layer", "option"],
        ),
        (["train", "--hardware", "fixed_pont"], ["fixed_pont", "fixed_point"]),
        (["train", "--precision", "float16"], ["float16", "float"]),
        (["train", "--readout", "lst"], ["lst", "last"]),
        (["train", "--schedule", "by_leyer"], ["by_leyer", "by_layer"]),
        (["train", "--path", "brain2"], ["brain2", "brian2"]),
        (["train", "--steps", "many"], ["--steps"]),
        (["train", "--steps", "0"], ["--steps is 0"]),
        (["train", "--epochs", "-1"], ["--epochs is -1"]),
        (["train", "--lr", "-0.1"], ["--lr is -0.1"]),
        (["train", "--validation", "2000"], ["--validation 2000", "1437"]),
        (["train", "--net", "64--64"], ["64--64"]),
        (["train", "--net", "c4k9v"], ["9x9", "8x8"]),
        (["train", "--net", "10-c4k3"], ["convolution", "(10,)"]),
        (["train", "--net", "c4k3-p9"], ["pooling by 9"]),
        (["train", "--neuron", "rate", "--steps", "4"], ["rate neurons", "--steps 1"]),
        (["train", "--rule", "bptt", "--schedule", "by_step"], ["bptt", "by_layer"]),
        (["train", "--norm", "batch", "--schedule", "by_step"], ["batch", "by_layer"]),
        (["train", "--resume"], ["--resume", "--out"]),
        (["train", "--config", "missing.json"], ["missing.json"]),
        (["compare", "--rules", ""], ["--rules"]),
        (["compare", "--rules", "sigprop,bpt"], ["bpt", "bptt"]),
        (["compare", "--seeds", "0"], ["--seeds is 0"]),
        (["compare", "--controls", "shalow"], ["unknown control 'shalow'", "shallow"]),
        (["compare", "--rules", "sigprop@lrr=0.1"], ["setting", "'lrr'", "'lr'"]),
        (["compare", "--rules", "sigprop@lr=0.1@lr=0.2"], ["'lr' is given twice"]),
        (["compare", "--rules", "sigprop@lr"], ["'@lr'", "@setting=value"]),
        (["compare", "--rules", "sigprop@lr="], ["'@lr='", "@setting=value"]),
        (["compare", "--rules", "sigprop@=1"], ["'@=1'", "@setting=value"]),
        (["compare", "--rules", "sigprop@@lr=1"], ["'@'", "@setting=value"]),
        (["compare", "--rules", "@lr=0.1"], ["names no rule"]),
        (["compare", "--rules", "sigprop@lr=fast"], ["'lr'", "'fast'", "number"]),
        (["compare", "--rules", "sigprop@lr=-1"], ["lr is -1"]),
        (["compare", "--rules", "sigprop@net=10"], ["net", "whole comparison"]),
        (["compare", "--rules", "sigprp@lr=0.1"], ["sigprp", "sigprop"]),
        (["compare", "--rules", "bptt,shallow", "--signal", "dfa"], ["--signal", "bptt@signal"]),
        (["compare", "--rules", "bptt", "--dw", "-S_pre"], ["--dw", "bptt@dw"]),
        (["compare", "--rules", "sigprop", "--signal", "dfa,drpt"], ["drpt", "drtp"]),
        (["compare", "--rules", "shallow@signal=dfa"], ["shallow", "--signal"]),
        (["train", "--rule", "shallow", "--signal", "dfa"], ["--signal", "shallow", "control"]),
        (["train", "--rule", "shallow", "--dw", "-m_post * S_pre"], ["--dw", "shallow", "control"]),
        (["train", "--signal-lr", "-1"], ["--signal-lr is -1"]),
        (["train", "--readout-optimizer", "adm"], ["adm", "adam"]),
        (["train", "--rule", "bptt", "--targets", "shuffled"], ["bptt", "read-out's own error", "sigprop"]),
        (["train", "--targets", "shuffled", "--batch-size", "1"], ["--targets shuffled", "--batch-size is 1"]),
        (["list", "ruels"], ["ruels", "rules"]),
        (["cite", "sigprp"], ["sigprp", "sigprop"]),
        (["record", "nowhere"], ["nowhere"]),
        (["export", "nowhere.h5"], ["nowhere.h5"]),
        (["plot", "nowhere.h5"], ["nowhere.h5"]),
        (["simulate", "nowhere"], ["nowhere"]),
        (["new", "rule", "Not-A-Name"], ["Not-A-Name"]),
        (["new", "rule", "sigprop"], ["exists"]),
    ],
)
def test_a_mistake_gives_exit_2_and_one_line_that_helps(
    arguments: list[str],
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    line = fails(capsys, *arguments)
    for word in words:
        assert word in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.environ.get("CUDA_VISIBLE_DEVICES") == "0", reason="there is a CUDA device")
def test_cuda_without_cuda_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    assert "cuda" in fails(capsys, "train", "--device", "cuda", "--out", str(tmp_path / "run"))


def write_idx(path: Path, array: np.ndarray) -> None:
    head = bytes([0, 0, 8, array.ndim]) + b"".join(int(n).to_bytes(4, "big") for n in array.shape)
    path.write_bytes(gzip.compress(head + array.astype(np.uint8).tobytes()))


def test_damaged_data_is_told_before_anything_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, out = tmp_path / "data", tmp_path / "run"
    data.mkdir()
    for part, count in (("train", 20), ("t10k", 10)):
        write_idx(data / f"{part}-images-idx3-ubyte.gz", np.zeros((count, 6, 6)))
        write_idx(data / f"{part}-labels-idx1-ubyte.gz", np.arange(count) % 3)
    whole = (data / "train-images-idx3-ubyte.gz").read_bytes()
    (data / "train-images-idx3-ubyte.gz").write_bytes(whole[: len(whole) // 2])
    assert "train-images" in fails(capsys, "train", "--data", str(data), "--out", str(out))
    x, y = np.random.default_rng(0).random((30, 5)), np.arange(30) % 3
    x[3, 2] = np.nan
    np.savez(tmp_path / "own.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    assert "NaN" in fails(capsys, "train", "--data", str(tmp_path / "own.npz"), "--out", str(out))
    assert not out.exists()


def test_train_prints_one_json_object_and_writes_the_run_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert run(["train", *SMALL, "--out", str(out), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result == json.loads((out / "result.json").read_text())
    assert 0 <= result["test_accuracy"] <= 1 and result["needs"] == ["layer_pool", "target"]
    names = {path.name for path in out.iterdir()}
    assert {"config.json", "metrics.jsonl", "result.json", "weights.safetensors", "checkpoint.safetensors"} <= names
    assert len((out / "metrics.jsonl").read_text().splitlines()) == 1


def test_a_folder_with_a_run_is_never_overwritten_without_force(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "run")
    assert run(["train", *SMALL, "--out", out, "--json"]) == 0
    before = (tmp_path / "run" / "result.json").read_text()
    capsys.readouterr()
    assert "--force" in fails(capsys, "train", *SMALL, "--out", out)
    assert "seed" in fails(capsys, "train", *SMALL, "--seed", "3", "--out", out, "--resume")
    assert (tmp_path / "run" / "result.json").read_text() == before
    assert run(["train", *SMALL, "--out", out, "--json", "--force"]) == 0


def test_settings_from_a_file_give_way_to_options_on_the_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.toml").write_text('rule = "dfa"\nnet = "12"\nsteps = 3\nepochs = 1\nlimit = 200\nseed = 4\n')
    arguments = [
        "train",
        "--config",
        str(tmp_path / "mine.toml"),
        "--seed",
        "5",
        "--out",
        str(tmp_path / "r"),
        "--json",
    ]
    assert run(arguments) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["rule"], result["seed"]) == ("dfa", 5)
    (tmp_path / "bad.json").write_text('{"rul": "dfa"}')
    assert "rule" in fails(capsys, "train", "--config", str(tmp_path / "bad.json"))


def test_compare_writes_its_runs_and_goes_on_where_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["compare", *SMALL, "--rules", "sigprop,shallow", "--seeds", "2", "--out", str(tmp_path / "c")]
    assert run([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    rows = ("sigprop", "shallow@readout_lr=0.01", "sigprop, shuffled targets")
    assert [(r["rule"], r["seed"]) for r in found["runs"]] == [(n, s) for n in rows for s in (0, 1)]
    assert {"runs", "alignment", "audit"} <= set(json.loads((tmp_path / "c" / "compare.json").read_text()))
    assert "--resume" in fails(capsys, *arguments)
    (tmp_path / "c" / "shallow@readout_lr=0.01" / "seed1" / "result.json").unlink()
    assert run([*arguments, "--resume", "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert [r["test_accuracy"] for r in again["runs"]] == [r["test_accuracy"] for r in found["runs"]]
    assert again["runs"][0] == found["runs"][0]


def test_record_export_plot_and_simulate_work_on_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, trace = str(tmp_path / "run"), str(tmp_path / "traces.h5")
    assert run(["train", *SMALL, "--out", out]) == 0
    assert run(["record", out, "--samples", "3", "--variables", "S,v", "--out", trace]) == 0
    assert run(["export", trace, "--to", "npz", "--out", str(tmp_path / "traces.npz")]) == 0
    assert run(["plot", trace, "--out", str(tmp_path / "raster.png")]) == 0
    assert (tmp_path / "raster.png").stat().st_size > 5000
    capsys.readouterr()
    assert run(["simulate", out, "--samples", "4", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["spikes_equal"] is True and found["samples"] == 4 and found["spikes_compared"] > 0
    assert "unknown variable 'S_post'" in fails(capsys, "record", out, "--variables", "S_post")
    assert "--samples is 0" in fails(capsys, "record", out, "--samples", "0")


@pytest.mark.parametrize(
    "kind", ["rules", "signals", "neurons", "connections", "encoders", "datasets", "hardware", "surrogates"]
)
def test_list_names_every_entry(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["list", kind, "--json"]) == 0
    entries = json.loads(capsys.readouterr().out)[kind]
    assert entries and all(entry["name"] and entry["what it is"] for entry in entries)


@pytest.mark.parametrize(
    "kind", ["rules", "signals", "neurons", "connections", "normalisations", "encoders", "datasets", "hardware",
             "surrogates", "exporters", "plots"],
)  # fmt: skip
def test_a_list_fits_a_hundred_columns_and_names_stand_on_a_line(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["list", kind, "--json"]) == 0
    names = [entry["name"] for entry in json.loads(capsys.readouterr().out)[kind]]
    assert run(["list", kind]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(len(line.rstrip()) for line in lines) <= 100
    first = [line.split()[0] for line in lines[1:] if line and not line.startswith(" ")]
    assert [word for word in first if word in names] == names and len(lines) < 8 * len(names) + 3


def test_what_a_list_of_rules_leaves_out_stands_in_its_citation(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["list", "rules"]) == 0
    assert "neurorules cite RULE" in capsys.readouterr().out
    assert run(["cite", "stdp"]) == 0
    told = capsys.readouterr().out
    assert "options: a_plus=0.01" in told and "needs: nothing" in told
    learns_in = "torch (train), Brian2 step by step, beside torch (simulate --learn), Brian2 in continuous time"
    assert f"learns in: {learns_in}" in " ".join(told.split())
    assert run(["cite", "dfa"]) == 0
    assert "in continuous time" not in capsys.readouterr().out


def test_a_citation_shows_what_the_texts_declare(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cite", "stdp:same_step=neither", "--equations"]) == 0
    told = capsys.readouterr().out
    assert "a_plus * before(x_pre) * S_post - a_minus * S_pre * before(x_post)" in told
    assert "  with x[t] = 0.8 x[t-1] + S[t], of every neuron\n" in told
    assert "  with before(x) is x without what this step has brought\n" in told
    assert "\n- a pair within one step counts for neither window\n" in told


@pytest.mark.parametrize(
    ("rule", "shown", "hidden"),
    [
        ("etlp:teaching=0.3", ["teaching=0.3"], ["teaching=1.0", "continuous time (train"]),
        ("ostl:feedback=fixed", ["feedback=fixed", "needs: above, fixed_feedback"], ["weight_transport"]),
        ("eprop:feedback=symmetric", ["needs: output_error, target, weight_transport"], ["fixed_feedback"]),
        ("eprop", ["feedback=random", "needs: fixed_feedback", "continuous time (train"], ["weight_transport"]),
    ],
)
def test_a_citation_is_of_the_rule_with_its_options(
    capsys: pytest.CaptureFixture[str], rule: str, shown: list[str], hidden: list[str]
) -> None:
    assert run(["cite", rule]) == 0
    told = " ".join(capsys.readouterr().out.partition("What is not")[0].split())
    assert all(words in told for words in shown), told
    assert not any(words in told for words in hidden), told


@pytest.mark.parametrize(
    ("rule", "sizes"),
    [("ostl", ["B x O x I"]), ("ottt", ["B x I"]), ("eprop", ["B x O x I"] * 2), ("otpe", ["B x O x I"] * 2),
     ("otpe:form=approximate", ["B x O x I"] * 2), ("reward_stdp", ["B x O x I"])],
)  # fmt: skip
def test_a_citation_says_what_eligibilities_take_step_by_step(
    capsys: pytest.CaptureFixture[str], rule: str, sizes: list[str]
) -> None:
    assert run(["cite", rule, "--equations"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert re.findall(r"of every synapse \((.*?) numbers", told) == sizes


def test_a_new_rule_file_is_listed_trains_and_cites(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from neurorules import rules

    monkeypatch.setattr(rules, "__path__", [*rules.__path__, str(tmp_path)])
    assert run(["new", "rule", "my_rule", "--folder", str(tmp_path)]) == 0
    namespace: dict[str, object] = {}
    exec((tmp_path / "my_rule.py").read_text(), namespace)
    made = namespace["ENTRY"]()  # type: ignore[operator]
    import torch

    from neurorules.network.initial import initialise
    from neurorules.network.model import build_model
    from neurorules.network.network import build_network

    model = build_model(build_network("8", (1, 4, 4), 3), made)
    assert initialise(model, 0, torch.device("cpu"), torch.float32).parameters
    capsys.readouterr()
    assert "exists" in fails(capsys, "new", "rule", "my_rule", "--folder", str(tmp_path))


STOPPED = [
    "train", "--net", "24-24", "--epochs", "12", "--limit", "700", "--batch-size", "16", "--encode", "poisson",
    "--threads", "1",
]  # fmt: skip


def wait_for_epochs(out: Path, epochs: int) -> None:
    for _ in range(3000):
        if (out / "metrics.jsonl").exists() and len((out / "metrics.jsonl").read_text().splitlines()) >= epochs:
            return
        time.sleep(0.02)
    raise AssertionError("the run did not get on")


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nobody stopped."""
    out = tmp_path_factory.mktemp("stopped") / "straight"
    assert run([*STOPPED, "--out", str(out)]) == 0
    return out


@pytest.mark.slow
@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_run_resumes_to_the_same_bits(kind: signal.Signals, straight: Path, tmp_path: Path) -> None:
    stopped = tmp_path / "stopped"
    command = [sys.executable, "-m", "neurorules", *STOPPED, "--out", str(stopped)]
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        wait_for_epochs(stopped, 2)
        process.send_signal(kind)
        _, errors = process.communicate(timeout=60)
    assert not (stopped / "result.json").exists()
    if kind == signal.SIGINT:
        assert process.returncode == 130 and "--resume" in errors and len(errors.strip().splitlines()) == 1
    assert run([*STOPPED, "--out", str(stopped), "--resume"]) == 0
    assert (stopped / "weights.safetensors").read_bytes() == (straight / "weights.safetensors").read_bytes()
    rows = [[json.loads(line) for line in (f / "metrics.jsonl").read_text().splitlines()] for f in (straight, stopped)]
    assert len(rows[0]) == len(rows[1]) == 12
    for a, b in zip(*rows, strict=True):
        assert {k: v for k, v in a.items() if k != "train_seconds"} == {
            k: v for k, v in b.items() if k != "train_seconds"
        }


def test_a_truncated_checkpoint_falls_back_to_the_last_good_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    arguments = ["train", "--net", "12", "--steps", "3", "--epochs", "3", "--limit", "200", "--out", str(out), "--json"]
    assert run(arguments) == 0
    straight = (out / "weights.safetensors").read_bytes()
    (out / "result.json").unlink()
    whole = (out / "checkpoint.safetensors").read_bytes()
    (out / "checkpoint.safetensors").write_bytes(whole[: len(whole) // 2])
    assert run([*arguments, "--resume"]) == 0
    assert (out / "weights.safetensors").read_bytes() == straight
