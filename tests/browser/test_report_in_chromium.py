"""The report in a real browser: it draws, follows what the reader picks, sorts, copies, prints, fits a phone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from comparisons import RULES, made

from neurorules.compare.report import write_report

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra dev)")

CHROMIUM = os.environ.get("NEURORULES_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    f"--{flag}"
    for flag in (
        "headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
        "disable-component-update", "disable-sync",
    )
]  # fmt: skip
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}
HOSTILE = "</script><img src=x onerror=alert(1)>:a=\"'&`"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: install it, or name it in NEURORULES_CHROMIUM"),
]

Open = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield found
        found.close()


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Pages on disk, by name."""
    sizes: dict[str, dict[str, Any]] = {
        "full": made(seeds=2, epochs=4, hidden=2),
        "sparse": made(["sigprop"], seeds=1, epochs=1, hidden=1, alignment=False, audit=False, layers=[]),
        "many": made([f"sigprop:form=voltage:a_long_option={n}" for n in range(11)] + ["bptt"], seeds=1, epochs=2),
        "hostile": made([HOSTILE, "bptt"], seeds=2, epochs=2, hidden=1, title=HOSTILE),
    }
    found = {}
    for name, comparison in sizes.items():
        folder = tmp_path_factory.mktemp(name)
        write_report(comparison, folder)
        found[name] = folder / "report.html"
    return found


@pytest.fixture
def opened(browser: Any, reports: dict[str, Path]) -> Iterator[Open]:
    """Opens a page, with nothing but its own file to be had; afterwards nothing may have complained."""
    contexts, complaints = [], []

    def open_page(name: str = "full", size: dict[str, int] = DESKTOP, hash: str = "", **options: Any) -> Any:
        context = browser.new_context(viewport=size, accept_downloads=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type != "log" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.on("request", lambda asked: complaints.append(asked.url) if not is_own(asked.url, reports[name]) else None)
        page.goto(f"{reports[name].as_uri()}{hash}")
        page.wait_for_selector("html[data-ready]", timeout=60_000)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints, complaints


def is_own(url: str, file: Path) -> bool:
    """Whether an address is the page itself, or made by it."""
    return url.partition("#")[0] == file.as_uri() or url.startswith(("data:", "blob:"))


def marks(page: Any, chart: str, kind: str = "symbol") -> int:
    """Marks drawn in a chart, the pointer's invisible places left out."""
    selector = f'[data-chart="{chart}"] .mark-{kind} path'
    return int(
        page.eval_on_selector_all(selector, "all => all.filter(a => a.getAttribute('opacity') !== '0.001').length")
    )


def shown_rules(page: Any, table: str = "accuracy") -> list[str]:
    """Rules of the rows in sight, top to bottom."""
    rows = page.eval_on_selector_all(
        f'[data-table="{table}"] tbody tr', "all => all.filter(a => !a.hidden).map(a => a.dataset.rule)"
    )
    return list(rows)


def overflow(page: Any) -> int:
    """Pixels by which the page is wider than the window."""
    return int(page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))


def test_every_chart_draws_its_marks(opened: Open) -> None:
    page = opened()
    canvases = page.eval_on_selector_all(
        ".chart:not(.absent) .canvas", "all => all.map(a => [a.dataset.chart, a.querySelectorAll('svg path').length])"
    )
    assert len(canvases) >= 10
    assert all(count > 4 for _, count in canvases), canvases
    # A mean and two seeds a rule; a bar a rule; a point a rule and epoch.
    assert marks(page, "accuracy") == 3 * len(RULES)
    assert marks(page, "cost_train_seconds", "rect") == len(RULES)
    assert marks(page, "learning") == 4 * len(RULES)


def test_picking_a_rule_reaches_every_chart_and_table_and_the_address(opened: Open) -> None:
    page = opened()
    page.uncheck('input[value="dfa"]')
    page.wait_for_function("location.hash.includes('rule=')")
    assert "dfa" not in shown_rules(page) and len(shown_rules(page)) == len(RULES) - 1
    assert not page.is_visible('figure.matrix[data-rule="dfa"]')
    assert page.is_visible('figure.matrix[data-rule="bptt"]')
    page.wait_for_timeout(300)
    assert marks(page, "accuracy") == 3 * (len(RULES) - 1)
    assert marks(page, "cost_train_seconds", "rect") == len(RULES) - 1
    assert "dfa" not in page.inner_text('[data-chart="accuracy"]')
    again = opened(hash=page.evaluate("location.hash"))
    assert not again.is_checked('input[value="dfa"]')
    assert marks(again, "accuracy") == 3 * (len(RULES) - 1)


def test_rules_are_picked_by_keyboard_and_as_groups(opened: Open) -> None:
    page = opened()
    page.focus('input[value="bptt"]')
    page.keyboard.press("Space")
    assert "bptt" not in shown_rules(page)
    page.click("text=None")
    assert shown_rules(page) == []
    assert page.eval_on_selector('[data-chart="accuracy"]', "a => a.classList.contains('empty')")
    page.click("text=Without controls")
    assert set(shown_rules(page)) == set(RULES) - {"shallow"}
    page.click(".buttons >> text=All")
    assert set(shown_rules(page)) == set(RULES)
    assert page.evaluate("location.hash") == ""


def test_picking_layers_hides_their_charts_and_rows(opened: Open) -> None:
    page = opened()
    page.uncheck('input[value="hidden1"]')
    assert not page.is_visible('figure[data-layer="hidden1"]')
    assert page.is_visible('figure[data-layer="hidden2"]')
    layers = page.eval_on_selector_all(
        '[data-table="alignment"] tbody tr', "all => all.filter(a => !a.hidden).map(a => a.dataset.layer)"
    )
    assert set(layers) == {"hidden2", "readout"}
    page.wait_for_timeout(300)
    assert "hidden1" not in page.inner_text('[data-chart="alignment_by_depth"]')


def test_another_measure_changes_the_charts_of_its_group_alone(opened: Open) -> None:
    page = opened()
    before = page.inner_html('[data-chart="alignment_by_depth"]'), page.inner_html('[data-chart="inside_by_depth"]')
    page.select_option('[data-choice="alignment"]', "cosine")
    page.wait_for_timeout(300)
    assert page.inner_html('[data-chart="alignment_by_depth"]') != before[0]
    assert page.inner_html('[data-chart="inside_by_depth"]') == before[1]
    assert "alignment=cosine" in page.evaluate("location.hash")
    assert "Cosine" in page.inner_text('[data-about="alignment"]')


def test_tables_sort_by_click_both_ways_with_missing_values_last(opened: Open) -> None:
    page = opened()
    head = page.locator('[data-table="cost"] thead th').nth(4)
    order = []
    for direction in ("descending", "ascending"):
        head.locator("button").click()
        assert head.get_attribute("aria-sort") == direction
        order.append(shown_rules(page, "cost"))
        values = page.eval_on_selector_all(
            '[data-table="cost"] tbody tr', "all => all.map(a => Number(a.cells[4].dataset.value))"
        )
        assert values == sorted(values, reverse=direction == "descending")
    assert order[0] != order[1]
    page.locator('[data-table="accuracy"] thead th').nth(8).locator("button").click()
    assert shown_rules(page)[-1] == "bptt"  # differs from itself by nothing that could be sorted


@pytest.mark.parametrize("allowed", [True, False], ids=["clipboard", "without the clipboard's permission"])
def test_copy_copies_the_rows_in_sight_as_tabs(opened: Open, allowed: bool) -> None:
    page = opened(permissions=["clipboard-read", "clipboard-write"])
    if not allowed:
        page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }")
    page.uncheck('input[value="dfa"]')
    page.click('[data-table="accuracy"] [data-copy]')
    page.wait_for_function("document.querySelector('[data-table=accuracy] [data-copy]').textContent === 'Copied'")
    lines = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert lines[0].split("\t")[:4] == ["rule", "rate", "read-out rate", "test %"]
    assert len(lines) == len(RULES)  # the head, and all rules but one
    assert float(lines[1].split("\t")[3]) > 0.9


def test_the_lists_are_saved_as_csv(opened: Open) -> None:
    page = opened()
    with page.expect_download() as waiting:
        page.click('[data-file="alignment"]')
    text = Path(waiting.value.path()).read_text(encoding="utf-8").splitlines()
    assert waiting.value.suggested_filename == "alignment.csv"
    assert text[0] == "rule,seed,layer,epoch,cosine,angle_deg,norm_ratio,sign_agreement,signal_angle_deg"
    assert len(text) == 1 + len(RULES) * 2 * 3 * 5  # seeds, layers, epochs with 0


def test_a_chart_is_saved_as_a_picture_that_stands_alone(opened: Open) -> None:
    page = opened()
    page.hover('figure:has([data-chart="accuracy"])')
    with page.expect_download() as waiting:
        page.click('figure:has([data-chart="accuracy"]) [data-svg]')
    text = Path(waiting.value.path()).read_text(encoding="utf-8")
    assert text.startswith("<svg") and "var(" not in text and "#0072b2" in text.lower()


def test_pointing_at_a_mark_tells_its_numbers(opened: Open) -> None:
    page = opened()
    page.locator('[data-chart="accuracy"]').scroll_into_view_if_needed()
    page.locator('[data-chart="accuracy"] .mark-symbol').last.locator("path").first.hover(force=True)
    page.wait_for_selector("#vg-tooltip-element.visible")
    told = page.inner_text("#vg-tooltip-element")
    assert "rule" in told and "95 % interval" in told and "%" in told


def test_pointing_at_a_chip_fades_the_other_rules(opened: Open) -> None:
    page = opened()
    page.hover('.chip:has(input[value="dfa"])')
    page.wait_for_timeout(300)
    faint = page.eval_on_selector_all(
        '[data-chart="cost_train_seconds"] .mark-rect path', "all => all.map(a => Number(a.getAttribute('opacity')))"
    )
    assert sorted(faint)[-1] > 0.8 and sorted(faint)[-2] < 0.1


@pytest.mark.parametrize("name", ["full", "many", "hostile", "sparse"])
def test_the_page_fits_a_phone(opened: Open, name: str) -> None:
    page = opened(name, PHONE)
    assert overflow(page) <= 0
    widest = page.eval_on_selector_all(
        ".canvas svg", "all => Math.max(...all.map(a => a.getBoundingClientRect().right))"
    )
    assert widest <= PHONE["width"]


def test_a_hostile_name_is_text_and_nothing_else(opened: Open) -> None:
    page = opened("hostile")
    assert page.locator("img").count() == 0
    assert page.inner_text("h1") == HOSTILE
    page.locator('[data-chart="accuracy"] .mark-symbol').last.locator("path").first.hover(force=True)
    page.wait_for_selector("#vg-tooltip-element.visible")
    assert page.locator("#vg-tooltip-element img").count() == 0
    page.uncheck(".chip input >> nth=0")
    assert shown_rules(page) == ["bptt"]


def test_the_page_prints(opened: Open, tmp_path: Path) -> None:
    page = opened()
    sheets = tmp_path / "report.pdf"
    page.pdf(path=str(sheets), prefer_css_page_size=True)
    assert sheets.read_bytes().startswith(b"%PDF") and sheets.stat().st_size > 50_000
    page.emulate_media(media="print")
    assert not page.is_visible("nav")
    assert page.is_visible('[data-table="accuracy"]')


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground_in_both_schemes(opened: Open, scheme: str) -> None:
    page = opened(color_scheme=scheme)
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 10
    faint = [found for found in contrasts if found[0] < 4.5]
    assert not faint, faint


# Contrast of letters and their ground by WCAG 2.1 (relative luminance), for one element of each kind of text.
CONTRASTS = """() => {
  const light = (text) => {
    const [r, g, b] = text.match(/[\\d.]+/g).slice(0, 3)
      .map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (/^rgb\\(/.test(colour)) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const kinds = ["h1", "h2", ".eyebrow", ".summary", ".headline", ".tiles dt", ".tiles dd", ".tiles .below",
    ".details li", ".lead", ".about", ".chip code", "button", "td", "td small", "td.yes", "td.no", "th button",
    "nav a", ".legend", "footer p", ".matrix thead th", ".canvas text"];
  return kinds.map((kind) => [kind, document.querySelector(kind)]).filter(([, node]) => node).map(([kind, node]) => {
    const style = getComputedStyle(node);
    const [a, b] = [light(node.closest("svg") ? style.fill : style.color), light(ground(node))];
    return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), kind];
  });
}"""
