"""The settings that can be searched: training settings, and options of parts such as `rule.form`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from neurorules.brian2_continuous.parts.neurons import NEURONS as CIRCUIT_NEURONS
from neurorules.language.config import SETTINGS, TrainConfig, config_from
from neurorules.language.errors import UserError, unknown
from neurorules.language.options import convert_options, defaults_of, names_own_option, parse_named, write_named
from neurorules.language.ranges import hints_of
from neurorules.language.registry import with_own_parts
from neurorules.runner.catalogue import KINDS
from neurorules.runner.dispatch import settle
from neurorules.surrogates import kind_of

PARTS = {
    "rule": "rules", "signal": "signals", "neuron": "neurons", "readout_neuron": "neurons",
    "connection": "connections", "encode": "encoders", "norm": "normalisations", "hardware": "hardware",
}  # fmt: skip
"""Settings whose value names a part with options, each with the kind of part."""


class Target(NamedTuple):
    """A setting or an option in a search space.

    Args:
        name: such as "lr" or "rule.form".
        kind: its annotation, range included.
        read: a function that converts a user's value, and refuses one that is not possible.
    """

    name: str
    kind: Any
    read: Callable[[Any], Any]


def setting_target(name: str, where: str) -> Target:
    """A training setting as a part of a search space.

    Args:
        name: the name of an existing setting.
        where: the name of the place in messages.

    Returns:
        The target.
    """

    def read(value: Any) -> Any:
        return getattr(config_from(with_own_parts({name: _word(value)}), where), name)

    return Target(name, SETTINGS[name].kind, read)


def option_target(config: TrainConfig, setting: str, option: str) -> Target:
    """An option of a part as a part of a search space.

    Args:
        config: the configuration, which names the part or leaves it to the rule.
        setting: the setting whose value names the part, a key of `PARTS`.
        option: the option of the part.

    Returns:
        The target, whose name is `setting.option`.

    Raises:
        UserError: no part, or several parts, are named; or the part does not have the option, and the message offers
            the nearest.
    """
    name, factory = _part_of(config, setting)
    accepted = hints_of(factory)
    owner = f"{setting} '{name}'"
    if names_own_option(option, accepted):
        return _own_option_target(config, setting, option, defaults_of(factory))
    if option not in accepted:
        raise unknown(f"option of {owner}", option, accepted)

    def read(value: Any) -> Any:
        return convert_options(owner, factory, {option: _word(value)})[option]

    return Target(f"{setting}.{option}", accepted[option], read)


def _own_option_target(config: TrainConfig, setting: str, option: str, defaults: Mapping[str, Any]) -> Target:
    """An option of the surrogate that a neuron names, such as `neuron.surrogate.k`, as a part of a search space."""
    outer, _, own = option.partition(".")
    text = parse_named(getattr(settle(config), setting))[1].get(outer, defaults.get(outer))
    name = parse_named(str(text))[0]
    surrogate, owner = kind_of(name), f"{outer} '{name}'"
    accepted = hints_of(surrogate)
    if own not in accepted:
        raise unknown(f"option of {owner}", own, accepted)

    def read(value: Any) -> Any:
        return convert_options(owner, surrogate, {own: _word(value)})[own]

    return Target(f"{setting}.{option}", accepted[own], read)


def changed(config: TrainConfig, settings: Mapping[str, Any]) -> TrainConfig:
    """A configuration with other settings.

    Args:
        config: the configuration.
        settings: values by name; `rule.form` stands for the option `form` of the rule that it names.

    Returns:
        The configuration with these values.

    Raises:
        UserError: they are not possible together.
    """
    config = replace(config, **{name: value for name, value in settings.items() if "." not in name})
    for name, value in settings.items():
        setting, dot, option = name.partition(".")
        if dot:
            part, options = parse_named(str(getattr(settle(config), setting)))
            whole: dict[str, Any] = {setting: write_named(part, {**options, option: value})}
            config = replace(config, **whole)
    return config


def _part_of(config: TrainConfig, setting: str) -> tuple[str, Callable[..., Any]]:
    """The name of the part that a setting names, and the function that makes it."""
    text = getattr(settle(config), setting)
    if text in (None, "none"):
        raise UserError(f"no {setting} is given whose options could be searched. Give one in [train]")
    if "+" in text:
        raise UserError(f"{setting} '{text}' names several parts. Search whole texts: {setting} = ['...', '...']")
    name = parse_named(text)[0]
    if config.path == "continuous" and setting == "neuron":
        return name, CIRCUIT_NEURONS[name]
    return name, KINDS[PARTS[setting]].factory(name)


def _word(value: Any) -> str:
    """Write a value as it is written after an option."""
    return str(value).lower() if isinstance(value, bool) else str(value)
