"""Write all files for a paper to a folder, completely or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from neurorules.compare.paper.latex import PACKAGES, latex_table
from neurorules.compare.paper.methods import as_latex, as_markdown, methods
from neurorules.compare.paper.pictures import Picture, pictures_of
from neurorules.compare.paper.references import references_of
from neurorules.compare.paper.text_tables import TextTable, csv_table, markdown_table, text_table
from neurorules.compare.report.page import VEGA_LITE
from neurorules.compare.report.reading import Comparison, read
from neurorules.compare.report.sections import Section, sections_of
from neurorules.compare.report.style import looks_of
from neurorules.language.errors import UserError, unknown
from neurorules.traces.exporters._folder import staged

TABLES: Mapping[str, Callable[[TextTable], str]] = {"tex": latex_table, "csv": csv_table, "md": markdown_table}
"""Formats of tables, by the suffix of their files."""
CHARTS = ("pdf", "png", "svg")
"""Formats of charts, by the suffix of their files."""
PPI = 300
"""Resolution of PNG figures in pixels per inch, as most journals require."""
FILES = ("tables", "charts", "references.bib", "methods.tex", "methods.md")
"""The description of the folder's content."""


def write_paper(
    raw: Mapping[str, Any],
    out: Path,
    tables: Sequence[str] = tuple(TABLES),
    charts: Sequence[str] = ("pdf",),
    only: str | None = None,
    force: bool = False,
) -> list[Path]:
    """Write tables, charts, references and the methods of a comparison.

    Args:
        raw: the content of `compare.json`.
        out: the folder, which is created.
        tables: formats of tables, of `TABLES`.
        charts: formats of charts, of `CHARTS`.
        only: a word; tables and charts whose name does not contain it are left out.
        force: replace an older kit in `out`.

    Returns:
        The files.

    Raises:
        UserError: an unknown format, nothing that holds the word, a comparison of another version, or `out` holds
            something else.
    """
    for format_, legal in (*((t, TABLES) for t in tables), *((c, CHARTS) for c in charts)):
        if format_ not in legal:
            raise unknown(f"format of {'tables' if legal is TABLES else 'charts'}", format_, legal)
    comparison = read(raw)
    looks = looks_of(comparison)
    sections = sections_of(comparison, looks)
    texts = [text_table(table) for section in sections for table in section.tables if _matches(table.name, only)]
    drawn = [p for p in pictures_of(comparison, sections, looks) if _matches(p.name, only)] if charts else []
    if only is not None and not texts and not drawn:
        raise unknown("table or chart", only, _names(comparison, sections))
    _check_place(out, force)
    out.parent.mkdir(parents=True, exist_ok=True)
    with _aside(out), staged(out) as folder:
        for path, content in _contents(comparison, texts, drawn, tables, charts):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
    return sorted(path for path in out.rglob("*") if path.is_file())


def _matches(name: str, only: str | None) -> bool:
    return only is None or only in name


def _names(comparison: Comparison, sections: Sequence[Section]) -> set[str]:
    pictures = {picture.name for picture in pictures_of(comparison, sections, looks_of(comparison))}
    return pictures | {table.name for section in sections for table in section.tables}


def _contents(
    comparison: Comparison, texts: Sequence[TextTable], drawn: Sequence[Picture], tables: Sequence[str],
    charts: Sequence[str],
) -> Iterator[tuple[str, bytes]]:  # fmt: skip
    """The names and the contents of the files."""
    references = references_of(comparison)
    sentences = methods(comparison, references)
    yield "references.bib", references.text().encode()
    yield "methods.md", as_markdown(sentences).encode()
    yield "methods.tex", f"{PACKAGES}\n{as_latex(sentences)}".encode()
    for table in texts:
        for name in tables:
            yield f"tables/{table.name}.{name}", TABLES[name](table).encode()
    for picture in drawn:
        for name in charts:
            yield f"charts/{picture.name}.{name}", _picture(picture, name)


def _picture(picture: Picture, format_: str) -> bytes:
    """Draw a chart in an image format."""
    import vl_convert

    if format_ == "svg":
        return str(vl_convert.vegalite_to_svg(picture.spec, vl_version=VEGA_LITE)).encode()
    if format_ == "png":
        return bytes(vl_convert.vegalite_to_png(picture.spec, vl_version=VEGA_LITE, ppi=PPI))
    return bytes(vl_convert.vegalite_to_pdf(picture.spec, vl_version=VEGA_LITE))


def _check_place(out: Path, force: bool) -> None:
    """Refuse a folder that contains anything except an older kit, which `force` replaces."""
    if not out.exists() and not out.is_symlink():
        return
    if not out.is_dir() or any(child.name not in FILES for child in out.iterdir()):
        raise UserError(f"--out {out} contains other files than tables and charts for a paper. Name another folder")
    if any(out.iterdir()) and not force:
        raise UserError(f"{out} is there already. Replace it with --force, or name another folder with --out")


@contextmanager
def _aside(out: Path) -> Iterator[None]:
    """Keep the older folder while a new one is written, and restore it if that fails."""
    if not out.exists():
        yield
        return
    beside = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}.", suffix=".old"))
    os.replace(out, beside / out.name)
    try:
        yield
    except BaseException:
        os.replace(beside / out.name, out)
        raise
    finally:
        shutil.rmtree(beside)
