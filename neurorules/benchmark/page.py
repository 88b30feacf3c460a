"""`benchmark.md`: the results of a benchmark as a page for readers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from neurorules.benchmark.cells import at_the_edge_note, rates_of, table_of
from neurorules.benchmark.family import WORDS, needs_in_words, solves
from neurorules.benchmark.rates import FACTOR
from neurorules.language.config import TrainConfig
from neurorules.language.plain_text import markdown_rows
from neurorules.runner.bibtex import short_name

READING = (
    "A number is the accuracy on test samples after the last epoch, in percent: the mean over seeds and, behind ±, the "
    "standard deviation. No choice was made by it. In brackets stands what the same net reaches when its hidden layers "
    "stay as they were drawn and its read-out learns alike (`shallow`): what a rule has above it is what its hidden "
    "layers learned. A rule that stands near its frozen layers has learned little there, however high its number is."
)
OWN_RATES = "Every rule has its own learning rates, which were not tuned here."
CHOSEN_RATES = (
    "The learning rates of hidden layers and read-out were chosen for each rule and task by the accuracy on validation "
    "samples after the last epoch, with one seed, in {trials} trials: the rule's own rates, and others up to "
    "{factor:g} times higher and lower. The read-out of frozen layers was given as many trials."
)
AUDIT = (
    "What a rule *needs* is what its learning signal declares and is handed. *Solves* names those of the four problems "
    "of backpropagation (Dellaferrera & Kreiman 2022) that the rule does not have: weight symmetry, non-local signals, "
    "frozen activity and update locking. This is measured on a small net, one thing changed at a time and every bit of "
    "every update compared (`neurorules audit --rules RULE`). A question mark: it could not be measured. *Paths* are "
    "the machines that train by the rule: torch, in steps, and continuous, as differential equations."
)


BESIDE = (
    "Every run lies in a folder of its own beside this page, `TASK/RULE/seedN`, with its settings and its metrics; "
    "`benchmark.json` holds all numbers."
)


def page_of(content: Mapping[str, Any], files: str = BESIDE) -> str:
    """Write the page of a benchmark in Markdown.

    Args:
        content: the content of `benchmark.json`.
        files: the last sentences, which say where the numbers and the runs lie.

    Returns:
        The text of the file.
    """
    titles, rows = table_of(content)
    kinds = {cell["kind"] for cell in content["cells"]}
    below = "*frozen layers*: the lowest and the highest number of all nets whose hidden layers stay as drawn."
    if "shuffled time" in kinds:
        below += " *shuffled time*: the same samples, the time steps of each channel in a random order."
    parts = [
        f"# {content['title']}: the rules of neurorules side by side",
        _origin(content),
        " ".join([_how_rates(content), *content["notes"]]),
        "## The tasks",
        markdown_rows(*_tasks(content)),
        "## Accuracy",
        READING,
        markdown_rows(titles, rows),
        f"{below} *chance*: what guessing reaches.",
        "## Above the frozen layers",
        "Points of accuracy above the frozen layers beside a rule, paired by seed: mean and standard deviation.",
        markdown_rows(*_differences(content)),
        *_rates(content),
        *_refusals(content),
        "## The map of the family",
        AUDIT,
        markdown_rows(*_linked_map(content)),
        "## Sources",
        "\n".join(_sources(content)),
        "## Make it again",
        f"    {content['command']}",
        files,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def map_of(content: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Titles and rows of the map of the family.

    Args:
        content: the content of `benchmark.json`.

    Returns:
        The titles, and a row for each rule: its needs, the problems it solves, its paths, the year of its source.
    """
    rows = [
        [
            entry["rule"],
            needs_in_words(entry["needs"]),
            "hidden layers do not learn" if entry["control"] else solves(entry["has"]),
            ", ".join(entry["paths"]),
            short_name(entry["source"]),
        ]
        for entry in content["rules"]
    ]
    return ["rule", "needs", "solves", "paths", "source"], rows


def _linked_map(content: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """The map with links to the sources."""
    titles, rows = map_of(content)
    links = [entry["source"]["link"] for entry in content["rules"]]
    linked = [f"[{row[-1]}]({link})" if link else row[-1] for row, link in zip(rows, links, strict=True)]
    return titles, [[*row[:-1], source] for row, source in zip(rows, linked, strict=True)]


def _origin(content: Mapping[str, Any]) -> str:
    machine = content["machine"]
    seeds = max((len(cell["seeds"]) for cell in content["cells"]), default=0)
    return (
        f"Made on {content['date']} by neurorules {content['versions'].get('neurorules', '')}, "
        f"{seeds} seed{'s' if seeds != 1 else ''} a cell, on {machine['processor']} ({machine['cores']} cores)."
    )


def _tasks(content: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """The table of the tasks, with their data and settings."""
    usual = TrainConfig().as_dict()
    own = ("data", "net", "epochs")
    rows = []
    for task in content["tasks"]:
        settings = task["settings"]
        more = [f"{n} {value}" for n, value in settings.items() if n not in own and value != usual.get(n)]
        samples = "-" if task["train_samples"] is None else f"{task['train_samples']} / {task['test_samples']}"
        shown = [str(settings[name]) for name in own]
        rows.append([task["name"], task["what"], *shown, ", ".join(more).replace("_", " ") or "-", samples])
    return ["task", "what is learned", "data", "net", "epochs", "for all rules", "training / test samples"], rows


def _differences(content: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """The table of differences to the frozen layers."""
    tasks = [task["name"] for task in content["tasks"]]
    rules = list(dict.fromkeys(cell["rule"] for cell in content["cells"] if cell["kind"] == "rule"))
    cells = {(cell["rule"], cell["task"]): cell for cell in content["cells"] if cell["kind"] == "rule"}
    return ["rule", *tasks], [[rule, *(_difference(cells.get((rule, task))) for task in tasks)] for rule in rules]


def _difference(cell: Mapping[str, Any] | None) -> str:
    if cell is None or cell["over_frozen"] is None:
        return "-"
    spread = f" ± {100 * cell['over_frozen_spread']:.1f}" if len(cell["seeds"]) > 1 else ""
    return f"{100 * cell['over_frozen']:+.1f}{spread}"


def _how_rates(content: Mapping[str, Any]) -> str:
    """The sentence that says whose learning rates the runs had."""
    trials = content.get("trials", 0)
    return CHOSEN_RATES.format(trials=trials, factor=FACTOR) if trials else OWN_RATES


def _rates(content: Mapping[str, Any]) -> Iterator[str]:
    """The table of chosen learning rates, if any were chosen."""
    if content.get("trials"):
        yield "## Chosen learning rates"
        yield f"The rate of hidden layers and that of the read-out{at_the_edge_note(content)}."
        yield markdown_rows(*rates_of(content))


def _refusals(content: Mapping[str, Any]) -> Iterator[str]:
    """List the cells without a number, with the full reason."""
    lines = [
        f"- {cell['rule']} on {cell['task']}: {cell['refusal']}"
        for cell in content["cells"]
        if cell["refusal"] is not None
    ]
    if lines:
        yield "## What has no number, and why"
        yield "\n".join(lines)


def _sources(content: Mapping[str, Any]) -> Iterator[str]:
    for entry in content["rules"]:
        source = entry["source"]
        link = f" <{source['link']}>" if source["link"] else ""
        has = [words for name, words in WORDS.items() if entry["has"][name]]
        audit = {"stored": "", "measured": "; audited with the settings of this run"}.get(
            entry["audit"], f"; not audited: {entry['audit']}"
        )
        yield (
            f"- `{entry['rule']}`: {source['authors']} ({source['year']}). {source['title']}.{link} "
            f"Has of the four problems: {', '.join(has) or 'none'}{audit}."
        )
