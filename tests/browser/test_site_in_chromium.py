"""The site of the documents in a real browser, as wide as a phone: no page is pushed sideways or asks a network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from site_build import site
from test_report_in_chromium import CHROMIUM, FLAGS, overflow

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra dev)")
pytest.importorskip("sphinx_gallery", reason="sphinx is not installed (extra docs)")

PHONE = {"width": 390, "height": 844}
PAGES = (
    "index.html", "gallery/index.html", "gallery/first_steps/first_net.html", "gallery/first_steps/from_snntorch.html",
    "reference/api.html", "reference/contracts.html", "reference/parts.html", "reference/commands.html",
    "glossary.html", "choosing-a-rule.html", "comparing.html", "results/mnist.html",
)  # fmt: skip

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: install it, or name it in NEURORULES_CHROMIUM"),
]


@pytest.fixture(scope="module")
def phone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Path, list[str]]]:
    """A page of a browser, the folder of the site, and what was complained of or asked from elsewhere."""
    root = site(tmp_path_factory.getbasetemp())
    complaints: list[str] = []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport=PHONE)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda asked: None if asked.url.startswith("file:") else complaints.append(asked.url))
        yield page, root, complaints
        browser.close()


def test_every_kind_of_page_fits_a_phone(phone: tuple[Any, Path, list[str]]) -> None:
    page, root, complaints = phone
    wide = {}
    for name in PAGES:
        page.goto((root / name).as_uri())
        assert page.locator("h1").first.is_visible(), name
        if overflow(page) > 0:
            wide[name] = overflow(page)
    assert not wide and not complaints, (wide, complaints)


def test_the_menu_of_a_phone_leads_to_the_glossary(phone: tuple[Any, Path, list[str]]) -> None:
    page, root, _ = phone
    page.goto((root / "index.html").as_uri())
    page.locator("label.nav-overlay-icon").first.click()
    page.locator(".sidebar-tree a", has_text="Glossary").first.click()
    assert page.url.endswith("glossary.html") and page.inner_text("h1").startswith("Glossary")


def test_a_search_finds_a_word(phone: tuple[Any, Path, list[str]]) -> None:
    page, root, _ = phone
    page.goto(f"{(root / 'search.html').as_uri()}?q=eligibility")
    page.wait_for_selector("#search-results li", timeout=30_000)
    assert page.locator("#search-results li").count() > 3
