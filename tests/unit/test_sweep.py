"""`sweep`: what its file may say, what it tries and prunes, what it keeps, and how it goes on."""

from __future__ import annotations

import json
import math
import os
import signal
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurorules.cli import run
from neurorules.compare import many_runs, slurm
from neurorules.compare.sweep import sweep
from neurorules.compare.sweep.file import WORDS, read_sweep
from neurorules.compare.tuning import trials as attempts
from neurorules.compare.tuning.proposals import Grid, proposals_of
from neurorules.compare.tuning.settings import changed
from neurorules.compare.tuning.space import Choice, Range, parse_space
from neurorules.compare.tuning.stored import Form, write_search
from neurorules.compare.tuning.trials import STARTUP, Floors, Outcome, Searched
from neurorules.disk.lock import owned_folder
from neurorules.language.config import TrainConfig
from neurorules.language.errors import MissingExtra, UserError
from neurorules.runner.dispatch import settle, validation_curves
from neurorules.torch_path.training import trainer

PAGE = Path(__file__).resolve().parents[2] / "docs" / "sweeps.md"
TRAIN = '[train]\nnet = "12"\nsteps = 3\nepochs = 3\nlimit = 120\nbatch_size = 20\nvalidation = 40\nthreads = 1\n'
SPACE = '[space]\nlr = "1e-4..1e-1:log"\nreadout_lr = "1e-4..1e-1:log"\nrule.form = ["surrogate", "voltage"]\n'
FORM = Form("sweep", "neurorules sweep", "sweeping", 1)
needs_a_queue = pytest.mark.skipif(find_spec("dask_jobqueue") is None, reason="dask-jobqueue is not installed")


def written(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sweep.toml").write_text(text)
    return folder / "sweep.toml"


def trials_of(content: dict[str, Any]) -> list[dict[str, Any]]:
    (trials,) = content["trials"].values()
    return list(trials)


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole sweep by Optuna, which prunes."""
    pytest.importorskip("optuna")
    folder = tmp_path_factory.mktemp("sweep")
    sweep(written(folder, f'way = "optuna"\ntrials = 14\n{TRAIN}{SPACE}'), folder / "whole", quiet=True)
    return folder


def read(out: Path) -> dict[str, Any]:
    return dict(json.loads((out / "sweep.json").read_text()))


def test_the_file_of_the_documents_is_swept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example = PAGE.read_text().split("```toml\n")[1].split("```")[0]
    assert all(f"`{word}`" in PAGE.read_text() for word in ("[train]", "[space]", *WORDS[2:]))
    out = tmp_path / "out"
    assert run(["sweep", str(written(tmp_path, example)), "--out", str(out)]) == 0
    shown, content = capsys.readouterr().out, read(out)
    assert content["best"]["command"] in shown and str(out / "sweep.json") in shown
    assert (out / "sweep.png").read_bytes().startswith(b"\x89PNG")
    lines = (out / "sweep.csv").read_text().splitlines()
    assert lines[0].startswith("trial,state,lr,") and len(lines) == 1 + len(trials_of(content))
    assert run(["sweep", str(tmp_path / "sweep.toml"), "--out", str(out), "--resume", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == content


def test_the_best_trial_is_that_of_the_highest_validation_accuracy_and_its_line_trains_it(swept: Path) -> None:
    best, trials = read(swept / "whole")["best"], trials_of(read(swept / "whole"))
    whole = [trial for trial in trials if trial["state"] == "complete"]
    assert best["validation_accuracy"] == max(trial["validation_accuracy"] for trial in whole)
    assert trials[best["trial"] - 1]["settings"] == best["settings"]
    form = best["settings"]["rule.form"]
    assert best["command"].startswith(f"neurorules train --rule sigprop:form={form} ")
    assert all(f" {said} " in best["command"] for said in ("--net 12", "--steps 3", "--batch-size 20", "--path torch"))
    config = changed(read_sweep(swept / "sweep.toml").train, best["settings"])
    again = trainer.train(config, quiet=True)
    assert again["validation_accuracy"] == best["validation_accuracy"] and again["rule"].endswith(f"form={form}")


def test_a_pruned_trial_learned_the_same_epochs_as_without_pruning_and_ended_below_the_median(swept: Path) -> None:
    content = read_sweep(swept / "sweep.toml")
    trials = trials_of(read(swept / "whole"))
    assert {trial["state"] for trial in trials} == {"complete", "pruned"}
    assert all(trial["state"] == "complete" for trial in trials[:STARTUP])
    for place, trial in enumerate(trials):
        (curve,) = trial["curves"]
        before = trials[: place // content.at_once * content.at_once]
        whole = [one["curves"][0] for one in before if one["state"] == "complete"]
        ended = [
            epoch
            for epoch in (1, 2)
            if len(whole) >= STARTUP and max(curve[:epoch]) < np.median([one[epoch - 1] for one in whole])
        ]
        assert len(curve) == (ended[0] if ended else 3) and ("validation_accuracy" in trial) == (not ended)
        if ended:
            (unpruned,) = validation_curves(changed(content.train, trial["settings"]), 1, None)
            assert unpruned[: len(curve)] == curve


@pytest.mark.parametrize("higher", [True, False])
def test_trials_are_pruned_where_optunas_median_pruner_prunes(higher: bool) -> None:
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=STARTUP, n_warmup_steps=0)
    study = optuna.create_study(direction="maximize" if higher else "minimize", pruner=pruner)
    one = Searched(
        TrainConfig(), "row", {}, Grid({}), "accuracy" if higher else "mse", own_first=False, prunes=True
    )  # fmt: skip
    random, pruned = np.random.default_rng(0), 0
    for number in range(30):
        trial, curve, state = study.ask(), [], "complete"
        for epoch in range(int(random.integers(2, 6))):
            curve.append(float(random.random()))
            trial.report(curve[-1], epoch)
            assert trial.should_prune() == (not one.floors.keep(curve)), (number, epoch)
            if trial.should_prune():
                state, pruned = "pruned", pruned + 1
                break
        if state == "pruned":
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        else:
            study.tell(trial, curve[-1])
        one.add({}, Outcome(state, [curve]))  # type: ignore[arg-type]
    assert 5 < pruned < 25
    assert Floors().keep([0.0, 0.0])


def test_a_sweep_that_was_killed_in_the_middle_of_a_round_ends_as_if_it_never_was(swept: Path, tmp_path: Path) -> None:
    whole = read(swept / "whole")
    (name,) = whole["trials"]
    part = {key: whole[key] for key in ("method", "asked", "rows")}
    write_search(tmp_path, {**part, "finished": False, "trials": {name: whole["trials"][name][:9]}}, FORM)
    sweep(swept / "sweep.toml", tmp_path, resume=True, quiet=True, jobs=2)
    for file in ("sweep.json", "sweep.csv", "sweep.png"):
        assert (tmp_path / file).read_bytes() == (swept / "whole" / file).read_bytes(), file


@pytest.mark.parametrize("method", ["optuna", "random"])
def test_more_trials_lengthen_a_sweep_to_what_they_would_have_been(method: Any) -> None:
    space = parse_space("lr=1e-4..1e-1:log,norm=streaming|none")

    def fresh() -> Searched:
        proposals = proposals_of(method, space, 3, at_once=4)
        return Searched(TrainConfig(), "row", space, proposals, own_first=False, at_once=4, prunes=True)

    def go_on(one: Searched, total: int) -> Searched:
        while len(one.trials) < total:
            floors = one.floors
            for settings in one.pending(total):
                assert one.floors == floors  # also where a sweep goes on in the middle of a round
                figure = 1 / (1 + abs(math.log10(settings["lr"]) + 2))
                keeps = one.floors.keep([figure])
                one.add(settings, Outcome("complete", [[figure, figure]]) if keeps else Outcome("pruned", [[figure]]))
        return one

    short, whole, longer = go_on(fresh(), 6), go_on(fresh(), 15), fresh()
    longer.repeat(short.trials, 15, "the sweep")
    assert go_on(longer, 15).trials == whole.trials and {t["state"] for t in whole.trials} == {"complete", "pruned"}
    edited = [{**short.trials[0], "settings": {"lr": 0.5, "norm": "none"}}]
    with pytest.raises(UserError, match="the sweep tried other settings"):
        fresh().repeat(edited, 15, "the sweep")


def test_a_grid_tries_each_point_once_and_a_range_has_as_many_as_it_says(tmp_path: Path) -> None:
    space = '[space]\nlr = "1e-4..1e-2:log:points=3"\nweight_decay = [0, 1e-4]\nneuron.beta = [0.5, 0.9]\n'
    train = TRAIN.replace("epochs = 3", "epochs = 1")
    file = written(tmp_path, f'way = "grid"\nseeds = 2\n{train}neuron = "lif"\n{space}')
    content = read_sweep(file)
    assert content.space["lr"] == Choice((1e-4, 1e-3, 1e-2)) and (content.trials, content.prune) == (12, False)
    found = trials_of(sweep(file, tmp_path / "out", quiet=True))
    tried = [tuple(trial["settings"].values()) for trial in found]
    assert tried == [(lr, decay, beta) for lr in (1e-4, 1e-3, 1e-2) for decay in (0, 1e-4) for beta in (0.5, 0.9)]
    assert all(len(trial["accuracies"]) == 2 for trial in found)
    assert {len(trial["curves"]) for trial in found} == {2}


def test_an_option_is_put_into_the_text_of_its_part() -> None:
    config = TrainConfig(rule="sigprop:k=3:form=voltage", neuron=None, hardware="fixed_point:bits=6")
    new = changed(config, {"rule.form": "surrogate", "hardware.bits": 4, "lr": 0.1})
    assert (new.rule, new.hardware, new.lr) == ("sigprop:k=3:form=surrogate", "fixed_point:bits=4", 0.1)
    assert changed(config, {"neuron": "lif", "neuron.beta": 0.5}).neuron == "lif:beta=0.5"
    assert changed(config, {"rule.centred": False, "rule.tau": None}).rule.endswith("centred=false:tau=none")
    settle(changed(config, {"rule.centred": False, "rule.tau": None}))


def test_settings_that_do_not_go_together_are_refused_trials_and_the_others_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    space = '[space]\nrule = ["sigprop", "dfa"]\nsignal = ["prototypes", "dfa"]\n'
    out = tmp_path / "out"
    assert run(["sweep", str(written(tmp_path, f'way = "grid"\n{TRAIN}{space}')), "--out", str(out)]) == 0
    states = [(*trial["settings"].values(), trial["state"]) for trial in trials_of(read(out))]
    assert states == [
        ("sigprop", "prototypes", "complete"), ("sigprop", "dfa", "complete"),
        ("dfa", "prototypes", "refused"), ("dfa", "dfa", "complete"),
    ]  # fmt: skip
    assert read(out)["states"] == {"complete": 3, "pruned": 0, "refused": 1}
    assert capsys.readouterr().out.count("refused: ") == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("way = ", ["no TOML", "line 1"]),
        (f"{TRAIN}{SPACE}[spce]\nlr = 1\n", ["'spce'", "'space'"]),
        (f"lr = 0.1\n{TRAIN}{SPACE}", ["'lr'", "below [train]"]),
        (f'way = "rndom"\n{TRAIN}{SPACE}', ["'rndom'", "'random'"]),
        (f"trials = 0\n{TRAIN}{SPACE}", ["trials is 0"]),
        (f"trials = true\n{TRAIN}{SPACE}", ["trials", "whole number"]),
        (f"seeds = 0\n{TRAIN}{SPACE}", ["seeds is 0"]),
        (f"at_once = -1\n{TRAIN}{SPACE}", ["at_once is -1"]),
        (f"prune = 1\n{TRAIN}{SPACE}", ["prune", "true or false"]),
        (TRAIN, ["searches nothing"]),
        (f"{TRAIN}[space]\n", ["searches nothing"]),
        (f"{TRAIN}[space]\nlr = []\n", ["lr in [space]", "empty"]),
        (f"{TRAIN}[space]\nlr = 0.1\n", ["lr in [space]", "neither"]),
        (f"{TRAIN}[space]\nlr = [[1, 2]]\n", ["lr in [space]", "neither"]),
        (f'{TRAIN}[space]\nlr = "1e-1..1e-4:log"\n', ["lr in [space]", "must rise"]),
        (f'{TRAIN}[space]\nlr = "0..inf"\n', ["must rise", "finite"]),
        (f'{TRAIN}[space]\nlr = "nan..1"\n', ["must rise", "finite"]),
        (f'{TRAIN}[space]\nlr = "0..1:points=1"\n', ["points", "is 1"]),
        (f'{TRAIN}[space]\nlr = "0..1:points=many"\n', ["points", "'many'"]),
        (f"{TRAIN}[space]\nlr = [nan]\n", ["lr is nan"]),
        (f"{TRAIN}[space]\nlrr = [1, 2]\n", ["'lrr'", "'lr'"]),
        (f"{TRAIN}[space]\nseed = [1, 2]\n", ["seed in [space]", "[train]"]),
        (f"{TRAIN}[space]\nepochs = [1, 2]\n", ["epochs stands in [train] and in [space]"]),
        (f"{TRAIN}[space]\nlr.fast = [1, 2]\n", ["lr in [space]", "no options"]),
        (f'{TRAIN}[space]\nrule.frm = ["voltage"]\n', ["'frm'", "'form'"]),
        (f'{TRAIN}[space]\nrule.form = ["voltag"]\n', ["voltag", "'voltage'"]),
        (f"{TRAIN}[space]\nhardware.bits = [4]\n", ["no hardware is given"]),
        (f'{TRAIN}[space]\nrule = ["sigprp"]\n', ["sigprp", "sigprop"]),
        (f'{TRAIN.replace("net", "#")}[space]\nnet = ["m:f"]\n', ["m:f", "sweep"]),
        (f'{TRAIN}optimizer = "none"\n[space]\nlr = "1e-3..1e-2"\n', ["lr changes nothing"]),
        (f'{TRAIN}rule = "shallow"\n[space]\nlr = "1e-3..1e-2"\n', ["lr changes nothing", "hidden layers"]),
        (f'{TRAIN.replace("steps = 3", "")}path = "continuous"\n[space]\nweight_decay = [0, 1e-3]\n', ["no meaning"]),
        (f'way = "grid"\n{TRAIN}{SPACE}', ["lr in [space]", "points=4"]),
        (f'way = "grid"\ntrials = 3\n{TRAIN}[space]\nlr = [1e-3, 1e-2]\n', ["2 points", "Leave trials out"]),
        (f"{TRAIN.replace('validation = 40', 'validation = 0')}{SPACE}", ["held out"]),
        (f"{TRAIN}neuron = [1]\n{SPACE}", ["neuron in [train]"]),
        (f"{TRAIN.replace('steps', 'stepz')}{SPACE}", ["'stepz'", "'steps'"]),
        ("train = 1\n", ["train is not a table"]),
        (
            f'way = "grid"\n{TRAIN.replace("steps = 3", "steps = 1000000").replace("net", "#")}'
            '[space]\nnet = ["9000"]\n',
            ["every trial was refused, 1 of 1", "memory"],
        ),
    ],
)
def test_a_mistake_gives_one_line_and_leaves_nothing(
    text: str, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "Run", None)  # nothing is trained
    assert run(["sweep", str(written(tmp_path / "f", text)), "--out", str(tmp_path / "out")]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1 and all(word in line for word in words), line
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_not_there_optuna_that_is_missing_and_an_owned_folder_are_told(
    swept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = ["--out", str(tmp_path / "out")]
    assert run(["sweep", str(tmp_path / "none.toml"), *out]) == 2
    assert "none.toml cannot be read" in capsys.readouterr().err
    with owned_folder(tmp_path / "out"):
        assert run(["sweep", str(swept / "sweep.toml"), *out]) == 2
        assert "is being written by process" in capsys.readouterr().err
    assert run(["sweep", str(swept / "sweep.toml"), "--out", str(swept / "whole")]) == 2
    assert "--resume" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert run(["sweep", str(swept / "sweep.toml"), *out]) == 2
    assert "neurorules[sweep]" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_a_sweep_goes_on_with_the_same_file_alone(
    swept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = written(tmp_path, f'way = "random"\ntrials = 14\n{TRAIN}lr_schedule = "constant"\n{SPACE}')
    assert run(["sweep", str(other), "--out", str(swept / "whole"), "--resume"]) == 2
    line = capsys.readouterr().err
    assert 'way is "optuna", asked "random"' in line and "lr_schedule" in line


def test_a_stop_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls, real = [0], attempts.validation_curves

    def stops(*arguments: Any) -> Any:
        calls[0] += 1
        if calls[0] == 3:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(attempts, "validation_curves", stops)
    file, out = written(tmp_path, f'way = "random"\ntrials = 4\n{TRAIN}{SPACE}'), tmp_path / "out"
    assert run(["sweep", str(file), "--out", str(out)]) == 130
    line = capsys.readouterr().err
    assert f"neurorules sweep {file} --out {out} --resume" in line and len(trials_of(read(out))) == 2
    assert read(out)["finished"] is False and not (out / "sweep.png").exists()


@needs_a_queue
def test_a_queue_that_is_not_there_is_told_and_ctrl_c_stays_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("dask_jobqueue")]:
        monkeypatch.delitem(sys.modules, name)
    handler = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(slurm.shutil, "which", lambda name: None)
    with pytest.raises(UserError, match="sbatch"), many_runs.workers("slurm"):
        pass
    assert signal.getsignal(signal.SIGINT) is handler
    monkeypatch.setattr(slurm.shutil, "which", lambda name: name)
    with pytest.raises(UserError, match="cores and memory"), many_runs.workers("slurm"):
        pass
    monkeypatch.setitem(sys.modules, "dask_jobqueue", None)
    with pytest.raises(MissingExtra, match="dask-jobqueue"), many_runs.workers("slurm"):
        pass


@pytest.mark.slow
def test_a_dask_cluster_makes_the_same_sweep(tmp_path: Path) -> None:
    distributed = pytest.importorskip("dask.distributed")
    file = written(tmp_path, f'way = "random"\ntrials = 3\n{TRAIN}{SPACE}')
    here = sweep(file, tmp_path / "here", quiet=True)
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        there = sweep(file, tmp_path / "there", dask=cluster.scheduler_address, quiet=True)
    assert there == here


QUEUE = {
    "sbatch": 'cp "$1" {0}/job.sh; (setsid timeout 100 bash {0}/job.sh > {0}/log 2>&1 &); echo "Submitted batch job 7"',
    "scancel": "echo $1 >> {0}/cancelled",
}
"""What stands in for SLURM: a job is a process of this machine."""


@pytest.mark.slow
@needs_a_queue
def test_jobs_of_a_queue_make_the_same_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dask = pytest.importorskip("dask")
    for name, line in QUEUE.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{line.format(tmp_path)}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]), prepend=os.pathsep)
    file = written(tmp_path, f'way = "random"\ntrials = 3\n{TRAIN}{SPACE}')
    here = sweep(file, tmp_path / "here", quiet=True)
    asked = {f"jobqueue.slurm.{name}": value for name, value in (("cores", 1), ("memory", "2GB"))}
    with dask.config.set(asked), dask.config.set({"jobqueue.slurm.scheduler-options": {"dashboard_address": None}}):
        assert sweep(file, tmp_path / "there", dask="slurm", quiet=True) == here
    assert (tmp_path / "cancelled").read_text().split() == ["7"]


def test_ranges_and_lists_of_a_file_are_those_of_tune(tmp_path: Path) -> None:
    space = '[space]\nlr = "1e-4..1e-1:log"\nnorm = "streaming|none"\nweight_decay = [0, 1e-4]\nsteps = "2..9"\n'
    text = f"{TRAIN.replace('steps = 3', '')}{space}"
    content = read_sweep(written(tmp_path, text))
    assert content.space == {
        "lr": Range(1e-4, 1e-1, log=True), "norm": Choice(("streaming", "none")),
        "weight_decay": Choice((0.0, 1e-4)), "steps": Range(2.0, 9.0, whole=True),
    }  # fmt: skip
    assert replace(content.train, steps=3) == replace(read_sweep(written(tmp_path, TRAIN + SPACE)).train)
