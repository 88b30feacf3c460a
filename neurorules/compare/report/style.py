"""The look of a rule, the same on every chart: a colour, a shape and a dash."""

from __future__ import annotations

from typing import NamedTuple

from neurorules.compare.report.reading import Comparison, is_control, is_global

# The colours themselves are variables of the style sheet (Okabe and Ito 2008), so that the dark scheme and print
# change them without drawing again. Beyond six rules, shape and dash tell rules apart.
COLOURS = 6
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
DASHES: tuple[tuple[int, ...], ...] = ((), (7, 3), (2, 2))

# Each shape as the charts draw it, inside a square of 14 by 14.
OUTLINES = {
    "circle": '<circle cx="7" cy="7" r="4.5"/>',
    "square": '<rect x="3" y="3" width="8" height="8"/>',
    "triangle-up": '<path d="M7 2.2 12 11.2H2z"/>',
    "triangle-down": '<path d="M7 11.8 2 2.8h10z"/>',
    "diamond": '<path d="M7 1.5 12 7 7 12.5 2 7z"/>',
    "cross": '<path d="M5.4 2h3.2v3.4H12v3.2H8.6V12H5.4V8.6H2V5.4h3.4z"/>',
}


class Look(NamedTuple):
    """The look of a rule: its colour (a CSS value), the shape of its points, the dash of its lines (empty: solid)."""

    colour: str
    shape: str
    dash: tuple[int, ...]


def looks_of(comparison: Comparison) -> dict[str, Look]:
    """The look of each rule: the colour of ink for BPTT, greys for controls, hues for all others."""
    looks: dict[str, Look] = {}
    hues = references = controls = 0
    for row in comparison.rules:
        if is_control(row):
            looks[row["rule"]] = Look("var(--control)", SHAPES[-1 - controls % 2], DASHES[1 + controls % 2])
            controls += 1
        elif is_global(row):
            looks[row["rule"]] = Look("var(--ink)", SHAPES[references % len(SHAPES)], DASHES[references % len(DASHES)])
            references += 1
        else:
            turn = hues // COLOURS
            shape = SHAPES[(hues + turn) % len(SHAPES)]
            looks[row["rule"]] = Look(f"var(--rule-{hues % COLOURS})", shape, DASHES[turn % len(DASHES)])
            hues += 1
    return looks


def swatch(look: Look) -> str:
    """The mark of a rule as a small picture."""
    dash = f' stroke-dasharray="{" ".join(map(str, look.dash))}"' if look.dash else ""
    line = f'<line x1="0" x2="22" y1="7" y2="7" stroke="{look.colour}" stroke-width="2"{dash}/>'
    shape = f'<g transform="translate(4 0)" fill="{look.colour}">{OUTLINES[look.shape]}</g>'
    return f'<svg class="swatch" viewBox="0 0 22 14" width="22" height="14" aria-hidden="true">{line}{shape}</svg>'
