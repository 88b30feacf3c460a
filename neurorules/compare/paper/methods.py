"""A methods paragraph for a comparison, generated only from recorded settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from neurorules.compare.folds import FOLD, without_fold
from neurorules.compare.paper.latex import escaped
from neurorules.compare.paper.references import References
from neurorules.compare.report.markup import shown_text
from neurorules.compare.report.reading import Comparison, Row, is_control, rates_of
from neurorules.contracts.target import FIGURES, FIGURES_OF
from neurorules.language.settings import Task


class Code(NamedTuple):
    """A word of the command line."""

    text: str


class Cite(NamedTuple):
    """A reference in a sentence, given by its BibTeX key."""

    key: str


Part = str | Code | Cite
Parts = Sequence[Part]
"""A sentence in pieces: plain words, words of the command line and references."""
NET = {
    "net": "hidden layers {}", "neuron": "hidden neurons {}", "readout_neuron": "read-out neurons {}",
    "readout": "a read-out of {}", "connection": "connections {}", "norm": "normalisation {}",
    "init": "initial weights {}", "steps": "{} time steps for each sample", "encode": "encoder {}",
    "augment": "training pictures changed by {}",
}  # fmt: skip
OWN_NET = {
    "net_layers": "the layers of a PyTorch module ({})", "init": "initial weights {}",
    "steps": "{} time steps for each sample", "encode": "encoder {}",
    "augment": "training pictures changed by {}",
}  # fmt: skip
"""Words for the settings of a net of modules, whose layers differ in their neurons."""
TRAINING = {
    "epochs": "{} epochs", "batch_size": "batches of {} samples", "optimizer": "optimiser {}",
    "readout_optimizer": "optimiser of the read-out {}", "lr_schedule": "learning-rate schedule {}",
    "weight_decay": "weight decay {}", "weight_sum": "weights of each hidden neuron scaled to a sum of {}",
    "signal_lr": "learning rate of a signal's own parameters {}",
    "schedule": "schedule {}", "signal": "learning signal {}", "dw": "text of the hidden weights {}",
}  # fmt: skip
MACHINE = {
    "path": "path {}", "device": "device {}", "hardware": "device model {}", "precision": "precision {}",
    "threads": "a number of threads of {}",
}  # fmt: skip
SAMPLES = {"train_samples": "training", "validation_samples": "validation", "test_samples": "test"}
PACKAGES = {
    "neurorules": "neurorules",
    "torch": "PyTorch",
    "snntorch": "snnTorch",
    "brian2": "Brian2",
    "python": "Python",
}
READOUT = {"last": "the last hidden layer", "all": "all hidden layers"}
"""The phrase for the input of the read-out, by the value of the setting."""


def methods(comparison: Comparison, references: References) -> list[Parts]:
    """The sentences of the paragraph.

    Args:
        comparison: the comparison. Settings that it did not record are left out.
        references: keys of the rules' papers.

    Returns:
        The sentences, each as a list of its parts.
    """
    sentences = [
        _what(comparison, references),
        _list("Networks had", comparison, NET if comparison.settings.get("net_layers") is None else OWN_NET),
        _list("Training had", comparison, TRAINING),
        _rates(comparison),
        _samples(comparison),
        _statistics(comparison),
        _list("Runs had", comparison, MACHINE),
        _origin(comparison),
    ]
    return [sentence for sentence in sentences if sentence]


def as_markdown(sentences: Iterable[Parts]) -> str:
    """The paragraph in Markdown, with references as Pandoc reads them."""
    return _joined(sentences, _plain, lambda text: f"`{text.replace('`', chr(39))}`", lambda key: f"[@{key}]")


def as_latex(sentences: Iterable[Parts]) -> str:
    """Write the methods paragraph in LaTeX."""
    return _joined(sentences, escaped, lambda text: rf"\texttt{{{escaped(text)}}}", lambda key: rf"\cite{{{key}}}")


def _plain(text: str) -> str:
    return text


def _joined(
    sentences: Iterable[Parts], plain: Callable[[str], str], code: Callable[[str], str], cite: Callable[[str], str]
) -> str:
    def shown(part: Part) -> str:
        if isinstance(part, Code):
            return code(part.text)
        return cite(part.key) if isinstance(part, Cite) else plain(part)

    return " ".join("".join(map(shown, sentence)) for sentence in sentences) + "\n"


def _what(comparison: Comparison, references: References) -> Parts:
    """The sentences on which rules were trained on which data, which rows are controls, and by which versions."""
    rules = [row for row in comparison.rules if not is_control(row)]
    controls = [row for row in comparison.rules if is_control(row)]
    data = _data(comparison)
    parts: list[Part] = ["We trained spiking networks with ", *_named(rules, references)]
    parts += [] if data is None else [" on ", Code(data)]
    parts += [] if _task_of(comparison) == "classes" else [" (task ", Code(_task_of(comparison)), ")"]
    parts += [", beside the controls ", *_named(controls, references)] if controls else []
    used = {key: name for key, name in PACKAGES.items() if key != "brian2" or _in_continuous_time(comparison)}
    versions = [f"{name} {comparison.versions[key]}" for key, name in used.items() if comparison.versions.get(key)]
    return [*parts, f", with {', '.join(versions)}." if versions else "."]


def _task_of(comparison: Comparison) -> Task:
    """The task of a comparison's targets; classes if it does not say."""
    return next((run["task"] for run in comparison.runs if run.get("task")), "classes")


def _in_continuous_time(comparison: Comparison) -> bool:
    """Whether Brian2 ran some of the runs."""
    return any(run.get("path") == "continuous" for run in comparison.runs)


def _named(rows: Sequence[Row], references: References) -> Parts:
    named: list[Parts] = []
    for row in rows:
        key, name = references.keys.get(row["rule"]), Code(row["rule"])
        named.append([name] if key is None else [name, "\u00a0", Cite(key)])
    return _in_words(named)


def _in_words(things: Sequence[Parts]) -> Parts:
    """Things in a row: a, b and c."""
    parts: list[Part] = []
    for place, thing in enumerate(things):
        parts += [] if not place else [" and "] if place == len(things) - 1 else [", "]
        parts += thing
    return parts


def _data(comparison: Comparison) -> str | None:
    data = comparison.settings.get("data") or next((run["data"] for run in comparison.runs if run.get("data")), None)
    return None if data is None else without_fold(str(data))


def _list(begin: str, comparison: Comparison, phrases: Mapping[str, str]) -> Parts:
    """A sentence about a recorded setting: the value that all runs share, or the value of each row."""
    clauses: list[list[Part]] = []
    for name, phrase in phrases.items():
        before, after = phrase.split("{}")
        values = _values(comparison, name)
        if values:
            clauses.append([before, *values, after])
    return [f"{begin} ", *_in_words(clauses), "."] if clauses else []


def _values(comparison: Comparison, name: str) -> Parts:
    """The value of a setting, or several with the rows that have them; empty if none is recorded."""
    shared = comparison.settings.get(name)
    if shared is not None:
        return [] if (name, shared) == ("hardware", "none") else [_value(name, shared)]
    by_value: dict[Part, list[str]] = {}
    for run in comparison.runs:
        if run.get(name) is not None:
            rows = by_value.setdefault(_value(name, run[name]), [])
            rows += [] if run["rule"] in rows else [run["rule"]]
    if len(by_value) == 1 and not _left_open(comparison, name):
        return [next(iter(by_value))]
    return _in_words([[value, " (", *_codes(rows), ")"] for value, rows in by_value.items()])


def _value(name: str, value: Any) -> Part:
    """The value of a setting: a number, or a word of the command line."""
    if name == "readout":
        return READOUT.get(value, str(value))
    return Code(value) if isinstance(value, str) else shown_text(value)


def _codes(names: Sequence[str]) -> Parts:
    return _in_words([[Code(name)] for name in names])


def _left_open(comparison: Comparison, name: str) -> bool:
    """Whether some run has no value of a setting that others have."""
    return any(run.get(name) is None for run in comparison.runs)


def _rates(comparison: Comparison) -> Parts:
    """The learning rates of hidden layers and read-out, rows of equal rates together."""
    groups: dict[tuple[Any, Any], list[str]] = {}
    for row in comparison.rules:
        hidden, reading = rates_of(row)
        if reading is not None:
            groups.setdefault((hidden, reading), []).append(row["rule"])
    sentences = []
    for (hidden, reading), rows in groups.items():
        layers = "frozen hidden layers" if hidden is None else f"{hidden:g} in hidden layers"
        sentences.append([f"{layers} and {reading:g} in the read-out for ", *_codes(rows)])
    parts = [piece for place, group in enumerate(sentences) for piece in ([*(["; "] if place else []), *group])]
    return ["Learning rates were ", *parts, "."] if sentences else []


def _samples(comparison: Comparison) -> Parts:
    """The sentences on how many samples were learned from, held out for validation and tested."""
    counts = []
    for name, part in SAMPLES.items():
        values = sorted({run[name] for run in comparison.runs if run.get(name) is not None})
        if values:
            counts.append([f"{' or '.join(map(str, values))} {part} samples"])
    limit = comparison.settings.get("limit")
    first = "" if limit is None else f", of {limit} samples that training was limited to"
    return ["There were ", *_in_words(counts), f"{first}."] if counts else []


def _statistics(comparison: Comparison) -> Parts:
    """The sentences on how often each row was trained, and how intervals and differences are made."""
    seeds = sorted({run["seed"] for run in comparison.runs if run.get("seed") is not None})
    if not seeds:
        return []
    folds = any(FOLD.search(str(run.get("data"))) for run in comparison.runs)
    runs = "fold, each with a seed of its own" if folds else "seed"
    named = ", ".join(map(str, seeds))
    words = [FIGURES[name].words for name in FIGURES_OF[_task_of(comparison)]]
    which = f"{words[0]} is that" if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]} are those"
    first = f"Each row was trained once for each {runs} ({named}), and the {which} after the last epoch."
    if len(seeds) == 1:
        return [first]
    how = ", widened for the overlap of folds (Nadeau and Bengio, 2003)" if folds else ""
    said = f" Intervals are 95 % intervals of the mean by Student's t{how}"
    paired = any(row.get("difference") for row in comparison.rules)
    return [first, said, "; differences are paired by seed." if paired else "."]


def _origin(comparison: Comparison) -> Parts:
    """The sentence that names the command and the machine of a comparison."""
    machine = [f"{name} {value}" for name, value in comparison.machine.items() if value is not None]
    parts: list[Part] = []
    parts += ["The comparison was made by ", Code(comparison.command)] if comparison.command else []
    where = f"({', '.join(machine)})" if machine else ""
    if not parts:
        return [f"The machine: {where[1:-1]}."] if where else []
    return [*parts, f" on one machine {where}." if where else "."]
