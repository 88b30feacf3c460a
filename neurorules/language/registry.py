"""A folder is a registry: every file in it is one entry, found by its file name and imported only when named.

A module of such a folder says what it offers with `ENTRY`: a frozen dataclass or a function whose keyword
parameters are the options a user may write, as in `poisson:max_rate=0.5`. `if_.py` is listed as `if`;
a hyphen in a user's word stands for the underscore of a file (`fashion-mnist`). Files that begin with an underscore
are not entries. Other packages add
folders of their own through the entry-point group `neurorules.<kind>s`, whose values name packages.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from neurorules.language.errors import unknown
from neurorules.language.options import convert_options, parse_named


@dataclass(frozen=True)
class Registry:
    """The entries of one kind.

    Args:
        kind: the singular word shown to users, such as "rule".
        package: the folder's package, such as "neurorules.rules", or None where only others add entries.
    """

    kind: str
    package: str | None

    @cached_property
    def modules(self) -> dict[str, str]:
        """Entry name -> module path, in alphabetical order; nothing is imported."""
        packages = [self.package] if self.package else []
        packages += [point.value for point in entry_points(group=f"neurorules.{self.kind}s")]
        found: dict[str, str] = {}
        for package in packages:
            spec = importlib.util.find_spec(package)
            for info in pkgutil.iter_modules(spec.submodule_search_locations if spec else []):
                if not info.name.startswith("_"):
                    found.setdefault(entry_name(info.name), f"{package}.{info.name}")
        return dict(sorted(found.items()))

    def lists(self, path: Path) -> bool:
        """Whether a file lies in a folder whose files are entries."""
        packages = {home for module in self.modules.values() if (home := module.rpartition(".")[0])}
        specs = (importlib.util.find_spec(package) for package in packages)
        folders = [Path(place) for spec in specs if spec for place in spec.submodule_search_locations or ()]
        return any(folder.resolve() == path.resolve().parent for folder in folders)

    def names(self) -> list[str]:
        """All entry names."""
        return list(self.modules)

    def factory(self, name: str) -> Callable[..., Any]:
        """The `ENTRY` of one module (see `module` for errors)."""
        return self.module(name).ENTRY

    def module(self, name: str) -> ModuleType:
        """The imported module of one entry; a hyphen in the name stands for an underscore.

        Raises:
            UserError: no such entry; the nearest name is offered.
        """
        path = self.modules.get(name.replace("-", "_"))
        if path is None:
            raise unknown(self.kind, name, self.modules)
        return importlib.import_module(path)

    def make(self, text: str) -> Any:
        """Build the entry that `name:key=value:key=value` describes.

        Raises:
            UserError: unknown entry, unknown option, or a value of the wrong type.
        """
        name, options = parse_named(text)
        factory = self.factory(name)
        return factory(**convert_options(f"{self.kind} '{name}'", factory, options))

    def summary(self, name: str) -> str:
        """First line of the entry's module docstring."""
        text = self.module(name).__doc__ or ""
        return text.strip().split("\n", 1)[0]


def entry_name(module: str) -> str:
    """The user's word for a module's file name: `if_` -> `if` (Python keeps the bare word for itself)."""
    return module.rstrip("_")
