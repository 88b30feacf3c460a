"""`bench`: its parts by hand, what stands in its files, and what it refuses; nothing here is judged by time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest
import torch
import typer

from neurorules.bench import peers, steps
from neurorules.bench.accuracy import RECIPES, RULE
from neurorules.bench.bench import bench
from neurorules.bench.growth import grown_mb
from neurorules.bench.hottest import hottest
from neurorules.bench.load import measured_load
from neurorules.bench.measure import ACTIVITIES, Plan, plan
from neurorules.bench.page import page_of
from neurorules.bench.picture import draw
from neurorules.bench.turns import Spread, Turns
from neurorules.cli import app, run
from neurorules.language.architecture import parse_net
from neurorules.language.config import SETTINGS, TrainConfig
from neurorules.rules import RULES

WORK = steps.Work(*steps.poisson(5, 6, rate=0.3), hidden=(12, 9))


def planned(sweep: str | None = None, activity: str | None = None, net: str = "4-6") -> Plan:
    return plan("dfa,bptt", net, 2, 3, activity, sweep, "cpu", 1, 2)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished measurement."""
    folder = tmp_path_factory.mktemp("bench") / "out"
    words = [
        "--rules",
        "dfa",
        "--net",
        "4",
        "--steps",
        "2",
        "--batch-size",
        "3",
        "--repetitions",
        "2",
        "--threads",
        "1",
    ]
    assert run(["bench", *words, "--sweep", "depth", "--activity", "0.1", "--out", str(folder)]) == 0
    return folder


@pytest.mark.parametrize("rate", [0.0, 0.02, 0.3, 0.8, 1.0])
def test_the_input_fires_as_often_as_asked(rate: float) -> None:
    spikes, labels = steps.poisson(20, 30, rate=rate)
    assert spikes.shape == (20, 30, 784) and labels.shape == (30,)
    assert set(spikes.unique().tolist()) <= {0.0, 1.0}
    assert float(spikes.mean()) == pytest.approx(rate, abs=0.005)


def test_bare_products_are_those_of_backpropagation() -> None:
    """Forward and change of weights for each layer, and the error below for each but the first."""
    products = steps.bare_products(WORK)()
    sizes, rows = [784, 12, 9, 10], 5 * 6
    for number, (forward, change, back) in enumerate(products):  # type: ignore[arg-type]
        inputs, outputs = sizes[number : number + 2]
        assert forward.shape == (rows, outputs) and change.shape == (outputs, inputs)
        assert back is None if number == 0 else back.shape == (rows, inputs)
    assert len(products) == 3  # type: ignore[arg-type]


def test_a_memory_pass_copies_every_number_of_the_activity() -> None:
    assert steps.memory_pass(WORK)().numel() == 5 * 6 * (784 + 12 + 9 + 10)  # type: ignore[attr-defined]


@torch.no_grad()
def first_loss(delayed: bool) -> float:
    """Loss of the first step of the net that the other libraries train, by a plain loop over time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = [torch.nn.Linear(a, b) for a, b in ((784, 12), (12, 9), (9, 10))]
    v, total = [torch.zeros(6, n) for n in (12, 9, 10)], torch.zeros(6, 10)
    last = [torch.zeros(6, n) for n in (12, 9)]
    for frame in WORK.spikes:
        for n, layer in enumerate(layers):
            v[n] = 0.9 * v[n] + layer(frame)
            if n < 2:
                frame = ((v[n] - last[n] if delayed else v[n]) > 1).float()
                if delayed:
                    v[n] = v[n] - last[n]
                    last[n] = frame
                else:
                    v[n] = v[n] - frame
        total += v[-1]
    return float(torch.nn.functional.cross_entropy(total / 5, WORK.labels))


@pytest.mark.parametrize("name", list(peers.PEERS))
def test_other_libraries_train_the_same_net(name: str) -> None:
    package, make = peers.PEERS[name]
    if not peers.installed(package):
        pytest.skip(f"{name} is not installed")
    before = torch.random.get_rng_state()
    step = make(WORK)
    losses = [step() for _ in range(4)]
    assert losses[0] == pytest.approx(first_loss(delayed=name == "snnTorch"), abs=1e-5)
    assert losses[-1] < losses[0]  # type: ignore[operator]
    assert torch.equal(before, torch.random.get_rng_state())


def test_our_step_learns_the_batch() -> None:
    step = steps.our_step("bptt", WORK)
    losses = [step()["loss"] for _ in range(10)]  # type: ignore[index]
    assert losses[0] == pytest.approx(first_loss(delayed=True), abs=0.5) and losses[-1] < losses[0]


def test_calls_take_turns_and_ratios_are_those_of_one_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    called, now = [], [0.0]
    lengths = iter([1.0, 2.0, 8.0, 4.0, 6.0, 3.0])
    monkeypatch.setattr("neurorules.bench.turns.time.perf_counter", lambda: now[0])

    def call(name: str) -> None:
        called.append(name)
        if len(called) > 4:
            now[0] += next(lengths)

    turns = Turns({"a": lambda: call("a"), "b": lambda: call("b")}, 3)
    assert "".join(called) == "aabb" + "ab" + "ba" + "ab"
    assert turns.spread("a") == Spread(4000, 2500, 5000) and turns.spread("b").median == 3000
    assert turns.ratio("a", "b") == 0.5 and turns.ratio("b", "a") == 2.0  # of 1/2, 4/8 and 6/3


def test_the_load_is_told_in_cores(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file, now = tmp_path / "stat", [100.0]
    monkeypatch.setattr("neurorules.bench.load.STAT", file)
    monkeypatch.setattr("neurorules.bench.load.time.perf_counter", lambda: now[0])
    monkeypatch.setattr("neurorules.bench.load.time.process_time", lambda: (now[0] - 100) / 4)
    monkeypatch.setattr("neurorules.bench.load.os.sysconf", lambda name: 100)
    file.write_text("cpu 1000 0 500 70000 900 0 0 0 0 0\n")
    with measured_load() as load:
        now[0] += 10
        file.write_text("cpu 1600 0 900 72000 950 0 0 0 0 0\n")  # busy for 10 s of one core
    assert load["own_cores"] == pytest.approx(0.25) and load["other_cores"] == pytest.approx(0.75)
    file.unlink()
    with measured_load() as load:
        now[0] += 1
    assert load["other_cores"] is None


@pytest.mark.parametrize(
    ("sweep", "points"),
    [
        (None, [((4, 6), 2, 3)]),
        ("steps", [((4, 6), t, 3) for t in (1, 2, 4, 8)]),
        ("batch", [((4, 6), 2, b) for b in (1, 2, 3, 6, 12)]),
        ("width", [((n, m), 2, 3) for n, m in ((1, 2), (2, 3), (4, 6), (8, 12), (16, 24))]),
        ("depth", [((4,) * depth, 2, 3) for depth in (1, 2, 3, 4)]),
    ],
)
def test_a_sweep_varies_one_thing(sweep: str | None, points: list[tuple[tuple[int, ...], int, int]]) -> None:
    points_found = planned(sweep, "0.1,0.4").points
    assert {p.activity for p in points_found} == {0.1, 0.4}
    for share in (0.1, 0.4):
        assert [(p.hidden, p.steps, p.batch_size) for p in points_found if p.activity == share] == points


def test_activity_is_swept_over_its_usual_values_or_over_those_asked_for() -> None:
    assert [p.activity for p in planned("activity").points] == list(ACTIVITIES)
    assert [p.activity for p in planned("activity", "0.3,0.6").points] == [0.3, 0.6]


def test_the_files_hold_every_system_at_every_point(out: Path) -> None:
    content: dict[str, Any] = json.loads((out / "bench.json").read_text())
    assert [point["hidden"] for point in content["points"]] == [[4], [4, 4], [4, 4, 4], [4, 4, 4, 4]]
    for point in content["points"]:
        assert list(point["systems"])[:2] == ["dfa", "snnTorch"]
        assert {"bare products", "memory pass"} <= set(point["systems"])
        for system in point["systems"].values():
            assert set(system["to"]) == {"snnTorch", "bare products", "memory pass"}
            assert 0 < system["ms"]["low"] <= system["ms"]["median"] <= system["ms"]["high"]
        assert point["systems"]["snnTorch"]["to"]["snnTorch"] == {"median": 1, "low": 1, "high": 1}
        assert point["memory_gb_per_s"] > 0
    assert content["device"] == "cpu" and content["threads"] >= 1 and content["warm_up"] == 2
    page = (out / "bench.md").read_text()
    assert content["processor"] in page and content["command"] in page and "bench.png" in page
    assert all(f"{name}: not installed" in page for name in content["not_installed"])
    assert page.count("\n| dfa |") == 4
    assert (out / "bench.png").read_bytes().startswith(b"\x89PNG")


def test_memory_and_goals_stand_in_page_and_picture_where_they_were_measured(out: Path, tmp_path: Path) -> None:
    content: dict[str, Any] = json.loads((out / "bench.json").read_text())
    before = page_of(content, "bench.png")
    assert "| MB |" not in before and "Time to an accuracy" not in before
    for depth, point in enumerate(content["points"], 1):
        point["systems"]["dfa"]["memory_mb"] = 1234.5 * depth
        point["systems"]["snnTorch"]["memory_mb"] = None
    row = {"goal %": 98.5, "test %": 98.61, "validation %": 98.7, "s of learning": 17.25, "s from the command": 21.5}
    content["goals"] = [{**row, "processor s": 30.0, "command": "neurorules train --net 5"}]
    page = page_of(content, "bench.png")
    assert page.count("| MB |") == 4 and page.count("| 1234 |\n") == page.count("| 4938 |\n") == 1
    line = "| 98.5 % | 98.61 | 98.70 | 17.25 | 21.50 | 30.00 | `neurorules train --net 5` |"
    assert page.count(line) == 1
    draw(content, tmp_path / "more.png")
    assert plt_width(tmp_path / "more.png") > plt_width(out / "bench.png")


def plt_width(picture: Path) -> int:
    """Width in pixels of a PNG."""
    return int.from_bytes(picture.read_bytes()[16:20], "big")


def test_memory_grows_by_what_a_step_holds() -> None:
    """The activity of all steps is held by layer, and not step by step."""
    held = 4 * 30 * 64 * 1000 / 2**20
    grown = {schedule: grown_mb("dfa", (1000,), 30, 64, 0.1, schedule, "cpu") for schedule in ("by_layer", "by_step")}
    assert grown["by_layer"] > grown["by_step"] + held > held


def test_the_hottest_places_are_those_where_the_processor_worked() -> None:
    def work() -> int:
        return sum(range(300_000))

    found = hottest(work)
    assert len(found) <= 3 and found[0]["place"] == "builtins.sum" and 0.5 < found[0]["share"] <= 1


@pytest.mark.parametrize("goal", list(RECIPES))
def test_a_recipe_is_a_training_of_a_local_rule_on_mnist(goal: str) -> None:
    command = typer.main.get_command(app).get_command(click.Context(click.Command("")), "train")  # type: ignore[attr-defined]
    context = command.make_context("train", [*RULE, *RECIPES[goal]])
    given = {name: value for name, value in context.params.items() if value is not None and name in SETTINGS}
    config = TrainConfig(**given)
    RULES.make(config.rule).settle(config)
    parse_net(config.net)
    assert config.data == "mnist" and config.rule == "local_readout" and config.limit is None


def test_a_library_that_is_missing_is_named_and_nothing_is_set_beside_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("neurorules.bench.measure.installed", lambda package: False)
    content = bench(planned(activity="0.2", net="4"), tmp_path / "out", "neurorules bench")
    assert content["not_installed"] == list(peers.PEERS)
    (point,) = content["points"]
    assert set(point["systems"]["dfa"]["to"]) == {"bare products", "memory pass"}
    assert "snnTorch: not installed." in page_of(content, "bench.png")
    assert (tmp_path / "out" / "bench.png").exists()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--rules", "sigpop"], "unknown rule 'sigpop'. Did you mean 'sigprop'?"),
        (["--rules", ","], "--rules names no rule. Give some, such as sigprop,dfa,bptt"),
        (["--rules", "bsp", "--net", "4", "--steps", "2", "--batch-size", "2"], None),
        (["--activity", "1.5"], "--activity is 1.5. Give a number in [0, 1]"),
        (["--activity", "nan"], "--activity is nan. Give a finite number in [0, 1]"),
        (["--activity", "much"], "--activity holds 'much', which is not a number. Give shares such as 0.02,0.1"),
        (["--activity", ","], "--activity names no share. Give some, such as 0.02,0.1"),
        (
            ["--net", "4-a"],
            "--net is '4-a', and fully connected layers are measured. Give their sizes, such as 800-800",
        ),
        (["--net", "0"], "--net: the size of a layer is 0. Give a whole number of at least 1"),
        (["--sweep", "with"], "unknown sweep 'with'. Did you mean 'width'?"),
        (["--goals", "98.6"], "unknown goal '98.6'. Did you mean '98.5'?"),
        (["--goals", ","], f"--goals names no accuracy. Give some of {','.join(RECIPES)}"),
        (
            ["--schedule", "by_stop"],
            "schedule 'by_stop' is unknown. Use by_layer, pipelined, by_step, or a number of steps such as 10",
        ),
        (["--repetitions", "0"], "--repetitions is 0. Give a whole number of at least 1"),
        (["--device", "gpu"], "device 'gpu' is unknown. Use auto, cpu or cuda"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_a_line(
    words: list[str], line: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    assert run(["bench", *words, "--out", str(folder)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and (line is None or said == f"neurorules: {line}\n")
    assert not folder.exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="of machines without a GPU")
def test_a_device_that_is_not_there_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "--device", "cuda", "--out", str(tmp_path / "out")]) == 2
    assert "torch finds no CUDA here" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_an_older_measurement_is_replaced_by_force_alone(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (out / "bench.json").read_bytes()
    assert run(["bench", "--net", "4", "--out", str(out)]) == 2
    assert "Replace it with --force" in capsys.readouterr().err
    assert (out / "bench.json").read_bytes() == before
