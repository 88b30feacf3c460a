"""How the types of every call are checked while tests run, named in pyproject.toml."""

from __future__ import annotations

from beartype import BeartypeConf, beartype

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
"""A whole number serves where a `float` is declared, as it does for every static type checker and for every user."""
