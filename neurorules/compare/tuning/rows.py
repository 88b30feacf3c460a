"""The rows of a search: rules and controls, each with its search space."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from neurorules.compare.controls import frozen_beside, is_bare, is_shallow
from neurorules.compare.rows import check_words, parse_rows
from neurorules.compare.tuning.settings import changed
from neurorules.compare.tuning.space import HIDDEN_ONLY, Space, space_of
from neurorules.contracts.data_set import DataSet
from neurorules.language.config import SettledConfig, TrainConfig
from neurorules.language.errors import UserError
from neurorules.rules import RULES
from neurorules.runner.dispatch import check_net, settle
from neurorules.torch_path.training.batches import settled_by_data


class Row(NamedTuple):
    """One row of a search.

    Args:
        config: its configuration before the search.
        space: the settings that are searched for it.
    """

    config: TrainConfig
    space: Space


def rows_of(config: TrainConfig, rules: str, space: Space, source: DataSet) -> list[Row]:
    """The rows of a search. What can be checked of the values before they are tried is checked here.

    A bare `shallow` stands for frozen rows, one for each net that the other rules learn on. The settings that are
    searched for such a row are those that are searched for the rule, as far as they matter without hidden learning.

    Args:
        config: the settings that all rules share.
        rules: rules, comma-separated (see `compare.rows.parse_row`).
        space: the search space of all rows.
        source: the data set, whose shape and classes determine the net.

    Returns:
        The rows, in the order of the text; rows that are the same once their defaults are filled in stand there once.

    Raises:
        UserError: a rule or a value is wrong, or a setting that is searched changes nothing.
    """
    rows: dict[SettledConfig, Row] = {}
    for row in _each(config, rules, space):
        rows.setdefault(settle(row.config), row)
    for row in rows.values():
        check_row(row, source)
    return list(rows.values())


def _each(config: TrainConfig, rules: str, space: Space) -> Iterator[Row]:
    rows = parse_rows(rules, config)
    learning = [row for row in rows if not is_shallow(row.rule)]
    for row in rows:
        if not is_bare(row, config) or not learning:
            yield Row(row, space_of(row, space, RULES.make(row.rule).control))
            continue
        for other in learning:
            (frozen,) = frozen_beside([other], config)
            own = replace(other, rule=row.rule, readout_lr=config.readout_lr)
            yield Row(replace(frozen, readout_lr=config.readout_lr), space_of(own, space, True))


def check_row(row: Row, source: DataSet) -> None:
    """Check that each searched value is possible, alone or with a word of another setting, and is not ignored.

    Args:
        row: the row of the search.
        source: the data set, whose shape and classes determine the net.

    Raises:
        UserError: a value is not possible, or no samples are held out.
    """
    if not settled_by_data(settle(row.config), source).validation:
        raise UserError("no training sample is held out to choose by. Leave validation out, or give it a number")
    for name, dimension in row.space.items():
        beside = [{}, *({other: word} for other, one in row.space.items() if other != name for word in one.words)]
        for value in dimension.ends:
            _check_one_of(beside, partial(_check_kept, row.config, name, value))
        for word in dimension.words or (dimension.ends if "." in name else ()):
            _check_one_of(beside, partial(_check_net, row.config, source, name, word))
    if not any(dimension.words for dimension in row.space.values()):
        check_words(settle(row.config))
        check_net(settle(row.config), source)


def _check_one_of(beside: Sequence[Mapping[str, Any]], check: Callable[[Mapping[str, Any]], None]) -> None:
    """Refuse settings of which none passes a check.

    Raises:
        UserError: the error of the first of them, if it passes with none.
    """
    errors: list[UserError] = []
    for more in beside:
        try:
            return check(more)
        except UserError as error:
            errors.append(error)
    raise errors[0]


def _check_kept(config: TrainConfig, name: str, value: Any, more: Mapping[str, Any]) -> None:
    whole = settle(changed(config, {**more, name: value}))
    actual = getattr(whole, name, value)
    if name in HIDDEN_ONLY and RULES.make(whole.rule).control:
        raise UserError(
            f"searching {name} changes nothing for '{whole.rule}', whose hidden layers do not learn. Leave it out of "
            f"the space"
        )
    if actual != value:
        raise UserError(
            f"searching {name} changes nothing for '{whole.rule}' with --path {config.path}, where it is {actual}. "
            f"Leave it out of the space"
        )


def _check_net(config: TrainConfig, source: DataSet, name: str, value: Any, more: Mapping[str, Any]) -> None:
    complete = settle(changed(config, {**more, name: value}))
    check_words(complete)
    check_net(complete, source)
