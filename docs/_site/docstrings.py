"""How docstrings are read: Args, Returns and Raises as Google has them, and words between backticks as code.

Two things differ from what Sphinx expects. A star and a bar are what they look like, since shapes are written
(B, *shape) and lengths |y|. And what stands under an attribute is a sentence, which may hold a colon.
"""

from __future__ import annotations

import re
from typing import Any

MARK = re.compile(r"(`[^`]*`)|([*|])")
SENTENCES: list[str] = []
"""What stands under the attribute that is being read."""


def plain(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Write a docstring as Sphinx reads it, before the sections of Google are looked for.

    Args:
        app: Sphinx.
        what: kind of thing, such as "class" or "attribute".
        name: its full name.
        thing: the thing itself.
        options: of the directive.
        lines: the docstring, which is changed in place.
    """
    lines[:] = [MARK.sub(lambda found: found[1] or rf"\{found[2]}", line) for line in lines]
    SENTENCES[:] = lines


def whole(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Put back what stands under an attribute: napoleon takes what stands before the first colon for a type."""
    if what in ("attribute", "data", "property"):
        lines[:] = SENTENCES


def default_made(
    app: Any, what: str, name: str, thing: Any, options: Any, signature: str | None, returned: str | None
) -> tuple[str | None, str | None]:
    """Write a default that a dataclass makes anew as dots: Python cannot read `<factory>`, and Sphinx then guesses."""
    return (None if signature is None else signature.replace("<factory>", "...")), returned


def setup(app: Any) -> dict[str, bool]:
    """Let Sphinx know; napoleon stands between the two, at 500."""
    app.connect("autodoc-process-docstring", plain, priority=400)
    app.connect("autodoc-process-docstring", whole, priority=600)
    app.connect("autodoc-process-signature", default_made)
    return {"parallel_read_safe": True}
