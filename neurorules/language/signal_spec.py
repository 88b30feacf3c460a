"""A learning signal by name and options: what a rule asks for, and what `--signal` is read into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from neurorules.language.options import check_options, convert_options, defaults_of, parse_named, write_named
from neurorules.language.registry import Registry

SIGNALS = Registry("signal", "neurorules.signals")
"""The learning signals, one file each. No signal is imported before it is named."""


@dataclass(frozen=True)
class SignalSpec:
    """One learning signal with its options, checked when it is built.

    Args:
        name: of the signal's file in `neurorules/signals/` or in another package, such as "prototypes".
        options: values by option name. Options that have their default value are left out, so that specs of the same
            signal are equal.

    Raises:
        UserError: an unknown signal or option (the nearest name is offered), a value of another type or outside its
            range, or options that exclude each other.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        name = self.name.replace("-", "_")
        factory = SIGNALS.factory(name)
        check_options(f"signal '{name}'", factory, self.options)
        usual = defaults_of(factory)
        chosen = {key: value for key, value in self.options.items() if key not in usual or value != usual[key]}
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "options", chosen)
        self.make()

    @classmethod
    def parse(cls, text: str) -> SignalSpec:
        """Read what a user writes, such as `prototypes:form=voltage:tau=0.2`.

        Args:
            text: a name, then options `key=value`, separated by colons.

        Raises:
            UserError: see the class; or a text that is not of this form.
        """
        name, raw = parse_named(text)
        return cls(name, convert_options(f"signal '{name}'", SIGNALS.factory(name), raw))

    def make(self) -> Any:
        """Build the signal, a `neurorules.contracts.signal.Signal`.

        Raises:
            UserError: options that exclude each other.
        """
        return SIGNALS.factory(self.name)(**self.options)

    def __str__(self) -> str:
        """The text that `parse` reads back."""
        return write_named(self.name, self.options)
