"""Registries of rules, signals, neurons and all other parts: every file in a folder is one entry, listed by its name.

A file is imported only when its entry is used. It binds `ENTRY` to a frozen dataclass or a function whose keyword
parameters are the options that a user may write, as in `poisson:max_rate=0.5`. `if_.py` is listed as `if`, and users
may write a hyphen for an underscore (`fashion-mnist`). Files that begin with an underscore are not entries. Other
packages add folders of their own through the entry-point group `neurorules.<kind>s`, whose values name packages. Rules,
signals and neurons may also be single files of the user's (`neurorules.language.own_files`).
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import pkgutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.metadata import EntryPoints, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from neurorules.language.errors import UserError, unknown
from neurorules.language.options import convert_options, parse_list, parse_named
from neurorules.language.own_file import KINDS, build_from, entry_of, load, offer_of
from neurorules.language.own_files import checked_path, is_path, listed_as, take

PACKAGES = {kind: f"neurorules.{kind}s" for kind in KINDS}
"""The library's own folder for each kind of entry that a user's file may define."""
OWN_PARTS = {"rule": "rule", "signal": "signal", "neuron": "neuron", "readout_neuron": "neuron"}
"""Settings whose value may be a user's file, with the kind of entry that the file must define."""


def installed_points(group: str) -> EntryPoints:
    """The entry points of a group in all installed packages; they are read again only when Python's path changes.

    Args:
        group: the name of the group, such as "neurorules.rules".

    Returns:
        The entry points, whose values are names of packages.
    """
    points: EntryPoints = _points_on(tuple((place, _changed_ns(place)) for place in sys.path)).select(group=group)
    return points


@lru_cache(maxsize=1)
def _points_on(path: tuple[tuple[str, int], ...]) -> Any:
    return entry_points()


def _changed_ns(place: str) -> int:
    """The time at which a folder last changed; 0 if it does not exist."""
    try:
        return os.stat(place or ".").st_mtime_ns
    except OSError:
        return 0


@dataclass(frozen=True)
class Registry:
    """The entries of one kind.

    Args:
        kind: the singular word shown to users, such as "rule".
        package: the folder's package, such as "neurorules.rules", or None if only other packages add entries.
    """

    kind: str
    package: str | None

    @cached_property
    def installed(self) -> dict[str, str]:
        """The module path of every entry in packages, by name, in alphabetical order. Nothing is imported."""
        packages = [self.package] if self.package else []
        packages += [point.value for point in installed_points(f"neurorules.{self.kind}s")]
        origins: dict[str, str] = {}
        for package in packages:
            spec = importlib.util.find_spec(package)
            for info in pkgutil.iter_modules(spec.submodule_search_locations if spec else []):
                if not info.name.startswith("_"):
                    origins.setdefault(entry_name(info.name), f"{package}.{info.name}")
        return dict(sorted(origins.items()))

    @cached_property
    def _modules(self) -> dict[str, str]:
        return dict(self.installed)

    @property
    def modules(self) -> dict[str, str]:
        """The module path, or the absolute path of a user's file, of every entry, by name. Nothing is imported.

        Raises:
            UserError: a user's file has the name of an entry of a package, or cannot be listed.
        """
        if self.kind not in KINDS:
            return self._modules
        own = listed_as(self.kind)
        for name in [name for name, place in self._modules.items() if is_path(place) and name not in own]:
            del self._modules[name]
        for name, path in own.items():
            self.check_free(name, path)
        self._modules.update(own)
        return self._modules

    def check_free(self, name: str, path: Path | str) -> None:
        """Refuse a user's file that has the name of an entry of a package.

        Args:
            name: the name of the entry in the file.
            path: the path of the file.

        Raises:
            UserError: the name is taken by a package.
        """
        if name in self.installed:
            raise UserError(f"'{name}' is the {self.kind} of {self.installed[name]}. Give the file {path} another name")

    def lists(self, path: Path) -> bool:
        """Whether a file lies in one of this registry's folders."""
        places = [place for place in self.modules.values() if not is_path(place)]
        packages = {home for module in places if (home := module.rpartition(".")[0])}
        specs = (importlib.util.find_spec(package) for package in packages)
        folders = [Path(place) for spec in specs if spec for place in spec.submodule_search_locations or ()]
        return any(folder.resolve() == path.resolve().parent for folder in folders)

    def names(self) -> list[str]:
        """The names of all entries, of this library and of other packages."""
        return sorted(self.modules)

    def factory(self, name: str) -> Callable[..., Any]:
        """The factory of an entry, such as the `ENTRY` of its module (see `module` for errors)."""
        place = self.place(name)
        return entry_of(Path(place), self.kind) if is_path(place) else importlib.import_module(place).ENTRY

    def place(self, name: str) -> str:
        """The module path of one entry, or the path of its file; a hyphen in the name stands for an underscore.

        Raises:
            UserError: there is no such entry; the message names the nearest one.
        """
        place = self.modules.get(name.replace("-", "_"))
        if place is None:
            raise unknown(self.kind, name, self.modules)
        return place

    def module(self, name: str) -> ModuleType:
        """The imported module of one entry.

        Raises:
            UserError: there is no such entry (the message names the nearest one), or a user's file cannot be run.
        """
        place = self.place(name)
        return load(Path(place)) if is_path(place) else importlib.import_module(place)

    def make(self, text: str) -> Any:
        """Build the entry that `name:key=value:key=value` describes.

        Raises:
            UserError: an entry or an option is unknown, or a value has the wrong type.
        """
        name, options = parse_named(text)
        return self.build(name, convert_options(f"{self.kind} '{name}'", self.factory(name), options))

    def build(self, name: str, options: Mapping[str, Any]) -> Any:
        """Build an entry from the values of its options.

        Args:
            name: the name of the entry.
            options: values by the name of the option, of the types that the entry declares.

        Returns:
            What the entry makes.

        Raises:
            UserError: options exclude each other, or a user's file raises an error or makes something else.
        """
        factory, place = self.factory(name), self.place(name)
        return build_from(Path(place), self.kind, factory, options) if is_path(place) else factory(**options)

    def summary(self, name: str) -> str:
        """The first line of the docstring of the entry's module."""
        text = self.module(name).__doc__ or ""
        return text.strip().split("\n", 1)[0]


def entry_name(module: str) -> str:
    """The entry name for a module name: `if_` -> `if`, because `if` is a keyword of Python."""
    return module.rstrip("_")


def own_part(text: str, kind: str) -> str:
    """The text of a part with the part's own name. If it names the part by its file, register the file.

    Args:
        text: a part with its options, such as "./my_rule.py:alpha=3", or "s-tller", where a hyphen stands for an
            underscore.
        kind: the kind of part that is needed: "rule", "signal" or "neuron".

    Returns:
        The text with the part's name, such as "my_rule:alpha=3" or "s_tller".

    Raises:
        UserError: there is no such file, it cannot be run, it does not define such a part, or its name is taken.
    """
    word = text.strip().partition(":")[0].strip()
    options = text.strip()[len(word) :].lstrip()
    if not is_path(word):
        return word.replace("-", "_") + options
    path = checked_path(word)
    load(path)
    kinds = offer_of(path).kinds
    if kind not in kinds:
        offered = " and a ".join(sorted(kinds))
        raise UserError(f"{word} offers a {offered}, and a {kind} is asked for here. Name it as a {offered}")
    for one in sorted(kinds):
        Registry(one, PACKAGES[one]).check_free(path.stem, path)
    take({path.stem: path})
    return path.stem + options


def with_own_parts(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Register every file that the settings name, and replace its path by the name of the part (see `own_part`).

    Args:
        settings: settings by name, such as options of a command; `signal` may be a comma-separated list.

    Returns:
        The settings with names in place of paths. Call this only for settings that the user has typed, and never for
        settings read from a folder, because it runs the files.

    Raises:
        UserError: as in `own_part`, or the value is not a text.
    """
    complete = dict(settings)
    for name, kind in OWN_PARTS.items():
        if (text := complete.get(name)) is not None:
            check_text(text, name, kind)
            parts = parse_list(text) if name == "signal" and "," in text else [text]
            complete[name] = ",".join(own_part(part, kind) for part in parts)
    return complete


def check_text(value: Any, name: str, kind: str) -> None:
    """Refuse an object where the name of a part is expected.

    Args:
        value: the value of the setting.
        name: the name of the setting.
        kind: the kind of the part, such as "rule".

    Raises:
        UserError: the value is not a text.
    """
    if not isinstance(value, str):
        raise UserError(
            f"{name} is a {type(value).__name__}, and a {kind} is named by a text, NAME:option=value, or by its file, "
            f"my_{kind}.py. Write it to a file: neurorules new {kind} NAME"
        )
