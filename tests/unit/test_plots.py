"""Pictures: what is drawn are the numbers that were given, whatever their shape, and nothing is cut off."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from neurorules.cli import run
from neurorules.language.errors import UserError
from neurorules.runner.catalogue import catalogue
from neurorules.runs.folder import RESULT_KEYS, RunFolder
from neurorules.traces.explanation import Explanation, PhasePart, Term
from neurorules.traces.header import TraceHeader
from neurorules.traces.plots import PLOTS, plot
from neurorules.traces.plots._explanation import explanation_figure
from neurorules.traces.plots.curves import curves
from neurorules.traces.plots.fields import Fields, fields, strongest
from neurorules.traces.plots.raster import raster
from neurorules.traces.plots.rates import rates
from neurorules.traces.plots.voltage import readout, voltage
from neurorules.traces.plots.weights import weights
from neurorules.traces.store import TraceReader
from neurorules.traces.writer import TraceWriter

STEPS = 12
LAYERS = {"hidden1": (30,), "hidden2": (4, 3, 3), "readout": (3,)}
TRACE_KINDS, RUN_KINDS = ("histograms", "raster", "rates", "voltage"), ("curves", "fields", "weights")


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """Four samples; one neuron of hidden2 fires at every step, the others never."""
    path, random = tmp_path / "t.h5", np.random.default_rng(0)
    rule = "sigprop:form=voltage:targets=codes:embedding=fixed:generator=target_only:centred=true:normalised=true:k=6"
    weights = {"hidden1.ff.w": (30, 4), "readout.ff.w": (3, 30)}
    header = TraceHeader(rule, LAYERS, dt_ms=0.5, config={"neuron": "lif:beta=0.9:v_threshold=0.5"}, parameters=weights)
    with TraceWriter(path, header) as writer:
        for number in range(4):
            found = {n: {"v": random.normal(size=(STEPS, *shape)).astype(np.float32)} for n, shape in LAYERS.items()}
            found["hidden1"]["S"] = (found["hidden1"]["v"] > 0.5).astype(np.float32)
            found["hidden2"]["S"] = np.zeros((STEPS, *LAYERS["hidden2"]), np.float32)
            found["hidden2"]["S"][:, 1, 1, 1] = 1
            writer.append(number, number % 3, found, prediction=1)
        for epoch in range(3):
            writer.snapshot(epoch, {name: random.normal(size=shape) for name, shape in weights.items()})
    return path


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """A finished run of a convolution, a dense layer and a read-out."""
    folder = RunFolder.create(tmp_path / "a-run-with-a-long-name", {"rule": "sigprop"})
    shapes = {"hidden1.ff": (5, 1, 3, 3), "hidden2.ff": (20, 45), "readout.ff": (3, 20)}
    generator = torch.Generator().manual_seed(0)
    folder.save_weights(
        {f"parameters/{name}.w": torch.randn(shape, generator=generator) for name, shape in shapes.items()}
        | {"parameters/hidden1.b": torch.zeros(5, 1, 1), "current/input.hidden1/mean/value": torch.zeros(5, 1, 1)}
    )
    for epoch in (1, 2, 3):
        folder.append_metrics({"epoch": epoch, "train_accuracy": 0.2 * epoch, "validation_accuracy": 0.25 * epoch})
    folder.write_result(dict.fromkeys(RESULT_KEYS) | folder.config())
    return folder.path


def axis() -> Axes:
    return Figure().subplots()


def assert_nothing_is_cut_off(figure: Figure) -> None:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    drawn = figure.get_tightbbox(canvas.get_renderer())
    width, height = figure.get_size_inches()
    assert drawn.x0 > -0.02 and drawn.y0 > -0.02 and drawn.x1 < width + 0.02 and drawn.y1 < height + 0.02


def test_each_file_is_a_kind_and_is_listed() -> None:
    assert PLOTS.names() == sorted([*TRACE_KINDS, *RUN_KINDS])
    rows = {row["name"]: row for row in catalogue("plots")}
    assert "count=64" in rows["fields"]["options"] and rows["raster"]["what it is"].startswith("Spike rasters")
    with pytest.raises(UserError, match="unknown plot 'voltages'. Did you mean 'voltage'"):
        PLOTS.make("voltages")


@pytest.mark.parametrize("kind", [*TRACE_KINDS, *RUN_KINDS])
def test_nothing_is_cut_off_however_long_a_name_is(trace: Path, trained: Path, kind: str) -> None:
    source = trace if kind in TRACE_KINDS else trained
    assert_nothing_is_cut_off(PLOTS.make(kind).figure([source], None))


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
@pytest.mark.parametrize("kind", ["voltage", "fields", "curves"])
def test_the_same_data_give_the_same_file(trace: Path, trained: Path, tmp_path: Path, kind: str, suffix: str) -> None:
    files = [tmp_path / f"{name}.{suffix}" for name in "ab"]
    for file in files:
        plot([trace if kind in TRACE_KINDS else trained], kind, file)
    assert files[0].stat().st_size > 1000 and files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize("kind", TRACE_KINDS)
def test_what_is_no_trace_is_told(trained: Path, tmp_path: Path, trace: Path, kind: str) -> None:
    with pytest.raises(UserError, match="is a folder, and this picture is made from a trace file. Record one"):
        PLOTS.make(kind).figure([trained], None)
    with pytest.raises(UserError, match="one trace is drawn at a time"):
        PLOTS.make(kind).figure([trace, trace], None)
    with TraceWriter(tmp_path / "empty.h5", TraceHeader("x", {"only": (3,)})):
        pass
    with pytest.raises(UserError, match="holds no weights" if kind == "histograms" else "holds no sample to draw"):
        PLOTS.make(kind).figure([tmp_path / "empty.h5"], None)
    none = "belong to none of them. Leave it out" if kind == "histograms" else "has no sample 9, it holds 4"
    with pytest.raises(UserError, match=none):
        PLOTS.make(kind).figure([trace], [9])


@pytest.mark.parametrize("kind", RUN_KINDS)
def test_what_is_no_run_is_told(trace: Path, trained: Path, tmp_path: Path, kind: str) -> None:
    with pytest.raises(UserError, match="is a file, and this picture is made from the folder of a run"):
        PLOTS.make(kind).figure([trace], None)
    with pytest.raises(UserError, match="--samples are those of a trace"):
        PLOTS.make(kind).figure([trained], [0])
    with pytest.raises(UserError, match="there is no run in"):
        PLOTS.make(kind).figure([tmp_path], None)


@pytest.mark.parametrize("shape", [(20, 7), (20, 3, 7), (20, 3, 1), (20, 3, 1, 1, 7), (1, 3, 2000)])
@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_spikes_at_hand_are_drawn_each_once(shape: tuple[int, ...], rate: float) -> None:
    spikes = (torch.rand(shape, generator=torch.Generator().manual_seed(0)) < rate).float().requires_grad_()
    drawn = axis()
    assert raster(drawn, spikes, sample=min(2, spikes.shape[1] - 1)) is drawn
    own = spikes if spikes.ndim == 2 else spikes[:, 2]
    lines = [len(c.get_segments()) for c in drawn.collections]
    assert sum(lines) == int(own.sum())
    assert ("no spikes" in [text.get_text() for text in drawn.texts]) == (not own.any())


def test_layers_at_hand_have_a_band_each() -> None:
    drawn = raster(axis(), {"input": np.ones((4, 3)), "out": np.ones((4, 2, 5))}, sample=1, dt_ms=0.1)
    assert [tick.get_text() for tick in drawn.get_yticklabels()] == ["input\n3 neurons", "out\n5 neurons"]
    assert drawn.get_xlabel() == "time step  (1 step = 0.1 ms)"
    with pytest.raises(UserError, match=r"the spikes of out have shape \(4,\). Give"):
        raster(axis(), {"out": np.ones(4)})
    with pytest.raises(UserError, match="there is no sample 2, the spikes hold 2"):
        raster(axis(), np.ones((4, 2, 5)), sample=2)


def test_a_membrane_is_drawn_in_thresholds_and_its_spikes_are_marked() -> None:
    v = torch.tensor([0.2, 0.6, 0.1, 0.9])
    drawn = voltage(axis(), v, v > 0.5, v_threshold=0.5)
    lines = {line.get_label(): line for line in drawn.get_lines()}
    np.testing.assert_allclose(lines["spike"].get_xydata(), [[1, 1.2], [3, 1.8]], rtol=1e-6)
    assert set(lines["threshold"].get_ydata()) == {1}
    with pytest.raises(UserError, match=r"v has shape \(4,\), spikes \(3,\)"):
        voltage(axis(), v, v[:3])


def test_a_membrane_of_a_trace_is_measured_by_its_neurons_threshold(trace: Path) -> None:
    figure = PLOTS.make("voltage:neurons=1").figure([trace], [2])
    with TraceReader(trace) as reader:
        expected = reader.dense(2, "hidden2", "v")[:, 13] / 0.5
    _, second, third = figure.axes
    assert second.get_ylabel().startswith("hidden2, 13") and third.get_ylabel().startswith("readout")
    curve = next(line for line in second.get_lines() if len(line.get_ydata()) == STEPS)
    np.testing.assert_allclose(curve.get_ydata(), expected, rtol=1e-6)


def test_a_read_out_shows_the_class_and_what_was_said() -> None:
    v = np.random.default_rng(0).normal(size=(6, 4))
    for label, said, told in ((1, 2, ["read as 2", "class 1"]), (1, 1, ["class 1"]), (-1, -1, None)):
        drawn = readout(axis(), v, label, said)
        legend = drawn.get_legend()
        assert told == (None if legend is None else [text.get_text() for text in legend.get_texts()])
        assert sum(len(line.get_ydata()) == 6 for line in drawn.get_lines()) == 4


@pytest.mark.parametrize("neurons", [1, 2000])
@pytest.mark.parametrize("largest", [0, 3])
def test_each_neuron_is_in_the_histogram_of_rates_once(neurons: int, largest: int) -> None:
    rate = 20.0 * np.random.default_rng(0).integers(0, largest + 1, neurons)
    drawn = rates(axis(), rate, one_spike=20.0)
    bars = {round(bar.get_x() + bar.get_width() / 2): int(bar.get_height()) for bar in drawn.patches}
    assert sum(bars.values()) == neurons
    assert all(bars.get(int(value), 0) == (rate == value).sum() for value in set(rate))
    assert f"silent: {(rate == 0).sum()}" in drawn.texts[0].get_text()


def test_rates_of_a_trace_are_in_hertz(trace: Path) -> None:
    figure = PLOTS.make("rates").figure([trace], [0, 1])
    assert figure.axes[1].texts[0].get_text() == "mean 55.6 Hz\nsilent: 35 (97%)"  # 2000 Hz of one neuron in 36
    assert "1 step = 0.5 ms" in figure.axes[-1].get_xlabel()


@pytest.mark.parametrize("shape", [(1, 1), (300, 20), (6, 2, 3, 3)])
def test_weights_are_the_image(shape: tuple[int, ...]) -> None:
    w = np.random.default_rng(0).normal(size=shape)
    image = next(found for found in weights(axis(), torch.from_numpy(w)).get_images())
    np.testing.assert_array_equal(np.asarray(image.get_array()), w.reshape(len(w), -1))
    low, high = image.get_clim()
    assert low == -high < 0
    with pytest.raises(UserError, match="are not a matrix"):
        weights(axis(), w[0])


def pixels(drawn: Axes) -> np.ndarray:
    image = drawn.get_images()[0]
    assert isinstance(image, AxesImage)
    return np.asarray(image.get_array())


def test_a_field_is_red_where_it_is_positive_and_blue_where_negative() -> None:
    w = np.zeros((1, 4, 4))
    w[0, 0, 0], w[0, 3, 3] = 1, -1
    image = pixels(fields(axis(), w))
    unit = (image.shape[0] - 2) // 4  # beside the frame
    corner, other, middle = (
        image[1 + unit // 2, 1 + unit // 2],
        image[-unit // 2, -unit // 2],
        image[unit * 2, unit * 2],
    )
    assert corner[0] > 2 * corner[2] and other[2] > 2 * other[0] and middle.min() > 0.9


@pytest.mark.parametrize("shape", [(1, 1, 2, 2), (7, 3, 8, 8), (5, 2, 34, 34), (64, 28, 28), (3, 16, 3, 3)])
def test_fields_of_any_number_and_channels_are_drawn(shape: tuple[int, ...]) -> None:
    image = pixels(fields(axis(), np.random.default_rng(0).normal(size=shape)))
    assert image.ndim == 3 and image.min() >= 0 and image.max() <= 1
    with pytest.raises(UserError, match="cannot be drawn. Give"):
        fields(axis(), np.ones(shape[-1]))


def test_the_strongest_fields_come_first() -> None:
    w = np.array([1.0, -3.0, 2.0]).reshape(3, 1, 1, 1)
    assert strongest(w, 2).tolist() == [1, 2] and strongest(w, 3).tolist() == [0, 1, 2]


def test_a_dense_first_layer_takes_the_inputs_shape(tmp_path: Path) -> None:
    for inputs, option, expected in ((784, "", "1x28x28"), (2312, "", "2x34x34"), (45, ":shape=5x3x3", "5x3x3")):
        folder = RunFolder.create(tmp_path / str(inputs), {"rule": "x"})
        folder.save_weights({"parameters/hidden1.ff.w": torch.randn(2, inputs)})
        folder.write_result(dict.fromkeys(RESULT_KEYS) | folder.config())
        figure = PLOTS.make(f"fields{option}").figure([folder.path], None)
        assert figure.axes[0].get_title(loc="left") == f"hidden1: 2 fields, {expected}"
    with pytest.raises(UserError, match="the 45 inputs are not square maps. Give their shape"):
        Fields().figure([folder.path], None)
    with pytest.raises(UserError, match="shape=9x9 is no CxHxW of 45 inputs"):
        Fields(shape="9x9").figure([folder.path], None)


def test_fields_of_a_layer_that_has_none_are_told(trained: Path) -> None:
    with pytest.raises(UserError, match="layer 'hidden2' does not read the input"):
        Fields(layer="hidden2").figure([trained], None)
    with pytest.raises(UserError, match="unknown layer 'hiden1'. Did you mean 'hidden1'"):
        Fields(layer="hiden1").figure([trained], None)


def test_curves_are_the_metrics(trained: Path) -> None:
    drawn = PLOTS.make("curves").figure([trained], None).axes[0]
    held = next(line for line in drawn.get_lines() if "a-run-with" in str(line.get_label()))
    np.testing.assert_allclose(held.get_xydata(), [[1, 25], [2, 50], [3, 75]])
    assert held.get_label() == "a-run-with-a-long-name (sigprop)"


def test_a_run_without_validation_has_a_training_curve_alone() -> None:
    drawn = curves(axis(), {"a": [{"epoch": 1, "train_accuracy": 0.5, "validation_accuracy": None}]})
    values = [line.get_ydata()[0] for line in drawn.get_lines()[:2]]
    assert values[0] == 50 and np.isnan(values[1])


def explanation(rows: int, steps: int, texts: int = 1) -> Explanation:
    random = np.random.default_rng(0)
    names = ("S_pre", "mean_pre", "x_pre", "S_post", "v_post", "m_post", "psi_post")
    parts = tuple(
        PhasePart(
            phase, ("-through_norm(m_post * psi(v_post)) * (S_pre - mean_pre) + 0.5 * S_post * before(x_pre)",) * texts,
            rows - 1, {name: random.random((steps, rows)) for name in names},
            tuple(Term(pre, "m_post", random.random((steps, rows)), random.random((steps, rows)), 1.0,
                       random.normal(size=steps)) for pre in ("S_pre - mean_pre", "x_pre")),
        )
        for phase in ("input", "target")
    )  # fmt: skip
    rule = "sigprop:form=voltage:targets=codes:generator=target_input"
    return Explanation(
        "hidden1:3:4", "hidden1.ff.w", (3, 4), rule, ("x[t] = 0.8 x[t-1] + S[t]",), 0.1, 0, 2, 1, 1.0, 1.0, parts, 0.5,
        "hidden1:3:4",
    )  # fmt: skip


@pytest.mark.parametrize(("rows", "steps", "texts"), [(1, 1, 1), (10, 25, 3), (1, 300, 1)])
def test_an_explanation_is_drawn_whole(rows: int, steps: int, texts: int) -> None:
    found = explanation(rows, steps, texts)
    figure = explanation_figure(found)
    assert_nothing_is_cut_off(figure)
    last = figure.axes[-1]
    so_far = next(line for line in last.get_lines() if line.get_label() == "so far")
    np.testing.assert_allclose(so_far.get_ydata(), found.parts[1].dw.cumsum())


def test_an_explanation_is_plain_numbers_by_name() -> None:
    found = explanation(3, 5)
    told = json.loads(json.dumps(found.as_dict()))
    assert told["dw_sum"] == pytest.approx(found.total) == pytest.approx(sum(sum(part["dw"]) for part in told["parts"]))
    assert np.shape(told["parts"][0]["variables"]["v_post"]) == (5, 3)
    assert told["parts"][0]["dw_cumulative"][-1] == pytest.approx(found.parts[0].dw.sum())


def test_the_command_draws_and_names_its_file(
    trace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["plot", str(trace), "--kind", "voltage:neurons=1", "--samples", "1,2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["out"] == "voltage.png" and Path("voltage.png").stat().st_size > 1000
    assert run(["plot", str(trace), "--kind", "volts"]) == 2
    assert "unknown plot 'volts'" in capsys.readouterr().err


@pytest.mark.parametrize("suffix", ["svg", "pdf"])
def test_a_vector_raster_of_many_spikes_stays_small_and_one_of_few_stays_lines(suffix: str, tmp_path: Path) -> None:
    sizes = {}
    for neurons in (20, 400):
        path = tmp_path / f"{neurons}.h5"
        with TraceWriter(path, TraceHeader("x", {"hidden1": (neurons,)})) as writer:
            spikes = np.random.default_rng(0).random((100, neurons)) < 0.5
            writer.append(0, 0, {"hidden1": {"S": spikes}})
        plot([path], "raster", tmp_path / f"{neurons}.{suffix}")
        sizes[neurons] = (tmp_path / f"{neurons}.{suffix}").stat().st_size
    assert sizes[400] < 500_000, sizes  # 20,000 lines would take 2.8 MB
    image = {"svg": b"<image", "pdf": b"/Subtype /Image"}[suffix]
    assert image in (tmp_path / f"400.{suffix}").read_bytes()
    assert image not in (tmp_path / f"20.{suffix}").read_bytes()
