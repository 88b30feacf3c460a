"""Pages: tables between markers, sentences that hold results, and numbers that nobody vouches for.

A table is made where a page says

    <!-- figures: FILE + FILE
    columns: HEAD | HEAD | HEAD: COLUMN of FILE + FILE
    rows: LABEL | LABEL -->
    ... <!-- end -->

The first column holds the labels. Without `rows` it has all rows of the files, in their order; without `columns` it
has those of the first file. A column may come from files of its own, under a head of its own.

Numbers within sentences are listed in `prose.json`, for each page: `results`, sentences whose `{}` stand for stored
values (a file, a row, a column's head, and which number of the cell; or `minus` and two of these); `documented`,
sentences whose numbers were measured at commit a441bd05d3a3 or before and whose runs were not kept; `settings`,
sentences whose numbers are no results of ours: options, equations, papers' numbers. Every number of a page that looks
like a measurement must stand in one of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from stored import NUMBER, FigureError, Stored, stored

MARKED = re.compile(
    r"<!-- figures:(?P<files>[^\n]*?)(?:\ncolumns: (?P<columns>[^\n]*?))?(?:\nrows: (?P<rows>[^\n]*?))? -->\n"
    r"(?P<body>.*?)<!-- end -->",
    re.S,
)
CODE = re.compile(r"^```.*?^```|^(?: {4}|\t)[^\n]*$|`[^`\n]*`|<!--.*?-->|\]\([^)]*\)", re.S | re.M)
UNITS = r"%|points?\b|degrees|°|s\b|ms\b|MB|kB|GB|pJ|times\b|seconds|minutes"
MEASUREMENT = re.compile(
    rf"(?<![\w.])[-+]?(?:\d[\d,]*\.\d+|\.\d+)(?!\w|\.\d)|(?<![\w.])\d(?:[\d,]*\d)?(?= ?(?:{UNITS}))"
)


def with_tables(page: str, text: str) -> str:
    """The page with every marked table made again.

    Raises:
        FigureError: a marker asks for what is not stored.
    """

    def made(found: re.Match[str]) -> str:
        head = found[0][: found.start("body") - found.start()]
        return f"{head}{table(page, found['files'], found['columns'], found['rows'])}<!-- end -->"

    return MARKED.sub(made, text)


def table(page: str, files: str, columns: str | None, rows: str | None) -> str:
    """A table in Markdown from what its marker says."""
    sources = _files(files)
    heads = columns.split(" | ") if columns else _columns_of(page, sources)
    label_head, *others = heads
    specs = [_column(page, head, sources) if columns else (head, head, sources) for head in others]
    known = list(dict.fromkeys(label for _, _, own in specs for source in own for label in source.labels()))
    labels = rows.split(" | ") if rows else known
    rules = {label.partition(" @ ")[0] for label in known}  # a column may be that of a device
    unknown = [label for label in labels if label not in {*known, *rules}]
    if unknown:
        raise FigureError(f"{page}: no stored row is called {', '.join(unknown)}. There are {', '.join(known)}")
    lines = [[label_head, *(head for head, _, _ in specs)], ["---"] * len(heads)]
    lines += [[label, *(_cell(own, label, head) for _, head, own in specs)] for label in labels]
    return "".join("|" + "".join(f" {cell} |" if cell else " |" for cell in line) + "\n" for line in lines)


def _files(names: str) -> list[Stored]:
    return [stored(name.strip()) for name in names.split("+") if name.strip()]


def _columns_of(page: str, sources: Sequence[Stored]) -> list[str]:
    columns = getattr(sources[0], "columns", None) if sources else None
    if columns is None:
        raise FigureError(f"{page}: a marker names no columns, and its results are runs. Name them")
    return list(columns)


def _column(page: str, spec: str, sources: Sequence[Stored]) -> tuple[str, str, Sequence[Stored]]:
    """Head as shown, head as stored, and the files of one column."""
    head, separator, rest = spec.rpartition(": ")
    if not separator:
        return spec, spec, sources
    column, of, files = rest.rpartition(" of ")
    if not of:
        raise FigureError(f"{page}: '{spec}' is no column. Write HEAD, or HEAD: COLUMN of FILE")
    return head, column, _files(files)


def _cell(sources: Sequence[Stored], label: str, head: str) -> str:
    texts = (source.text(label, head) for source in sources)
    return next((text for text in texts if text is not None), "")


@dataclass(frozen=True)
class Prose:
    """The sentences of one page that hold numbers.

    Args:
        results: pairs of a sentence with `{}` and its values.
        documented, settings: sentences as they stand.
    """

    results: list[dict[str, Any]]
    documented: list[str]
    settings: list[str]

    @classmethod
    def of(cls, content: dict[str, Any]) -> Prose:
        """From a page's entry of `prose.json`."""
        return cls(content.get("results", []), content.get("documented", []), content.get("settings", []))


def with_sentences(page: str, text: str, prose: Prose) -> str:
    """The page with the stored values in its sentences, in as many decimals as stand there.

    Raises:
        FigureError: a sentence is not on the page, or is there twice.
    """
    for entry in prose.results:
        found = _only(page, text, entry["text"])
        if len(entry["values"]) != len(found.groups()):
            raise FigureError(f"{page}: '{entry['text']}' has {len(found.groups())} places, not {len(entry['values'])}")
        for place in reversed(range(len(entry["values"]))):
            start, end = found.span(place + 1)
            text = text[:start] + like(found[place + 1], value_of(entry["values"][place])) + text[end:]
    return text


def value_of(spec: Sequence[Any]) -> float:
    """The number that a list names: a file, a row, a column's head, and which number of the cell (0 where left out)."""
    if spec[0] == "minus":
        return value_of(spec[1]) - value_of(spec[2])
    file, row, head, *place = spec
    source = stored(file)
    numbers = source.numbers(row, head) if row in source.labels() else []
    if len(numbers) <= (place[0] if place else 0):
        raise FigureError(f"{file} holds no '{head}' of '{row}'")
    return numbers[place[0] if place else 0]


def like(shown: str, value: float) -> str:
    """A value written as the number that stands there: its decimals, commas between thousands, a sign in front."""
    decimals = len(shown.partition(".")[2])
    made = f"{value:{'+' if shown[0] == '+' else ''}{',' if ',' in shown else ''}.{decimals}f}"
    return made.replace("0.", ".", 1) if shown.lstrip("+-").startswith(".") else made


def _only(page: str, text: str, sentence: str) -> re.Match[str]:
    pieces = [r"\s+".join(re.escape(word) for word in re.split(r"\s+", piece)) for piece in sentence.split("{}")]
    found = list(re.finditer(f"({NUMBER.pattern})".join(pieces), text))
    if len(found) != 1:
        raise FigureError(f"{page}: '{sentence}' stands there {len(found)} times. Mend the page, or prose.json")
    return found[0]


def unvouched(page: str, text: str, prose: Prose) -> Iterator[str]:
    """Numbers that look like measurements and stand in no made table and no listed sentence, each with its line."""
    covered = [found.span() for pattern in (MARKED, CODE) for found in pattern.finditer(text)]
    sentences = [*(entry["text"] for entry in prose.results), *prose.documented, *prose.settings]
    covered += [_only(page, text, sentence).span() for sentence in sentences]
    lines: dict[int, list[str]] = {}
    for found in MEASUREMENT.finditer(text):
        if not any(start <= found.start() < end for start, end in covered):
            lines.setdefault(text.count("\n", 0, found.start()) + 1, []).append(found[0])
    for line, numbers in lines.items():
        yield (
            f"{page}:{line}: nothing vouches for {', '.join(numbers)}. Put the sentence into "
            "docs/results/data/prose.json: under results with its stored values, under settings where it is no result, "
            "else under documented"
        )
