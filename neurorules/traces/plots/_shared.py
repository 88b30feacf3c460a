"""Functions and classes that all figures share: colours, axes, files and options."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator

from neurorules.contracts.parameter_key import WEIGHT, key_of
from neurorules.disk.failures import cannot_write
from neurorules.language.config import in_todays_words
from neurorules.language.errors import UserError, unknown
from neurorules.runs.outputs import check_kind, check_output, output
from neurorules.traces.store import TraceReader

if TYPE_CHECKING:
    from neurorules.runs.folder import RunFolder

FORMATS = {"pdf": "a PDF document", "png": "a PNG picture", "svg": "an SVG picture"}
"""The formats of pictures, and the kind of each file (`runs.outputs.kind_of`)."""

# Okabe and Ito (2008), Color Universal Design: distinguishable with every kind of colour vision. The first one is for
# the input.
COLOURS = ("#4D4D4D", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
GREY, BLUE, RED, GREEN = COLOURS[:4]
INK, FAINT = "#222222", "#B8B8B8"
INPUT = "input"
SIGNED = "RdBu_r"
"""Colours of signed numbers, white at 0. ColorBrewer's, safe for colour-blind readers."""
LABEL, TITLE = 8, 9  # points
LETTERS = 12.0  # of a title, an inch
DPI, FINE = 160, 300  # resolutions of pictures made of dots, and of dots in other pictures


class Picture(ABC):
    """One kind of picture of a trace or a run; its fields are the user's options."""

    @abstractmethod
    def figure(self, paths: Sequence[Path], samples: Sequence[int] | None) -> Figure:
        """Draw the picture of files or folders.

        Args:
            paths: a trace file, or run folders.
            samples: positions in a trace; None for as many as fit.

        Raises:
            UserError: the files lack the data to draw.
        """


class TracePicture(Picture):
    """A picture of one trace file.

    Attributes:
        needs_samples: whether it is made from samples, and a trace without any is refused.
    """

    needs_samples: ClassVar[bool] = True

    @abstractmethod
    def of_trace(self, reader: TraceReader, samples: Sequence[int] | None) -> Figure:
        """The picture of an open trace."""

    def figure(self, paths: Sequence[Path], samples: Sequence[int] | None) -> Figure:
        if len(paths) != 1:
            raise UserError(f"{len(paths)} files were given, and one trace is drawn at a time. Give one")
        if paths[0].is_dir():
            raise UserError(
                f"{paths[0]} is a folder, and this picture is made from a trace file. Record one: "
                f"neurorules record {paths[0]} --out traces.h5, or draw the run: --kind curves, weights or fields"
            )
        with TraceReader(paths[0]) as reader:
            if self.needs_samples and not len(reader):
                raise UserError(
                    f"{reader.path.name} holds no sample to draw. Record some: neurorules record RUN --samples 10"
                )
            return self.of_trace(reader, samples)


class RunPicture(Picture):
    """A picture that is drawn from run folders."""

    @abstractmethod
    def of_runs(self, runs: Mapping[str, RunFolder]) -> Figure:
        """The picture of runs, by a name for each."""

    def figure(self, paths: Sequence[Path], samples: Sequence[int] | None) -> Figure:
        from neurorules.runs.folder import RunFolder

        if samples is not None:
            raise UserError("--samples are those of a trace, and this picture is made from run folders. Leave it out")
        for path in paths:
            if path.is_file():
                raise UserError(
                    f"{path} is a file, and this picture is made from the folder of a run. Give what train --out made, "
                    f"or draw the trace: --kind raster, voltage or rates"
                )
        return self.of_runs({name: RunFolder(path) for name, path in zip(_names(paths), paths, strict=True)})


def _names(paths: Sequence[Path]) -> list[str]:
    """Names of folders; whole paths if two have the same name."""
    short = [path.resolve().name for path in paths]
    return short if len(set(short)) == len(short) else [str(path) for path in paths]


def one_run(runs: Mapping[str, RunFolder]) -> tuple[str, RunFolder]:
    """The single run, for figures that show only one.

    Raises:
        UserError: there are several runs.
    """
    if len(runs) != 1:
        raise UserError(f"{len(runs)} runs were given, and the weights of one are drawn at a time. Give one")
    return next(iter(runs.items()))


def weights_of(run: RunFolder) -> dict[str, np.ndarray]:
    """Matrices and kernels of a finished run, by connection, `hidden1.ff`.

    Raises:
        UserError: there is no finished run, or it has no such weights.
    """
    run = type(run).finished(run.path)
    # A run in continuous time stores its parameters under their bare names, since it stores nothing else.
    prefix = "" if in_todays_words(run.config()).get("path") == "continuous" else "parameters/"
    stored = {name: plain_array(value) for name, value in run.load_weights().items() if name.startswith(prefix)}
    values = {key_of(name.removeprefix(prefix)): value for name, value in stored.items()}
    matrices = {key: w for key, w in values.items() if key.parameter == WEIGHT and w.ndim in (2, 4)}
    if not matrices:
        raise UserError(f"the run in {run.path} has no weight matrices or kernels to draw. Give a run of another net")
    return {key.place: matrices[key] for key in sorted(matrices, key=lambda key: (key.layer == "readout", key.place))}


def check_format(out: Path) -> None:
    """Refuse a name under which a picture cannot be saved.

    Raises:
        UserError: the format is not one of `FORMATS`, or the path must not be written to.
    """
    kind = FORMATS.get(out.suffix.lower().lstrip("."))
    if kind is None:
        raise unknown("picture format", out.suffix.lstrip("."), FORMATS)
    check_output(out)
    check_kind(out, kind)


def save(figure: Figure, out: Path, dpi: int = DPI) -> None:
    """Save a figure completely or not at all; the same figure gives the same bytes.

    Raises:
        UserError: the format is unknown, the file cannot be written, or an existing file is of another kind.
    """
    check_format(out)
    no_date = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(out.suffix.lower(), {})
    dpi = max(dpi, FINE) if no_date else dpi
    try:
        # Without this setting, SVG names its parts at random.
        with output(out) as temporary, rc_context({"svg.hashsalt": "neurorules"}):
            figure.savefig(temporary, dpi=dpi, metadata=no_date)
    except OSError as error:
        raise cannot_write(f"the picture {out}", error) from None


def new_figure(width: float, height: float, title: str) -> Figure:
    """An empty figure, inches, with a title above all panels, in as many lines as it takes."""
    lines = [piece for line in title.splitlines() for piece in wrap(line, int(width * LETTERS)) or [""]]
    figure = Figure(figsize=(width, height + 0.17 * (len(lines) - 1)), layout="constrained")
    figure.suptitle("\n".join(lines), fontsize=TITLE + 1, x=0.01, ha="left")
    return figure


def layer_colours(layers: Iterable[str]) -> dict[str, str]:
    """A colour for each layer, the same in every picture; the input is grey."""
    others = [name for name in layers if name != INPUT]
    return {INPUT: GREY} | {name: COLOURS[1 + n % (len(COLOURS) - 1)] for n, name in enumerate(others)}


def plain_array(values: Any) -> np.ndarray:
    """Convert numbers to an array, including tensors on any device and those with gradients."""
    torch = sys.modules.get("torch")  # if there is a tensor, torch has been imported
    if torch is not None and isinstance(values, torch.Tensor):
        values = values.detach().cpu()
    return np.asarray(values)


def time_axis(axis: Axes, steps: int, dt_ms: float | None, labelled: bool = True) -> None:
    """Label x with whole steps from 0; `dt_ms` is their duration."""
    axis.set_xlim(*((-0.5, steps - 0.5) if steps > 1 else (-1.5, 1.5)))
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]) if steps > 1 else FixedLocator([0]))
    if labelled:
        axis.set_xlabel("time step" if dt_ms is None else f"time step  (1 step = {dt_ms:g} ms)", fontsize=LABEL)


def milliseconds(axis: Axes, steps: int, dt_ms: float) -> None:
    """Write milliseconds along x, on an axis of whole steps: step k lasts from k dt to (k + 1) dt, as in exports."""
    axis.set_xlim(-0.5, steps - 0.5)
    ticks = np.asarray(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]).tick_values(0, steps * dt_ms))
    ticks = ticks[(ticks >= 0) & (ticks <= steps * dt_ms * (1 + 1e-9))]
    axis.set_xticks(ticks / dt_ms - 0.5, [f"{tick:g}" for tick in ticks])
    axis.set_xlabel("time (ms)", fontsize=LABEL)


def trace_axis(axis: Axes, reader: TraceReader) -> None:
    """Label x with the time of a trace: steps, or milliseconds for equations in continuous time."""
    if reader.header.continuous:
        milliseconds(axis, reader.steps, reader.header.dt_ms)
    else:
        time_axis(axis, reader.steps, reader.header.dt_ms)


def dress(axis: Axes) -> Axes:
    """Remove two sides of an axis, and write its numbers small."""
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(labelsize=LABEL)
    return axis


def title(reader: TraceReader, sample: int) -> str:
    """One line that names a sample, its class, and the predicted class."""
    outcome = reader.samples[sample]
    line = f"sample {outcome.data_index}, class {reader.header.label_name(outcome.label)}"
    if reader.samples[0].epoch != reader.samples[-1].epoch:
        line = f"epoch {outcome.epoch}, {line}"
    if outcome.prediction < 0:
        return line
    mark = "\N{CHECK MARK}" if outcome.prediction == outcome.label else "\N{BALLOT X}"
    return f"{line}, read as {reader.header.label_name(outcome.prediction)} {mark}"


def title_colour(reader: TraceReader, sample: int) -> str:
    """The colour of the line above a sample: red if the network is wrong."""
    outcome = reader.samples[sample]
    return RED if outcome.prediction >= 0 and outcome.prediction != outcome.label else INK
