"""The name and options of a learning signal, as a rule declares them and as `--signal` is parsed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from neurorules.language.options import check_options, convert_options, defaults_of, parse_named, write_named
from neurorules.language.registry import Registry

SIGNALS = Registry("signal", "neurorules.signals")
"""All learning signals, one file each. A signal is imported only when it is used."""


@dataclass(frozen=True)
class SignalSpec:
    """One learning signal with its options, which are checked on construction.

    Args:
        name: the name of the signal's file in `neurorules/signals/` or in another package, such as "prototypes".
        options: values by option name. Options with their default value are removed, so that specs of the same signal
            are equal.

    Raises:
        UserError: a signal or an option is unknown (the message names the nearest one), a value has the wrong type or
            is outside its range, or options exclude each other.
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
        """Parse a text such as `prototypes:form=voltage:tau=0.2`.

        Args:
            text: a name, followed by options `key=value`, separated by colons.

        Raises:
            UserError: as for the class, or the text does not have this form.
        """
        name, raw = parse_named(text)
        return cls(name, convert_options(f"signal '{name}'", SIGNALS.factory(name), raw))

    def make(self) -> Any:
        """Build the signal, a `neurorules.contracts.signal.Signal`.

        Raises:
            UserError: options that exclude each other.
        """
        return SIGNALS.build(self.name, self.options)

    def __str__(self) -> str:
        """The text from which `parse` builds the same spec."""
        return write_named(self.name, self.options)
