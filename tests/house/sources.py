"""The source files that the house rules look at, read once."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("neurorules", "hardware_models")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """One Python file of the packages."""

    path: Path

    @cached_property
    def name(self) -> str:
        """Path from the root of the checkout."""
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def module(self) -> str:
        """Dotted name; a package's `__init__` has the package's name."""
        parts = self.path.relative_to(ROOT).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @cached_property
    def text(self) -> str:
        """The whole file."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed file."""
        return ast.parse(self.text, self.name)

    @property
    def functions(self) -> Iterator[Function]:
        """All functions and methods, nested ones too."""
        return (node for node in ast.walk(self.tree) if isinstance(node, Function))

    @cached_property
    def imports(self) -> set[str]:
        """Full names of all that is imported, wherever in the file: modules, and `module.name` for names."""
        found: set[str] = set()
        package = self.module if self.path.stem == "__init__" else self.module.rpartition(".")[0]
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
                source = ".".join([*above, *([node.module] if node.module else [])])
                found |= {source, *(f"{source}.{alias.name}" for alias in node.names)}
        return found


@cache
def sources() -> tuple[Source, ...]:
    """All files of the packages."""
    return tuple(Source(path) for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))


def under(*modules: str) -> list[Source]:
    """The files of the given modules and packages."""
    return [s for s in sources() if any(s.module == m or s.module.startswith(f"{m}.") for m in modules)]
