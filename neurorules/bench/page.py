"""`bench.md`: the measurement as a page for readers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from neurorules.bench.measure import BESIDE, MEMORY, PEER, PRODUCTS
from neurorules.bench.turns import Spread
from neurorules.language.plain_text import counted, markdown_rows

READING = (
    "A cell is the median over turns and, in brackets, the middle half of them. In a turn every system takes one step, "
    "and a ratio is that of two times of one turn, so that a busy moment meets both. Trust ratios; milliseconds belong "
    "to this machine and this hour. A training step is forward, learning and Adam's update of one batch of spikes."
)
COLUMNS = {
    PEER: "to snnTorch: backpropagation through time as its tutorials write it, with the same net, batch and Adam.",
    PRODUCTS: "to bare products: the dense float32 products of that backpropagation by torch's `@`, and nothing else.",
    MEMORY: "to a memory pass: each number of the activity (input, hidden layers, read-out at each step of a sample) "
    "read once and written once, as float32. Small activity fits into the processor's caches, and is copied there.",
}
MB = (
    "MB: by how much two training steps raise the peak of a process of their own, the input apart, on one thread. An "
    "empty cell: these steps did not fit into memory, or this system does not tell."
)
GOALS = (
    "Each row is one training in a process of its own. Its recipe was chosen on validation samples, and the "
    "test set is read once, after the last epoch. Seconds of the processor are those of the whole command, all threads."
)
GOAL_COLUMNS = ("test %", "validation %", "s of learning", "s from the command", "processor s")
QUIET = 0.2
"""The number of cores that other processes may use before the page mentions it."""
TOO_BUSY = "Others were at work on this machine: measure again when it is quiet, above all with more than one thread."


def page_of(content: Mapping[str, Any], picture: str) -> str:
    """Write the page of a measurement in Markdown.

    Args:
        content: the content of `bench.json`.
        picture: name of the file of the plot, in the same folder.

    Returns:
        The text of the file.
    """
    tables = [
        part
        for point in content["points"]
        for part in (f"## {_title(point)}", markdown_rows(*table_of(point)), hottest_of(point))
    ]
    columns = [f"- {text}" for text in (*COLUMNS.values(), *([MB] if _has_memory(content["points"][0]) else []))]
    if content["goals"]:
        tables += ["## Time to an accuracy on MNIST", GOALS, markdown_rows(*table_of_goals(content["goals"]))]
    parts = [
        f"# A training step on {content['gpu'] or content['processor']}",
        about(content), busy(content), READING, "\n".join(columns),
        f"![Time of a step]({picture})", *tables, "## Make it again", f"    {content['command']}",
        "`bench.json` holds all numbers.",
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def about(content: Mapping[str, Any]) -> str:
    """One line on the machine, the number of threads, the versions, and what is not installed.

    Args:
        content: the content of `bench.json`.

    Returns:
        The line.
    """
    where = [content["gpu"]] if content["gpu"] else []
    threads = counted(content["threads"], "thread")
    versions = ", ".join(f"{name} {number}" for name, number in content["versions"].items())
    missing = "".join(f" {name}: not installed." for name in content["not_installed"])
    place = [*where, f"{content['processor']} with {counted(content['cores'], 'core')}", content["system"]]
    return f"{', '.join(place)}; {threads}; {versions}; {counted(content['repetitions'], 'turn')}.{missing}"


def busy(content: Mapping[str, Any]) -> str:
    """Say in words how busy the machine was.

    Args:
        content: the content of `bench.json`.

    Returns:
        One line or two sentences.
    """
    load = content["busy"]
    if load["other_cores"] is None:
        return "This system does not tell how busy it was with other processes."
    others = f"{load['other_cores']:.1f} of {counted(content['cores'], 'core')} with others"
    line = f"While it was measured, the machine was busy on {load['own_cores']:.1f} cores with this, and on {others}."
    return f"{line} {TOO_BUSY}" if load["other_cores"] > QUIET else line


def table_of(point: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Titles and rows of the table of one point.

    Args:
        point: one of the points of `bench.json`.

    Returns:
        The titles, and a row for each system.
    """
    beside = [name for name in BESIDE if name in point["systems"]]
    memory = _has_memory(point)
    rows = [
        [
            name, _spread(system["ms"]), *(_spread(system["to"][other]) for other in beside),
            *([_mb(system.get("memory_mb"))] if memory else []),
        ]
        for name, system in point["systems"].items()
    ]  # fmt: skip
    return ["", "ms", *(f"to {'a ' * (name == MEMORY)}{name}" for name in beside), *(["MB"] if memory else [])], rows


def table_of_goals(goals: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Titles and rows of the table of times to an accuracy.

    Args:
        goals: those of `bench.json`, at least one.

    Returns:
        The titles, and a row for each training.
    """
    rows = [
        [f"{row['goal %']:g} %", *(f"{row[name]:.2f}" for name in GOAL_COLUMNS), f"`{row['command']}`"] for row in goals
    ]
    return ["goal", *GOAL_COLUMNS, "command"], rows


def hottest_of(point: Mapping[str, Any]) -> str:
    """Say in words in which functions the steps of the rules spend the most time.

    Args:
        point: one of the points of `bench.json`.

    Returns:
        One sentence for each rule.
    """
    return " ".join(
        f"Most of a step of {name} passes in "
        + ", ".join(f"{place['place']} ({100 * place['share']:.0f} %)" for place in system["hottest"])
        + "."
        for name, system in point["systems"].items()
        if "hottest" in system
    )


def _has_memory(point: Mapping[str, Any]) -> bool:
    return any("memory_mb" in system for system in point["systems"].values())


def _mb(grown: float | None) -> str:
    return "" if grown is None else f"{grown:.0f}"


def _title(point: Mapping[str, Any]) -> str:
    return f"{title_of(point)}: memory at {point['memory_gb_per_s']:.3g} GB/s"


def title_of(point: Mapping[str, Any]) -> str:
    """Say in words what distinguishes a point, such as "784-1000-10, T = 25, batch 128, 10 % of the inputs fire"."""
    net = "-".join(map(str, (784, *point["hidden"], 10)))
    return f"{net}, T = {point['steps']}, batch {point['batch_size']}, {100 * point['activity']:g} % of the inputs fire"


def _spread(spread: Mapping[str, float]) -> str:
    middle, low, high = (f"{x:.0f}" if (x := spread[name]) >= 100 else f"{x:.2g}" for name in Spread._fields)
    return f"{middle} ({low} to {high})"
