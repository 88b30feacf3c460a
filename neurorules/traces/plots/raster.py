"""Spike rasters: one panel a sample, one band a layer, input at the bottom."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from neurorules.language.errors import UserError, unknown
from neurorules.runs.atomic import replacing
from neurorules.traces.store import TraceReader
from neurorules.traces.writer import SPIKES

FORMATS = ("pdf", "png", "svg")

# Okabe and Ito (2008), Color Universal Design: told apart by every kind of colour vision. Input first.
COLOURS = ("#4D4D4D", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")

BAND, GAP = 1.0, 0.09  # heights on the axis: a layer's band, and the space between two
MOST_PANELS = 12


def draw_raster(axis: Axes, reader: TraceReader, sample: int, labelled: bool = True) -> Axes:
    """Draw the spikes of one sample.

    Each layer has a band of the same height, its neurons spread over it, neuron 0 at the bottom.

    Args:
        axis: where to draw.
        reader: an open trace.
        sample: position in the trace.
        labelled: whether the bands carry the layers' names.

    Raises:
        UserError: no layer of the trace has spikes, or there is no such sample.
    """
    layers = [layer for layer in reader.layers if SPIKES in reader.variables(layer)]
    if not layers:
        raise UserError(f"{reader.path.name} holds no spikes. Record them: --variables {SPIKES}")
    for number, layer in enumerate(layers):
        bottom, colour = number * (BAND + GAP), COLOURS[number % len(COLOURS)]
        events, neurons = reader.events(sample, layer), reader.header.neurons(layer)
        axis.axhspan(bottom, bottom + BAND, color=colour, alpha=0.07, linewidth=0)
        middle = bottom + BAND * (events.neuron + 0.5) / neurons
        # A mark is as high as its neuron's place, but in a large population no lower than can be seen.
        half = BAND * max(0.42 / neurons, 0.011)
        axis.vlines(events.t, middle - half, middle + half, colors=colour, linewidth=_mark_width(reader.steps))
    _dress(axis, reader, layers, labelled)
    axis.set_title(title(reader, sample), loc="left", fontsize=9, color=_title_colour(reader, sample))
    return axis


def title(reader: TraceReader, sample: int) -> str:
    """One line: which sample, its class, what the network said."""
    found = reader.samples[sample]
    line = f"sample {found.data_index}, class {reader.header.label_name(found.label)}"
    if found.prediction < 0:
        return line
    mark = "\N{CHECK MARK}" if found.prediction == found.label else "\N{BALLOT X}"
    return f"{line}, read as {reader.header.label_name(found.prediction)} {mark}"


def plot_raster(reader: TraceReader, out: Path, samples: Sequence[int] | None = None) -> Figure:
    """Save a picture with one panel a sample.

    Args:
        reader: an open trace.
        out: the new file, `.png`, `.svg` or `.pdf`.
        samples: positions in the trace; None: the first ones, at most `MOST_PANELS`.

    Raises:
        UserError: another format, an empty trace, or no such sample.
    """
    if out.suffix.lower().lstrip(".") not in FORMATS:
        raise unknown("picture format", out.suffix.lstrip("."), FORMATS)
    chosen = list(range(min(len(reader), MOST_PANELS)) if samples is None else samples)
    if not chosen:
        raise UserError(f"{reader.path.name} holds no sample to draw")
    columns = _columns(len(chosen))
    rows = -(-len(chosen) // columns)
    bands = sum(SPIKES in reader.variables(layer) for layer in reader.layers)
    width, height = {1: 7.2, 2: 4.6}.get(columns, 3.2), max(1.8, 0.9 * bands) + 0.7
    figure = Figure(figsize=(width * columns + 0.8, height * rows + 0.5), layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for number, axis in enumerate(panels.flat):
        if number < len(chosen):
            draw_raster(axis, reader, chosen[number], labelled=number % columns == 0)
        else:
            axis.set_visible(False)
    for axis in panels.flat[max(0, len(chosen) - columns) : len(chosen)]:
        axis.set_xlabel(f"time step  (1 step = {reader.header.dt_ms:g} ms)", fontsize=8)
        axis.tick_params(labelbottom=True)
    figure.suptitle(f"Spikes of each layer, rule {reader.header.rule}", fontsize=10, x=0.01, ha="left")
    # The same trace gives the same file: SVG names its parts at random unless told otherwise.
    with replacing(out) as temporary, rc_context({"svg.hashsalt": "neurorules"}):
        figure.savefig(temporary, dpi=160, metadata=_no_date(out))
    return figure


def _dress(axis: Axes, reader: TraceReader, layers: list[str], labelled: bool) -> None:
    axis.set_xlim(-0.5, max(reader.steps - 0.5, 0.5))
    axis.set_ylim(-GAP, len(layers) * (BAND + GAP))
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    middles = [number * (BAND + GAP) + BAND / 2 for number in range(len(layers))]
    names = [f"{layer}\n{reader.header.neurons(layer)} neurons" for layer in layers]
    axis.set_yticks(middles, names, fontsize=8)
    axis.tick_params(axis="y", length=0, labelleft=labelled)
    axis.tick_params(axis="x", labelsize=8)
    if labelled:
        for number, text in enumerate(axis.get_yticklabels()):
            text.set_color(COLOURS[number % len(COLOURS)])
    axis.spines[["top", "right", "left"]].set_visible(False)


def _columns(panels: int) -> int:
    """Up to three panels stand in one row, four in a square; beyond that, what leaves the fewest places empty."""
    if panels <= 4:
        return 2 if panels == 4 else panels
    return min((4, 5, 3), key=lambda columns: -panels % columns)


def _mark_width(steps: int) -> float:
    """Width of a mark, points: a good part of a step's room, as long as that is wider than a hair."""
    return min(2.2, max(0.6, 50.0 / steps))


def _title_colour(reader: TraceReader, sample: int) -> str:
    found = reader.samples[sample]
    return "#D55E00" if found.prediction >= 0 and found.prediction != found.label else "#222222"


def _no_date(out: Path) -> dict[str, None]:
    return {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(out.suffix.lower(), {})
