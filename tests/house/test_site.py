"""The site of the documents: it is built without a warning, and every link and picture of its own leads somewhere.

The gallery's scripts do not run here; `tests/unit/test_demos.py` runs each, and `make docs` all of them.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from site_build import site
from sources import ROOT

pytest.importorskip("sphinx_gallery", reason="sphinx is not installed (extra docs)")
pytestmark = pytest.mark.slow
GLOSSARY = (
    "text", "signal", "needs", "phase", "trial", "third-factor", "through-norm", "dv-dw", "window", "read-out",
    "layer-pool", "update-locking", "causal-distance",
)  # fmt: skip
"""Anchors that other pages and messages may point at."""


class Page(HTMLParser):
    """What a page points at, and which anchors it has."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect links, sources and anchors."""
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            elif name in ("href", "src") and value:
                self.targets.append(value)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Page]:
    """All pages of the site by their files."""
    return {path: Page(path) for path in site(tmp_path_factory.getbasetemp()).rglob("*.html")}


def dead(pages: dict[Path, Page]) -> list[str]:
    """Targets within the site that are not there."""
    wrong = []
    for path, page in pages.items():
        for target in page.targets:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            there = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            known = pages[there].anchors if there in pages else set()
            if not there.exists() or (parts.fragment and there in pages and unquote(parts.fragment) not in known):
                wrong.append(f"{path.name}: {target}")
    return wrong


def test_the_site_is_built_without_a_warning_and_no_link_is_dead(pages: dict[Path, Page]) -> None:
    assert len(pages) > 50
    assert not dead(pages)


def test_a_page_asks_no_network_for_what_it_shows(pages: dict[Path, Page]) -> None:
    loaded = re.compile(r"<(?:script|img|iframe|source)[^>]+src=\"https?:|<link[^>]+rel=\"stylesheet\"[^>]+https?:")
    assert not [path.name for path in pages if loaded.search(path.read_text(encoding="utf-8"))]


def test_every_word_of_our_own_has_an_anchor_and_an_example(pages: dict[Path, Page]) -> None:
    (glossary,) = (page for path, page in pages.items() if path.name == "glossary.html")
    assert set(GLOSSARY) <= glossary.anchors
    words = re.split(r"^### ", (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8"), flags=re.M)[1:]
    assert len(words) > 40 and not [word.partition("\n")[0] for word in words if "*Example:*" not in word]


def test_every_script_of_the_gallery_is_a_page(pages: dict[Path, Page]) -> None:
    scripts = {path.stem for path in (ROOT / "demos").glob("*/*.py")}
    assert scripts and scripts <= {path.stem for path in pages if "gallery" in path.parts}


def test_a_link_that_leads_nowhere_is_seen(tmp_path: Path) -> None:
    lost = tmp_path / "lost.html"
    lost.write_text('<a href="nowhere.html">a</a><a href="#nothing">b</a><p id="there"></p><a href="#there">c</a>')
    assert dead({lost: Page(lost)}) == ["lost.html: nowhere.html", "lost.html: #nothing"]
